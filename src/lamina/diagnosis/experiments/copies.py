"""Copies of a model with a change, as new models that are compiled like the original."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from lamina import optimizers
from lamina.core.layer.layer_state import all_layers
from lamina.diagnosis.experiments.setup import Samples, TrainingSetup
from lamina.findings import Change
from lamina.layers import Dense
from lamina.models.cloning import clone_model
from lamina.models.functional import Functional
from lamina.models.sequential import Sequential


class CannotCopyError(ValueError):
    """No copy of a model can be made, or not with this change."""


def copy_of(setup: TrainingSetup, changes: Sequence[Change] = ()) -> Any:
    """A copy of the model as it was before its training, with changes.

    Args:
        setup: What the training began with.
        changes: Changes of layers, of the model and of `compile` are applied; see `changed_data`
            for the others. `Change.where` is one of "layer", "model", "compile", "data" and "fit".

    Returns:
        A compiled model with the initial weights. Weights affected by a change are initialized
        again.

    Raises:
        CannotCopyError: If the model, or a layer, cannot be made from its config.
    """
    of_layers = [change for change in changes if change.where == "layer"]
    try:
        copy = _changed_clone(setup.model, of_layers)
    except Exception as error:  # the user's classes may raise anything
        raise CannotCopyError(str(error)) from error
    has_new_layer = False
    for change in changes:
        if change.where == "model":
            copy, has_new_layer = _with_hidden_layer(copy, change), True
    if any(change.name == "trainable" and change.layer is None for change in of_layers):
        copy.trainable = True
    copy.compile(**_compile_arguments(setup, changes))
    copy(jax.tree.map(lambda array: np.asarray(array)[:1], setup.train.x))
    if not has_new_layer:
        _take_weights(copy, setup, of_layers)
    return copy


def _with_hidden_layer(copy: Any, change: Change) -> Any:
    """A Sequential model with a dense layer before another one."""
    names = [layer.name for layer in copy.layers]
    if not isinstance(copy, Sequential) or change.layer not in names:
        raise CannotCopyError(
            f"{copy.name!r} is not a Sequential model with layer {change.layer!r}."
        )
    # Made again: the copy's layers are already built for other input shapes.
    layers = [type(layer).from_config(layer.get_config()) for layer in copy.layers]
    layers.insert(names.index(change.layer), Dense(change.value, activation="relu"))
    return Sequential(layers)


def _changed_clone(model: Any, changes: Sequence[Change]) -> Any:
    """A copy of a model with other settings of its layers."""
    if not changes:
        return clone_model(model)
    names = {layer.name for layer in all_layers(model)}
    missing = [c.layer for c in changes if c.layer is not None and c.layer not in names]
    if missing:
        raise CannotCopyError(f"There is no layer {missing[0]!r}.")
    if isinstance(model, (Sequential, Functional)):
        return clone_model(model, clone_function=_cloning(changes))
    copy = clone_model(model)
    for layer, copied in zip(all_layers(model), all_layers(copy), strict=True):
        for change in changes:
            if layer is not model and change.layer in (None, layer.name):
                changed = _cloning([replace(change, layer=None)])(layer)
                setattr(copied, change.name, getattr(changed, change.name))
    return copy


def _cloning(changes: Sequence[Change]) -> Any:
    """The `clone_function` that applies changes to layers."""

    def clone(layer: Any) -> Any:
        config = layer.get_config()
        for change in changes:
            if change.name in config and change.layer in (None, layer.name):
                config[change.name] = change.value
        copy = type(layer).from_config(config)
        if hasattr(copy, "copy_vocabulary"):  # the vocabulary is not in the config
            copy.copy_vocabulary(layer)
        return copy

    return clone


def _compile_arguments(setup: TrainingSetup, changes: Iterable[Change]) -> dict[str, Any]:
    """Arguments of `compile`, without metrics, which the trainings of copies do not need."""
    arguments = dict(setup.compile_arguments)
    arguments.pop("metrics", None)
    arguments.pop("weighted_metrics", None)
    chosen = {change.name: change.value for change in changes if change.where == "compile"}
    if "loss" in chosen:
        arguments["loss"] = chosen["loss"]
    optimizer = _new_optimizer(setup)
    if "optimizer" in chosen:
        optimizer = optimizers.get(chosen["optimizer"])
    if "learning_rate" in chosen:
        optimizer.learning_rate = chosen["learning_rate"]
    for name in ("clipnorm", "global_clipnorm"):
        if name in chosen:
            config = {**optimizer.get_config(), name: chosen[name]}
            optimizer = type(optimizer).from_config(config)
    arguments["optimizer"] = optimizer
    # Copies are compared with each other, so all are trained in the default precision.
    arguments.pop("precision", None)
    return arguments


def _new_optimizer(setup: TrainingSetup) -> Any:
    """An optimizer with the settings of the model's and a state of its own."""
    optimizer = setup.model.optimizer
    copy = type(optimizer).from_config(optimizer.get_config())
    if setup.learning_rate is not None:
        copy.learning_rate = setup.learning_rate
    return copy


def _take_weights(copy: Any, setup: TrainingSetup, changes: Iterable[Change]) -> None:
    """Give a copy the initial weights, except those of layers that a change affects."""
    if setup.start is None:
        return
    new = {c.layer for c in changes if c.name in ("units", "filters") or "initializer" in c.name}
    new_everywhere = None in new
    fresh = {
        id(weight)
        for layer in all_layers(copy)
        if layer.name in new and not getattr(layer, "layers", None)
        for weight in layer.weights
    }
    if len(copy.weights) != len(setup.start):
        raise CannotCopyError("The copy has a different number of weights than the model.")
    for weight, value in zip(copy.weights, setup.start, strict=True):
        if id(weight) not in fresh and not new_everywhere and tuple(weight.shape) == value.shape:
            weight.assign(value)


def changed_data(setup: TrainingSetup, changes: Sequence[Change] = ()) -> tuple[Samples, Samples]:
    """Training and validation samples after the changes of data."""
    train, validation = setup.train, setup.validation
    for change in changes:
        if change.where == "data":
            if change.name not in _OPERATIONS:
                raise CannotCopyError(f"There is no operation {change.name!r} on data.")
            train, validation = _OPERATIONS[change.name](train, validation, change.value, setup)
    return train, validation


def _scale_of(array: Any) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation: of each column of a table, otherwise of all values."""
    values = np.asarray(array, float)
    axes = 0 if values.ndim == 2 else None
    mean, spread = np.nanmean(values, axis=axes), np.nanstd(values, axis=axes)
    return mean, np.where(spread > 0, spread, 1.0)


def _shift_and_scale(arrays: Any, scales: Sequence[tuple[Any, Any]]) -> Any:
    leaves, structure = jax.tree.flatten(arrays)
    scaled = [
        ((np.asarray(leaf, float) - mean) / spread).astype("float32")
        for leaf, (mean, spread) in zip(leaves, scales, strict=True)
    ]
    return jax.tree.unflatten(structure, scaled)


def _scale_inputs(samples: Samples, scales: Sequence[tuple[Any, Any]]) -> Samples:
    return replace(samples, x=_shift_and_scale(samples.x, scales))


def _standardize_inputs(
    train: Samples, validation: Samples, value: Any, setup: TrainingSetup
) -> tuple[Samples, Samples]:
    scales = [_scale_of(leaf) for leaf in jax.tree.leaves(train.x)]
    return _scale_inputs(train, scales), _scale_inputs(validation, scales)


def _divide_inputs(
    train: Samples, validation: Samples, value: Any, setup: TrainingSetup
) -> tuple[Samples, Samples]:
    scales = [(0.0, value)] * len(jax.tree.leaves(train.x))
    return _scale_inputs(train, scales), _scale_inputs(validation, scales)


def _standardize_targets(
    train: Samples, validation: Samples, value: Any, setup: TrainingSetup
) -> tuple[Samples, Samples]:
    # The score, R², is the same for scaled targets.
    scales = [_scale_of(leaf) for leaf in jax.tree.leaves(train.y)]
    return (
        replace(train, y=_shift_and_scale(train.y, scales)),
        replace(validation, y=_shift_and_scale(validation.y, scales)),
    )


def _shuffle_before_split(
    train: Samples, validation: Samples, value: Any, setup: TrainingSetup
) -> tuple[Samples, Samples]:
    def concatenate(a: Any, b: Any) -> Any:
        return jax.tree.map(lambda first, second: np.concatenate([first, second]), a, b)

    together = Samples(concatenate(train.x, validation.x), concatenate(train.y, validation.y))
    order = np.random.default_rng(setup.seed).permutation(together.size)
    return together.take(order[: train.size]), together.take(order[train.size :])


def _encode_one_hot(
    train: Samples, validation: Samples, value: Any, setup: TrainingSetup
) -> tuple[Samples, Samples]:
    def encode(y: Any) -> Any:
        return np.eye(int(value), dtype="float32")[np.asarray(y).reshape(-1).astype("int64")]

    return replace(train, y=encode(train.y)), replace(validation, y=encode(validation.y))


_OPERATIONS: Mapping[str, Any] = {
    "standardize-inputs": _standardize_inputs,
    "divide-inputs-by": _divide_inputs,
    "standardize-targets": _standardize_targets,
    "shuffle-before-split": _shuffle_before_split,
    "one-hot-targets": _encode_one_hot,
}
