"""Rematerialisation: intermediate values are recomputed for the gradient instead of stored.

Training takes about a third longer, and needs only a small part of the memory for activations.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax

from lamina.core.configuration.context import context
from lamina.core.layer import masking
from lamina.core.messages.errors import unknown_name
from lamina.core.messages.tracebacks import filter_traceback, filter_tracebacks_of_methods
from lamina.core.variable.stateless import collect_assignments, discard_assignments
from lamina.core.variable.variable import Variable

_MODES = ("full", "activations", "larger_than", "list_of_layers")


@filter_tracebacks_of_methods
class RematScope:
    """Context manager: layers created inside recompute intermediate values for the gradient.

    Args:
        mode: `"full"` for every layer; `"activations"` for their activation functions only;
            `"larger_than"` for layers with large outputs; `"list_of_layers"` for those in
            `layer_names`; None for no layer.
        output_size_threshold: With `"larger_than"`, the largest number of values of an output for
            which nothing is recomputed.
        layer_names: With `"list_of_layers"`, the names of layers.

    Source: Chen et al., 2016, "Training Deep Nets with Sublinear Memory Cost", arXiv:1604.06174.

    Example:
        >>> from lamina.layers import Dense
        >>> with RematScope(mode="full"):
        ...     layer = Dense(8, activation="relu")
        >>> layer(jax.numpy.ones((2, 4))).shape
        (2, 8)
    """

    def __init__(
        self,
        mode: str | None = "full",
        output_size_threshold: int = 1024,
        layer_names: Sequence[str] | None = None,
    ):
        if mode is not None and mode not in _MODES:
            raise unknown_name("mode of RematScope", mode, _MODES)
        self.mode = mode
        self.output_size_threshold = output_size_threshold
        self.layer_names = list(layer_names or ())

    def __enter__(self) -> "RematScope":
        context.remat.append(self)
        return self

    def __exit__(self, *error: Any) -> None:
        context.remat.remove(self)


def current_scope() -> RematScope | None:
    """The innermost enclosing `RematScope`, or None."""
    return context.remat[-1] if context.remat else None


@filter_traceback
def remat(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose intermediate values are recomputed for its gradient instead of stored.

    The function may read and assign Variables, call layers and add losses.

    Args:
        f: Function of arrays; other arguments are passed on unchanged.

    Returns:
        A function with the same arguments and results as `f`.

    Example:
        >>> f = remat(lambda x: jax.numpy.sin(jax.numpy.sin(x)))
        >>> round(float(jax.grad(f)(0.0)), 4)
        1.0
    """

    @filter_traceback
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = jax.tree.flatten((args, kwargs))
        positions = [i for i, leaf in enumerate(leaves) if isinstance(leaf, jax.Array)]
        variables: dict[int, Variable] = {}
        layers: list[Any] = []  # of Layer, which imports this file

        def pure(arrays: list[Any], masks: list[Any]) -> tuple[Any, ...]:
            filled = list(leaves)
            for position, value, mask in zip(positions, arrays, masks, strict=True):
                filled[position] = value
                if mask is not None:
                    masking.set_mask(value, mask)
            call_args, call_kwargs = jax.tree.unflatten(structure, filled)
            # Assigned values and added losses are returned, so that the wrapper can apply them.
            with collect_assignments() as state, collected_losses() as losses:
                result = f(*call_args, **call_kwargs)
                result_masks = jax.tree.map(masking.get_mask, result)
            variables.update(state.variables)
            layers[:] = [layer for layer, _ in losses]
            assigned = {key: state.values[key] for key in state.variables}
            return result, result_masks, assigned, [value for _, value in losses]

        arrays = [leaves[i] for i in positions]
        masks = [masking.get_mask(leaves[i]) for i in positions]
        result, result_masks, assigned, losses = jax.checkpoint(pure)(arrays, masks)
        for key, value in assigned.items():
            variables[key].assign(value)
        for layer, value in zip(layers, losses, strict=True):
            layer.add_loss(value)
        masking.set_masks(result, result_masks)
        return result

    return wrapper


class collected_losses:
    """Context manager that collects the losses that layers add, as pairs (layer, value)."""

    def __enter__(self) -> list[Any]:
        self.outer, context.losses = context.losses, []
        return context.losses

    def __exit__(self, *error: Any) -> None:
        context.losses = self.outer


def call_with_remat(layer: Any) -> Callable[..., Any]:
    """The `call` of a layer, with the rematerialisation that its RematScope requests."""
    scope = layer._remat_scope
    if scope.mode == "full" or (scope.mode == "list_of_layers" and layer.name in scope.layer_names):
        return remat(layer.call)
    if scope.mode == "larger_than":
        return lambda *args, **kwargs: _remat_if_large(layer.call, scope)(*args, **kwargs)
    if scope.mode == "activations" and callable(getattr(layer, "activation", None)):
        return lambda *args, **kwargs: _remat_activation(layer, args, kwargs)
    call: Callable[..., Any] = layer.call
    return call


def _remat_if_large(call: Callable[..., Any], scope: RematScope) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = jax.tree.flatten((args, kwargs))
        positions = [i for i, leaf in enumerate(leaves) if isinstance(leaf, jax.Array)]

        def shapes_only(arrays: list[Any]) -> Any:
            filled = list(leaves)
            for position, value in zip(positions, arrays, strict=True):
                filled[position] = value
            call_args, call_kwargs = jax.tree.unflatten(structure, filled)
            with discard_assignments(), collected_losses():
                return call(*call_args, **call_kwargs)

        outputs = jax.eval_shape(shapes_only, [leaves[i] for i in positions])
        size = sum(math.prod(output.shape) for output in jax.tree.leaves(outputs))
        is_large = size > scope.output_size_threshold
        return (remat(call) if is_large else call)(*args, **kwargs)

    return wrapper


def _remat_activation(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    activation = layer.activation
    object.__setattr__(layer, "activation", remat(activation))
    try:
        return layer.call(*args, **kwargs)
    finally:
        object.__setattr__(layer, "activation", activation)
