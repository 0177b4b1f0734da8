"""Checks whether the last activation, the loss, the metrics and the targets are compatible."""

from collections.abc import Iterator

from lamina.findings.finding import Change, Finding
from lamina.findings.properties import (
    PROBABILITY_LOSSES,
    RANGES_OF_ACTIVATIONS,
    REGRESSION_LOSSES,
)
from lamina.findings.record import LayerFacts, OutputFacts, Record, Targets

# Integers with more distinct values than this are amounts rather than classes.
_MAX_CLASSES = 100


def check(record: Record) -> Iterator[Finding]:
    """Findings about the outputs of a model."""
    for output in record.outputs:
        last_layer = _last_layer(record, output)
        yield from _check_probabilities(output, last_layer)
        yield from _check_loss_for_classes(output, last_layer)
        yield from _check_range(output, last_layer)
        yield from _check_units(output, last_layer)
        yield from _check_metrics(output)


def _last_layer(record: Record, output: OutputFacts) -> str | None:
    """Name of the layer that computes an output; None if it is not known."""
    layers: list[LayerFacts] = [layer for layer in record.layers if layer.units is not None]
    if len(record.outputs) > 1:
        return output.name if any(layer.name == output.name for layer in layers) else None
    return layers[-1].name if layers else None


def _change_activation(layer: str | None, value: str | None) -> Change | None:
    return None if layer is None else Change("layer", "activation", value, layer)


def _check_probabilities(output: OutputFacts, last_layer: str | None) -> Iterator[Finding]:
    """A crossentropy needs probabilities, from the activation that fits the targets."""
    needed = PROBABILITY_LOSSES.get(output.loss or "")
    activation = output.activation
    if needed is None or activation is None:
        return
    where = f"loss {output.loss} of output {output.name!r}"
    if activation == "softmax" and output.units == 1:
        yield Finding(
            "output-activation",
            "problem",
            title="softmax over a single unit gives 1 for every sample, whatever the weights are.",
            fix="activation='sigmoid' on the last layer, with loss='binary_crossentropy'.",
            where=last_layer,
            change=_change_activation(last_layer, "sigmoid"),
        )
        return
    if output.from_logits and activation in ("softmax", "sigmoid"):
        yield Finding(
            "logits-mismatch",
            "problem",
            title="The loss expects logits (from_logits=True), but the last layer applies "
            f"{activation}.",
            fix="activation=None on the last layer.",
            where=where,
            change=_change_activation(last_layer, None),
        )
        return
    if not output.from_logits and activation not in ("softmax", "sigmoid", "hard_sigmoid"):
        yield Finding(
            "logits-mismatch" if activation == "linear" else "output-activation",
            "problem",
            title=f"{output.loss} expects probabilities, but the last layer applies {activation}.",
            fix=f"activation={needed!r} on the last layer.",
            where=last_layer,
            change=_change_activation(last_layer, needed),
        )
        return
    is_one_hot = output.targets is not None and output.targets.form == "one-hot"
    if activation == "softmax" and output.loss == "binary_crossentropy" and (output.units or 0) > 1:
        has_several_classes = (
            output.targets is not None and output.targets.form == "several classes"
        )
        yield Finding(
            "output-activation" if has_several_classes else "loss-mismatch",
            "problem" if has_several_classes else "warning",
            title="The outputs of softmax sum to 1, but binary_crossentropy treats each output "
            "independently.",
            fix="activation='sigmoid' on the last layer, for samples of several classes."
            if has_several_classes
            else "loss='categorical_crossentropy', for samples of one class each.",
            where=where,
            change=_change_activation(last_layer, "sigmoid")
            if has_several_classes
            else Change("compile", "loss", "categorical_crossentropy"),
        )
    if (
        activation == "sigmoid"
        and (output.units or 0) > 1
        and (output.loss != "binary_crossentropy" or is_one_hot)
    ):
        yield Finding(
            "output-activation",
            "problem" if output.loss != "binary_crossentropy" else "hint",
            title=f"Each sample has one of {output.units} classes, but with sigmoid the "
            "probabilities of classes are independent of each other.",
            fix="activation='softmax' on the last layer, with a categorical crossentropy.",
            where=last_layer,
            change=_change_activation(last_layer, "softmax"),
            confidence=0.8,
        )


def _looks_like_classes(targets: Targets) -> bool:
    if targets.form in ("one-hot", "zeros and ones"):
        return True
    values = targets.values
    return (
        targets.form == "class indices"
        and targets.distinct is not None
        and 2 <= targets.distinct <= _MAX_CLASSES
        and values.low == 0
        and values.high == targets.distinct - 1
    )


def _check_loss_for_classes(output: OutputFacts, last_layer: str | None) -> Iterator[Finding]:
    """A regression loss does not suit targets that are classes."""
    targets = output.targets
    if targets is None or output.loss not in REGRESSION_LOSSES:
        return
    if not _looks_like_classes(targets):
        return
    evidence = {"classes": targets.distinct or len(targets.counts), "units": output.units or 0}
    if output.activation in ("softmax", "sigmoid") and targets.form in (
        "one-hot",
        "zeros and ones",
    ):
        loss = (
            "categorical_crossentropy" if output.activation == "softmax" else "binary_crossentropy"
        )
        yield Finding(
            "loss-mismatch",
            "warning",
            title=f"The targets are classes and the outputs probabilities, but the loss is "
            f"{output.loss}: its gradients vanish where the model is confident but wrong.",
            fix=f"loss={loss!r}.",
            evidence=evidence,
            where="loss",
            change=Change("compile", "loss", loss),
            confidence=0.8,
        )
    elif targets.form == "class indices" and (targets.distinct or 0) > 2 and output.units == 1:
        yield Finding(
            "loss-mismatch",
            "warning",
            title=f"The targets are the integers 0 to {targets.values.high:g}, which look like "
            f"classes, but {output.loss} treats them as amounts.",
            fix=f"Dense({targets.distinct}, activation='softmax') as the last layer, with "
            "loss='sparse_categorical_crossentropy', if they are classes.",
            evidence=evidence,
            where="loss",
            change=None
            if last_layer is None
            else Change(
                "compile",
                "loss",
                "sparse_categorical_crossentropy",
                also=(
                    Change("layer", "units", targets.distinct, last_layer),
                    Change("layer", "activation", "softmax", last_layer),
                ),
            ),
            confidence=0.5,
            others=("output-activation", "output-units"),
        )


def _check_range(output: OutputFacts, last_layer: str | None) -> Iterator[Finding]:
    """Targets outside of the range of the last activation."""
    targets = output.targets
    if targets is None or output.loss not in REGRESSION_LOSSES:
        return
    low, high = RANGES_OF_ACTIVATIONS.get(output.activation or "", (-float("inf"), float("inf")))
    values = targets.values
    margin = 0.01 * max(values.high - values.low, 1e-6)
    if values.low < low - margin or values.high > high + margin:
        limits = f"between {low:g} and {high:g}" if high < float("inf") else f"of {low:g} or more"
        yield Finding(
            "output-activation",
            "problem",
            title=f"The targets run from {values.low:.4g} to {values.high:.4g}, but "
            f"{output.activation} in the last layer returns numbers {limits}.",
            fix="activation=None on the last layer.",
            evidence={"lowest target": values.low, "highest target": values.high},
            where=last_layer,
            change=_change_activation(last_layer, None),
            others=("targets-not-scaled",),
        )


def _check_units(output: OutputFacts, last_layer: str | None) -> Iterator[Finding]:
    """The model should not have many more outputs than there are classes."""
    targets = output.targets
    if targets is None or output.loss != "sparse_categorical_crossentropy" or not targets.counts:
        return
    classes = len(targets.counts)
    if output.units is not None and output.units > 2 * classes:
        yield Finding(
            "output-units",
            "hint",
            title=f"The model has {output.units} outputs, but the targets have {classes} classes.",
            fix=f"Dense({classes}, activation='softmax') as the last layer.",
            evidence={"units": output.units, "classes": classes},
            where=last_layer,
            change=None if last_layer is None else Change("layer", "units", classes, last_layer),
            confidence=0.6,
        )


def _check_metrics(output: OutputFacts) -> Iterator[Finding]:
    """Accuracy does not suit the targets of a regression."""
    targets = output.targets
    if targets is None or targets.form != "numbers" or output.loss not in REGRESSION_LOSSES:
        return
    wrong = [name for name in output.metrics if name.endswith("accuracy") or name in ("acc", "auc")]
    if wrong and output.units == 1:
        yield Finding(
            "metric-mismatch",
            "warning",
            title=f"The metric {wrong[0]!r} compares classes, but the targets are numbers.",
            fix="metrics=['mean_absolute_error'].",
            where="metrics",
            change=Change("compile", "metrics", ["mean_absolute_error"]),
        )
