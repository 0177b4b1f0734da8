"""Makes compiled copies of a model with changes, and applies changes to data."""

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


def make_copy(setup: TrainingSetup, changes: Sequence[Change] = ()) -> Any:
    """Make a copy of the model with its initial weights, and with changes.

    Args:
        setup: The model, data and settings of the training.
        changes: Changes of layers, of the model and of `compile` are applied. Those of data are
            applied by `apply_data_changes`, and those of `fit` by `Trials`.

    Returns:
        A compiled model with the initial weights. Weights affected by a change are initialized
        again.

    Raises:
        CannotCopyError: If the model, or a layer, cannot be made from its config.
    """
    layer_changes = [change for change in changes if change.where == "layer"]
    try:
        copy = _clone_with_changes(setup.model, layer_changes)
    except Exception as error:  # the user's classes may raise anything
        raise CannotCopyError(str(error)) from error
    has_new_layer = False
    for change in changes:
        if change.where == "model":
            copy, has_new_layer = _insert_hidden_layer(copy, change), True
    if any(change.name == "trainable" and change.layer is None for change in layer_changes):
        copy.trainable = True
    copy.compile(**_compile_arguments(setup, changes))
    copy(jax.tree.map(lambda array: np.asarray(array)[:1], setup.train.x))
    if not has_new_layer:
        _set_initial_weights(copy, setup, layer_changes)
    return copy


def _insert_hidden_layer(copy: Any, change: Change) -> Any:
    """A Sequential model with an additional Dense layer before the layer of the change."""
    names = [layer.name for layer in copy.layers]
    if not isinstance(copy, Sequential) or change.layer not in names:
        raise CannotCopyError(
            f"{copy.name!r} is not a Sequential model with layer {change.layer!r}."
        )
    # New layers are made, since those of the copy are built for other input shapes.
    layers = [type(layer).from_config(layer.get_config()) for layer in copy.layers]
    # The automatic name can be that of a layer which the user has named.
    name = next(n for i in range(len(names) + 1) if (n := f"inserted_{i}") not in names)
    new_layer = Dense(change.value, activation="relu", name=name)
    layers.insert(names.index(change.layer), new_layer)
    return Sequential(layers)


def _clone_with_changes(model: Any, changes: Sequence[Change]) -> Any:
    """A copy of a model with other settings of its layers."""
    if not changes:
        return clone_model(model)
    names = {layer.name for layer in all_layers(model)}
    missing = [c.layer for c in changes if c.layer is not None and c.layer not in names]
    if missing:
        raise CannotCopyError(f"There is no layer {missing[0]!r}.")
    if isinstance(model, (Sequential, Functional)):
        return clone_model(model, clone_function=_clone_function(changes))
    copy = clone_model(model)
    for layer, layer_copy in zip(all_layers(model), all_layers(copy), strict=True):
        for change in changes:
            if layer is not model and change.layer in (None, layer.name):
                changed_layer = _clone_function([replace(change, layer=None)])(layer)
                setattr(layer_copy, change.name, getattr(changed_layer, change.name))
    return copy


def _clone_function(changes: Sequence[Change]) -> Any:
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
    """Arguments of `compile` with changes, and without metrics, which copies do not need."""
    arguments = dict(setup.compile_arguments)
    arguments.pop("metrics", None)
    arguments.pop("weighted_metrics", None)
    new_values = {change.name: change.value for change in changes if change.where == "compile"}
    if "loss" in new_values:
        arguments["loss"] = new_values["loss"]
    optimizer = _new_optimizer(setup)
    if "optimizer" in new_values:
        optimizer = optimizers.get(new_values["optimizer"])
    if "learning_rate" in new_values:
        optimizer.learning_rate = new_values["learning_rate"]
    for name in ("clipnorm", "global_clipnorm"):
        if name in new_values:
            config = {**optimizer.get_config(), name: new_values[name]}
            optimizer = type(optimizer).from_config(config)
    arguments["optimizer"] = optimizer
    # Copies are compared with each other, so all are trained in the default precision.
    arguments.pop("precision", None)
    return arguments


def _new_optimizer(setup: TrainingSetup) -> Any:
    """A new optimizer with the settings of the model's optimizer."""
    optimizer = setup.model.optimizer
    copy = type(optimizer).from_config(optimizer.get_config())
    if setup.learning_rate is not None:
        copy.learning_rate = setup.learning_rate
    return copy


def _set_initial_weights(copy: Any, setup: TrainingSetup, changes: Iterable[Change]) -> None:
    """Give a copy the initial weights, except those of layers that a change affects."""
    if setup.initial_weights is None:
        return
    affected_layers = {
        c.layer for c in changes if c.name in ("units", "filters") or "initializer" in c.name
    }
    are_all_affected = None in affected_layers
    affected_weights = {
        id(weight)
        for layer in all_layers(copy)
        if layer.name in affected_layers and not getattr(layer, "layers", None)
        for weight in layer.weights
    }
    if len(copy.weights) != len(setup.initial_weights):
        raise CannotCopyError("The copy has a different number of weights than the model.")
    for weight, value in zip(copy.weights, setup.initial_weights, strict=True):
        is_affected = are_all_affected or id(weight) in affected_weights
        if not is_affected and tuple(weight.shape) == value.shape:
            weight.assign(value)


def apply_data_changes(
    setup: TrainingSetup, changes: Sequence[Change] = ()
) -> tuple[Samples, Samples]:
    """Training and validation samples after changes of the data."""
    train, validation = setup.train, setup.validation
    for change in changes:
        if change.where == "data":
            if change.name not in _OPERATIONS:
                raise CannotCopyError(f"There is no operation {change.name!r} on data.")
            train, validation = _OPERATIONS[change.name](train, validation, change.value, setup)
    return train, validation


def _mean_and_deviation(array: Any) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column of a table, or of all values of other arrays."""
    values = np.asarray(array, float)
    axes = 0 if values.ndim == 2 else None
    mean, deviation = np.nanmean(values, axis=axes), np.nanstd(values, axis=axes)
    return mean, np.where(deviation > 0, deviation, 1.0)


def _shift_and_scale(arrays: Any, scales: Sequence[tuple[Any, Any]]) -> Any:
    leaves, structure = jax.tree.flatten(arrays)
    scaled = [
        ((np.asarray(leaf, float) - mean) / deviation).astype("float32")
        for leaf, (mean, deviation) in zip(leaves, scales, strict=True)
    ]
    return jax.tree.unflatten(structure, scaled)


def _scale_inputs(samples: Samples, scales: Sequence[tuple[Any, Any]]) -> Samples:
    return replace(samples, x=_shift_and_scale(samples.x, scales))


def _standardize_inputs(
    train: Samples, validation: Samples, value: Any, setup: TrainingSetup
) -> tuple[Samples, Samples]:
    scales = [_mean_and_deviation(leaf) for leaf in jax.tree.leaves(train.x)]
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
    scales = [_mean_and_deviation(leaf) for leaf in jax.tree.leaves(train.y)]
    return (
        replace(train, y=_shift_and_scale(train.y, scales)),
        replace(validation, y=_shift_and_scale(validation.y, scales)),
    )


def _shuffle_before_split(
    train: Samples, validation: Samples, value: Any, setup: TrainingSetup
) -> tuple[Samples, Samples]:
    def concatenate(a: Any, b: Any) -> Any:
        return jax.tree.map(lambda first, second: np.concatenate([first, second]), a, b)

    all_samples = Samples(concatenate(train.x, validation.x), concatenate(train.y, validation.y))
    order = np.random.default_rng(setup.seed).permutation(all_samples.size)
    return all_samples.take(order[: train.size]), all_samples.take(order[train.size :])


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
