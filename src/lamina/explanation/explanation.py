"""Explanation: why a model gives its answer for one sample, as text, a table or a picture."""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lamina.core.messages.tracebacks import filter_traceback, filter_tracebacks_of_methods
from lamina.core.types import Data
from lamina.explanation import view
from lamina.explanation.attention_maps import compute_maps
from lamina.explanation.grad_cam import ClassMap, compute_class_map, is_convolution, spatial_call
from lamina.explanation.gradients import (
    baselines_of,
    by_input,
    compute_attributions,
    evaluate_sample,
    in_shape_of_sample,
)
from lamina.explanation.names import Contribution, as_picture, describe_sample, strongest_regions
from lamina.models import Model

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PICTURES = (".png", ".svg", ".pdf", ".jpg", ".jpeg")


@filter_tracebacks_of_methods
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """Why a model gives an answer for one sample.

    `model.explain` returns it. It prints as a short text, and a notebook shows it as HTML.

    Args:
        model: Name of the model.
        kind: What the sample is: `"picture"`, `"words"`, `"columns"` or `"numbers"`.
        is_class: Whether the answer is a class, rather than a number.
        names: Names of the classes, or of the numbers.
        values: Probability of each class, or the numbers, `(classes,)`.
        target: Index of the class or number that is explained.
        output: Name of the output, if the model has several.
        score: The number that is explained: the logit of the class, or the number itself.
        baseline_score: The score of the baseline, a neutral sample.
        attributions: Integrated gradients: how much each number of the sample raised the score,
            in the shape of the sample; a dict of arrays if the model has several inputs.
        saliency: The absolute gradient with respect to each number, in the same form.
        contributions: The attributions of columns, words or regions of a picture, the largest
            first.
        in_order: The contributions in the order of the sample; empty for a picture.
        picture: The sample as a picture, `(height, width)` or `(height, width, channels)`; or None.
        grad_cam: The Grad-CAM map of the last convolution, `(rows, columns)`; or None.
        grad_cam_layer: The name of that layer.
        attention: From the name of each attention layer to its map, `(heads, queries, steps)`.
        gap: Sum of the attributions minus the difference between the scores; 0 if exact.
        remarks: Remarks on how a file was converted.

    Example:
        >>> import lamina
        >>> dense = lamina.layers.Dense(1, kernel_initializer=lambda *_, **k: np.array([[2], [-3]]))
        >>> model = lamina.Sequential([lamina.Input((2,)), dense], name="sum")
        >>> print(model.explain(np.array([4.0, 1.0]), names=["size", "age"]))
        Model 'sum' gives the output = 5.
          Raised it most: size = 4 (+8).
          Lowered it most: age = 1 (-3).
    """

    model: str
    kind: str
    is_class: bool
    names: tuple[str, ...]
    values: np.ndarray
    target: int
    output: str
    score: float
    baseline_score: float
    attributions: Any
    saliency: Any
    contributions: tuple[Contribution, ...]
    in_order: tuple[Contribution, ...]
    picture: np.ndarray | None
    grad_cam: np.ndarray | None
    grad_cam_layer: str | None
    attention: dict[str, np.ndarray]
    gap: float
    remarks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return view.as_text(self)

    def _repr_html_(self) -> str:
        """For notebooks."""
        return view.as_html(self)

    def plot(self) -> "Figure":
        """Draw the sample, its attributions and the probabilities.

        Returns:
            A matplotlib figure.
        """
        from lamina.explanation.plots import plot_explanation  # needs matplotlib

        return plot_explanation(self)

    def save(self, path: str | Path) -> None:
        """Write the explanation as a picture, as HTML or as JSON.

        Args:
            path: A file name that ends in .png, .svg, .pdf, .jpg, .html or .json, in a folder that
                exists.

        Raises:
            ValueError: If the file name has another ending.

        Example:
            >>> import tempfile
            >>> import lamina
            >>> model = lamina.Sequential([lamina.Input((2,)), lamina.layers.Dense(1)])
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     model.explain([1.0, 2.0]).save(f"{folder}/why.html")
        """
        file = Path(os.fspath(path))
        ending = file.suffix.lower()
        if ending in _PICTURES:
            self.plot().savefig(file, dpi=150)
        elif ending == ".html":
            file.write_text(view.as_page(self), encoding="utf-8")
        elif ending == ".json":
            file.write_text(json.dumps(self.to_json(), indent=2), encoding="utf-8")
        else:
            raise ValueError(
                f"An explanation is saved as a picture or a page, and the name {file.name!r} does "
                f"not say which.\n  Fix: explanation.save({file.stem + '.png'!r}), or .svg, .pdf, "
                ".jpg, .html, .json."
            )

    def to_json(self) -> dict[str, Any]:
        """The explanation as plain data, without the arrays.

        Returns:
            A dict of the answer, the scores and the contributions by name.
        """
        answer = dict(zip(self.names, map(float, self.values), strict=True))
        return {
            "model": self.model,
            "kind": self.kind,
            "probabilities" if self.is_class else "values": answer,
            "explained": self.names[self.target],
            **({"output": self.output} if self.output else {}),
            "score": self.score,
            "baseline_score": self.baseline_score,
            "gap": self.gap,
            "attributions": [contribution._asdict() for contribution in self.contributions],
            **({} if self.grad_cam is None else {"grad_cam_layer": self.grad_cam_layer}),
            "remarks": list(self.remarks),
        }


@filter_traceback
def explain(
    model: Model,
    x: Data,
    target: int | str | None = None,
    baseline: Data = None,
    output: int | str | None = None,
    steps: int = 64,
    names: Sequence[str] | Mapping[int, str] | None = None,
) -> Explanation:
    """Explain why a model gives its answer for one sample, like `model.explain`.

    Args:
        model: A built model.
        x: One sample, `(…)` or `(1, …)`; a structure of arrays, a text; for a model with a contract
            also a file, or a row as a dict.
        target: Index or name of the class to explain, or index of the output of a regression; the
            likeliest class if None.
        baseline: A neutral sample, in the form of `x`; see `integrated_gradients`.
        output: Name or index of the output, if the model has several; the first if None.
        steps: Number of points on the line from the baseline to the sample.
        names: Names of the features; or the words that indices stand for, as a list or a dict.

    Returns:
        An `Explanation`.

    Raises:
        ValueError, TypeError: If `x` is not one sample that fits the model, or there is no such
            class or output.

    Example:
        >>> import lamina
        >>> from lamina.explanation import explain
        >>> model = lamina.Sequential([lamina.Input((2,)), lamina.layers.Dense(3, "softmax")])
        >>> explanation = explain(model, np.ones(2), target=2)
        >>> explanation.attributions.shape, explanation.names[explanation.target]
        ((2,), '2')
    """
    evaluation = evaluate_sample(model, x, output)
    interpretation, forward = evaluation.interpretation, evaluation.forward
    features = evaluation.features
    target_index = interpretation.find_target(target, evaluation.values)
    baselines = baselines_of(evaluation, baseline)
    attributions = compute_attributions(evaluation, target_index, baselines, steps)
    gradients = [abs(gradient) for gradient in attributions.gradients]
    values = [
        in_shape_of_sample(feature, value[0])
        for feature, value in zip(features, attributions.values, strict=True)
    ]
    description = describe_sample(forward, features, values, evaluation.arrays, names)
    picture, in_order, heatmap = None, description.contributions, None
    contributions = in_order
    if description.kind == "picture":
        contributions = strongest_regions(as_picture(values[0], description.shape))
        picture = as_picture(features[0].value[0], description.shape)
        heatmap = _class_map(evaluation, target_index)
    return Explanation(
        model=model.name,
        kind=description.kind,
        is_class=interpretation.is_class,
        names=interpretation.names,
        values=evaluation.values,
        target=target_index,
        output=interpretation.name,
        score=attributions.score,
        baseline_score=attributions.baseline_score,
        attributions=by_input(features, attributions.values),
        saliency=by_input(features, gradients, np.linalg.norm),
        contributions=tuple(sorted(contributions, key=lambda c: -abs(c.amount))),
        in_order=tuple(in_order),
        picture=picture,
        grad_cam=None if heatmap is None else heatmap.values,
        grad_cam_layer=None if heatmap is None else heatmap.layer,
        attention=compute_maps(forward),
        gap=attributions.gap,
        remarks=evaluation.remarks,
    )


def _class_map(evaluation: Any, target_index: int) -> ClassMap | None:
    """The Grad-CAM map of a picture; None without a convolution over two axes."""
    calls = evaluation.forward.calls
    convolutions = [
        c for c in calls if is_convolution(c.layer) and c.output and len(c.output.shape) == 4
    ]
    if not any(not call.is_inside_layer for call in convolutions):
        return None
    heatmap = compute_class_map(evaluation, target_index, spatial_call(evaluation.forward))
    return heatmap if heatmap.values.ndim == 2 else None
