"""Checks for settings of layers with which a network cannot learn, or hardly learns."""

import math
from collections.abc import Iterator
from dataclasses import replace

from lamina.findings.finding import Change, Finding
from lamina.findings.performance import performance
from lamina.findings.record import LayerFacts, Record

_WEIGHTED_KINDS = {"Dense", "Conv1D", "Conv2D", "Conv3D"}
# Linear layers without an activation; two products with such a layer between them are one product.
_LINEAR = {
    "InputLayer", "Flatten", "Reshape", "Permute", "Dropout", "SpatialDropout1D",
    "SpatialDropout2D", "GaussianNoise", "GaussianDropout", "BatchNormalization", "Rescaling",
    "Normalization", "ZeroPadding1D", "ZeroPadding2D", "AveragePooling1D", "AveragePooling2D",
    "GlobalAveragePooling1D", "GlobalAveragePooling2D", "UpSampling2D",
}  # fmt: skip
# Above this product of the initial standard deviation and the square root of the number of inputs,
# activations grow from layer to layer.
_MAX_INITIAL_GAIN = 5.0
_HIGH_DROPOUT = 0.7
_STRONG_PENALTY = 0.05
_POOR_PROGRESS = 0.5


def check(record: Record) -> Iterator[Finding]:
    """Findings about layers."""
    yield from _check_activations(record)
    weighted_layers = [
        layer for layer in record.layers if layer.is_from_lamina and layer.kind in _WEIGHTED_KINDS
    ]
    lamina_layers = [layer for layer in record.layers if layer.is_from_lamina]
    initialized = [
        found
        for layer in weighted_layers
        for found in _check_initialization(record, layer, is_last=layer is weighted_layers[-1])
    ]
    yield from _combine_findings(initialized)
    for check_layer in (_check_dropout, _check_penalty, _check_stateful_layers):
        yield from _combine_findings(
            [found for layer in lamina_layers for found in check_layer(record, layer)]
        )
    yield from _check_frozen(record)


def _combine_findings(findings: list[Finding]) -> Iterator[Finding]:
    """Combine the findings of layers with the same fault, since fixing one layer would not help."""
    if len(findings) < 2:
        yield from findings
        return
    first, *others = findings
    changes = [finding.change for finding in findings if finding.change is not None]
    names = ", ".join(repr(finding.where) for finding in findings)
    yield replace(
        first,
        title=f"{first.title} It is the same with "
        f"{', '.join(repr(finding.where) for finding in others)}.",
        fix=first.fix.replace(repr(first.where), names),
        change=Change.joined(dict.fromkeys(changes)),
    )


def _progress(record: Record) -> float | None:
    """The progress of the training from guessing (0) to a loss of 0 (1); None if unknown.

    With validation data, it is the smaller of the values in training and validation.
    """
    result = performance(record)
    if result is None:
        return None
    if result.val_progress is None:
        return result.train_progress
    return min(result.train_progress, result.val_progress)


def _check_activations(record: Record) -> Iterator[Finding]:
    """Consecutive linear layers are equivalent to one layer."""
    if not record.is_chain or repeats_inputs(record):
        return
    without_activation: list[str] = []
    previous_linear: LayerFacts | None = None
    for layer in record.layers:
        if not layer.is_from_lamina:
            previous_linear = None
        elif layer.kind in _WEIGHTED_KINDS:
            if previous_linear is not None:
                without_activation.append(previous_linear.name)
            previous_linear = layer if layer.activation == "linear" else None
        elif layer.kind not in _LINEAR:
            previous_linear = None
    if not without_activation:
        return
    progress = _progress(record)
    names = ", ".join(map(repr, without_activation[:3]))
    more = f" and {len(without_activation) - 3} more" if len(without_activation) > 3 else ""
    yield Finding(
        "hidden-activation-missing",
        "warning" if progress is not None and progress > 0.9 else "problem",
        title=f"No activation follows {names}{more}: without one, two layers can compute no "
        "more than one.",
        fix=f"activation='relu' in {names}{more}.",
        evidence={"layers without activation": len(without_activation)},
        where=without_activation[0],
        change=Change.joined(
            Change("layer", "activation", "relu", name) for name in without_activation
        ),
        confidence=0.8,
    )


def repeats_inputs(record: Record) -> bool:
    """Whether the targets have the shape of the inputs, as in an autoencoder."""
    if len(record.inputs) != 1 or len(record.outputs) != 1 or record.outputs[0].targets is None:
        return False
    return record.inputs[0].shape == record.outputs[0].targets.values.shape


def _check_initialization(record: Record, layer: LayerFacts, is_last: bool) -> Iterator[Finding]:
    if layer.initializer is None:
        return
    kind, settings = layer.initializer
    if kind in ("Zeros", "Ones", "Constant") and not is_last and (layer.units or 0) > 1:
        yield Finding(
            "bad-initialization",
            "problem",
            title=f"All kernel weights of {layer.name!r} are initialized with the same value "
            f"({kind}), so its {layer.units} units compute the same and stay the same.",
            fix=f"kernel_initializer='glorot_uniform' in {layer.name!r}.",
            evidence={"units": layer.units or 0},
            where=layer.name,
            change=Change("layer", "kernel_initializer", "glorot_uniform", layer.name),
            confidence=0.95,
        )
        return
    std = {
        "RandomNormal": settings.get("stddev"),
        "TruncatedNormal": settings.get("stddev"),
        "RandomUniform": _std_of_uniform(settings),
    }.get(kind)
    if std is None or not layer.units:
        return
    fan_in = max(layer.parameters / layer.units - 1, 1)
    progress = _progress(record)
    if std * math.sqrt(fan_in) > _MAX_INITIAL_GAIN and (
        progress is None or progress < _POOR_PROGRESS
    ):
        yield Finding(
            "bad-initialization",
            "problem",
            title=f"The kernel of {layer.name!r} is initialized with a standard deviation of "
            f"{std:.3g}; with {fan_in:.0f} inputs its outputs are about "
            f"{std * math.sqrt(fan_in):.3g} times as large as its inputs at first.",
            fix=f"kernel_initializer='glorot_uniform' in {layer.name!r}.",
            evidence={"standard deviation": std, "inputs": fan_in},
            where=layer.name,
            change=Change("layer", "kernel_initializer", "glorot_uniform", layer.name),
            confidence=0.8,
        )


def _std_of_uniform(settings: object) -> float | None:
    if not isinstance(settings, dict) or not {"minval", "maxval"} <= set(settings):
        return None
    return float(settings["maxval"] - settings["minval"]) / math.sqrt(12)


def _check_dropout(record: Record, layer: LayerFacts) -> Iterator[Finding]:
    rate = layer.settings.get("rate") if "Dropout" in layer.kind else layer.settings.get("dropout")
    progress = _progress(record)
    if not isinstance(rate, (int, float)) or rate < _HIGH_DROPOUT:
        return
    if progress is not None and progress > 0.9:
        return
    yield Finding(
        "dropout-too-high",
        "warning",
        title=f"Layer {layer.name!r} drops {rate:.0%} of its inputs in every step.",
        fix=f"A rate of 0.3 in {layer.name!r}.",
        evidence={"rate": float(rate)},
        where=layer.name,
        change=Change("layer", "rate" if "Dropout" in layer.kind else "dropout", 0.3, layer.name),
        confidence=0.7,
    )


def _check_penalty(record: Record, layer: LayerFacts) -> Iterator[Finding]:
    if layer.regularizer < _STRONG_PENALTY:
        return
    yield Finding(
        "regularization-too-strong",
        "warning",
        title=f"Layer {layer.name!r} is regularized with a factor of {layer.regularizer:g}, which "
        "pulls its weights toward 0 more strongly than most losses pull them away.",
        fix=f"A factor of 1e-4 in {layer.name!r}, or no regularizer.",
        evidence={"factor": layer.regularizer},
        where=layer.name,
        change=Change("layer", "kernel_regularizer", None, layer.name),
        confidence=0.7,
    )


def _check_stateful_layers(record: Record, layer: LayerFacts) -> Iterator[Finding]:
    if layer.settings.get("stateful") and record.shuffle:
        yield Finding(
            "stateful-misuse",
            "warning",
            title=f"Layer {layer.name!r} is stateful: it keeps its state from batch to batch, but "
            "fit shuffles the samples.",
            fix="fit(…, shuffle=False), or stateful=False.",
            where=layer.name,
            change=Change("fit", "shuffle", False),
            confidence=0.8,
        )


def _check_frozen(record: Record) -> Iterator[Finding]:
    total = sum(layer.parameters for layer in record.layers)
    frozen = sum(layer.parameters for layer in record.layers if not layer.trainable)
    progress = _progress(record)
    is_all_frozen = total > 0 and frozen == total
    if not is_all_frozen and (
        not frozen or frozen < total / 2 or progress is None or progress > 0.1
    ):
        return
    yield Finding(
        "frozen-weights",
        "problem" if is_all_frozen else "hint",
        title=f"{frozen / total:.0%} of the weights are frozen"
        + ("." if is_all_frozen else ", and the loss hardly fell."),
        fix="model.trainable = True, if they were not trained before.",
        evidence={"frozen": frozen, "all": total},
        where="trainable",
        change=Change("layer", "trainable", True),
        confidence=1.0 if is_all_frozen else 0.4,
    )
