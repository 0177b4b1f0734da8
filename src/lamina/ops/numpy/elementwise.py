"""Element-wise functions: arithmetic, powers, angles, comparison, logic, bits.

Most lines define an operation by its name, a function and a summary. Two arguments are broadcast
against each other.
"""

from typing import Any

import jax.numpy as jnp

from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.types import Array, ArrayLike
from lamina.ops.arrays import as_array, require_integers, to_common_floats, to_floats
from lamina.ops.define import make_docstring, operations, set_name_and_docstring
from lamina.ops.specs import elementwise, integer_spec

op = operations("numpy")
unary, binary, bitwise = op.unary, op.binary, op.bitwise

# ---- arithmetic ------------------------------------------------------------------------------

add = binary("add", jnp.add, "`x1 + x2`.")
subtract = binary("subtract", jnp.subtract, "`x1 - x2`.")
multiply = binary("multiply", jnp.multiply, "`x1 * x2`.")
divide = binary("divide", jnp.true_divide, "`x1 / x2`, always in floats.")
true_divide = binary("true_divide", jnp.true_divide, "`x1 / x2`, always in floats.")
floor_divide = binary("floor_divide", jnp.floor_divide, "`x1 // x2`: rounded down.")
mod = binary("mod", jnp.mod, "The remainder of `x1 // x2`, with the sign of `x2`.")
fmod = binary("fmod", jnp.fmod, "The remainder of the division, with the sign of `x1`.")
power = binary("power", jnp.power, "`x1 ** x2`.")
negative = unary("negative", jnp.negative, "`-x`.")
absolute = unary("absolute", jnp.abs, "The magnitude of every value.")
abs = unary("abs", jnp.abs, "The magnitude of every value.", class_name="Absolute")
reciprocal = unary("reciprocal", jnp.reciprocal, "`1 / x`.")
square = unary("square", jnp.square, "`x ** 2`.")
sign = unary("sign", jnp.sign, "-1, 0 or 1.")
signbit = unary("signbit", jnp.signbit, "True where the sign is negative, -0.0 included.")
copy = unary("copy", jnp.copy, "A copy of the array.")


@op("x")
def fabs(x: ArrayLike) -> Array:
    """The magnitude of every value, always in floats; complex numbers are refused.

    Args:
        x: Array of any shape.

    Returns:
        Array of the same shape, of floats.

    Raises:
        TypeError: If the numbers are complex.

    Example:
        >>> fabs([-1, 2]).tolist()
        [1.0, 2.0]
    """
    x = as_array(x)
    if jnp.iscomplexobj(x):
        raise TypeError(f"fabs takes no complex numbers; received {x.dtype}. See absolute().")
    return jnp.fabs(to_floats(x))


@op("x1", "x2", spec=elementwise(lambda x1, x2: jnp.true_divide(as_array(x1), as_array(x2))))
def divide_no_nan(x1: ArrayLike, x2: ArrayLike) -> Array:
    """`x1 / x2`, and 0 where `x2` is 0; the gradient is 0 there, too.

    Args:
        x1: Array of any shape.
        x2: Array of a shape that broadcasts against it.

    Returns:
        Array of the shape that both broadcast to, of floats.

    Example:
        >>> divide_no_nan([1.0, 2.0], [0.0, 4.0]).tolist()
        [0.0, 0.5]
    """
    x1, x2 = as_array(x1), as_array(x2)
    # The inner where() keeps 1/0 out of the gradient, which the outer one would turn into NaN.
    return jnp.where(x2 == 0, 0, jnp.true_divide(x1, jnp.where(x2 == 0, 1, x2)))


# ---- powers and logarithms ---------------------------------------------------------------------

exp = unary("exp", jnp.exp, "`e ** x`.", to_floats)
exp2 = unary("exp2", jnp.exp2, "`2 ** x`.", to_floats)
expm1 = unary("expm1", jnp.expm1, "`exp(x) - 1`, exact near 0.", to_floats)
log = unary("log", jnp.log, "The natural logarithm.", to_floats)
log10 = unary("log10", jnp.log10, "The logarithm to base 10.", to_floats)
log1p = unary("log1p", jnp.log1p, "`log(1 + x)`, exact near 0.", to_floats)
log2 = unary("log2", jnp.log2, "The logarithm to base 2.", to_floats)
sqrt = unary("sqrt", jnp.sqrt, "The square root; NaN for negative values.", to_floats)
cbrt = unary("cbrt", jnp.cbrt, "The cube root.", to_floats)
i0 = unary("i0", jnp.i0, "The modified Bessel function of the first kind, of order 0.", to_floats)
hypot = binary("hypot", jnp.hypot, "`sqrt(x1² + x2²)`, without overflow.")
logaddexp = binary(
    "logaddexp", jnp.logaddexp, "`log(exp(x1) + exp(x2))`, stable.", to_common_floats
)
logaddexp2 = binary(
    "logaddexp2", jnp.logaddexp2, "`log2(2**x1 + 2**x2)`, stable.", to_common_floats
)


def _define_integer_operation(name: str, compute: Any, summary: str) -> Any:
    def function(x1: ArrayLike, x2: ArrayLike) -> Array:
        return compute(*require_integers(name, x1, x2))

    numbers = "Integers; the shapes broadcast against each other."
    result = "Integers, of the shape that both broadcast to."
    docstring = make_docstring(summary, {"x1": numbers, "x2": numbers}, result)
    return op("x1", "x2", spec=integer_spec(function))(
        set_name_and_docstring(function, name, docstring)
    )


gcd = _define_integer_operation("gcd", jnp.gcd, "The greatest common divisor of integers.")
lcm = _define_integer_operation("lcm", jnp.lcm, "The least common multiple of integers.")


@op("x1", "x2", index_arguments=("x2",))
def ldexp(x1: ArrayLike, x2: ArrayLike) -> Array:
    """`x1 * 2 ** x2` for whole exponents `x2`.

    Args:
        x1: Array of any shape.
        x2: Integers, of a shape that broadcasts against it.

    Returns:
        Array of the shape that both broadcast to, of floats.

    Raises:
        TypeError: If `x2` does not hold integers.

    Example:
        >>> ldexp([1.0, 1.5], [3, 1]).tolist()
        [8.0, 3.0]
    """
    x1, x2 = as_array(x1), as_array(x2)
    if not jnp.issubdtype(x2.dtype, jnp.integer):
        raise TypeError(f"ldexp takes integers as exponents; received {x2.dtype}.")
    return jnp.ldexp(x1, x2)


# ---- angles, in radians --------------------------------------------------------------------------

sin = unary("sin", jnp.sin, "The sine of an angle in radians.", to_floats)
cos = unary("cos", jnp.cos, "The cosine of an angle in radians.", to_floats)
tan = unary("tan", jnp.tan, "The tangent of an angle in radians.", to_floats)
arcsin = unary("arcsin", jnp.arcsin, "The angle in radians with this sine.", to_floats)
arccos = unary("arccos", jnp.arccos, "The angle in radians with this cosine.", to_floats)
arctan = unary("arctan", jnp.arctan, "The angle in radians with this tangent.", to_floats)
arctan2 = binary(
    "arctan2", jnp.arctan2, "The angle of the point (x2, x1), -π to π.", to_common_floats
)
sinh = unary("sinh", jnp.sinh, "The hyperbolic sine.", to_floats)
cosh = unary("cosh", jnp.cosh, "The hyperbolic cosine.", to_floats)
tanh = unary("tanh", jnp.tanh, "The hyperbolic tangent: any number to -1 … 1.", to_floats)
arcsinh = unary("arcsinh", jnp.arcsinh, "The inverse of sinh.", to_floats)
arccosh = unary("arccosh", jnp.arccosh, "The inverse of cosh.", to_floats)
arctanh = unary("arctanh", jnp.arctanh, "The inverse of tanh.", to_floats)
sinc = unary("sinc", jnp.sinc, "`sin(πx) / (πx)`, and 1 at 0.", to_floats)
deg2rad = unary("deg2rad", jnp.deg2rad, "Degrees to radians.", to_floats)
rad2deg = unary("rad2deg", jnp.rad2deg, "Radians to degrees.", to_floats)

# ---- complex numbers -------------------------------------------------------------------------

angle = unary("angle", jnp.angle, "The angle of complex numbers, in radians.", to_floats)
conjugate = unary("conjugate", jnp.conjugate, "Complex numbers with the imaginary part negated.")
conj = unary(
    "conj",
    jnp.conjugate,
    "Complex numbers with the imaginary part negated.",
    class_name="Conjugate",
)
real = unary("real", jnp.real, "The real part.")
imag = unary("imag", jnp.imag, "The imaginary part.")
isreal = unary("isreal", jnp.isreal, "True where the imaginary part is 0.")

# ---- rounding and limits -----------------------------------------------------------------------

ceil = unary("ceil", jnp.ceil, "Rounded up, in floats.", to_floats)
floor = unary("floor", jnp.floor, "Rounded down, in floats.", to_floats)
trunc = unary("trunc", jnp.trunc, "Rounded towards 0; integers do not change.")
maximum = binary("maximum", jnp.maximum, "The larger of two values; NaN if one is NaN.")
minimum = binary("minimum", jnp.minimum, "The smaller of two values; NaN if one is NaN.")
fmax = binary("fmax", jnp.fmax, "The larger of two values; NaN only if both are NaN.")
fmin = binary("fmin", jnp.fmin, "The smaller of two values; NaN only if both are NaN.")
nextafter = binary("nextafter", jnp.nextafter, "The next float after `x1` towards `x2`.")
heaviside = binary("heaviside", jnp.heaviside, "0 below 0, 1 above, and `x2` at 0.")


@op("x")
def round(x: ArrayLike, decimals: int = 0) -> Array:
    """Rounds to a number of decimals; halves are rounded to even.

    Args:
        x: Any array.
        decimals: Digits to keep; negative ones round to tens, hundreds …

    Returns:
        Array of the same shape.

    Example:
        >>> round([0.5, 1.5, 2.5]).tolist(), round([118], decimals=-1).tolist()
        ([0.0, 2.0, 2.0], [120])
    """
    x = as_array(x)
    if decimals < 0 and jnp.issubdtype(x.dtype, jnp.integer):
        tens = 10.0**-decimals
        return (jnp.round(to_floats(x) / tens) * tens).astype(x.dtype)
    return jnp.round(x, decimals)


@op("x")
def clip(x: ArrayLike, x_min: ArrayLike, x_max: ArrayLike) -> Array:
    """Values below `x_min` become `x_min`, those above `x_max` become `x_max`.

    Args:
        x: Array of any shape.
        x_min: Lowest value, or array of them; None for no limit.
        x_max: Highest value, or array of them; None for no limit.

    Returns:
        Array of the same shape.

    Example:
        >>> clip([1, 5, 9], 2, 6).tolist()
        [2, 5, 6]
    """
    x = as_array(x)
    if x.dtype == bool:
        x = x.astype("int32")
    lowest, highest = (None if limit is None else as_array(limit) for limit in (x_min, x_max))
    return jnp.clip(x, lowest, highest)


@op("x")
def nan_to_num(
    x: ArrayLike, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Array:
    """Replaces NaN and infinity by numbers.

    Args:
        x: Any array.
        nan: Replacement of NaN.
        posinf, neginf: Replacements of infinity; the largest numbers of the dtype for None.

    Returns:
        Array of the same shape.

    Example:
        >>> nan_to_num([float("nan"), 1.0, float("inf")], posinf=9.0).tolist()
        [0.0, 1.0, 9.0]
    """
    return jnp.nan_to_num(as_array(x), nan=nan, posinf=posinf, neginf=neginf)


# ---- comparison and logic -----------------------------------------------------------------------

equal = binary("equal", jnp.equal, "`x1 == x2`.")
not_equal = binary("not_equal", jnp.not_equal, "`x1 != x2`.")
less = binary("less", jnp.less, "`x1 < x2`.")
less_equal = binary("less_equal", jnp.less_equal, "`x1 <= x2`.")
greater = binary("greater", jnp.greater, "`x1 > x2`.")
greater_equal = binary("greater_equal", jnp.greater_equal, "`x1 >= x2`.")
logical_and = binary("logical_and", jnp.logical_and, "True where both are true.")
logical_or = binary("logical_or", jnp.logical_or, "True where one or both are true.")
logical_xor = binary("logical_xor", jnp.logical_xor, "True where exactly one is true.")
logical_not = unary("logical_not", jnp.logical_not, "True where `x` is false.")
isfinite = unary("isfinite", jnp.isfinite, "True for numbers, False for NaN and infinity.")
isinf = unary("isinf", jnp.isinf, "True for infinity of either sign.")
isnan = unary("isnan", jnp.isnan, "True for NaN.")
isposinf = unary("isposinf", jnp.isposinf, "True for positive infinity.")
isneginf = unary("isneginf", jnp.isneginf, "True for negative infinity.")


def _isclose_spec(x1: Any, x2: Any, **settings: Any) -> KerasTensor | None:
    """The spec of `isclose`."""
    return elementwise(jnp.isclose)(x1, x2)


def _allclose_spec(x1: Any, x2: Any, **settings: Any) -> KerasTensor | None:
    """The spec of `allclose`."""
    return None if _isclose_spec(x1, x2) is None else KerasTensor((), "bool")


# In Keras the tolerances of `isclose` are arguments of the call, those of `allclose` are settings.
@op("x1", "x2", "rtol", "atol", spec=_isclose_spec)
def isclose(
    x1: ArrayLike, x2: ArrayLike, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Array:
    """True where two values are nearly equal: `|x1 - x2| <= atol + rtol * |x2|`.

    Args:
        x1: Array of any shape.
        x2: Array of a shape that broadcasts against it.
        rtol: Tolerance as a fraction of `|x2|`.
        atol: Tolerance in the units of the values.
        equal_nan: Whether NaN is equal to NaN.

    Returns:
        Array of booleans, of the shape that both broadcast to.

    Example:
        >>> isclose([1.0, 2.0], [1.0, 2.1]).tolist()
        [True, False]
    """
    return jnp.isclose(as_array(x1), as_array(x2), rtol, atol, equal_nan)


@op("x1", "x2", class_name="AllClose", spec=_allclose_spec)
def allclose(
    x1: ArrayLike, x2: ArrayLike, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Array:
    """True if all values are nearly equal: `|x1 - x2| <= atol + rtol * |x2|`.

    Args:
        x1: Array of any shape.
        x2: Array of a shape that broadcasts against it.
        rtol: Tolerance as a fraction of `|x2|`.
        atol: Tolerance in the units of the values.
        equal_nan: Whether NaN is equal to NaN.

    Returns:
        A scalar boolean.

    Example:
        >>> bool(allclose([1.0, 2.0], [1.0, 2.1], atol=0.2))
        True
    """
    return jnp.allclose(as_array(x1), as_array(x2), rtol, atol, equal_nan)


# ---- bits of integers -----------------------------------------------------------------------

bitwise_and = bitwise("bitwise_and", jnp.bitwise_and, "Bits that are set in both.")
bitwise_or = bitwise("bitwise_or", jnp.bitwise_or, "Bits that are set in one or both.")
bitwise_xor = bitwise("bitwise_xor", jnp.bitwise_xor, "Bits that are set in exactly one.")


def _define_invert(name: str) -> Any:
    def function(x: ArrayLike) -> Array:
        return jnp.invert(*require_integers(name, x))

    spec = integer_spec(function)
    arguments = {"x": "Integers or booleans."}
    docstring = make_docstring("Every bit inverted.", arguments, "Array of the same shape.")
    return op("x", spec=spec)(set_name_and_docstring(function, name, docstring))


bitwise_invert = _define_invert("bitwise_invert")
bitwise_not = _define_invert("bitwise_not")
bitwise_left_shift = bitwise("bitwise_left_shift", jnp.left_shift, "`x << y`.")
bitwise_right_shift = bitwise("bitwise_right_shift", jnp.right_shift, "`x >> y`.")
left_shift = bitwise("left_shift", jnp.left_shift, "`x << y`.")
right_shift = bitwise("right_shift", jnp.right_shift, "`x >> y`.")


@op("x")
def view(x: ArrayLike, dtype: Any = None) -> Array:
    """Reinterprets bytes as another dtype; the size of the last axis changes with its size.

    Args:
        x: Array of any shape.
        dtype: The type.

    Returns:
        Array of the same number of axes.

    Example:
        >>> view(jnp.array([1.0], "float32"), "int32").tolist()
        [1065353216]
    """
    return as_array(x).view(dtype)
