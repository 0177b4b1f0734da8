"""How a kernel becomes an operation that JAX can differentiate and map like its own."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir


def primitive(name: str, spec: Callable, compute: Callable, several: bool = False) -> Primitive:
    """A primitive that a kernel computes.

    `vmap` runs it once for each element: kernels take all samples at once by themselves.

    Args:
        name: Shown in jaxprs.
        spec: `(*shaped, **settings) → jax.ShapeDtypeStruct` of the result.
        compute: `(*arrays, **settings) → array`, traced into the program.
        several: Whether there are several results: both functions give lists then.
    """
    new = Primitive(name)
    new.multiple_results = several

    @new.def_impl
    def eager(*arguments: Any, **settings: Any) -> Any:
        return jax.jit(partial(new.bind, **settings))(*arguments)

    @new.def_abstract_eval
    def abstract(*arguments: Any, **settings: Any) -> Any:
        results = spec(*arguments, **settings)
        return jax.tree.map(lambda r: jax.core.ShapedArray(r.shape, r.dtype), results)

    def mapped(arguments: Any, axes: Any, **settings: Any) -> tuple[Any, Any]:
        moved = [
            a if axis is None else jax.numpy.moveaxis(a, axis, 0)
            for a, axis in zip(arguments, axes, strict=True)
        ]
        varying = [i for i, axis in enumerate(axes) if axis is not None]

        def one(rows: list) -> Any:
            given = dict(zip(varying, rows, strict=True))
            return new.bind(*[given.get(i, a) for i, a in enumerate(moved)], **settings)

        results = jax.lax.map(one, [moved[i] for i in varying])
        return results, [0] * len(results) if several else 0

    mlir.register_lowering(new, mlir.lower_fun(compute, multiple_results=several), platform="cpu")
    batching.primitive_batchers[new] = mapped
    return new


def bilinear(new: Primitive, left: Callable, right: Callable, constants: int = 0) -> None:
    """Derivatives of a primitive that is linear in each of its first two arguments.

    Args:
        left: `(cotangent, second, *constants, shape of the first, **settings) → cotangent of the
            first`.
        right: `(cotangent, first, *constants, shape of the second, **settings) → cotangent of the
            second`.
        constants: How many further arguments there are, which have no derivative.
    """
    none = (None,) * constants

    def transpose(cotangent: Any, first: Any, second: Any, *rest: Any, **settings: Any) -> tuple:
        if type(cotangent) is ad.Zero:
            return None, None, *none
        if ad.is_undefined_primal(first):
            return left(cotangent, second, *rest, first.aval.shape, **settings), None, *none
        return None, right(cotangent, first, *rest, second.aval.shape, **settings), *none

    ad.defjvp(
        new,
        lambda tangent, first, second, *rest, **settings: new.bind(
            tangent, second, *rest, **settings
        ),
        lambda tangent, first, second, *rest, **settings: new.bind(
            first, tangent, *rest, **settings
        ),
        *none,
    )
    ad.primitive_transposes[new] = transpose
