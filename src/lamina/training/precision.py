"""Precision: whether a model trains in half-size floats, asked for by name or found by trying.

Weights, optimizer and metrics stay in float32, as with Keras's mixed policies. Only steps of
training are concerned: what a model measures and predicts does not depend on the machine that
trained it.
"""

from collections.abc import Callable, Iterable
from typing import Any

from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.messages.errors import did_you_mean
from lamina.core.variable.variable import computing_in

_NAMES = ("auto", "float32", "mixed_bfloat16", "mixed_float16")


class Precision:
    """What `compile(precision=…)` asked for, and what became of it.

    Args:
        asked: None or a name among `auto`, `float32`, `mixed_bfloat16` and `mixed_float16`.

    Attributes:
        chosen: The name that holds; None for what the layers say by themselves, or `auto` before
            it was tried.

    Raises:
        ValueError: For another name.
    """

    def __init__(self, asked: str | None = None):
        if asked is not None and asked not in _NAMES:
            raise ValueError(
                f"compile(): precision={asked!r} is not known.{did_you_mean(str(asked), _NAMES)}\n"
                f"  Fix: one of {', '.join(map(repr, _NAMES))}, or None for what the layers say."
            )
        self.requested = asked
        self.chosen = asked

    @property
    def scales_losses(self) -> bool:
        return self.chosen == "mixed_float16"

    @property
    def compute_dtype(self) -> str | None:
        """What layers with the policy `float32` compute in while they train; None: as ever."""
        name = self.chosen or ""
        return name.removeprefix("mixed_") if name.startswith("mixed_") else None

    def applied(self, step: Callable, outputs: Iterable[KerasTensor]) -> Callable:
        """A step in this precision; the layers that give the outputs keep float32.

        Args:
            step: Any function.
            outputs: The symbolic outputs of the model, if it has any.
        """
        dtype = self.compute_dtype
        if dtype is None:
            return step
        full = frozenset(id(t.history.operation) for t in outputs if t.history is not None)

        def in_half(data: Any) -> Any:
            with computing_in(dtype, full):
                return step(data)

        return in_half
