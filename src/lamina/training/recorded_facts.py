"""Facts of a model and its data as the plain data that checks read (`lamina.findings.Record`)."""

from collections.abc import Iterable
from typing import Any

import jax
import numpy as np

from lamina.core.user_data.classes import MOST_CLASSES, classes_of
from lamina.core.user_data.data_kinds import is_text
from lamina.core.user_data.text import Preprocessed
from lamina.findings import LayerFacts, OutputFacts, Targets, Values
from lamina.findings.properties import LARGE_INPUT
from lamina.training import checks
from lamina.training.trainable import Trainable

# Rows of an array that are examined, spread evenly over it, and fewer of long rows.
_ROWS, _FEWEST_ROWS, _NUMBERS = 2000, 200, 200_000
_SETTINGS = ("rate", "dropout", "recurrent_dropout", "axis", "momentum", "stateful")


def layer_facts(learner: Trainable) -> tuple[LayerFacts, ...]:
    """The layers that have weights or settings, in the order of their calls where it is known."""
    model = learner.model
    nodes = learner.signature.nodes
    called = [node.operation for node in nodes]
    layers = called or [layer for layer in learner.layers() if layer is not model]
    flat = [inner for layer in layers for inner in _inner_layers(layer)]
    return tuple(_layer(layer) for layer in dict.fromkeys(flat))


def is_chain(learner: Trainable) -> bool:
    """Whether every layer takes the output of the one before, and nothing else."""
    nodes = learner.signature.nodes
    for before, node in zip(nodes, nodes[1:], strict=False):
        (first, *others) = node.input_tensors or [None]
        if others or not any(first is tensor for tensor in before.output_tensors):
            return False
    return bool(nodes) and len(learner.signature.inputs) == 1


def _inner_layers(layer: Any) -> Iterable[Any]:
    """The layers of a nested model in its place."""
    inner = getattr(layer, "layers", None)
    if not isinstance(inner, (list, tuple)) or not hasattr(layer, "get_layer"):
        return [layer]
    return [found for part in inner for found in _inner_layers(part)]


def _layer(layer: Any) -> LayerFacts:
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
        initializer=_initializer(layer),
        regularizer=_penalty(getattr(layer, "kernel_regularizer", None)),
        parameters=sum(int(np.prod(weight.shape)) for weight in weights),
        trainable=bool(getattr(layer, "trainable", True)) or not weights,
    )


def _initializer(layer: Any) -> tuple[str, dict[str, Any]] | None:
    initializer = getattr(layer, "kernel_initializer", None)
    if initializer is None or not type(initializer).__module__.startswith("lamina."):
        return None
    return type(initializer).__name__, dict(initializer.get_config())


def _penalty(regularizer: Any) -> float:
    factors = [getattr(regularizer, name, 0.0) for name in ("l1", "l2")]
    return max((float(factor) for factor in factors if np.ndim(factor) == 0), default=0.0)


def values_of(name: str, array: Any) -> Values | None:
    """The values of an array `(samples, …)`; None if it holds no numbers, or is on a GPU."""
    rows = _rows(array)
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
        spread=float(finite.std()),
        large=float(np.mean(np.abs(finite) > LARGE_INPUT)),
        constant=constant,
    )


def _rows(array: Any) -> np.ndarray | None:
    if isinstance(array, jax.Array) and any(d.platform != "cpu" for d in array.devices()):
        return None  # the facts are not worth a copy from the device
    if not isinstance(array, (np.ndarray, jax.Array)) or not array.ndim or not len(array):
        return None
    if is_text(array) or array.dtype.kind == "c":
        return None
    most = max(_NUMBERS // max(array.size // len(array), 1), _FEWEST_ROWS)
    return np.asarray(array[:: -(-len(array) // min(most, _ROWS))])


def input_values(x: Any) -> tuple[Values, ...]:
    """The values of every input array."""
    if isinstance(x, Preprocessed) or x is None:
        return ()
    leaves = jax.tree_util.tree_leaves_with_path(x)
    names = ["x" + jax.tree_util.keystr(path) for path, _ in leaves]
    found = [values_of(name, leaf) for name, (_, leaf) in zip(names, leaves, strict=True)]
    return tuple(values for values in found if values is not None)


def targets_of(array: Any) -> Targets | None:
    """What the targets of one output are: classes, numbers, how many of each."""
    rows = _rows(array)
    values = values_of("y", array)
    if rows is None or values is None:
        return None
    if rows.ndim == 2 and rows.shape[1] > 1 and np.isin(rows, (0, 1)).all():
        whole = np.asarray(array)
        counts = tuple(map(int, whole.sum(axis=0)))
        single = bool((rows.sum(axis=1) == 1).all())
        form = "one-hot" if single else "several classes"
        ordered = single and _is_sorted(whole.argmax(axis=1))
        return Targets(form, values, counts, len(counts), ordered)
    if rows.size != len(rows):
        return Targets("numbers", values)
    whole = np.asarray(array).reshape(-1)
    classes = classes_of(whole)
    if classes is None or classes.min() < 0 or classes.max() >= MOST_CLASSES:
        return Targets("numbers", values)
    of_class = np.bincount(classes)
    distinct = int((of_class > 0).sum())
    form = "zeros and ones" if len(of_class) <= 2 else "class indices"
    return Targets(form, values, tuple(map(int, of_class)), distinct, _is_sorted(whole))


def _is_sorted(classes: np.ndarray) -> bool:
    """Whether equal classes follow each other: far fewer changes than by chance."""
    changes = int((classes[1:] != classes[:-1]).sum())
    kinds = len(np.unique(classes))
    return len(classes) >= 20 and 1 < kinds < len(classes) / 4 and changes < 2 * kinds


def output_facts(learner: Trainable, y: Any, validation_y: Any) -> tuple[OutputFacts, ...]:
    """The outputs that have a loss, with their targets."""
    objectives, signature = learner.objectives, learner.signature
    if not objectives.built or not signature.outputs:
        return ()
    final = checks.final_activations(learner)
    given = _targets_by_output(learner, y)
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
                activation=final[index],
                loss=checks.loss_name(loss),
                from_logits=bool(getattr(loss, "from_logits", False)),
                metrics=tuple(m.name for at, m, _ in objectives.measured if at == index),
                targets=None if given is None else targets_of(given[index]),
                validation_targets=None if validation is None else targets_of(validation[index]),
            )
        )
    return tuple(facts)


def _targets_by_output(learner: Trainable, y: Any) -> list[Any] | None:
    if y is None or not learner.compares_targets(True):
        return None
    try:
        return learner.objectives.targets(y)
    except ValueError:
        return None
