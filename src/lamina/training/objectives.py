"""Objectives: the losses and metrics of `compile`, matched to the outputs of the model.

A model may have one or several outputs, nested and named. `compile` accepts a single loss or
metric, a list, a dict, or the structure of the outputs. An `Objectives` object has a flat list of
pairs of a loss or metric and its output, which `loss_matching.py` computes. The train and test
steps use it to compute the loss and to update the metrics.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax

from lamina import losses as losses_module, metrics as metrics_module
from lamina.core.types import LossLike, MetricsLike, Outputs, PyTree, Targets
from lamina.losses import Loss
from lamina.metrics import Mean, Metric
from lamina.training.loss_matching import identifiers, losses_by_output, metrics_by_output
from lamina.training.structure_matching import StructureError, TensorTree, is_array, leaves, match


class Term(NamedTuple):
    """One term of the sum that is minimised."""

    node: TensorTree  # an output, or a group of outputs that the loss receives together
    loss: Loss
    weight: float


class OutputMetric(NamedTuple):
    """A metric and the index of its output."""

    output: int
    metric: Metric
    weighted: bool


class Predictions:
    """The tensors that losses or metrics compare with targets, usually the model's outputs.

    Args:
        y_pred: Arrays or shapes.
        names: One name for each tensor.
        as_written: The structure of `y_pred`, with dicts in the order in which the user wrote them.
    """

    def __init__(
        self, y_pred: Outputs = (), names: list[str] | None = None, as_written: PyTree = None
    ):
        self.tensors: list[Any] = jax.tree.leaves(y_pred)
        self.structure: Any = jax.tree.structure(y_pred)
        self.tree = TensorTree(y_pred, names, as_written)


class Objectives:
    """The losses and metrics of a compiled model.

    Args:
        loss: Name, function, Loss, or a list or dict of them.
        loss_weights: Factor for each loss: a number, list or dict.
        metrics: Metrics for each output.
        weighted_metrics: Metrics that also take the sample weights.
    """

    def __init__(
        self,
        loss: LossLike,
        loss_weights: float | Sequence[float] | Mapping[str, float] | None,
        metrics: MetricsLike,
        weighted_metrics: MetricsLike,
    ):
        self.loss = loss
        self.loss_weights = loss_weights
        self.requested_metrics = metrics
        self.requested_weighted_metrics = weighted_metrics
        self.loss_tracker = Mean(name="loss")
        self.built = False
        self.outputs: list[Any] = []  # their shapes
        self._metric_inputs = Predictions()  # inputs of the metrics
        self._loss_inputs: Predictions | None = None  # inputs of the losses
        self._terms: list[Term] = []
        # By path of the node, in the order of `evaluate`.
        self._trackers: dict[tuple[Any, ...], Mean] = {}
        self.output_metrics: list[OutputMetric] = []
        # Raise errors for unknown names here, rather than in the first step.
        for identifier in identifiers(loss):
            if identifier not in _DEPEND_ON_SHAPES:
                losses_module.get(identifier)
        for identifier in (*identifiers(metrics), *identifiers(weighted_metrics)):
            if identifier not in _DEPEND_ON_SHAPES:
                metrics_module.get(identifier)

    def build(
        self, y: Targets, y_pred: Outputs, output_names: list[str], as_written: PyTree = None
    ) -> None:
        """Match losses and metrics to outputs, once their shapes are known.

        Args:
            y: Targets, or anything with their structure and `shape`s; None without targets.
            y_pred: Outputs for a batch, as arrays or shapes.
            output_names: A name for each output.
            as_written: The outputs, with dicts in the order in which the user wrote them.
        """
        if self.built:
            return
        self.output_metrics = []  # an earlier attempt may have failed in the middle
        if self._loss_inputs is None:
            self.build_losses(y, y_pred, output_names, as_written)
        self._metric_inputs = Predictions(y_pred, output_names, as_written)
        self.outputs = self._metric_inputs.tensors
        targets = self._targets_or_none(self._metric_inputs, y)
        used: dict[int, str] = {}
        for metrics, is_weighted in (
            (self.requested_metrics, False),
            (self.requested_weighted_metrics, True),
        ):
            what = "weighted_metrics" if is_weighted else "metrics"
            matched = metrics_by_output(self._metric_inputs.tree, metrics, what)
            for node, identifiers_of_node in zip(
                self._metric_inputs.tree.tensors, matched, strict=True
            ):
                for identifier in identifiers_of_node:
                    self._add_metric(_copy_if_shared(identifier, used), node, targets, is_weighted)
        self.built = True

    def build_losses(
        self, y: Targets, y_pred: Outputs, output_names: list[str], as_written: PyTree = None
    ) -> None:
        """Match only the losses, to the predictions that an override of `compute_loss` passes on.

        Args:
            y, y_pred, output_names, as_written: As for `build`.
        """
        predictions = Predictions(y_pred, output_names, as_written)
        matched_losses = losses_by_output(predictions.tree, self.loss, self.loss_weights)
        self._terms = [Term(node, loss, weight) for node, loss, weight in matched_losses]
        targets = self._targets_or_none(predictions, y)
        shapes = [  # of the target and of the output
            (tuple(output.shape if target is None else target.shape), tuple(output.shape))
            for target, output in zip(targets, predictions.tensors, strict=True)
        ]
        self._terms = [
            Term(node, losses_module.resolve_loss(loss, *shapes[node.first_index]), weight)
            for node, loss, weight in matched_losses
        ]
        self._trackers = _trackers(self._terms) if len(self._terms) > 1 else {}
        self._loss_inputs = predictions

    def _targets_or_none(self, predictions: Predictions, y: Targets) -> list[Any]:
        try:
            return self._match_targets(predictions, y)
        except ValueError:
            # Raised again when losses are computed; an overridden step may not compute them.
            return [None] * len(predictions.tensors)

    def _add_metric(
        self, identifier: Any, node: TensorTree, targets: list[Any], weighted: bool
    ) -> None:
        index = node.first_index
        output, target = self.outputs[index], targets[index]
        metric = metrics_module.resolve_metric(
            identifier,
            tuple(output.shape if target is None else target.shape),
            tuple(output.shape),
            next((loss for i, loss in self.losses if i == index and self.losses_use_outputs), None),
        )
        metric.build(tuple(target.shape) if target is not None else (), tuple(output.shape))
        names = {m.name for _, m, _ in self.output_metrics}
        # As in Keras, the name of a metric has the name of the tensor, that of a loss the path.
        children = self._metric_inputs.tree.children.values()
        flat = all(child.index is not None for child in children)
        label = node.label if flat or node.name is None else node.name
        prefix = f"{label}_" if len(self.outputs) > 1 and not node.has_no_name else ""
        metric.name = _unused_name(metric.name.removeprefix(prefix), prefix, names, weighted)
        self.output_metrics.append(OutputMetric(index, metric, weighted))

    @property
    def losses(self) -> list[tuple[int, Loss]]:
        """Pairs of an output's index and a loss; several if a loss receives several outputs."""
        return [(p.first_index, term.loss) for term in self._terms for p in term.node.tensors]

    def losses_with(self, output_items: Iterable[Any]) -> list[tuple[Loss, Any]]:
        """Pairs of a loss and the item for its output.

        Args:
            output_items: One item for each output.
        """
        items = list(output_items) if self.losses_use_outputs else []
        return [(loss, items[index]) for index, loss in self.losses if index < len(items)]

    @property
    def losses_built(self) -> bool:
        """Whether losses have been matched to predictions."""
        return self._loss_inputs is not None

    @property
    def losses_use_outputs(self) -> bool:
        """Whether losses use the model's outputs, rather than predictions of a `compute_loss`."""
        return (
            self._loss_inputs is None
            or self._loss_inputs.structure == self._metric_inputs.structure
        )

    @property
    def metrics(self) -> list[Metric]:
        """All metrics, the loss first, in the order of the results of `evaluate`.

        Scripts unpack this list, so the order is Keras's: by name for several outputs,
        and the order in `compile` for one output.
        """
        metrics = [metric for _, metric, _ in self.output_metrics]
        if len(self.outputs) > 1:
            metrics.sort(key=lambda metric: metric.name)
        return [self.loss_tracker, *self._trackers.values(), *metrics]

    @property
    def empty(self) -> bool:
        """Whether `compile` received neither a loss nor metrics."""
        return (
            self.loss is None and not self.requested_metrics and not self.requested_weighted_metrics
        )

    @property
    def sums_over_samples(self) -> bool:
        """Whether every loss and metric is a sum or mean over samples."""
        objectives: list[Loss | Metric] = [term.loss for term in self._terms]
        objectives += [metric for _, metric, _ in self.output_metrics]
        return all(_is_sum_over_samples(objective) for objective in objectives)

    def compute(self, y: Targets, y_pred: Outputs, sample_weight: Targets) -> jax.Array | None:
        """The weighted sum of all losses, or None without losses."""
        loss_inputs = self._loss_inputs or self._metric_inputs
        predictions = jax.tree.leaves(y_pred)
        targets = self._match_targets(loss_inputs, y)
        weights = self._sample_weights(loss_inputs, sample_weight)
        total = None
        by_output: dict[tuple[Any, ...], Any] = {}
        rows: dict[tuple[Any, ...], int] = {}
        for node, loss, weight in self._terms:
            value = _compute_loss(node, loss, targets, predictions, weights)
            path, prediction = node.path, predictions[node.first_index]
            by_output[path] = by_output[path] + value if path in by_output else value
            rows[path] = prediction.shape[0] if prediction.ndim else 1
            value = value * weight if weight != 1.0 else value
            total = value if total is None else total + value
        for path, tracker in self._trackers.items():
            tracker.update_state(by_output[path], sample_weight=rows[path])
        return total

    def update_metrics(self, y: Targets, y_pred: Outputs, sample_weight: Targets) -> None:
        """Update all metrics with the targets and outputs of a batch."""
        if not self.output_metrics or y is None:
            return
        predictions = jax.tree.leaves(y_pred)
        targets = self._match_targets(self._metric_inputs, y)
        weights = self._sample_weights(self._metric_inputs, sample_weight)
        for index, metric, weighted in self.output_metrics:
            if targets[index] is None:
                raise _no_targets_error(self._metric_inputs, index, f"the metric {metric.name!r}")
            weight = weights[index] if weighted else None
            metric.update_state(targets[index], predictions[index], sample_weight=weight)

    def targets(self, y: Targets) -> list[Any]:
        """The targets of each output; None for an output without targets.

        Args:
            y: Targets in the structure of the outputs, as a list, or as a dict by the outputs'
                names; outputs without a loss may be left out.

        Raises:
            ValueError: If the structure does not match the outputs.
        """
        return self._match_targets(self._metric_inputs, y)

    def _match_targets(self, predictions: Predictions, y: Targets) -> list[Any]:
        if y is None or not predictions.tensors:
            return [None] * len(predictions.tensors)
        with_loss = self._with_loss(predictions)
        targets = _match(predictions, y, "y", with_loss)
        for index, loss in with_loss:
            if targets[index] is None:
                name = getattr(loss, "name", loss)
                raise _no_targets_error(predictions, index, f"the loss {name!r}")
        return targets

    def _sample_weights(self, predictions: Predictions, sample_weight: Any) -> list[Any]:
        """The weights of each tensor; a single array is used for all of them."""
        if not predictions.tensors or sample_weight is None or is_array(sample_weight):
            return [sample_weight] * len(predictions.tensors)
        return _match(predictions, sample_weight, "sample_weight", self._with_loss(predictions))

    def _with_loss(self, predictions: Predictions) -> list[tuple[int, Loss]]:
        loss_inputs = self._loss_inputs
        return (
            self.losses
            if loss_inputs is None or loss_inputs.structure == predictions.structure
            else []
        )


# Names of losses or metrics whose function depends on the shapes of targets and outputs.
_DEPEND_ON_SHAPES = ("accuracy", "acc", "crossentropy", "ce")
# Losses that combine the samples of a batch.
_BATCH_LOSSES = (losses_module.circle, losses_module.dice, losses_module.tversky)


def _match(predictions: Predictions, value: Any, what: str, losses: list[Any]) -> list[Any]:
    try:
        return match(predictions.tree, value, what, is_array)
    except StructureError:
        arrays = leaves(value)
        with_loss = sorted({index for index, _ in losses})
        if isinstance(value, Mapping) or len(arrays) != len(with_loss):
            raise
        if len(arrays) > 1 and not predictions.tree.has_unambiguous_order:
            raise
        by_index = dict(zip(with_loss, arrays, strict=True))
        return [by_index.get(index) for index in range(len(predictions.tensors))]


def _no_targets_error(predictions: Predictions, index: int, needed_by: str) -> ValueError:
    label = predictions.tree.tensors[index].label
    return ValueError(
        f"y has no targets for the output {label!r}, which {needed_by} compares with them.\n"
        f"  Fix: y={{{label!r}: …, …}}, or leave the output out of compile()."
    )


def _is_sum_over_samples(objective: Loss | Metric) -> bool:
    # An operation along axis 0 combines the samples of a batch.
    mixes_samples = (
        not getattr(objective, "is_sample_mean", True) or getattr(objective, "axis", -1) == 0
    )
    if isinstance(objective, Loss) and objective.reduction not in ("sum_over_batch_size", "mean"):
        # A sum grows with the batch size; a weighted mean divides by the weights of one batch.
        return False
    if mixes_samples or any(function in _BATCH_LOSSES for function in _functions(objective)):
        return False
    return _is_from_lamina(objective)


def _is_from_lamina(objective: Any) -> bool:
    owner = type(objective) if isinstance(objective, (Loss, Metric)) else objective
    return all(
        definition is None or str(getattr(definition, "__module__", "")).startswith("lamina.")
        for definition in (owner, *_functions(objective))
    )


def _functions(objective: Any) -> list[Any]:
    return [getattr(objective, "fn", None), getattr(objective, "_fn", None)]


def _trackers(terms: list[Term]) -> dict[tuple[Any, ...], Mean]:
    """A metric for the mean of each loss, by path, because a tensor may be an output several times.

    As in Keras, unnamed outputs have the names of their losses, if these differ.
    """
    trackers: dict[tuple[Any, ...], Mean] = {}
    loss_names = [term.loss.name for term in terms]
    names_differ = len(set(loss_names)) == len(loss_names)
    for term in {term.node.path: term for term in terms}.values():
        label = term.loss.name if names_differ and term.node.has_no_name else term.node.label
        names = {tracker.name.removesuffix("_loss") for tracker in trackers.values()}
        trackers[term.node.path] = Mean(name=f"{_unused_name(label, '', names, False)}_loss")
    return trackers


def _compute_loss(
    node: TensorTree, loss: Loss, targets: list[Any], predictions: list[Any], weights: list[Any]
) -> jax.Array:
    """The loss of an output, or of a group that a user's function receives together."""
    if node.index is not None:
        i = node.index
        return loss(targets[i], predictions[i], sample_weight=weights[i])
    indices = [tensor.first_index for tensor in node.tensors]
    if _is_from_lamina(loss):
        losses = [loss(targets[i], predictions[i], sample_weight=weights[i]) for i in indices]
        return sum(losses[1:], losses[0]) / len(losses)
    return loss(node.fill(targets), node.fill(predictions), sample_weight=weights[indices[0]])


def _copy_if_shared(identifier: Any, used: dict[int, str]) -> Any:
    """The metric itself, or a copy if the object is already used for another output.

    Args:
        identifier: A metric, or the name or config of one.
        used: Original names of the metrics in use, by identity.
    """
    if not isinstance(identifier, Metric):
        return identifier
    if id(identifier) not in used:
        used[id(identifier)] = identifier.name
        return identifier
    config = {**identifier.get_config(), "name": used[id(identifier)]}
    return type(identifier).from_config(config)


def _unused_name(name: str, prefix: str, used_names: set[str], weighted: bool) -> str:
    """A name that is not used yet: `mae`, else `weighted_mae` or `mae_1`, after the prefix."""
    if weighted and f"{prefix}{name}" in used_names:
        name = f"weighted_{name}"
    numbered = (f"{prefix}{name}_{i}" for i in range(1, len(used_names) + 2))
    candidates = (f"{prefix}{name}", *numbered)
    return next(candidate for candidate in candidates if candidate not in used_names)
