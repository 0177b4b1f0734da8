"""Rules for JAX's operations: how their results depend on the rows of the batch.

The results of an operation without a rule are `MIXED`.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from lamina.training.row_dependence.values import CONSTANT, MIXED, Batched, Step, Value, combine

Rule = Callable[[Step], Value | list[Value]]


def _element_wise(step: Step) -> Value:
    return combine(step.values) if step.agree(*step.equations[0].params) else MIXED


def _rule_along_axes(*names: str) -> Rule:
    """The rule for operations along the axes in the named parameters; other axes are unchanged."""

    def rule(step: Step) -> Value:
        rows, params = combine(step.values), step.equations[0].params
        if not isinstance(rows, Batched) or not step.agree(*params):
            return MIXED
        axes = [axis for name in names for axis in np.atleast_1d(params[name])]
        return MIXED if rows.axis in axes else rows

    return rule


def _reduction(name: str) -> Rule:
    def rule(step: Step) -> Value:
        rows = combine(step.values)
        axes = step.parameter(name)
        if not isinstance(rows, Batched) or not step.agree(name) or rows.axis in axes:
            return MIXED
        return rows._replace(axis=rows.axis - sum(axis < rows.axis for axis in axes))

    return rule


def _last_axes(count: int) -> Rule:
    """The rule for operations on matrices or vectors in the last axes."""
    return lambda step: _apply_to_last_axes(step, count)


def _apply_to_last_axes(step: Step, count: int) -> Value:
    rows, rank = combine(step.values), min(map(len, step.shapes))
    if not isinstance(rows, Batched) or not step.agree(*step.equations[0].params):
        return MIXED
    return rows if rows.axis < rank - count else MIXED


def _fft(step: Step) -> Value:
    return _apply_to_last_axes(step, len(step.parameter("fft_lengths")))


def changes_size(step: Step) -> bool:
    """Whether the shape of a result depends on the number of rows."""
    pairs = zip(*(equation.outvars for equation in step.equations), strict=True)
    return any(getattr(a.aval, "shape", ()) != getattr(b.aval, "shape", ()) for a, b in pairs)


def _broadcast(step: Step) -> Value:
    value, axes = step.values[0], step.parameter("broadcast_dimensions")
    if not step.agree("broadcast_dimensions"):
        return MIXED
    return (
        value._replace(axis=int(axes[value.axis]))
        if isinstance(value, Batched)
        else _constant_along_batch(step)
    )


def _iota(step: Step) -> Value:
    constant = _constant_along_batch(step)
    numbers_the_rows = isinstance(constant, Batched) and constant.axis == step.parameter(
        "dimension"
    )
    return MIXED if numbers_the_rows else constant


def _constant_along_batch(step: Step) -> Value:
    """A result that is constant along its only axis whose size depends on the number of rows."""
    first, second = (equation.outvars[0].aval.shape for equation in step.equations)
    if any(value is not CONSTANT for value in step.values) or len(first) != len(second):
        return MIXED
    differing = [i for i, (m, n) in enumerate(zip(first, second, strict=True)) if m != n]
    if len(differing) != 1:
        return MIXED
    factor, remainder = divmod(first[differing[0]], step.sizes[0])
    return MIXED if remainder else Batched(differing[0], 0, factor)


def _reshape(step: Step) -> Value:
    (rows,), (before,), after = step.values, step.shapes, step.shape
    if not isinstance(rows, Batched) or step.parameter("dimensions") is not None:
        return MIXED
    # The number of values before and after the batch axis.
    outer = math.prod(before[: rows.axis]) * max(rows.outer, 1)
    inner = math.prod(before[rows.axis + 1 :]) * rows.inner
    for axis, size in enumerate(after):
        leading, trailing = math.prod(after[:axis]), math.prod(after[axis + 1 :])
        if leading and trailing and outer % leading == 0 and inner % trailing == 0:
            if size == (outer // leading) * step.sizes[0] * (inner // trailing):
                return Batched(axis, outer // leading, inner // trailing)
    return MIXED


def _transpose(step: Step) -> Value:
    (rows,) = step.values
    if not isinstance(rows, Batched) or not step.agree("permutation"):
        return MIXED
    return rows._replace(axis=tuple(step.parameter("permutation")).index(rows.axis))


def _slice(step: Step) -> Value:
    (rows,), (shape,) = step.values, step.shapes
    if not isinstance(rows, Batched):
        return MIXED
    axis, strides = rows.axis, step.parameter("strides") or (1,) * len(shape)
    starts, limits = step.parameter("start_indices"), step.parameter("limit_indices")
    takes_all_rows = (starts[axis], limits[axis], strides[axis]) == (0, shape[axis], 1)
    others_agree = step.agree("start_indices", "limit_indices", "strides", excluding=axis)
    return rows if takes_all_rows and others_agree else MIXED


def _pad(step: Step) -> Value:
    rows, filling = step.values
    if not isinstance(rows, Batched) or filling is not CONSTANT or not step.agree("padding_config"):
        return MIXED
    return rows if not any(step.parameter("padding_config")[rows.axis]) else MIXED


def _dynamic_slice(step: Step) -> Value:
    rows, *starts = step.values
    if not isinstance(rows, Batched) or any(start is not CONSTANT for start in starts):
        return MIXED
    sizes = step.parameter("slice_sizes")
    # XLA clamps the start, so a slice with the size of the axis always begins at 0.
    takes_all_rows = sizes[rows.axis] == step.shapes[0][rows.axis]
    return rows if takes_all_rows and step.agree("slice_sizes", excluding=rows.axis) else MIXED


def _dynamic_update_slice(step: Step) -> Value:
    operand, update, *starts = step.values
    rows = combine([operand, update])
    if not isinstance(rows, Batched) or any(start is not CONSTANT for start in starts):
        return MIXED
    sizes = [shape[rows.axis] for shape in step.shapes[:2]]
    return rows if isinstance(update, Batched) and sizes[0] == sizes[1] else MIXED


def _gather(step: Step) -> Value:
    (operand, indices), (shape, index_shape) = step.values, step.shapes
    numbers, sizes = step.parameter("dimension_numbers"), step.parameter("slice_sizes")
    if not step.agree("dimension_numbers", "mode", "fill_value"):
        return MIXED
    batch = [axis for axis in range(len(step.shape)) if axis not in numbers.offset_dims]
    if isinstance(indices, Batched) and indices.axis < len(index_shape) - 1:
        if not step.agree("slice_sizes"):
            return MIXED
        gathered = indices._replace(axis=batch[indices.axis])
        if operand is CONSTANT:  # e.g. an embedding table
            return gathered
        pairs = zip(numbers.operand_batching_dims, numbers.start_indices_batching_dims, strict=True)
        if isinstance(operand, Batched) and (operand.axis, indices.axis) in pairs:
            return combine([gathered, operand._replace(axis=gathered.axis)])
    if isinstance(operand, Batched) and indices is CONSTANT:
        axis = operand.axis
        dropped = {*numbers.collapsed_slice_dims, *numbers.operand_batching_dims}
        if axis in dropped or axis in numbers.start_index_map or sizes[axis] != shape[axis]:
            return MIXED
        kept_axes = [i for i in range(len(shape)) if i not in dropped]
        if step.agree("slice_sizes", excluding=axis):
            return operand._replace(axis=numbers.offset_dims[kept_axes.index(axis)])
    return MIXED


def _scatter(step: Step) -> Value:
    operand, indices, updates = step.values
    numbers = step.parameter("dimension_numbers")
    names = [n for n in step.equations[0].params if "jaxpr" not in n and "consts" not in n]
    if (
        not isinstance(operand, Batched)
        or not isinstance(updates, Batched)
        or not step.agree(*names)
    ):
        return MIXED
    axis, shapes = operand.axis, step.shapes
    batching = tuple(numbers.operand_batching_dims)
    batch = [i for i in range(len(shapes[2])) if i not in numbers.update_window_dims]
    if isinstance(indices, Batched):
        if axis not in batching or indices.axis == len(shapes[1]) - 1:
            return MIXED
        index_axis = numbers.scatter_indices_batching_dims[batching.index(axis)]
        if index_axis != indices.axis or updates.axis != batch[index_axis]:
            return MIXED
        result = combine([operand, indices._replace(axis=axis), updates._replace(axis=axis)])
        return result if isinstance(result, Batched) else MIXED
    dropped = {*numbers.inserted_window_dims, *batching}
    if axis in dropped or axis in numbers.scatter_dims_to_operand_dims:
        return MIXED
    kept_axes = [i for i in range(len(shapes[0])) if i not in dropped]
    if updates.axis != numbers.update_window_dims[kept_axes.index(axis)]:
        return MIXED
    return combine([operand, updates._replace(axis=axis)])


def _dot_general(step: Step) -> Value:
    left, right = step.values
    if not step.agree("dimension_numbers"):
        return MIXED
    (left_summed, right_summed), (left_batch, right_batch) = step.parameter("dimension_numbers")
    left_batch, right_batch = tuple(left_batch), tuple(right_batch)

    def result_axis(rows: Batched, summed: Any, batch: tuple[Any, ...], before: int) -> Value:
        if rows.axis in summed:
            return MIXED
        if rows.axis in batch:
            return rows._replace(axis=batch.index(rows.axis))
        free = sum(i not in summed and i not in batch for i in range(rows.axis))
        return rows._replace(axis=before + free)

    if isinstance(left, Batched) and isinstance(right, Batched):
        if left.axis not in left_batch or right.axis not in right_batch:
            return MIXED
        axes = [left_batch.index(left.axis), right_batch.index(right.axis)]
        return combine([left._replace(axis=axes[0]), right._replace(axis=axes[1])])
    if isinstance(left, Batched):
        return result_axis(left, left_summed, left_batch, len(left_batch))
    assert isinstance(right, Batched)
    free_of_left = len(step.shapes[0]) - len(left_summed) - len(left_batch)
    return result_axis(right, right_summed, right_batch, len(right_batch) + free_of_left)


def _convolution(step: Step) -> Value:
    rows, kernel = step.values
    numbers = step.parameter("dimension_numbers")
    names = ("dimension_numbers", "window_strides", "padding", "lhs_dilation", "rhs_dilation")
    if not isinstance(rows, Batched) or kernel is not CONSTANT or rows.axis != numbers.lhs_spec[0]:
        return MIXED
    if step.parameter("batch_group_count") != 1 or not step.agree(*names, "feature_group_count"):
        return MIXED
    return rows._replace(axis=numbers.out_spec[0])


def _windows(step: Step) -> Value:
    rows = combine(step.values)
    params = step.equations[0].params
    if (
        not isinstance(rows, Batched)
        or len({"jaxpr", "consts"} & {*params})
        or not _all_agree(step)
    ):
        return MIXED
    names = ("window_dimensions", "window_strides", "padding", "base_dilation", "window_dilation")
    settings = [params[name][rows.axis] for name in names if params.get(name) is not None]
    return rows if all(tuple(np.atleast_1d(s)) in ((1,), (0, 0)) for s in settings) else MIXED


def _all_agree(step: Step) -> bool:
    return step.agree(*step.equations[0].params)


def _tile(step: Step) -> Value:
    (rows,) = step.values
    if not isinstance(rows, Batched) or not step.agree("reps"):
        return MIXED
    return rows if step.parameter("reps")[rows.axis] == 1 else MIXED


def _unstack(step: Step) -> Value:
    rows, axis = combine(step.values), step.parameter("axis")
    if not isinstance(rows, Batched) or not step.agree("axis") or rows.axis == axis:
        return MIXED
    return rows._replace(axis=rows.axis - (axis < rows.axis))


def _stack(step: Step) -> Value:
    rows, axis = combine(step.values), step.parameter("axis")
    if not isinstance(rows, Batched) or not step.agree("axis"):
        return MIXED
    return rows._replace(axis=rows.axis + (axis <= rows.axis))


_ELEMENT_WISE = """
    abs acos acosh add add_any and asin asinh atan atan2 atanh bessel_i0e bessel_i1e
    cbrt ceil clamp clz complex conj convert_element_type copy copy_p cos cosh digamma
    div eq eq_to erf erf_inv erfc exp exp2 expm1 floor ge gt igamma igamma_grad_a
    igammac imag integer_pow is_finite le le_to lgamma log log1p logistic lt lt_to max
    min mul mulhi ne neg nextafter not or polygamma population_count pow real
    reduce_precision regularized_incomplete_beta rem round rsqrt select_n shift_left
    shift_right_arithmetic shift_right_logical sign sin sinh sqrt square
    stop_gradient sub tan tanh xor zeta name device_put sharding_constraint
""".split()


def _operands(step: Step) -> list[Value]:
    """The rule for an operation whose results are its operands."""
    return step.values


RULES: dict[str, Rule] = {
    **dict.fromkeys(_ELEMENT_WISE, _element_wise),
    **{
        f"cum{name}": _rule_along_axes("axis")
        for name in ("sum", "prod", "max", "min", "logsumexp")
    },
    **{f"reduce_{n}": _reduction("axes") for n in ("sum max min prod and or xor".split())},
    **dict.fromkeys(("argmax", "argmin"), _reduction("axes")),
    **dict.fromkeys(("cholesky", "eig", "eigh", "lu", "qr", "geqrf", "svd"), _last_axes(2)),
    **dict.fromkeys(("householder_product", "triangular_solve"), _last_axes(2)),
    **dict.fromkeys(("lu_pivots_to_permutation", "bitcast_convert_type"), _last_axes(1)),
    **dict.fromkeys(("scatter", "scatter-add", "scatter-mul", "scatter-sub"), _scatter),
    **dict.fromkeys(("scatter-min", "scatter-max"), _scatter),
    **{f"reduce_window_{name}": _windows for name in ("sum", "max", "min")},
    "select_and_gather_add": _windows,
    "broadcast_in_dim": _broadcast,
    "concatenate": _rule_along_axes("dimension"),
    "conv_general_dilated": _convolution,
    "dot_general": _dot_general,
    "dynamic_slice": _dynamic_slice,
    "dynamic_update_slice": _dynamic_update_slice,
    "fft": _fft,
    "gather": _gather,
    "iota": _iota,
    "low_precision_dot_general": _dot_general,
    "optimization_barrier": _operands,
    "pad": _pad,
    "reshape": _reshape,
    "rev": _rule_along_axes("dimensions"),
    "slice": _slice,
    "sort": _rule_along_axes("dimension"),
    "split": _rule_along_axes("axis"),
    "squeeze": _reduction("dimensions"),
    "stack": _stack,
    "top_k": _rule_along_axes("axis"),
    "tile": _tile,
    "transpose": _transpose,
    "unstack": _unstack,
}
