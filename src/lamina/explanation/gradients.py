"""Saliency and integrated gradients: how a score depends on every number of a sample."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import Data
from lamina.core.user_data.arguments import check_integer
from lamina.explanation.features import FeatureArray, feature_arrays, replace_features
from lamina.explanation.forward import Forward
from lamina.explanation.output_interpretation import OutputInterpretation, interpret_output
from lamina.explanation.sample import one_sample
from lamina.layers import InputLayer, Normalization
from lamina.models import Model


@filter_traceback
def saliency(
    model: Model, x: Data, target: int | str | None = None, output: int | str | None = None
) -> Any:
    """The absolute gradient of a class's score with respect to every number of a sample.

    The score is the logit, before softmax or sigmoid. A large value means that a small change of
    the number changes the score much. It does not mean that the number supports the class: see
    `integrated_gradients`.

    Args:
        model: A built model.
        x: One sample, `(…)` or `(1, …)`, or a structure of arrays.
        target: Index or name of the class, or index of the output of a regression; the likeliest
            class if None.
        output: Name or index of the output, if the model has several.

    Returns:
        Array with the shape of the sample, or a dict of arrays, one for each input. For a colour
        picture, the maximum over channels: `(height, width)`. If the input is word indices, one
        value for each word: the norm of the gradient with respect to its embedding vector.

    Raises:
        ValueError, TypeError: If `x` is not one sample, or there is no such class.

    Source: Simonyan, Vedaldi and Zisserman, 2014, "Deep Inside Convolutional Networks",
    arXiv:1312.6034.

    Example:
        >>> import lamina
        >>> from lamina.explanation import saliency
        >>> dense = lamina.layers.Dense(1, kernel_initializer=lambda *_, **k: np.array([[2], [-3]]))
        >>> model = lamina.Sequential([lamina.Input((2,)), dense])
        >>> saliency(model, [[1.0, 1.0]]).tolist()
        [2.0, 3.0]
    """
    evaluation = evaluate_sample(model, x, output)
    target_index = evaluation.interpretation.find_target(target, evaluation.values)
    gradients = [abs(gradient) for gradient in feature_gradients(evaluation, target_index)]
    return by_input(evaluation.features, gradients, np.linalg.norm)


@filter_traceback
def integrated_gradients(
    model: Model,
    x: Data,
    target: int | str | None = None,
    baseline: Data = None,
    steps: int = 64,
    output: int | str | None = None,
) -> Any:
    """How much every number of a sample raised or lowered the score of a class.

    The gradients are averaged on the straight line from a baseline to the sample, and multiplied by
    the difference between sample and baseline. The values add up to the difference between the
    scores of sample and baseline ("completeness"), up to the error of approximating the integral
    with `steps` points.

    Args:
        model: A built model.
        x: One sample, `(…)` or `(1, …)`, or a structure of arrays.
        target: Index or name of the class, or index of the output of a regression; the likeliest
            class if None.
        baseline: A neutral sample, in the form of `x`, such as a black picture. If None:
            zeros; for columns of a table their mean in training. The baseline of a word is always a
            vector of zeros.
        steps: Number of points on the line.
        output: Name or index of the output, if the model has several.

    Returns:
        Array with the shape of the sample, or a dict of arrays, one for each input, in units of the
        score. If the input is word indices, one value for each word.

    Raises:
        ValueError, TypeError: If `x` is not one sample, or there is no such class.

    Source: Sundararajan, Taly and Yan, 2017, "Axiomatic Attribution for Deep Networks",
    arXiv:1703.01365.

    Example:
        >>> import lamina
        >>> from lamina.explanation import integrated_gradients
        >>> dense = lamina.layers.Dense(1, kernel_initializer=lambda *_, **k: np.array([[2], [-3]]))
        >>> model = lamina.Sequential([lamina.Input((2,)), dense])
        >>> integrated_gradients(model, [[1.0, 2.0]]).round(4).tolist()
        [2.0, -6.0]
    """
    evaluation = evaluate_sample(model, x, output)
    target_index = evaluation.interpretation.find_target(target, evaluation.values)
    baselines = baselines_of(evaluation, baseline)
    attributions = compute_attributions(evaluation, target_index, baselines, steps)
    return by_input(evaluation.features, attributions.values)


class Evaluation(NamedTuple):
    """A model's computation and answer for one sample.

    Args:
        forward: The model's computation.
        features: The inputs, or outputs of layers, that the score is attributed to.
        interpretation: What the explained output means.
        values: Probabilities of the classes, or numbers.
        arrays: The sample as arrays, `(1, …)`.
        remarks: Remarks on how a file was converted.
    """

    forward: Forward
    features: list[FeatureArray]
    interpretation: OutputInterpretation
    values: np.ndarray
    arrays: Any
    remarks: tuple[str, ...]


def evaluate_sample(model: Model, x: Data, output: int | str | None = None) -> Evaluation:
    """Run a model on one sample, interpret its output and find its feature arrays."""
    sample = one_sample(model, x)
    forward = Forward(model, sample.inputs)
    interpretation = interpret_output(forward, output)
    results = forward.compiled(lambda run, inputs: run(inputs).outputs)()
    result = np.asarray(results[interpretation.index], dtype="float32")
    interpretation = interpretation.as_classes_if_probabilities(model, result)
    values = interpretation.values(result)
    return Evaluation(
        forward, feature_arrays(forward), interpretation, values, sample.arrays, sample.remarks
    )


def feature_gradients(evaluation: Evaluation, target_index: int) -> list[np.ndarray]:
    """The gradient of the score with respect to each feature array, `(1, …)` each."""
    score_of = _score_of(evaluation, target_index)

    def program(run: Any, inputs: Any, values: Any) -> Any:
        return jax.grad(score_of(run, inputs))(values)

    gradients = evaluation.forward.compiled(program)(_values(evaluation.features))
    return [np.asarray(gradient, dtype="float32") for gradient in gradients]


class Attributions(NamedTuple):
    """Integrated gradients.

    Args:
        values: The attributions of each feature array, `(1, …)`.
        gradients: The gradient at the sample with respect to each feature array, `(1, …)`.
        score: The score of the sample.
        baseline_score: The score of the baseline.
    """

    values: list[np.ndarray]
    gradients: list[np.ndarray]
    score: float
    baseline_score: float

    @property
    def gap(self) -> float:
        """The sum of the values minus the difference between the scores; 0 if exact."""
        total = sum(float(values.sum()) for values in self.values)
        return total - (self.score - self.baseline_score)


def compute_attributions(
    evaluation: Evaluation, target_index: int, baselines: Sequence[np.ndarray], steps: int
) -> Attributions:
    """Integrated gradients of the feature arrays, by the midpoint rule."""
    check_integer("steps", steps, owner="integrated_gradients")
    score_of = _score_of(evaluation, target_index)
    fractions = (jnp.arange(steps, dtype="float32") + 0.5) / steps

    def program(run: Any, inputs: Any, values: Any, baselines: Any) -> Any:
        score = score_of(run, inputs)

        def point_on_line(fraction: Any) -> list[Any]:
            pairs = zip(values, baselines, strict=True)
            return [baseline + fraction * (value - baseline) for value, baseline in pairs]

        def add(total: Any, fraction: Any) -> tuple[Any, None]:
            gradients = jax.grad(score)(point_on_line(fraction))
            return jax.tree.map(jnp.add, total, gradients), None

        zeros = [jnp.zeros_like(value) for value in values]
        total, _ = lax.scan(add, zeros, fractions)
        value, gradients = jax.value_and_grad(score)(point_on_line(1.0))
        return total, gradients, value, score(point_on_line(0.0))

    values = _values(evaluation.features)
    baseline_arrays = [jnp.asarray(baseline, dtype="float32") for baseline in baselines]
    total, gradients, score, baseline_score = evaluation.forward.compiled(program)(
        values, baseline_arrays
    )
    attributed = []
    for gradient, value, baseline in zip(total, values, baseline_arrays, strict=True):
        # A missing number is missing in the baseline as well.
        difference = np.nan_to_num(np.asarray(value) - np.asarray(baseline))
        attributed.append(np.nan_to_num(np.asarray(gradient, dtype="float32")) / steps * difference)
    at_sample = [np.asarray(gradient, dtype="float32") for gradient in gradients]
    return Attributions(attributed, at_sample, float(score), float(baseline_score))


def baselines_of(evaluation: Evaluation, baseline: Data = None) -> list[np.ndarray]:
    """The baseline of each feature array, `(1, …)`."""
    features, model = evaluation.features, evaluation.forward.model
    if baseline is None:
        return [_default_baseline(evaluation, feature) for feature in features]
    leaves = jax.tree.leaves(one_sample(model, baseline, is_baseline=True).inputs)
    return [
        np.asarray(leaves[feature.key])
        if isinstance(feature.key, int)
        else np.zeros_like(feature.value)
        for feature in features
    ]


def by_input(
    features: Sequence[FeatureArray], values: Sequence[np.ndarray], reduce: Any = np.sum
) -> Any:
    """Values of feature arrays in the shapes of the inputs: an array, or a dict by input.

    Args:
        features: The feature arrays.
        values: Values of each, `(1, …)`.
        reduce: How the values of an embedding vector become one: `np.sum` or `np.linalg.norm`.
    """
    arrays = [
        in_shape_of_sample(feature, value[0], reduce)
        for feature, value in zip(features, values, strict=True)
    ]
    if len(features) == 1:
        return arrays[0]
    names = [feature.name or f"input {i + 1}" for i, feature in enumerate(features)]
    return dict(zip(names, arrays, strict=True))


def in_shape_of_sample(
    feature: FeatureArray, value: np.ndarray, reduce: Any = np.sum
) -> np.ndarray:
    """Values in the shape of the sample, with one value for each word.

    Args:
        feature: The feature array.
        value: Values of its numbers, without the batch axis.
        reduce: How the values of an embedding vector become one: `np.sum` or `np.linalg.norm`.
    """
    # The value lacks the batch axis, and has an additional axis for the embedding vector.
    if feature.indices is not None and value.ndim == feature.indices.ndim:
        return np.asarray(reduce(value, axis=-1))
    if reduce is np.linalg.norm and value.ndim == 3 and value.shape[-1] in (3, 4):
        return np.asarray(value.max(axis=-1))
    return value


def _values(features: Sequence[FeatureArray]) -> list[Any]:
    return [jnp.asarray(feature.value, dtype="float32") for feature in features]


def _score_of(evaluation: Evaluation, target_index: int) -> Any:
    """A function `(run, inputs)` that returns the score as a function of the feature arrays."""
    features, interpretation = evaluation.features, evaluation.interpretation

    def make_score(run: Any, inputs: Any) -> Any:
        def score(values: Any) -> Any:
            new_inputs, replacements = replace_features(inputs, features, values)
            outputs = run(new_inputs, replacements=replacements, return_logits=True).outputs
            return interpretation.score(outputs, target_index)

        return score

    return make_score


def _default_baseline(evaluation: Evaluation, feature: FeatureArray) -> np.ndarray:
    baseline = np.zeros_like(feature.value)
    if feature.is_input:
        mean = _mean_in_training(evaluation, feature)
        if mean is not None:
            baseline = baseline + np.asarray(mean, dtype=baseline.dtype)
    # A missing number stays missing.
    return np.where(np.isnan(feature.value), feature.value, baseline)


def _mean_in_training(evaluation: Evaluation, feature: FeatureArray) -> Any:
    """The mean of the columns of a table in training; None if unknown.

    It is taken from the input contract or from a Normalization layer.
    """
    contract = evaluation.forward.model.input_contract
    if contract is not None and contract.kind in ("table", "series"):
        means = {spec.name: spec.mean for spec in contract.inputs}
        return means.get(feature.name or "x")
    if feature.value.ndim == 2 and len(evaluation.features) == 1:
        first = next(
            (c.layer for c in evaluation.forward.calls if not isinstance(c.layer, InputLayer)), None
        )
        mean = getattr(first, "mean", None) if isinstance(first, Normalization) else None
        if mean is not None and np.size(mean) == feature.value.shape[1]:
            return np.reshape(np.asarray(mean), feature.value.shape)
    return None
