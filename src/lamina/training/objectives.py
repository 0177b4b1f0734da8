"""What training minimises and measures: `compile(loss=…, metrics=…)` matched to the outputs.

A model may have one output or many, given names, and losses and metrics may be given as one, as a
list or as a dict. Here they are flattened: one loss and one list of metrics for each output.
"""

from typing import Any

import jax

from lamina import losses as losses_module, metrics as metrics_module
from lamina.core.errors import did_you_mean
from lamina.losses import Loss
from lamina.metrics import Mean, Metric


class Objectives:
    """The losses and metrics of a compiled model.

    Args:
        loss: Name, function, Loss, or a list or dict of them.
        loss_weights: Factor for each loss: a number, list or dict.
        metrics: Metrics for each output.
        weighted_metrics: Metrics that also take the sample weights.
    """

    def __init__(self, loss: Any, loss_weights: Any, metrics: Any, weighted_metrics: Any):
        self.loss = loss
        self.loss_weights = loss_weights
        self.metrics_given = metrics
        self.weighted_given = weighted_metrics
        self.loss_tracker = Mean(name="loss")
        self.built = False
        self.outputs: list = []  # their shapes
        self._losses: list[Loss | None] = []
        self._weights: list[float] = []
        self._trackers: dict[int, Mean] = {}  # by output, in the order that evaluate gives
        self._metrics: list[tuple[int, Metric, bool]] = []
        # Refused here, when the user writes it, and not at the first step.
        for identifier in _leaves(loss):
            if identifier not in _ASKS_FOR_SHAPES:
                losses_module.get(identifier)
        for identifier in (*_leaves(metrics), *_leaves(weighted_metrics)):
            if identifier not in _ASKS_FOR_SHAPES:
                metrics_module.get(identifier)

    def build(self, y: Any, y_pred: Any, output_names: list[str]) -> None:
        """Match losses and metrics to outputs, once their shapes are known.

        Args:
            y: Targets, or anything with their structure and `shape`s; None without targets.
            y_pred: What the model gives for a batch, as arrays or shapes.
            output_names: One name for each output.
        """
        if self.built:
            return
        self._metrics = []  # a try before this one may have failed half-way
        names = _names_of(y_pred, output_names)
        outputs = self.outputs = jax.tree.leaves(y_pred)
        count = len(outputs)
        losses = _spread(self.loss, names, count, "loss")
        targets = jax.tree.leaves(y) if y is not None else [None] * count
        shapes = [
            (tuple(o.shape if t is None else t.shape), tuple(o.shape))
            for t, o in zip(targets, outputs, strict=False)
        ]
        self._losses = [
            None if loss is None else losses_module.resolve_loss(loss, *shape)
            for loss, shape in zip(losses, shapes, strict=False)
        ]
        weights = _spread(self.loss_weights, names, count, "loss_weights")
        self._weights = [1.0 if w is None else float(w) for w in weights]
        used = [index for index, loss in enumerate(self._losses) if loss is not None]
        if len(used) > 1:
            if isinstance(y_pred, dict) and isinstance(self.loss, dict):
                used.sort(key=lambda index: list(self.loss).index(names[index]))
            self._trackers = {index: Mean(name=f"{names[index]}_loss") for index in used}
        for given, weighted in ((self.metrics_given, False), (self.weighted_given, True)):
            for index, identifiers in enumerate(_spread_metrics(given, names, count)):
                for identifier in identifiers:
                    self._add(identifier, index, names[index], targets, outputs, weighted)
        self.built = True

    def _add(
        self,
        identifier: Any,
        index: int,
        name: str,
        targets: list,
        outputs: list,
        weighted: bool,
    ) -> None:
        target = targets[index] if index < len(targets) else None
        metric = metrics_module.resolve_metric(
            identifier,
            tuple(outputs[index].shape if target is None else target.shape),
            tuple(outputs[index].shape),
            self._losses[index],
        )
        metric.build(tuple(target.shape) if target is not None else (), tuple(outputs[index].shape))
        if len(outputs) > 1 and not metric.name.startswith(f"{name}_"):
            metric.name = f"{name}_{metric.name}"
        taken = {m.name for _, m, _ in self._metrics}
        if metric.name in taken and weighted:
            metric.name = f"weighted_{metric.name}"
        self._metrics.append((index, metric, weighted))

    @property
    def metrics(self) -> list[Metric]:
        """All metrics, the loss first: the order of what `evaluate` returns.

        Scripts unpack that list by place. Keras goes by the names when there are many outputs, and
        by the order in `compile` when there is one.
        """
        metrics = [metric for _, metric, _ in self._metrics]
        if len(self.outputs) > 1:
            metrics.sort(key=lambda metric: metric.name)
        return [self.loss_tracker, *self._trackers.values(), *metrics]

    @property
    def empty(self) -> bool:
        """Whether `compile` was given neither loss nor metrics."""
        return self.loss is None and not self.metrics_given and not self.weighted_given

    @property
    def sums_over_samples(self) -> bool:
        """Whether every loss and metric is known to be a sum over samples."""
        parts: list[Loss | Metric] = [loss for loss in self._losses if loss is not None]
        parts += [metric for _, metric, _ in self._metrics]
        return all(_is_a_sum(part) for part in parts)

    def compute(self, y: Any, y_pred: Any, sample_weight: Any) -> jax.Array | None:
        """The weighted sum of all losses, or None if there is none."""
        predictions = jax.tree.leaves(y_pred)
        targets = self._targets(y, len(predictions))
        weights = _per_output(sample_weight, len(predictions))
        total = None
        for index, loss in enumerate(self._losses):
            if loss is None:
                continue
            value = loss(targets[index], predictions[index], sample_weight=weights[index])
            if index in self._trackers:
                count = predictions[index].shape[0] if predictions[index].ndim else 1
                self._trackers[index].update_state(value, sample_weight=count)
            value = value * self._weights[index] if self._weights[index] != 1.0 else value
            total = value if total is None else total + value
        return total

    def update_metrics(self, y: Any, y_pred: Any, sample_weight: Any) -> None:
        predictions = jax.tree.leaves(y_pred)
        targets = self._targets(y, len(predictions))
        weights = _per_output(sample_weight, len(predictions))
        for index, metric, weighted in self._metrics:
            if targets[index] is None:
                continue
            weight = weights[index] if weighted else None
            metric.update_state(targets[index], predictions[index], sample_weight=weight)

    def _targets(self, y: Any, count: int) -> list:
        if y is None:
            return [None] * count
        targets = jax.tree.leaves(y, is_leaf=lambda leaf: leaf is None)
        if len(targets) != count:
            raise ValueError(
                f"The model has {count} output(s) and received targets for {len(targets)}.\n"
                "  Fix: give one array of targets for each output."
            )
        return targets


_ASKS_FOR_SHAPES = ("accuracy", "acc", "crossentropy", "ce")


_OF_WHOLE_BATCHES = (losses_module.circle, losses_module.dice, losses_module.tversky)


def _is_a_sum(part: Any) -> bool:
    functions = [getattr(part, "fn", None), getattr(part, "_fn", None)]
    owner = part if not isinstance(part, (Loss, Metric)) else type(part)
    # Along axis 0 the samples of a batch are compared with each other.
    whole = not getattr(part, "of_samples", True) or getattr(part, "axis", -1) == 0
    if isinstance(part, Loss):
        # A sum grows with the batch, and a mean by weights divides by those of one batch.
        whole = whole or part.reduction not in ("sum_over_batch_size", "mean")
    if whole or any(f in _OF_WHOLE_BATCHES for f in functions):
        return False
    return all(
        f is None or str(getattr(f, "__module__", "")).startswith("lamina.")
        for f in (owner, *functions)
    )


def _leaves(given: Any) -> list:
    if given is None:
        return []
    if isinstance(given, dict):
        if "class_name" in given:
            return [given]
        return [leaf for value in given.values() for leaf in _leaves(value)]
    if isinstance(given, (list, tuple)):
        return [leaf for value in given for leaf in _leaves(value)]
    return [given]


def _names_of(y_pred: Any, output_names: list[str]) -> list[str]:
    if isinstance(y_pred, dict):
        return sorted(y_pred)
    count = len(jax.tree.leaves(y_pred))
    if len(output_names) == count:
        return list(output_names)
    return ["output"] if count == 1 else [f"output_{i}" for i in range(count)]


def _spread(given: Any, names: list[str], count: int, what: str) -> list:
    """One entry an output, from one for all, a list, or a dict by name."""
    if isinstance(given, dict) and "class_name" not in given:
        unknown = [key for key in given if key not in names]
        if unknown:
            raise ValueError(
                f"{what} names an output {unknown[0]!r} that the model does not have."
                f"{did_you_mean(unknown[0], names)}\n  Its outputs: {', '.join(names)}."
            )
        return [given.get(name) for name in names]
    if isinstance(given, (list, tuple)):
        if len(given) != count:
            raise ValueError(
                f"{what} is a list of {len(given)}, but the model has {count} output(s): "
                f"{', '.join(names)}."
            )
        return list(given)
    return [given] * count


def _spread_metrics(given: Any, names: list[str], count: int) -> list[list]:
    """A list of metrics for each output."""
    if given is None:
        return [[] for _ in range(count)]
    if isinstance(given, dict) and "class_name" not in given:
        return [_as_list(entry) for entry in _spread(given, names, count, "metrics")]
    given = _as_list(given)
    nested = any(isinstance(entry, (list, tuple)) or entry is None for entry in given)
    if count == 1:
        return [[m for entry in given for m in _as_list(entry)]]
    if nested or len(given) == count:
        return [_as_list(entry) for entry in _spread(given, names, count, "metrics")]
    return [list(given) for _ in range(count)]


def _as_list(entry: Any) -> list:
    if entry is None:
        return []
    return list(entry) if isinstance(entry, (list, tuple)) else [entry]


def _per_output(sample_weight: Any, count: int) -> list:
    weights = jax.tree.leaves(sample_weight, is_leaf=lambda leaf: leaf is None)
    return weights if len(weights) == count else [sample_weight] * count
