"""What one neuron of a dense layer computes: inputs times weights, their sum, the activation."""

import dataclasses
import html
from typing import TYPE_CHECKING, Any

import numpy as np

from lamina.core.messages.tracebacks import filter_traceback, filter_tracebacks_of_methods
from lamina.core.types import Data
from lamina.explanation.forward import Call, Forward, activation_of
from lamina.explanation.grad_cam import call_of
from lamina.explanation.names import column_names
from lamina.explanation.output_interpretation import interpret_output
from lamina.explanation.sample import one_sample
from lamina.layers import Dense
from lamina.models import Model

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MAX_ROWS = 10  # of inputs in a table: those with the largest products


@filter_tracebacks_of_methods
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Neuron:
    """A unit of a dense layer and all that it computes for one sample.

    `lamina.explanation.neuron` returns it. It prints as a table.

    Args:
        layer: Name of the layer.
        unit: Index of the unit.
        name: The class of the unit, in the last layer of a classifier; else None.
        names: Names of the inputs.
        inputs: The inputs of the unit, `(features,)`.
        weights: Its weights, `(features,)`.
        bias: Its bias; 0 if the layer has none.
        total: The sum of the products and the bias.
        activation: Name of the activation.
        output: The output of the unit.

    Example:
        >>> row = Neuron("dense", 0, None, ("a", "b"), np.array([1.0, 2.0]), np.array([3.0, -1.0]),
        ...              0.5, 1.5, "relu", 1.5)
        >>> print(row)
        Unit 0 of 'dense', which has 2 inputs:
          input   value   weight  product
          a      1.0000   3.0000  +3.0000
          b      2.0000  -1.0000  -2.0000
          bias                    +0.5000
          sum                     +1.5000
          relu                     1.5000
    """

    layer: str
    unit: int
    name: str | None
    names: tuple[str, ...]
    inputs: np.ndarray
    weights: np.ndarray
    bias: float
    total: float
    activation: str
    output: float

    @property
    def products(self) -> np.ndarray:
        """Inputs times weights, `(features,)`."""
        return self.inputs * self.weights

    @property
    def title(self) -> str:
        """The unit in words."""
        class_name = "" if self.name is None else f" ({self.name})"
        return f"Unit {self.unit}{class_name} of {self.layer!r}"

    def rows(self, max_inputs: int | None = None) -> list[tuple[str, str, str, str]]:
        """The table: input, value, weight and product, as text.

        Args:
            max_inputs: Number of inputs to show, those with the largest products; None for all.

        Returns:
            A row for each input, and one each for the sum of the other inputs, the bias, the sum
            and the activation.
        """
        products = self.products
        shown = np.arange(len(products))
        if max_inputs is not None and len(shown) > max_inputs:
            shown = np.argsort(-np.abs(products), kind="stable")[:max_inputs]
        rows = [
            (
                self.names[i],
                f"{self.inputs[i]:.4f}",
                f"{self.weights[i]:.4f}",
                f"{products[i]:+.4f}",
            )
            for i in shown
        ]
        others = len(products) - len(shown)
        if others:
            rest = products.sum() - products[shown].sum()
            rows.append((f"{others:,} others", "", "", f"{rest:+.4f}"))
        rows.append(("bias", "", "", f"{self.bias:+.4f}"))
        rows.append(("sum", "", "", f"{self.total:+.4f}"))
        rows.append((self.activation, "", "", f"{self.output:.4f}"))
        return rows

    def __repr__(self) -> str:
        rows = [("input", "value", "weight", "product"), *self.rows(_MAX_ROWS)]
        width, *widths = (max(map(len, column)) for column in zip(*rows, strict=True))
        lines = [
            "  ".join(
                [row[0].ljust(width), *(c.rjust(w) for c, w in zip(row[1:], widths, strict=True))]
            )
            for row in rows
        ]
        title = f"{self.title}, which has {len(self.inputs):,} inputs:"
        return "\n".join([title, *(f"  {line}" for line in lines)])

    def _repr_html_(self) -> str:
        """For notebooks."""
        head = "".join(f"<th>{name}</th>" for name in ("input", "value", "weight", "product"))
        body = "".join(
            f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>"
            for row in self.rows(_MAX_ROWS)
        )
        return (
            f"<p>{html.escape(self.title)}</p><table><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>"
        )

    def plot(self) -> "Figure":
        """Draw the largest products as bars that add up to the sum.

        Returns:
            A matplotlib figure.
        """
        from lamina.explanation.plots import plot_neuron  # needs matplotlib

        return plot_neuron(self)


@filter_traceback
def neuron(
    model: Model,
    x: Data,
    unit: int | str | None = None,
    layer: str | None = None,
    position: int | tuple[int, ...] | None = None,
) -> Neuron:
    """What a unit of a dense layer computes for a sample: inputs times weights, sum, activation.

    Args:
        model: A built model.
        x: One sample, `(…)` or `(1, …)`.
        unit: Index of the unit; in the last layer also the name of a class. The most active unit
            if None.
        layer: Name of the dense layer; the last one if None.
        position: Index of the step, for a layer that is applied to every step of a sequence.

    Returns:
        A `Neuron`, which prints as a table.

    Raises:
        ValueError: If the model has no dense layer, or no such layer, unit or position.

    Example:
        >>> import lamina
        >>> from lamina.explanation import neuron
        >>> dense = lamina.layers.Dense(1, kernel_initializer=lambda *_, **k: np.array([[2], [-3]]))
        >>> model = lamina.Sequential([lamina.Input((2,)), dense])
        >>> neuron(model, [[1.0, 1.0]]).products.tolist()
        [2.0, -3.0]
    """
    forward = Forward(model, one_sample(model, x).inputs)
    call = _dense_call(forward, layer)
    dense: Any = call.layer

    def program(run: Any, inputs: Any) -> Any:
        result = run(inputs, capture=[call.key])
        return result.first_inputs[call.key], result.captured[call.key]

    first_inputs, outputs = (np.asarray(a, dtype="float32")[0] for a in forward.compiled(program)())
    position_index = _check_position(position, first_inputs.shape[:-1])
    first_inputs, outputs = first_inputs[position_index], outputs[position_index]
    interpretation = (
        interpret_output(forward, call.output_index) if call.output_index is not None else None
    )
    names = None if interpretation is None or not interpretation.is_class else interpretation.names
    unit_index = _find_unit(unit, outputs, names, dense.name)
    weights = np.asarray(dense.kernel.numpy(), dtype="float32")[:, unit_index]
    bias = 0.0 if dense.bias is None else float(dense.bias.numpy()[unit_index])
    has_class = names is not None and len(names) == len(outputs)
    return Neuron(
        layer=dense.name,
        unit=unit_index,
        name=names[unit_index] if names is not None and has_class else None,
        names=_names_of_inputs(forward, first_inputs),
        inputs=first_inputs,
        weights=weights,
        bias=bias,
        total=float(first_inputs @ weights + bias),
        activation=activation_of(dense) or "linear",
        output=float(outputs[unit_index]),
    )


def _dense_call(forward: Forward, name: str | None) -> Call:
    calls = [
        call for call in forward.calls if isinstance(call.layer, Dense) and not call.is_inside_layer
    ]
    if not calls:
        raise ValueError(f"Model {forward.model.name!r} has no Dense layer.")
    return calls[-1] if name is None else call_of(forward, name, calls, "of class Dense")


def _check_position(position: Any, sizes: tuple[int, ...]) -> tuple[int, ...]:
    position_index = () if position is None else tuple(np.atleast_1d(position).tolist())
    if position is None:
        position_index = (0,) * len(sizes)
    if len(position_index) != len(sizes) or any(
        not 0 <= p < size for p, size in zip(position_index, sizes, strict=True)
    ):
        raise ValueError(
            f"position={position!r} is not a position of the layer, whose output has the axes "
            f"{sizes or '(), so it has no positions'}."
        )
    return position_index


def _find_unit(unit: Any, outputs: np.ndarray, names: tuple[str, ...] | None, layer: str) -> int:
    if unit is None:
        return int(outputs.argmax())
    if isinstance(unit, str) and names is not None and unit in names[: len(outputs)]:
        return names.index(unit)
    if isinstance(unit, (int, np.integer)) and 0 <= unit < len(outputs):
        return int(unit)
    raise ValueError(
        f"Layer {layer!r} has the units 0 to {len(outputs) - 1}; received unit={unit!r}."
    )


def _names_of_inputs(forward: Forward, values: np.ndarray) -> tuple[str, ...]:
    """Names of columns if the layer receives them unchanged; else `input 0`, `input 1`, …"""
    columns = column_names(forward.model, len(values))
    if columns is not None and np.array_equal(np.ravel(forward.inputs), values):
        return columns
    return tuple(f"input {i}" for i in range(len(values)))
