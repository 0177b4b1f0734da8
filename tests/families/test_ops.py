"""Every operation against Keras: values, types, symbolic shapes, and what is written in files."""

import inspect
import pickle
import warnings
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import lamina
from lamina import ops

R = np.random.default_rng(seed=3)
X = R.normal(size=(3, 4)).astype("float32")
Y = R.normal(size=(3, 4)).astype("float32")
P = R.uniform(0.1, 0.9, size=(3, 4)).astype("float32")  # probabilities
CUBE = R.normal(size=(2, 3, 4)).astype("float32")
V = np.array([0.5, -1.5, 2.0, 1.0], "float32")
W = np.array([2.0, 0.5, -1.0, 3.0], "float32")
ROW = np.array([1.0, 2.0, 4.0], "float32")
NAN = np.array([[1.0, np.nan, 3.0], [-2.0, 5.0, np.inf]], "float32")
N = np.array([[3, 1, 2], [0, 6, 5]], "int32")
M = np.array([[1, 2, 2], [1, 4, 3]], "int32")
B = np.array([[True, False, True], [False, False, True]])
C = np.array([True, False, False])
Z = (X[0] + 1j * X[1]).astype("complex64")
SQUARE = R.normal(size=(3, 3)).astype("float32")
POSITIVE = (SQUARE @ SQUARE.T + 3 * np.eye(3)).astype("float32")
PAIR = (X, Y)


@dataclass
class Case:
    """One call of an operation, and what is to be looked at beyond its value."""

    name: str
    args: tuple
    kwargs: dict = field(default_factory=dict)
    # Whether Keras describes the symbolic result truthfully, and with an unknown first axis.
    symbolic: bool = True
    batch: bool = True
    dtypes: bool = True

    def __str__(self) -> str:
        settings = [repr(a) for a in self.args if isinstance(a, (int, float, str, tuple))]
        settings += [f"{k}={v}" for k, v in self.kwargs.items()]
        shown = ",".join(s for s in settings if "array" not in s and "<" not in s)
        return f"{self.name}({shown})"


def case(name: str, *args: Any, _symbolic=True, _batch=True, _dtypes=True, **kwargs: Any) -> Case:
    return Case(name, args, kwargs, _symbolic, _batch, _dtypes)


def each(names: str, *args: Any, **kwargs: Any) -> list[Case]:
    return [case(name, *args, **kwargs) for name in names.split()]


ELEMENTWISE = [
    *each("abs absolute negative square sign signbit copy fabs exp exp2 expm1 sin cos tan", X),
    *each("arctan sinh cosh tanh arcsinh sinc deg2rad rad2deg i0 cbrt ceil floor trunc", X),
    *each("isfinite isinf isnan isposinf isneginf", NAN),
    *each("conj conjugate real isreal reciprocal logical_not", X),
    *each("log log10 log1p log2 sqrt rsqrt arcsin arccos arctanh erf erfc erfinv angle", P),
    case("arccosh", P + 1),
    *each("conj conjugate isreal", Z, _dtypes=False),
    *each("real imag angle absolute", Z, _dtypes=False, _symbolic=False),
    *each("add subtract multiply divide true_divide floor_divide mod fmod hypot", X, Y),
    *each("maximum minimum fmax fmin arctan2 logaddexp logaddexp2 equal not_equal less", X, Y),
    *each("less_equal greater greater_equal logical_and logical_or logical_xor", X, Y),
    *each("add multiply power maximum", X, 2),
    *each("add subtract", N, 2.5),
    *each("add multiply", X, V),
    *each("nextafter heaviside", X, Y, _dtypes=False),
    case("divide_no_nan", X, np.array([0, 1, 2, 0], "float32")),
    case("power", P, Y),
    *each("gcd lcm", N, M, _dtypes=False),
    case("ldexp", X, np.array([1, 2, 0, -1], "int32"), _dtypes=False),
    *each("bitwise_and bitwise_or bitwise_xor", N, M),
    *each("bitwise_left_shift bitwise_right_shift left_shift right_shift", N, M, _dtypes=False),
    case("left_shift", N, 2, _dtypes=False),
    *each("bitwise_invert bitwise_not", N, _dtypes=False),
    case("round", X * 10),
    case("round", X, 1),
    case("round", N * 7, decimals=-1, _dtypes=False),
    case("clip", X, -0.5, 0.5),
    case("clip", N, 1, 4),
    case("nan_to_num", NAN, nan=7.0, posinf=9.0),
    case("isclose", X, X + 1e-6),
    case("allclose", X, X + 1e-6),
    case("view", X, "int32", _dtypes=False),
    case("view", X, "uint8", _dtypes=False),
]

CREATION = [
    *each("zeros ones empty", (2, 3)),
    case("ones", (2,), dtype="int32"),
    case("full", (2, 3), 7),
    case("full", (2,), ROW[0], "float16"),
    *each("zeros_like ones_like empty_like", N),
    case("zeros_like", N, dtype="float32"),
    case("full_like", N, 4),
    case("array", N, "float32"),
    case("identity", 3),
    case("eye", 3, 4, k=1),
    case("tri", 3, 4, k=-1, dtype="int32"),
    case("arange", 5),
    case("arange", 1, 2, 0.25),
    case("arange", 0, 6, 2, dtype="float32"),
    case("linspace", 0, 5, 6),
    case("linspace", V, W, num=3, endpoint=False, axis=1, _dtypes=False),
    case("linspace", 0.0, 1.0, num=3, retstep=True),
    case("logspace", 0.0, 2.0, 3),
    case("geomspace", 1.0, 8.0, 4),
    *each("diag diagflat", V),
    case("diag", SQUARE, k=1, _batch=False),
    case("vander", ROW, _symbolic=False),
    case("vander", ROW, 2, increasing=True, _batch=False),
    *each("tril triu", X),
    case("tril", X, k=-1),
    case("meshgrid", V, ROW),
    case("meshgrid", V, ROW, indexing="ij"),
    *each("bartlett blackman hamming hanning", 5),
    case("kaiser", 5, 2.0),
]

REDUCTIONS = [
    *each("sum mean var std prod max min amax amin ptp median all any argmax argmin", CUBE),
    *each("sum mean var std prod max min amax amin argmax argmin", X, axis=1),
    *each("sum mean max all any median", CUBE, axis=(1, 2), keepdims=True),
    *each("sum mean max var std argmax logsumexp", X, axis=-1, keepdims=True),
    *each("sum mean prod max min", N),
    *each("sum any all count_nonzero", B),
    case("max", X, axis=1, initial=1.0),
    case("prod", N, axis=1, dtype="float32"),
    case("count_nonzero", N, axis=1),
    case("logsumexp", CUBE),
    case("average", X, axis=1),
    case("average", X, axis=1, weights=np.abs(W)),
    *each("nansum nanprod nanmax nanmin nanmean nanmedian nanstd nanvar", NAN, axis=1),
    *each("nansum nanmean", NAN, keepdims=True),
    *each("nanargmax nanargmin", NAN, axis=1),
    *each("cumsum cumprod nancumsum nancumprod", X, axis=1),
    case("cumsum", X),
    case("cumsum", N, axis=1, dtype="float32"),
    case("diff", X),
    case("diff", X, n=2, axis=1),
    case("trapezoid", X),
    case("trapezoid", X, dx=0.5, axis=1),
    *each("quantile nanquantile", X, 0.3, axis=1),
    *each("quantile nanquantile", X, np.array([0.1, 0.6], "float32"), axis=1, _batch=False),
    *each("percentile nanpercentile", X, 30.0, axis=1, keepdims=True, method="nearest"),
    case("histogram", V, bins=4),
    case("histogram", V, bins=2, range=(0.0, 2.0)),
    case("bincount", N[0], _dtypes=False),
    case("bincount", N, minlength=8, _dtypes=False),
    case("bincount", N[0], weights=ROW, _dtypes=False, _symbolic=False),
    case("corrcoef", X, _symbolic=False),
    case("correlate", V, ROW, _batch=False),
    case("correlate", V, ROW, mode="same", _batch=False),
    case("correlate", V, ROW, mode="full", _batch=False),
]

SHAPES = [
    case("reshape", X, (4, 3), _batch=False),
    case("reshape", CUBE, (-1, 12)),
    *each("ravel fliplr flipud", X),
    case("expand_dims", X, 1),
    case("expand_dims", X, (0, -1)),
    case("squeeze", X[:, :1], 1),
    case("squeeze", X[:, None, :1], (1, 2)),
    case("transpose", CUBE),
    case("transpose", CUBE, axes=(0, 2, 1)),
    case("moveaxis", CUBE, 1, -1),
    case("moveaxis", CUBE, (0, 1), (2, 0)),
    case("swapaxes", CUBE, 1, 2),
    case("flip", X),
    case("flip", CUBE, axis=(1, 2)),
    case("rot90", X),
    case("rot90", CUBE, k=2, axes=(1, 2), _symbolic=False),
    case("roll", X, 1),
    case("roll", X, (1, 2), axis=(0, 1)),
    case("broadcast_to", X, (2, 3, 4), _batch=False),
    case("tile", X, 2),
    case("tile", X, (2, 1)),
    case("repeat", X, 2, axis=1),
    case("repeat", X, 2),
    case("repeat", V, np.array([1, 2, 0, 1]), axis=0, _symbolic=False, _dtypes=False),
    case("pad", X, ((0, 0), (1, 2))),
    case("pad", X, ((1, 1), (1, 1)), constant_values=3.0),
    case("pad", X, ((0, 0), (1, 1)), mode="reflect"),
    case("diagonal", X, offset=1, _batch=False),
    case("diagonal", CUBE, axis1=1, axis2=2),
    case("concatenate", [X, Y], axis=1),
    case("concatenate", [X, N[:1, :1] * np.ones((3, 1), "int32")], axis=-1, _dtypes=False),
    case("stack", [X, Y], axis=-1),
    *each("hstack vstack", [X, Y]),
    case("dstack", [X, Y]),
    case("append", X, Y, axis=1),
    case("append", X, Y, _batch=False),
    case("split", X, 2, axis=1),
    case("split", X, [1, 3], axis=1),
    case("array_split", X, 3, axis=1),
    case("hsplit", X, 2),
    case("vsplit", X, [1]),
    case("dsplit", CUBE, 2),
    case("unstack", X, axis=1),
    case("rearrange", CUBE, "b h (w c) -> b (h w) c", c=2, _batch=False),
    case("rearrange", CUBE, "b h w -> (h w) b", _batch=False),
]

SELECTION = [
    case("get_item", X, (slice(None), slice(1, 3))),
    case("take", X, np.array([2, 0]), axis=1),
    case("take", X, np.array([[5, 1]]), _dtypes=False),
    case("take_along_axis", X, np.array([[1], [0], [3]]), axis=1, _dtypes=False),
    case("unravel_index", np.array([1, 5], "int32"), (2, 3), _dtypes=False),
    case("where", B, N, M),
    case("where", X > 0, X, 0.0),
    case("select", [X > 1, X > 0], [X, Y], 9.0, _dtypes=False),
    case("nonzero", N, _dtypes=False),
    case("isin", N, np.array([2, 5])),
    *each("sort argsort", X),
    *each("sort argsort", X, axis=0),
    case("argpartition", X, 2),
    case("argpartition", X, 2, axis=None),
    case("searchsorted", ROW, X, side="right", _batch=False),
    case("digitize", X, ROW, _dtypes=False),
    case("unique", N, return_counts=True, return_inverse=True, return_index=True, _dtypes=False),
    case("unique", N, size=4, _dtypes=False),
    case("top_k", X, 2),
    case("in_top_k", np.array([0, 1, 3]), X, 2, _dtypes=False),
    *each("size ndim", X, _symbolic=False, _dtypes=False),
]

PRODUCTS = [
    case("matmul", X, CUBE[0].T),
    case("matmul", CUBE, V),
    case("matmul", X.astype("int8"), X.T.astype("int8"), _dtypes=False),
    case("dot", X, V),
    *each("vdot inner outer", V, W, _batch=False),
    case("kron", X, SQUARE, _symbolic=False),
    case("tensordot", CUBE, CUBE, axes=[[1, 2], [1, 2]], _symbolic=False),
    case("tensordot", CUBE, X, axes=2),
    case("cross", SQUARE, POSITIVE),
    case("trace", SQUARE, _batch=False),
    case("trace", CUBE, offset=1, axis1=1, axis2=2),
    case("einsum", "bi,bj->bij", X, Y),
    case("einsum", "bij->b", CUBE),
    case("cdist", X, Y),
]

LINALG = [
    *each("det inv cholesky logdet slogdet eigh", POSITIVE, _batch=False, _dtypes=False),
    case("lu_factor", POSITIVE, _symbolic=False, _dtypes=False),
    case("cholesky", POSITIVE, upper=True, _batch=False, _dtypes=False),
    case("cholesky_inverse", np.tril(POSITIVE), _batch=False, _dtypes=False),
    case("norm", X),
    case("norm", X, ord=1, axis=1, keepdims=True),
    case("norm", CUBE, ord="fro", axis=(1, 2)),
    case("solve", POSITIVE, ROW, _batch=False, _dtypes=False),
    case("solve", POSITIVE, SQUARE, _batch=False, _dtypes=False),
    case("solve_triangular", np.tril(POSITIVE), ROW, lower=True, _batch=False, _dtypes=False),
    case("lstsq", X, ROW, _batch=False, _dtypes=False),
    case("pinv", X, _batch=False, _dtypes=False),
    case("matrix_rank", X, _dtypes=False),
    case("svd", X, compute_uv=False, _batch=False, _dtypes=False),
]

CORE = [
    case("cast", X, "int32"),
    case("saturate_cast", X * 200, "uint8"),
    case("saturate_cast", X * 1e9, "int32", _dtypes=False),
    case("convert_to_tensor", X, "float16"),
    case("stop_gradient", X),
    case("slice", X, (0, 1), (2, 2), _batch=False),
    case("slice_update", X, (0, 1), Y[:2, :2], _dtypes=False),
    case("scatter", np.array([[0], [2], [2]]), ROW, (4,), _batch=False, _dtypes=False),
    *[
        case("scatter_update", X, np.array([[0, 1], [2, 2]]), V[:2], reduction=how, _dtypes=False)
        for how in (None, "add", "max", "min", "mul")
    ],
    *[
        case(f"segment_{how}", X, np.array([0, 2, 2]), num_segments=3, _dtypes=False)
        for how in ("sum", "max", "min", "prod")
    ],
    *each("fft irfft", PAIR, _dtypes=False),
    *each("fft2 ifft2", PAIR, _dtypes=False, _batch=False),
    case("rfft", X),
    case("rfft", X, fft_length=6),
    case("irfft", PAIR, fft_length=5, _dtypes=False),
    case("view_as_complex", CUBE[..., :2], _dtypes=False),
    case("view_as_real", Z, _dtypes=False),
]

NETWORKS = [
    case("binary_crossentropy", (X > 0).astype("float32"), P),
    case("binary_crossentropy", (X > 0).astype("float32"), Y, from_logits=True),
    case("categorical_crossentropy", P, P),
    case("categorical_crossentropy", P, Y, from_logits=True),
    case("sparse_categorical_crossentropy", np.array([1, 0, 3]), P, _dtypes=False),
    case("sparse_categorical_crossentropy", np.array([[1], [0], [3]]), Y, True, _dtypes=False),
    case("psnr", X, Y, 1.0, _dtypes=False),
    case("polar", np.abs(X), Y, _dtypes=False, _symbolic=False),
    *each("relu relu6 sigmoid silu swish softplus softsign log_sigmoid hard_sigmoid", X),
    *each("hard_silu hard_swish hard_tanh selu elu celu gelu leaky_relu tanh_shrink", X),
    *each("soft_shrink hard_shrink sparse_plus sparse_sigmoid squareplus softmax", X),
    *each("log_softmax glu", X),
    case("sparsemax", V),
    *each("normalize rms_normalization layer_normalization", X, _dtypes=False),
    case("threshold", X, 0.5, -1.0),
    case("one_hot", np.array([0, 3]), 4, dtype="float32", _dtypes=False),
    case("multi_hot", np.array([[0, 3]]), 4, _dtypes=False, _symbolic=False),
    case("moments", X, axes=[0]),
    case("batch_normalization", X, V, np.abs(W), axis=-1, _dtypes=False),
]

CASES = [
    *ELEMENTWISE, *CREATION, *REDUCTIONS, *SHAPES, *SELECTION, *PRODUCTS, *LINALG, *CORE,
    *NETWORKS,
]  # fmt: skip

# What stands in no table above: rotations and functions of functions have tests of their own
# below, and the rest belongs to tables of its own (windows over arrays, attention, strings of
# labels, sound).
ELSEWHERE = {
    "eig", "qr", "jvp", "cond", "switch", "while_loop", "fori_loop", "scan", "map",
    "associative_scan", "vectorized_map", "custom_gradient", "vectorize",
    "convert_to_numpy", "is_tensor", "shape", "dtype",
    "conv", "conv_transpose", "depthwise_conv", "separable_conv", "max_pool", "average_pool",
    "adaptive_average_pool", "adaptive_max_pool", "fold", "unfold",
    "depth_to_space", "space_to_depth", "dot_product_attention", "ctc_loss", "ctc_decode",
    "stft", "istft", "extract_sequences",
}  # fmt: skip
KERAS_NAMES = [n for n in dir(keras.ops) if not n.startswith("_")]


def test_no_operation_of_keras_is_missing_and_none_is_left_untested():
    functions = {n for n in KERAS_NAMES if not inspect.ismodule(getattr(keras.ops, n))}
    assert functions - ELSEWHERE - {c.name for c in CASES} == set()
    assert functions - set(ops.__all__) <= ELSEWHERE
    assert [n for n in ops.__all__ if not hasattr(keras.ops, n)] == []


@pytest.mark.parametrize("namespace", ["numpy", "linalg", "nn"])
def test_namespaces_hold_what_they_hold_in_keras(namespace):
    ours, theirs = getattr(ops, namespace), getattr(keras.ops, namespace)
    names = {n for n in dir(theirs) if not n.startswith("_")} - ELSEWHERE
    assert {n for n in names if getattr(ours, n, None) is not getattr(ops, n)} == set()


@pytest.mark.parametrize("name", [n for n in ops.__all__ if n in KERAS_NAMES])
def test_arguments_have_the_names_and_defaults_of_keras(name):
    ours, theirs = getattr(ops, name), getattr(keras.ops, name)
    if inspect.ismodule(ours):
        return

    def described(function):
        parameters = inspect.signature(function).parameters.values()
        return [(p.name, p.default) for p in parameters if p.kind is not p.VAR_KEYWORD]

    takes_more = any(p.kind is p.VAR_KEYWORD for p in inspect.signature(theirs).parameters.values())
    expected = described(theirs)
    # What Keras reads out of **kwargs is an argument with a name here.
    assert described(ours)[: len(expected) if takes_more else None] == expected
    assert ours.__name__ == name or name in ("hard_swish", "swish")
    assert ours.__doc__


@pytest.mark.parametrize("name", ["exp", "bitwise_and", "sum", "hstack", "segment_sum", "erf"])
def test_an_operation_can_be_sent_to_another_process(name):
    operation = getattr(ops, name)
    assert pickle.loads(pickle.dumps(operation)) is operation


def arrays_in(tree: Any) -> list[np.ndarray]:
    return [leaf for leaf in jax.tree.leaves(tree) if isinstance(leaf, np.ndarray)]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_values_and_types_equal_keras(case):
    ours = getattr(ops, case.name)(*case.args, **case.kwargs)
    theirs = getattr(keras.ops, case.name)(*case.args, **case.kwargs)
    found, wanted = jax.tree.leaves(ours), jax.tree.leaves(theirs)
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert np.shape(one) == np.shape(other)
        assert np.asarray(one).dtype == np.asarray(other).dtype
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", [c for c in CASES if c.dtypes and arrays_in(c.args)], ids=str)
def test_types_of_results_equal_keras_for_every_type_of_input(case):
    def types(K, dtype):
        def called(arrays):
            leaves, structure = jax.tree.flatten(case.args)
            given = iter(arrays)
            filled = [next(given) if isinstance(x, np.ndarray) else x for x in leaves]
            return getattr(K.ops, case.name)(*jax.tree.unflatten(structure, filled), **case.kwargs)

        specs = [jax.ShapeDtypeStruct(x.shape, dtype) for x in arrays_in(case.args)]
        return [x.dtype.name for x in jax.tree.leaves(jax.eval_shape(called, specs))]

    for dtype in ("bfloat16", "float16", "int32", "uint8", "bool"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # NumPy's, about 1e38 as a bfloat16
            try:
                wanted = types(keras, dtype)
            except (TypeError, ValueError, NotImplementedError, AttributeError):
                continue  # Keras has no result for this type
            assert types(lamina, dtype) == wanted, dtype


def symbolic_call(K, case, batch):
    """The operation on symbolic tensors in place of arrays, their first axis open or not."""
    rows = arrays_in(case.args)[0].shape[:1]

    def tensor(x):
        if not isinstance(x, np.ndarray):
            return x
        is_batch = batch and x.shape[:1] == rows
        shape = (None, *x.shape[1:]) if is_batch else x.shape
        return K.KerasTensor(shape, dtype=x.dtype.name, name="x")

    return getattr(K.ops, case.name)(*jax.tree.map(tensor, case.args), **case.kwargs)


SYMBOLIC = [c for c in CASES if c.symbolic and arrays_in(c.args)]


@pytest.mark.parametrize("case", SYMBOLIC, ids=str)
def test_symbolic_results_and_operations_equal_keras(case):
    for batch in (False, True) if case.batch else (False,):
        ours, theirs = symbolic_call(lamina, case, batch), symbolic_call(keras, case, batch)
        found = [(t.shape, t.dtype) for t in jax.tree.leaves(ours)]
        assert found == [(t.shape, t.dtype) for t in jax.tree.leaves(theirs)]
    one, other = (jax.tree.leaves(t)[0]._keras_history.operation for t in (ours, theirs))
    assert type(one).__name__ == type(other).__name__
    try:
        wanted = plain(other.get_config())
    except NotImplementedError:
        return  # Keras cannot save it
    written = plain(one.get_config())
    # Settings of other backends, at rest.
    wanted = {key: value for key, value in wanted.items() if value or key in written}
    assert {**written, "name": None} == {**wanted, "name": None}


def plain(config):
    if isinstance(config, dict):
        return {key: plain(value) for key, value in config.items()}
    return [plain(item) for item in config] if isinstance(config, (list, tuple)) else config


SAVED = {
    "reductions": lambda ops, x: ops.mean(x, axis=[1, 2]) + ops.max(x, axis=(1, 2)),
    "shapes": lambda ops, x: ops.transpose(ops.reshape(x, (-1, 4, 3)), (0, 2, 1)),
    "several": lambda ops, x: ops.concatenate([x, ops.flip(x, axis=1)], axis=-1),
    "pieces": lambda ops, x: ops.stack(ops.split(x, [1, 2], axis=2)[:2], axis=1),
    "constants": lambda ops, x: ops.where(x > 0, x, np.float32(0.5)) * np.ones((3, 4), "float32"),
    "clip": lambda ops, x: ops.clip(ops.pad(x, ((0, 0), (1, 1), (0, 0))), -1, 1),
    "einsum": lambda ops, x: ops.einsum("bij,bkj->bik", x, x),
    "indices": lambda ops, x: ops.take(x, np.array([1, 0]), axis=1)[:, ..., ::2],
    "types": lambda ops, x: ops.cast(ops.argmax(x, axis=-1), "float32"),
    "ends": lambda ops, x: ops.moveaxis(ops.expand_dims(x, 1), (1, 2), (2, 1)),
    "two": lambda ops, x: ops.add(*ops.moments(x, axes=(1, 2))),
    "linalg": lambda ops, x: ops.det(ops.matmul(x, ops.swapaxes(x, 1, 2))),
    "top": lambda ops, x: ops.top_k(x, 2)[0] + ops.logsumexp(x, axis=-1, keepdims=True),
    "fourier": lambda ops, x: ops.irfft(ops.rfft(x)),
    "repeat": lambda ops, x: ops.tile(ops.repeat(x, 2, axis=1), (1, 1, 2)),
}


@pytest.mark.parametrize("name", SAVED)
def test_models_of_operations_open_in_either_library(name, tmp_path):
    def made(K):
        x = K.Input((3, 4), name="x")
        return K.Model(x, SAVED[name](K.ops, x))

    expected = SAVED[name](keras.ops, jnp.asarray(CUBE))
    made(lamina).save(tmp_path / "ours.keras")
    models = [keras.saving.load_model, lamina.models.load_model]
    results = [load(tmp_path / "ours.keras")(CUBE) for load in models]
    made(keras).save(tmp_path / "theirs.keras")
    results.append(lamina.models.load_model(tmp_path / "theirs.keras")(CUBE))
    for result in results:
        np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)


def test_a_model_of_operations_trains_and_compiles_once(compilations):
    x = lamina.Input((3, 4))
    h = ops.tanh(ops.einsum("bij,kj->bik", x, np.eye(4, dtype="float32")))
    y = lamina.layers.Dense(1)(ops.concatenate([ops.mean(h, axis=1), ops.max(h, axis=1)], axis=-1))
    model = lamina.Model(x, y)
    model.compile("sgd", "mse")
    first = model.fit(CUBE, np.ones((2, 1)), epochs=1, verbose=0).history["loss"][0]
    compilations.reset()
    last = model.fit(CUBE, np.ones((2, 1)), epochs=5, verbose=0).history["loss"][-1]
    assert last < first
    assert compilations.count("train") == 0
