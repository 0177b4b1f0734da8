"""Saliency and integrated gradients: how the answer depends on every number of a sample."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import Data
from lamina.core.user_data.arguments import check_integer
from lamina.explanation.answers import OutputMeaning, meaning_of
from lamina.explanation.forward import Forward
from lamina.explanation.parts import Part, parts_of, replace_parts
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
        target: Number or name of the class, or number of the output of a regression; the likeliest
            class if None.
        output: Name or number of the output, if the model has several.

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
    opened = opened_for(model, x, output)
    target_index = opened.meaning.find_target(target, opened.values)
    return by_input(
        opened.parts, [abs(g) for g in sensitivities(opened, target_index)], np.linalg.norm
    )


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
    the difference of both. So the values add up to the difference of the scores of sample and
    baseline ("completeness"), up to the error of `steps` points instead of the integral.

    Args:
        model: A built model.
        x: One sample, `(…)` or `(1, …)`, or a structure of arrays.
        target: Number or name of the class, or number of the output of a regression; the likeliest
            class if None.
        baseline: A neutral sample, in the form of `x`, such as a black picture. If None:
            zeros; for columns of a table their mean in training. Of words it is always a vector
            of zeros.
        steps: Number of points on the line.
        output: Name or number of the output, if the model has several.

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
    opened = opened_for(model, x, output)
    target_index = opened.meaning.find_target(target, opened.values)
    baselines = baselines_of(opened, baseline)
    return by_input(opened.parts, attributions(opened, target_index, baselines, steps).values)


class Opened(NamedTuple):
    """A model, its computation for one sample, and its answer.

    Args:
        forward: The model's computation.
        parts: The inputs, or outputs of layers, that the answer is explained by.
        meaning: What the output means.
        values: Probabilities of the classes, or numbers.
        arrays: The sample as arrays, `(1, …)`.
        remarks: Remarks on how a file was converted.
    """

    forward: Forward
    parts: list[Part]
    meaning: OutputMeaning
    values: np.ndarray
    arrays: Any
    remarks: tuple[str, ...]


def opened_for(model: Model, x: Data, output: int | str | None = None) -> Opened:
    """Run a model on one sample, and find what its answer can be explained by."""
    sample = one_sample(model, x)
    forward = Forward(model, sample.inputs)
    meaning = meaning_of(forward, output)
    results = forward.compiled(lambda run, inputs: run(inputs).outputs)()
    result = np.asarray(results[meaning.index], dtype="float32")
    meaning = meaning.as_classes_if_probabilities(model, result)
    values = meaning.values(result)
    return Opened(forward, parts_of(forward), meaning, values, sample.arrays, sample.remarks)


def sensitivities(opened: Opened, target_index: int) -> list[np.ndarray]:
    """The gradient of the score with respect to each part, `(1, …)` each."""
    score_of = _score_of(opened, target_index)

    def program(run: Any, inputs: Any, values: Any) -> Any:
        return jax.grad(score_of(run, inputs))(values)

    gradients = opened.forward.compiled(program)(_values(opened.parts))
    return [np.asarray(gradient, dtype="float32") for gradient in gradients]


class Attributions(NamedTuple):
    """Integrated gradients.

    Args:
        values: The attributions of each part, `(1, …)`.
        gradients: The gradient at the sample with respect to each part, `(1, …)`.
        score: The score of the sample.
        baseline_score: The score of the baseline.
    """

    values: list[np.ndarray]
    gradients: list[np.ndarray]
    score: float
    baseline_score: float

    @property
    def gap(self) -> float:
        """By how much the values fail to add up to the difference of the scores."""
        total = sum(float(values.sum()) for values in self.values)
        return total - (self.score - self.baseline_score)


def attributions(
    opened: Opened, target_index: int, baselines: Sequence[np.ndarray], steps: int
) -> Attributions:
    """Integrated gradients of the parts, by the midpoint rule."""
    check_integer("steps", steps, owner="integrated_gradients")
    score_of = _score_of(opened, target_index)
    fractions = (jnp.arange(steps, dtype="float32") + 0.5) / steps

    def program(run: Any, inputs: Any, values: Any, starts: Any) -> Any:
        score = score_of(run, inputs)

        def at(fraction: Any) -> list[Any]:
            pairs = zip(values, starts, strict=True)
            return [start + fraction * (value - start) for value, start in pairs]

        def add(total: Any, fraction: Any) -> tuple[Any, None]:
            gradients = jax.grad(score)(at(fraction))
            return jax.tree.map(jnp.add, total, gradients), None

        zeros = [jnp.zeros_like(value) for value in values]
        total, _ = lax.scan(add, zeros, fractions)
        value, gradients = jax.value_and_grad(score)(at(1.0))
        return total, gradients, value, score(at(0.0))

    values = _values(opened.parts)
    starts = [jnp.asarray(baseline, dtype="float32") for baseline in baselines]
    total, gradients, score, baseline_score = opened.forward.compiled(program)(values, starts)
    attributed = []
    for gradient, value, start in zip(total, values, starts, strict=True):
        # A missing number is missing in the baseline as well.
        difference = np.nan_to_num(np.asarray(value) - np.asarray(start))
        attributed.append(np.nan_to_num(np.asarray(gradient, dtype="float32")) / steps * difference)
    at_sample = [np.asarray(gradient, dtype="float32") for gradient in gradients]
    return Attributions(attributed, at_sample, float(score), float(baseline_score))


def baselines_of(opened: Opened, baseline: Data = None) -> list[np.ndarray]:
    """The baseline of each part, `(1, …)`."""
    parts, model = opened.parts, opened.forward.model
    if baseline is None:
        return [_default_baseline(opened, part) for part in parts]
    leaves = jax.tree.leaves(one_sample(model, baseline, is_baseline=True).inputs)
    return [
        np.asarray(leaves[part.key]) if isinstance(part.key, int) else np.zeros_like(part.value)
        for part in parts
    ]


def by_input(parts: Sequence[Part], values: Sequence[np.ndarray], reduce: Any = np.sum) -> Any:
    """Values of parts in the shapes of the inputs: an array, or a dict with one for each input.

    Args:
        parts: The parts.
        values: Values of each, `(1, …)`.
        reduce: `np.sum`, or `np.linalg.norm`: how the values of an embedding vector become one.
    """
    arrays = [
        in_shape_of_sample(part, value[0], reduce)
        for part, value in zip(parts, values, strict=True)
    ]
    if len(parts) == 1:
        return arrays[0]
    names = [part.name or f"input {i + 1}" for i, part in enumerate(parts)]
    return dict(zip(names, arrays, strict=True))


def in_shape_of_sample(part: Part, value: np.ndarray, reduce: Any = np.sum) -> np.ndarray:
    """Values in the shape of the sample: one for each word, not for each number of its vector."""
    # The value has no batch axis, and one more for the embedding vector.
    if part.indices is not None and value.ndim == part.indices.ndim:
        return np.asarray(reduce(value, axis=-1))
    if reduce is np.linalg.norm and value.ndim == 3 and value.shape[-1] in (3, 4):
        return np.asarray(value.max(axis=-1))
    return value


def _values(parts: Sequence[Part]) -> list[Any]:
    return [jnp.asarray(part.value, dtype="float32") for part in parts]


def _score_of(opened: Opened, target_index: int) -> Any:
    """`(run, inputs) → (values of the parts → score)`."""
    parts, meaning = opened.parts, opened.meaning

    def of_run(run: Any, inputs: Any) -> Any:
        def score(values: Any) -> Any:
            changed, replaced = replace_parts(inputs, parts, values)
            outputs = run(changed, replacements=replaced, scores=True).outputs
            return meaning.score(outputs, target_index)

        return score

    return of_run


def _default_baseline(opened: Opened, part: Part) -> np.ndarray:
    baseline = np.zeros_like(part.value)
    if part.is_input:
        mean = _mean_in_training(opened, part)
        if mean is not None:
            baseline = baseline + np.asarray(mean, dtype=baseline.dtype)
    # A missing number stays missing.
    return np.where(np.isnan(part.value), part.value, baseline)


def _mean_in_training(opened: Opened, part: Part) -> Any:
    """The mean of the columns of a table.

    It is in the contract, the model's record of its training data, or in a Normalization layer.
    """
    contract = opened.forward.model.input_contract
    if contract is not None and contract.kind in ("table", "series"):
        means = {known.name: known.mean for known in contract.inputs}
        return means.get(part.name or "x")
    if part.value.ndim == 2 and len(opened.parts) == 1:
        first = next(
            (c.layer for c in opened.forward.calls if not isinstance(c.layer, InputLayer)), None
        )
        mean = getattr(first, "mean", None) if isinstance(first, Normalization) else None
        if mean is not None and np.size(mean) == part.value.shape[1]:
            return np.reshape(np.asarray(mean), part.value.shape)
    return None
