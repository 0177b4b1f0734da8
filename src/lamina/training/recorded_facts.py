"""Describes a model and its data as plain data, for the checks of `lamina.findings`."""

from collections.abc import Iterable
from typing import Any

import jax
import numpy as np

from lamina.core.user_data.classes import MAX_CLASSES, class_indices_of
from lamina.core.user_data.data_kinds import is_text
from lamina.core.user_data.text import Preprocessed
from lamina.findings import LayerFacts, OutputFacts, Targets, Values
from lamina.findings.properties import LARGE_INPUT
from lamina.training import checks
from lamina.training.trainable import Trainable

# At most `_MAX_ROWS` evenly spaced rows of an array are examined; fewer if they have more than
# `_MAX_NUMBERS` numbers, but at least `_MIN_ROWS`.
_MAX_ROWS, _MIN_ROWS, _MAX_NUMBERS = 2000, 200, 200_000
_SETTINGS = ("rate", "dropout", "recurrent_dropout", "axis", "momentum", "stateful")


def layer_facts(learner: Trainable) -> tuple[LayerFacts, ...]:
    """Facts about all layers, in the order of their calls if it is known."""
    model = learner.model
    nodes = learner.signature.nodes
    called_layers = [node.operation for node in nodes]
    layers = called_layers or [layer for layer in learner.layers() if layer is not model]
    flat = [inner for layer in layers for inner in _inner_layers(layer)]
    return tuple(_describe_layer(layer) for layer in dict.fromkeys(flat))


def is_chain(learner: Trainable) -> bool:
    """Whether every layer receives only the output of the layer before it."""
    nodes = learner.signature.nodes
    for before, node in zip(nodes, nodes[1:], strict=False):
        (first, *others) = node.input_tensors or [None]
        if others or not any(first is tensor for tensor in before.output_tensors):
            return False
    return bool(nodes) and len(learner.signature.inputs) == 1


def _inner_layers(layer: Any) -> Iterable[Any]:
    """The layers of a nested model, or the layer itself."""
    inner = getattr(layer, "layers", None)
    if not isinstance(inner, (list, tuple)) or not hasattr(layer, "get_layer"):
        return [layer]
    return [inner_layer for part in inner for inner_layer in _inner_layers(part)]


def _describe_layer(layer: Any) -> LayerFacts:
    units = getattr(layer, "units", None) or getattr(layer, "filters", None)
    settings = {
        name: value
        for name in _SETTINGS
        if isinstance(value := getattr(layer, name, None), (bool, int, float))
    }
    weights = getattr(layer, "weights", [])
    return LayerFacts(
        name=str(layer.name),
        kind=type(layer).__name__,
        is_from_lamina=type(layer).__module__.startswith("lamina."),
        activation=getattr(getattr(layer, "activation", None), "__name__", None),
        units=units if isinstance(units, int) else None,
        settings=settings,
        initializer=_describe_initializer(layer),
        regularizer=_describe_penalty(getattr(layer, "kernel_regularizer", None)),
        parameters=sum(int(np.prod(weight.shape)) for weight in weights),
        trainable=bool(getattr(layer, "trainable", True)) or not weights,
    )


def _describe_initializer(layer: Any) -> tuple[str, dict[str, Any]] | None:
    initializer = getattr(layer, "kernel_initializer", None)
    if initializer is None or not type(initializer).__module__.startswith("lamina."):
        return None
    return type(initializer).__name__, dict(initializer.get_config())


def _describe_penalty(regularizer: Any) -> float:
    factors = [getattr(regularizer, name, 0.0) for name in ("l1", "l2")]
    return max((float(factor) for factor in factors if np.ndim(factor) == 0), default=0.0)


def describe_values(name: str, array: Any) -> Values | None:
    """Statistics of an array `(samples, …)`; None if it has no numbers, or is not on the CPU."""
    rows = _select_rows(array)
    if rows is None or not rows.size:
        return None
    numbers = rows.astype("float64") if rows.dtype != np.float64 else rows
    finite = numbers[np.isfinite(numbers)]
    if not finite.size:
        return None
    constant = 0.0
    if rows.ndim == 2 and len(rows) > 1:
        constant = float(np.mean((numbers == numbers[:1]).all(axis=0)))
    return Values(
        name=name,
        shape=tuple(map(int, rows.shape[1:])),
        kind=rows.dtype.kind if rows.dtype.kind in "biuf" else "f",
        samples=len(array),
        low=float(finite.min()),
        high=float(finite.max()),
        mean=float(finite.mean()),
        std=float(finite.std()),
        large=float(np.mean(np.abs(finite) > LARGE_INPUT)),
        constant=constant,
    )


def _select_rows(array: Any) -> np.ndarray | None:
    if isinstance(array, jax.Array) and any(d.platform != "cpu" for d in array.devices()):
        return None  # a copy from the device would be too expensive
    if not isinstance(array, (np.ndarray, jax.Array)) or not array.ndim or not len(array):
        return None
    if is_text(array) or array.dtype.kind == "c":
        return None
    max_rows = max(_MAX_NUMBERS // max(array.size // len(array), 1), _MIN_ROWS)
    return np.asarray(array[:: -(-len(array) // min(max_rows, _MAX_ROWS))])


def input_values(x: Any) -> tuple[Values, ...]:
    """Statistics of every input array."""
    if isinstance(x, Preprocessed) or x is None:  # text that layers have made numbers of
        return ()
    leaves = jax.tree_util.tree_leaves_with_path(x)
    names = ["x" + jax.tree_util.keystr(path) for path, _ in leaves]
    all_values = [
        describe_values(name, leaf) for name, (_, leaf) in zip(names, leaves, strict=True)
    ]
    return tuple(values for values in all_values if values is not None)


def describe_targets(array: Any) -> Targets | None:
    """The kind of the targets of an output, and the counts of their classes."""
    rows = _select_rows(array)
    values = describe_values("y", array)
    if rows is None or values is None:
        return None
    if rows.ndim == 2 and rows.shape[1] > 1 and np.isin(rows, (0, 1)).all():
        all_rows = np.asarray(array)
        counts = tuple(map(int, all_rows.sum(axis=0)))
        has_one_class = bool((rows.sum(axis=1) == 1).all())
        form = "one-hot" if has_one_class else "several classes"
        is_sorted = has_one_class and _is_sorted(all_rows.argmax(axis=1))
        return Targets(form, values, counts, len(counts), is_sorted)
    if rows.size != len(rows):
        return Targets("numbers", values)
    all_rows = np.asarray(array).reshape(-1)
    classes = class_indices_of(all_rows)
    if classes is None or classes.min() < 0 or classes.max() >= MAX_CLASSES:
        return Targets("numbers", values)
    bin_counts = np.bincount(classes)
    class_count = int((bin_counts > 0).sum())
    form = "zeros and ones" if len(bin_counts) <= 2 else "class indices"
    return Targets(form, values, tuple(map(int, bin_counts)), class_count, _is_sorted(all_rows))


def _is_sorted(classes: np.ndarray) -> bool:
    """Whether samples are sorted by class: the class changes far less often than by chance."""
    changes = int((classes[1:] != classes[:-1]).sum())
    class_count = len(np.unique(classes))
    return len(classes) >= 20 and 1 < class_count < len(classes) / 4 and changes < 2 * class_count


def output_facts(learner: Trainable, y: Any, validation_y: Any) -> tuple[OutputFacts, ...]:
    """Facts about the outputs that have a loss, and about their targets."""
    objectives, signature = learner.objectives, learner.signature
    if not objectives.built or not signature.outputs:
        return ()
    activations = checks.final_activations(learner)
    targets = _targets_by_output(learner, y)
    validation = _targets_by_output(learner, validation_y)
    facts = []
    for index, loss in objectives.losses:
        if index >= len(signature.outputs):
            continue
        tensor = signature.outputs[index]
        facts.append(
            OutputFacts(
                name=signature.output_names[index],
                units=tensor.shape[-1] if len(tensor.shape) > 1 else None,
                activation=activations[index],
                loss=checks.loss_name(loss),
                from_logits=bool(getattr(loss, "from_logits", False)),
                metrics=tuple(m.name for i, m, _ in objectives.output_metrics if i == index),
                targets=None if targets is None else describe_targets(targets[index]),
                validation_targets=None
                if validation is None
                else describe_targets(validation[index]),
            )
        )
    return tuple(facts)


def _targets_by_output(learner: Trainable, y: Any) -> list[Any] | None:
    if y is None or not learner.compares_targets(training=True):
        return None
    try:
        return learner.objectives.targets(y)
    except ValueError:
        return None
