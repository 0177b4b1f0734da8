"""Candidates: the changes to try, ranked by how likely they are to help."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lamina.findings import Change, Finding, LayerFacts, Record, Values
from lamina.findings.checks.architecture import repeats_inputs
from lamina.findings.checks.curves import rate_ratio
from lamina.findings.checks.inputs import is_scaled
from lamina.findings.properties import REGRESSION_LOSSES, WEIGHTED_KINDS

_ADAPTIVE = {"Adam", "AdamW", "Nadam", "Adamax", "RMSprop", "Lion", "Adadelta", "Adagrad", "Ftrl"}
_DEFAULT_INITIALIZERS = {
    "GlorotUniform", "GlorotNormal", "HeNormal", "HeUniform", "LecunNormal", "LecunUniform",
    "VarianceScaling", "Orthogonal", "OrthogonalInitializer",
}  # fmt: skip
_SATURATING = {"sigmoid", "tanh", "softmax", "hard_sigmoid", "softsign"}
_RECURRENT = {"LSTM", "GRU", "SimpleRNN", "Bidirectional", "ConvLSTM2D"}
_FEW_UNITS = 16
_FEW_STEPS = 200


@dataclass(frozen=True)
class Candidate:
    """A change that may help.

    Args:
        code: The code of the finding if the change helps.
        change: The change.
        title: What is unusual about the training, as a clause.
        fix: What to type.
        prior: How likely it is to be the cause, before any trial, 0–1.
        finding: The finding of a check that proposes the change; None if no check does.
    """

    code: str
    change: Change
    title: str
    fix: str
    prior: float
    finding: Finding | None = None


def candidates(record: Record, findings: Iterable[Finding]) -> list[Candidate]:
    """Changes to try, the likeliest first.

    Args:
        record: The record of the training.
        findings: The findings of checks of the record.

    Returns:
        The changes that checks propose, and changes of unusual settings, without duplicates.
    """
    of_checks = [
        Candidate(finding.code, finding.change, "", finding.fix, _prior(finding), finding)
        for finding in findings
        if finding.change is not None
        and finding.severity != "hint"
        and finding.change.name != "metrics"  # copies have no metrics
    ]
    of_settings = [
        *_input_candidates(record),
        *_output_candidates(record),
        *_layer_candidates(record),
        *_compile_candidates(record),
        *_fit_candidates(record),
    ]
    likeliest: dict[str, Candidate] = {}
    for candidate in [*of_checks, *of_settings]:
        key = candidate.change.describe()
        if key not in likeliest or candidate.prior > likeliest[key].prior:
            likeliest[key] = candidate
    return sorted(likeliest.values(), key=lambda candidate: -candidate.prior)


def _prior(finding: Finding) -> float:
    """The prior of a finding; more epochs help a little whatever the fault, so theirs is low."""
    return 0.4 if finding.code == "too-few-epochs" else 0.5 + finding.confidence / 2


def _input_candidates(record: Record) -> Iterator[Candidate]:
    if is_scaled(record) or not record.inputs:
        return
    worst = max(record.inputs, key=_distance_from_standard)
    distance = _distance_from_standard(worst)
    if distance < 1.0:
        return
    yield Candidate(
        "inputs-not-scaled",
        Change("data", "standardize-inputs"),
        f"{worst.name} runs from {worst.low:.4g} to {worst.high:.4g}, with a standard deviation "
        f"of {worst.std:.3g}",
        "normalization = lamina.layers.Normalization(); normalization.adapt(x), and "
        "normalization as the first layer.",
        min(0.9, 0.2 + 0.2 * distance),
    )


def _output_candidates(record: Record) -> Iterator[Candidate]:
    """A last activation that limits the range of a regression, or returns no probabilities."""
    if len(record.outputs) != 1:
        return
    output = record.outputs[0]
    activation, targets = output.activation, output.targets
    layers = [
        layer for layer in record.layers if layer.is_from_lamina and layer.activation == activation
    ]
    if activation in (None, "linear", "softmax") or targets is None or not layers:
        return
    if output.loss not in REGRESSION_LOSSES:
        return
    right_activation = None
    if targets.form in ("zeros and ones", "several classes"):
        right_activation = "sigmoid"
    is_in_range = activation == "sigmoid" and targets.values.high <= 1
    if activation == right_activation or is_in_range:
        return
    yield Candidate(
        "output-activation",
        Change("layer", "activation", right_activation, layers[-1].name),
        f"the last activation is {activation}, and the loss {output.loss}",
        f"activation={right_activation!r} on the last layer.",
        0.6,
    )


def _distance_from_standard(values: Values) -> float:
    """How many powers of ten inputs are away from a mean of 0 and a standard deviation of 1."""
    largest = max(abs(values.mean), values.std, 1e-12)
    return max(math.log10(largest / 2), math.log10(0.2 / max(values.std, 1e-12)), 0.0)


def _layer_candidates(record: Record) -> Iterator[Candidate]:
    weighted_layers = [
        layer for layer in record.layers if layer.is_from_lamina and layer.kind in WEIGHTED_KINDS
    ]
    hidden = [layer for layer in weighted_layers[:-1] if layer.kind not in _RECURRENT]
    yield from _activation_candidates(record, hidden)
    unusual = [
        layer
        for layer in weighted_layers
        if layer.initializer and layer.initializer[0] not in _DEFAULT_INITIALIZERS
    ]
    if unusual:
        yield Candidate(
            "bad-initialization",
            _change_in_each(unusual, "kernel_initializer", "glorot_uniform"),
            f"the kernel of {unusual[0].name!r} is {_describe_initializer(unusual[0])}",
            f"kernel_initializer='glorot_uniform' in {_list_names(unusual)}.",
            0.6,
        )
    dropouts = [
        layer
        for layer in record.layers
        if layer.is_from_lamina
        and "Dropout" in layer.kind
        and (layer.settings.get("rate") or 0) >= 0.3
    ]
    if dropouts:
        rate = max(float(layer.settings["rate"]) for layer in dropouts)
        yield Candidate(
            "dropout-too-high",
            _change_in_each(dropouts, "rate", 0.1),
            f"{_list_names(dropouts)} drops {rate:.0%} of its inputs in every step",
            f"A rate of 0.1 in {_list_names(dropouts)}.",
            0.2 + 0.7 * max(0.0, rate - 0.3),
        )
    regularized_layers = [
        layer for layer in record.layers if layer.is_from_lamina and layer.regularizer > 0
    ]
    if regularized_layers:
        factor = max(layer.regularizer for layer in regularized_layers)
        yield Candidate(
            "regularization-too-strong",
            _change_in_each(regularized_layers, "kernel_regularizer", None),
            f"{_list_names(regularized_layers)} is regularized with a factor of {factor:g}",
            f"A smaller factor in {_list_names(regularized_layers)}, or no regularizer.",
            0.7 if factor > 0.005 else 0.3,
        )
    frozen = [layer for layer in record.layers if not layer.trainable and layer.parameters]
    if frozen:
        share = sum(layer.parameters for layer in frozen) / max(
            sum(layer.parameters for layer in record.layers), 1
        )
        yield Candidate(
            "frozen-weights",
            Change("layer", "trainable", True),
            f"{share:.0%} of the weights are frozen",
            "model.trainable = True, before compile.",
            0.6,
        )
    for layer in record.layers:
        axis = layer.settings.get("axis")
        is_other_axis = isinstance(axis, int) and axis not in (-1, 3)
        if layer.is_from_lamina and is_other_axis and layer.kind in (
            "BatchNormalization", "Softmax", "LayerNormalization",
        ):  # fmt: skip
            yield Candidate(
                "wrong-axis",
                Change("layer", "axis", -1, layer.name),
                f"{layer.name!r} is applied along axis {axis}",
                f"axis=-1 in {layer.name!r}.",
                0.6,
            )
        momentum = layer.settings.get("momentum")
        if layer.kind == "BatchNormalization" and isinstance(momentum, float) and (
            record.steps is not None and record.steps < 5 / max(1 - momentum, 1e-6)
        ):  # fmt: skip
            yield Candidate(
                "batch-norm-unsettled",
                _change_in_each(
                    [other for other in record.layers if other.kind == layer.kind], "momentum", 0.8
                ),
                f"{layer.name!r} averages over about {1 / max(1 - momentum, 1e-6):.0f} steps, and "
                f"there were {record.steps}",
                f"momentum=0.8 in {layer.name!r}, or more epochs.",
                0.45,
            )
            break
    narrow = [layer for layer in hidden if layer.units is not None and layer.units < _FEW_UNITS]
    if not hidden and weighted_layers and weighted_layers[-1].kind == "Dense" and record.is_chain:
        yield Candidate(
            "network-too-small",
            Change("model", "insert-hidden-layer", 64, weighted_layers[-1].name),
            "the model has no hidden layer, so it is linear",
            f"Dense(64, activation='relu') before {weighted_layers[-1].name!r}.",
            0.5,
        )
    if narrow and not repeats_inputs(record):
        changes = [Change("layer", _size_name(layer), 64, layer.name) for layer in narrow]
        smallest = min(narrow, key=lambda layer: layer.units or 0)
        yield Candidate(
            "network-too-small",
            Change.joined(changes),
            f"{smallest.name!r} has {smallest.units} units",
            f"{_size_name(smallest)}=64 in {_list_names(narrow)}.",
            0.6 if (smallest.units or 0) <= 4 else 0.35,
        )


def _activation_candidates(record: Record, hidden: list[LayerFacts]) -> Iterator[Candidate]:
    if repeats_inputs(record):
        return
    with_activation = _layers_before_activation(record)
    linear = [
        layer
        for layer in hidden
        if layer.activation == "linear" and layer.name not in with_activation
    ]
    if linear:
        yield Candidate(
            "hidden-activation-missing",
            _change_in_each(linear, "activation", "relu"),
            f"no activation follows {_list_names(linear)}",
            f"activation='relu' in {_list_names(linear)}.",
            0.6,
        )
    saturating = [layer for layer in hidden if layer.activation in _SATURATING]
    if saturating:
        is_softmax = saturating[0].activation == "softmax"
        yield Candidate(
            "vanishing-gradients" if len(saturating) >= 3 else "saturated-activations",
            _change_in_each(saturating, "activation", "relu"),
            f"{_list_names(saturating)} applies {saturating[0].activation}",
            f"activation='relu' in {_list_names(saturating)}.",
            0.6 if is_softmax else 0.3 + 0.08 * min(len(saturating), 4),
        )
    relu_layers = [layer for layer in hidden if layer.activation in ("relu", "relu6")]
    dead_units = {s.layer: s.dead for s in record.statistics if (s.dead or 0.0) > 0.5}
    if relu_layers and dead_units:
        worst = max(dead_units, key=lambda name: dead_units[name] or 0.0)
        yield Candidate(
            "dead-relu",
            _change_in_each(relu_layers, "activation", "leaky_relu"),
            f"{dead_units[worst]:.0%} of the units of {worst!r} output 0 for every sample",
            f"activation='leaky_relu' in {_list_names(relu_layers)}, or a smaller learning rate.",
            0.5,
        )


def _layers_before_activation(record: Record) -> set[str]:
    """Layers that an activation layer follows, directly or after a normalization."""
    may_come_between = {"BatchNormalization", "LayerNormalization", "Dropout", "Rescaling"}
    names: set[str] = set()
    last_weighted: str | None = None
    for layer in record.layers:
        if layer.kind in WEIGHTED_KINDS:
            last_weighted = layer.name
        elif last_weighted is not None and (
            layer.kind in ("Activation", "ReLU", "LeakyReLU", "ELU", "PReLU", "Softmax")
            or "ctivation" in layer.kind
            or not layer.is_from_lamina
        ):
            names.add(last_weighted)
            last_weighted = None
        elif layer.kind not in may_come_between:
            last_weighted = None
    return names


def _compile_candidates(record: Record) -> Iterator[Candidate]:
    ratio, usual = rate_ratio(record), record.usual_rate
    optimizer = f"optimizer=lamina.optimizers.{record.optimizer}"
    if ratio is not None and usual is not None and record.learning_rate is not None:
        rate = record.learning_rate
        high = min(0.9, 0.3 + 0.3 * max(math.log10(max(ratio, 1e-9)), 0.0))
        low = min(0.9, 0.3 + 0.3 * max(-math.log10(max(ratio, 1e-9)), 0.0))
        if ratio > 2:
            yield _learning_rate_candidate("learning-rate-too-high", rate, usual, optimizer, high)
        if ratio < 0.5:
            yield _learning_rate_candidate("learning-rate-too-low", rate, usual, optimizer, low)
        yield _learning_rate_candidate(
            "learning-rate-too-high", rate, rate / 10, optimizer, high if ratio > 2 else 0.25
        )
        yield _learning_rate_candidate(
            "learning-rate-too-low", rate, rate * 10, optimizer, low if ratio < 0.5 else 0.25
        )
    if record.optimizer is not None and record.optimizer not in _ADAPTIVE:
        yield Candidate(
            "optimizer-choice",
            Change("compile", "optimizer", "adam"),
            f"the optimizer is {record.optimizer}",
            "optimizer='adam'.",
            0.35 if not record.momentum else 0.2,
        )
    elif record.optimizer in ("Adadelta", "Adagrad", "Ftrl"):
        yield Candidate(
            "optimizer-choice",
            Change("compile", "optimizer", "adam"),
            f"the optimizer is {record.optimizer}, whose updates are small",
            "optimizer='adam'.",
            0.5,
        )
    if any(layer.kind in _RECURRENT for layer in record.layers) or record.ended == "not finite":
        yield Candidate(
            "exploding-gradients",
            Change("compile", "clipnorm", 1.0),
            "gradients are not clipped",
            f"{optimizer}({record.learning_rate or usual or 0.001:g}, clipnorm=1.0).",
            0.4 if record.ended == "not finite" else 0.15,
        )


def _learning_rate_candidate(
    code: str, rate: float, value: float, optimizer: str, prior: float
) -> Candidate:
    value = float(f"{value:.3g}")
    return Candidate(
        code,
        Change("compile", "learning_rate", value),
        f"the learning rate is {rate:g}",
        f"{optimizer}({value:g}).",
        prior,
    )


def _fit_candidates(record: Record) -> Iterator[Candidate]:
    size, samples, epochs = record.batch_size, record.samples, record.planned_epochs
    if size is not None and samples is not None:
        if size > 64 and samples / size < 60:
            yield Candidate(
                "batch-size-too-large",
                Change("fit", "batch_size", 32),
                f"a batch has {size:,} of the {samples:,} samples",
                "fit(…, batch_size=32).",
                0.6 if size >= samples / 4 else 0.3,
            )
        if size <= 4 and samples > 100:
            yield Candidate(
                "batch-size-too-small",
                Change("fit", "batch_size", 32),
                f"a batch has {size} samples",
                "fit(…, batch_size=32).",
                0.4,
            )
    if epochs and record.ended == "finished":
        more = max(4 * epochs, 10)
        few = (record.steps or 0) < _FEW_STEPS or epochs <= 5
        yield Candidate(
            "too-few-epochs",
            Change("fit", "epochs", more),
            f"there were {epochs} epochs",
            f"fit(…, epochs={more}).",
            0.45 if few else 0.25,
        )
    if not record.shuffle:
        yield Candidate(
            "data-not-shuffled",
            Change("fit", "shuffle", True),
            "samples are not shuffled",
            "fit(…, shuffle=True), which is the default.",
            0.5,
        )
    for output in record.outputs:
        counts = [] if output.targets is None else [c for c in output.targets.counts if c]
        has_one_label = output.targets is not None and output.targets.form != "several classes"
        if len(counts) > 1 and has_one_label and max(counts) > 4 * min(counts):
            if not record.class_weight and len(record.outputs) == 1:
                yield Candidate(
                    "class-imbalance",
                    Change("fit", "class_weight", "balanced"),
                    f"the largest class has {max(counts) / min(counts):.0f} times as many samples "
                    "as the smallest",
                    "fit(…, class_weight='balanced').",
                    0.5,
                )


def _size_name(layer: LayerFacts) -> str:
    return "filters" if "Conv" in layer.kind else "units"


def _change_in_each(layers: list[LayerFacts], name: str, value: object) -> Change:
    return Change.joined([Change("layer", name, value, layer.name) for layer in layers])


def _list_names(layers: list[LayerFacts]) -> str:
    names = ", ".join(repr(layer.name) for layer in layers[:3])
    return names + (f" and {len(layers) - 3} more" if len(layers) > 3 else "")


def _describe_initializer(layer: LayerFacts) -> str:
    assert layer.initializer is not None
    kind, settings = layer.initializer
    numbers = ", ".join(f"{k}={v:g}" for k, v in settings.items() if isinstance(v, (int, float)))
    return f"{kind}({numbers})"
