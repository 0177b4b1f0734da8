"""Precision: whether training steps compute in 16-bit floats, by name or by a timed trial.

Weights, optimizer and metrics stay in float32, as with Keras's mixed policies. Evaluation and
prediction are not affected, so their results do not depend on the machine that trained the model.
"""

from collections.abc import Callable, Iterable
from typing import Any

from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.messages.errors import did_you_mean
from lamina.core.types import PyTree
from lamina.core.variable.variable import override_compute_dtype

_NAMES = ("auto", "float32", "mixed_bfloat16", "mixed_float16")


class Precision:
    """The precision that `compile(precision=…)` requests, and the one in use.

    Args:
        requested: None, `auto`, `float32`, `mixed_bfloat16` or `mixed_float16`.

    Attributes:
        active: The precision in use; None for the policies of the layers, or `auto` before the
            trial.

    Raises:
        ValueError: For another name.
    """

    def __init__(self, requested: str | None = None):
        if requested is not None and requested not in _NAMES:
            raise ValueError(
                f"compile(): precision={requested!r} is not known."
                f"{did_you_mean(str(requested), _NAMES)}\n"
                f"  Fix: one of {', '.join(map(repr, _NAMES))}, or None for the policies of layers."
            )
        self.requested = requested
        self.active = requested

    @property
    def scales_losses(self) -> bool:
        """Whether the optimizer must scale the loss."""
        return self.active == "mixed_float16"

    @property
    def compute_dtype(self) -> str | None:
        """The compute dtype of layers with the policy `float32` in training; None for no change."""
        name = self.active or ""
        return name.removeprefix("mixed_") if name.startswith("mixed_") else None

    def apply_to(
        self, step: Callable[..., Any], outputs: Iterable[KerasTensor]
    ) -> Callable[..., Any]:
        """Convert a step to this precision; the output layers stay in float32.

        Args:
            step: Any function.
            outputs: The symbolic outputs of the model, if known.
        """
        dtype = self.compute_dtype
        if dtype is None:
            return step
        output_layers = frozenset(
            id(tensor.history.operation) for tensor in outputs if tensor.history is not None
        )

        def step_in_half_precision(data: PyTree) -> Any:
            with override_compute_dtype(dtype, output_layers):
                return step(data)

        return step_in_half_precision
