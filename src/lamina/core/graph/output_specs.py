"""Shapes and dtypes of the outputs of a function for symbolic inputs, found by tracing it.

`trace_spec` traces; `spec_of_operation` remembers what it found, because the blocks of a deep model
call the same operation on the same shapes again and again.
"""

from collections.abc import Callable, Hashable
from typing import Any

import jax
import numpy as np

from lamina.core.configuration import config
from lamina.core.configuration.context import context
from lamina.core.graph.keras_tensor import KerasTensor, refuse_text
from lamina.core.variable.stateless import discard_assignments

# A function is traced with two different sizes for an unknown axis; an output axis that differs
# between the two is unknown, too. Primes come first, because sizes computed from them rarely agree
# by chance. If they fail, as in a reshape that halves the axis, highly composite numbers may work.
_TRACED_SIZES = ((83, 89), (480, 960), (107, 109))

_MAX_REMEMBERED = 4096
_MAX_ARRAY_SIZE = 64
_remembered_specs: dict[Hashable, tuple[Any, list[tuple[Any, str]]]] = {}


def spec_of_operation(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """The symbolic outputs of a function whose outputs depend on its arguments alone.

    Args:
        function: A function of arrays without state, such as those of `lamina.ops`.
        *args, **kwargs: KerasTensors, arrays, or structures of them, and plain settings.

    Returns:
        The output's structure with new KerasTensors in it; a size that is smaller for a small
        batch is None.
    """
    try:
        key = (function, _key_of(args), _key_of(kwargs), _settings_that_tracing_reads())
        hash(key)
    except TypeError:  # an argument that cannot be compared, such as a large array
        return _trace_operation(function, args, kwargs)
    if key not in _remembered_specs:
        outputs = _trace_operation(function, args, kwargs)
        leaves, structure = jax.tree.flatten(outputs)
        if len(_remembered_specs) >= _MAX_REMEMBERED:
            _remembered_specs.clear()
        _remembered_specs[key] = structure, [(leaf.shape, leaf.dtype) for leaf in leaves]
        return outputs
    structure, specs = _remembered_specs[key]
    return jax.tree.unflatten(structure, [KerasTensor(shape, dtype) for shape, dtype in specs])


def _trace_operation(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    outputs = trace_spec(function, *args, **kwargs)
    return forget_batch_dependent_sizes(outputs, function, *args, **kwargs)


def _settings_that_tracing_reads() -> Hashable:
    settings: Any = jax.config
    return (
        config.floatx(),
        config.image_data_format(),
        settings.jax_enable_x64,
        settings.jax_numpy_dtype_promotion,
    )


def _key_of(value: Any) -> Hashable:
    """A key that is equal for arguments with the same outputs; a TypeError if there is none."""
    if isinstance(value, KerasTensor):
        return KerasTensor, value.shape, value.dtype
    if isinstance(value, (tuple, list)):
        return type(value), tuple(map(_key_of, value))
    if isinstance(value, dict):
        return dict, tuple((name, _key_of(item)) for name, item in value.items())
    if isinstance(value, slice):
        return slice, _key_of(value.start), _key_of(value.stop), _key_of(value.step)
    if isinstance(value, np.ndarray) and value.size <= _MAX_ARRAY_SIZE and value.dtype != object:
        return np.ndarray, value.dtype, value.shape, value.tobytes()
    plain = (type(None), bool, int, float, complex, str, type, np.dtype, np.generic)
    if isinstance(value, plain) or value is Ellipsis:
        return type(value), value
    raise TypeError(f"{type(value).__name__} is not part of a key.")


def forget_batch_dependent_sizes(
    outputs: Any, function: Callable[..., Any], /, *args: Any, **kwargs: Any
) -> Any:
    """The outputs of `trace_spec`, with None for sizes that are smaller for a small batch.

    `x[:5]` of an unknown axis has five rows if there are many, but two if there are two.
    """
    batch_size = 2
    leaves = jax.tree.leaves((args, kwargs))
    if not any(isinstance(leaf, KerasTensor) and None in leaf.shape for leaf in leaves):
        return outputs

    def with_few_rows(leaf: Any) -> Any:
        if not isinstance(leaf, KerasTensor):
            return leaf
        return KerasTensor(
            [batch_size if size is None else size for size in leaf.shape], leaf.dtype
        )

    def unknown_where_smaller(output: KerasTensor, small: KerasTensor) -> "KerasTensor":
        pairs = zip(output.shape, small.shape, strict=True)
        shape = [None if m is not None and n is not None and n < m else m for m, n in pairs]
        return KerasTensor(shape, output.dtype)

    try:
        small_args, small_kwargs = jax.tree.map(with_few_rows, (args, kwargs))
        small_outputs = trace_spec(function, *small_args, **small_kwargs)
        return jax.tree.map(unknown_where_smaller, outputs, small_outputs)
    except Exception:  # the function needs more rows
        return outputs


def trace_spec(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """The symbolic outputs of a function for symbolic inputs, inferred by tracing it.

    Args:
        function: Any traceable function of arrays.
        *args, **kwargs: KerasTensors, arrays, or structures of them, and plain settings.

    Returns:
        The output's structure with KerasTensors in it.
    """
    leaves, structure = jax.tree.flatten((args, kwargs))
    symbolic = [i for i, leaf in enumerate(leaves) if isinstance(leaf, KerasTensor)]
    refuse_text(leaves)

    def outputs_for(
        traced_size: int | None, fixed_sizes: dict[tuple[int, int], int] | None = None
    ) -> Any:
        fixed = fixed_sizes or {}
        specs = [
            jax.ShapeDtypeStruct(
                tuple(
                    fixed.get((i, axis), traced_size) if s is None else s
                    for axis, s in enumerate(leaves[i].shape)
                ),
                leaves[i].dtype,
            )
            for i in symbolic
        ]

        def run(values: list[Any]) -> Any:
            filled = list(leaves)
            for i, value in zip(symbolic, values, strict=True):
                filled[i] = value
            filled_args, filled_kwargs = jax.tree.unflatten(structure, filled)
            outer, context.traced_size = context.traced_size, traced_size
            try:
                with discard_assignments():
                    return function(*filled_args, **filled_kwargs)
            finally:
                context.traced_size = outer

        return jax.eval_shape(run, specs)

    if not any(None in leaves[i].shape for i in symbolic):
        return jax.tree.map(lambda a: KerasTensor(a.shape, a.dtype), outputs_for(None))

    def merge(a: Any, b: Any) -> "KerasTensor":
        shape = [m if m == n else None for m, n in zip(a.shape, b.shape, strict=True)]
        return KerasTensor(shape, a.dtype)

    known_sizes = {size for i in symbolic for size in leaves[i].shape}
    pairs = [pair for pair in _TRACED_SIZES if not known_sizes.intersection(pair)][:2]
    first_error = None
    for small, large in pairs:
        try:
            return jax.tree.map(merge, outputs_for(small), outputs_for(large))
        except Exception as error:
            first_error = first_error or error
    # An unknown axis may have to equal a known one, as in (None, 4) + (3, 4). One axis
    # at a time is tried first, so that the others stay unknown.
    sizes = sorted(size for size in known_sizes if size is not None and size > 1)
    unknown = [(i, axis) for i in symbolic for axis, s in enumerate(leaves[i].shape) if s is None]
    small, large = pairs[0]
    for position in unknown if 1 < len(unknown) <= 6 else []:
        for size in sizes:
            try:
                return jax.tree.map(
                    merge,
                    outputs_for(small, {position: size}),
                    outputs_for(large, {position: size}),
                )
            except Exception:
                continue
    for size in sizes:
        try:
            return jax.tree.map(lambda a: KerasTensor(a.shape, a.dtype), outputs_for(size))
        except Exception:
            continue
    assert first_error is not None
    traced_size = pairs[0][0]
    if str(traced_size) in "\n".join([str(first_error), *getattr(first_error, "__notes__", [])]):
        first_error.add_note(f"  {traced_size} stands for an axis of any size, such as the batch.")
    raise first_error
