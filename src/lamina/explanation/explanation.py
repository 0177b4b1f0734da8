"""Explanation: why a model gives its answer for one sample, in words, as a table, as a picture."""

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
from lamina.explanation.attention_maps import maps_of
from lamina.explanation.grad_cam import ClassMap, class_map, is_convolution, spatial_call
from lamina.explanation.gradients import (
    attributions,
    baselines_of,
    by_input,
    in_shape_of_sample,
    opened_for,
)
from lamina.explanation.names import Contribution, as_picture, labelled, places
from lamina.models import Model

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PICTURES = (".png", ".svg", ".pdf", ".jpg", ".jpeg")


@filter_tracebacks_of_methods
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """Why a model gives an answer for one sample.

    Made by `model.explain`. It prints as a short text, and in a notebook it is shown as a page.

    Args:
        model: Name of the model.
        kind: What the sample is: `"picture"`, `"words"`, `"columns"` or `"numbers"`.
        is_class: Whether the answer is a class, rather than a number.
        names: Names of the classes, or of the numbers.
        values: Probability of each class, or the numbers, `(classes,)`.
        target: Number of the class or number that is explained.
        output: Name of the output, if the model has several.
        score: What is explained: the number of that class before softmax or sigmoid, or the number
            itself.
        baseline_score: The score of the baseline, a sample that says nothing.
        attributions: Integrated gradients: how much each number of the sample raised the score,
            in the shape of the sample; a dict of arrays by input if there are several.
        saliency: The absolute gradient with respect to each number, in the same form.
        contributions: The attributions by name, the largest first: columns, words, places in a
            picture.
        in_order: The attributions by name in the order of the sample; empty for a picture.
        picture: The sample as a picture, `(height, width)` or `(height, width, channels)`; or None.
        grad_cam: The Grad-CAM map of the last convolution, `(rows, columns)`; or None.
        grad_cam_layer: The name of that layer.
        attention: The attention maps, `(heads, queries, steps)` by layer.
        gap: By how much the attributions fail to add up to the difference of the scores.
        remarks: What was done to a file.

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
        """A picture: the sample with what raised and lowered the score, and the probabilities.

        Returns:
            A matplotlib figure.
        """
        from lamina.explanation.plots import plot_explanation  # matplotlib, where it is wanted

        return plot_explanation(self)

    def save(self, path: str | Path) -> None:
        """Write the picture, or the page that a notebook shows.

        Args:
            path: A file that ends in .png, .svg, .pdf, .jpg, .html or .json; its folder exists.

        Raises:
            ValueError: If the ending is another one.

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
            "attributions": [amount._asdict() for amount in self.contributions],
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
    """Why a model gives an answer for one sample; `model.explain` is the same.

    Args:
        model: A built model.
        x: One sample, `(…)` or `(1, …)`; a structure of arrays, a text; for a model with a contract
            also a file, or a row as a dict.
        target: Number or name of the class to explain, or number of the output of a regression; the
            likeliest class if None.
        baseline: A sample that says nothing, in the form of `x`; see `integrated_gradients`.
        output: Name or number of the output, if the model has several; the first if None.
        steps: Number of points of the integral.
        names: Names of the features; or of the numbers of words, as a list or a dict.

    Returns:
        An `Explanation`.

    Raises:
        ValueError, TypeError: If `x` is not one sample that fits the model, or there is no such
            class or output.

    Example:
        >>> import lamina
        >>> from lamina.explanation import explain
        >>> model = lamina.Sequential([lamina.Input((2,)), lamina.layers.Dense(3, "softmax")])
        >>> found = explain(model, np.ones(2), target=2)
        >>> found.attributions.shape, found.names[found.target]
        ((2,), '2')
    """
    opened = opened_for(model, x, output)
    meaning, parts, forward = opened.meaning, opened.parts, opened.forward
    target_index = meaning.find_target(target, opened.values)
    attributed = attributions(opened, target_index, baselines_of(opened, baseline), steps)
    gradients = [abs(gradient) for gradient in attributed.gradients]
    values = [
        in_shape_of_sample(part, v[0]) for part, v in zip(parts, attributed.values, strict=True)
    ]
    labels = labelled(forward, parts, values, opened.arrays, names)
    picture, in_order, heat = None, labels.contributions, None
    contributions = in_order
    if labels.kind == "picture":
        contributions = places(as_picture(values[0], labels.shape))
        picture = as_picture(parts[0].value[0], labels.shape)
        heat = _class_map(opened, target_index)
    return Explanation(
        model=model.name,
        kind=labels.kind,
        is_class=meaning.is_class,
        names=meaning.names,
        values=opened.values,
        target=target_index,
        output=meaning.name,
        score=attributed.score,
        baseline_score=attributed.baseline_score,
        attributions=by_input(parts, attributed.values),
        saliency=by_input(parts, gradients, np.linalg.norm),
        contributions=tuple(sorted(contributions, key=lambda amount: -abs(amount.amount))),
        in_order=tuple(in_order),
        picture=picture,
        grad_cam=None if heat is None else heat.values,
        grad_cam_layer=None if heat is None else heat.layer,
        attention=maps_of(forward),
        gap=attributed.gap,
        remarks=opened.remarks,
    )


def _class_map(opened: Any, target_index: int) -> ClassMap | None:
    """The Grad-CAM map of a picture; None without a convolution over two axes."""
    calls = opened.forward.calls
    flat = [c for c in calls if is_convolution(c.layer) and c.output and len(c.output.shape) == 4]
    if not any(not call.is_inside_layer for call in flat):
        return None
    found = class_map(opened, target_index, spatial_call(opened.forward))
    return found if found.values.ndim == 2 else None
