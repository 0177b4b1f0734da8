"""Functions of functions, and what operations do with Variables, lists and mistakes."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import lamina
from lamina import ops
from lamina.core.serialization import registry

X = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], "float32")
OPEN = lamina.KerasTensor((None, None, 4), "float32")


# ---- control flow ------------------------------------------------------------------------------


FLOW = {
    "cond": lambda ops, x: ops.cond(ops.sum(x) > 3, lambda: x + 1, lambda: x - 1),
    "switch": lambda ops, x: ops.switch(1, [lambda a: a, lambda a: a * 2], x),
    "while_loop": lambda ops, x: ops.while_loop(lambda a: ops.sum(a) < 90, lambda a: a * 2, x),
    "while_loop of two": lambda ops, x: ops.while_loop(
        lambda i, a: i < 3, lambda i, a: (i + 1, a * 2), (jnp.array(0), x)
    )[1],
    "while_loop for a while": lambda ops, x: ops.while_loop(
        lambda a: ops.sum(a) < 1e9, lambda a: a * 2, x, maximum_iterations=2
    ),
    "fori_loop": lambda ops, x: ops.fori_loop(0, 3, lambda i, a: a + i, x),
    "scan": lambda ops, x: ops.scan(lambda c, row: (c + row, c * row), x[0], x, reverse=True),
    "scan of nothing": lambda ops, x: ops.scan(lambda c, _: (c * 2, c), x, length=3, unroll=True),
    "associative_scan": lambda ops, x: ops.associative_scan(lambda a, b: a * b, x, axis=1),
    "map": lambda ops, x: ops.map(lambda row: row * 2, x),
    "map of two": lambda ops, x: ops.map(lambda pair: pair[0] + pair[1], (x, x)),
    "vectorized_map": lambda ops, x: ops.vectorized_map(lambda row: ops.sum(row), x),
    "vectorize": lambda ops, x: ops.vectorize(lambda a, b: a + b)(x, 2.0),
    "jvp": lambda ops, x: ops.jvp(lambda a: a * a, (x,), (jnp.ones_like(x),)),
    "jvp with more": lambda ops, x: ops.jvp(lambda a: (a, 2 * a), (x,), (x,), has_aux=True),
    "eig": lambda ops, x: ops.eig(np.diag([1.0, 2.0]).astype("float32"))[0],
    "qr": lambda ops, x: [abs(part) for part in ops.qr(x)],
    "qr in full": lambda ops, x: [abs(part) for part in ops.qr(x.T, mode="complete")],
}


@pytest.mark.parametrize("call", FLOW.values(), ids=FLOW)
def test_functions_of_functions_give_what_keras_gives(call):
    ours, theirs = (jax.tree.leaves(call(K.ops, jnp.asarray(X))) for K in (lamina, keras))
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=1e-5)


def double(row):
    return row * 2


@pytest.mark.parametrize(
    ("call", "shape"),
    [
        (lambda x: ops.map(double, x), (None, 3)),
        (lambda x: ops.vectorized_map(double, x), (None, 3)),
        (lambda x: ops.fori_loop(0, 2, lambda i, a: a + 1, x), (None, 3)),
        (lambda x: ops.while_loop(lambda a: ops.sum(a) < 9, double, x), (None, 3)),
        (lambda x: ops.scan(lambda c, row: (c + row, row), ops.zeros(3), x)[1], (None, 3)),
        (lambda x: ops.switch(0, [double, double], x), (None, 3)),
        (lambda x: ops.associative_scan(lambda a, b: a + b, x, axis=1), (None, 3)),
        (lambda x: ops.unstack(x, axis=1)[0], (None,)),
        (lambda x: ops.unstack(x, num=2)[0], (3,)),
        (lambda x: ops.segment_sum(x, np.array([0, 1]), 4), (4, 3)),
    ],
    ids=range(10),
)
def test_they_stand_in_functional_models(call, shape):
    x = lamina.Input((3,))
    model = lamina.Model(x, call(x))
    assert model.output_shape == shape
    np.testing.assert_allclose(model(X), call(jnp.asarray(X)), rtol=1e-6)


def test_a_function_in_a_graph_is_saved_by_its_name(tmp_path):
    x = lamina.Input((3,))
    lamina.Model(x, ops.map(double, x)).save(tmp_path / "model.keras")
    again = lamina.models.load_model(tmp_path / "model.keras", custom_objects={"double": double})
    np.testing.assert_allclose(again(X), 2 * X)


def test_a_custom_gradient_takes_the_place_of_the_real_one():
    weight = lamina.Variable(2.0)

    @ops.custom_gradient
    def f(x, w):
        return x * w, lambda upstream: (upstream * 10, upstream * 20)

    assert float(f(jnp.array(3.0), weight)) == 6.0
    assert float(jax.grad(f)(3.0, weight.value)) == 10.0


# ---- what operations take ----------------------------------------------------------------------


CALLS = {
    "add": lambda x: ops.add(x, 1),
    "sum": lambda x: ops.sum(x, axis=1),
    "matmul": lambda x: ops.matmul(x, np.ones((3, 2), "float32")),
    "concatenate": lambda x: ops.concatenate([x, x], axis=1),
    "where": lambda x: ops.where(ops.greater(x, 2), x, 0.0),
    "take": lambda x: ops.take(x, [0, 2], axis=1),
    "softmax": lambda x: ops.softmax(x),
    "cast": lambda x: ops.cast(x, "int32"),
    "top_k": lambda x: ops.top_k(x, 2)[0],
    "norm": lambda x: ops.norm(x, axis=1),
    "einsum": lambda x: ops.einsum("ij->j", x),
    "slice": lambda x: ops.slice(x, (0, 1), (2, -1)),
    "scatter_update": lambda x: ops.scatter_update(x, [[0, 0]], [9.0]),
    "reshape": lambda x: ops.reshape(x, (3, 2)),
    "stop_gradient": lambda x: ops.stop_gradient(x),
    "segment_sum": lambda x: ops.segment_sum(x, [1, 0]),
    "rearrange": lambda x: ops.rearrange(x, "a b -> b a"),
    "convert_to_numpy": lambda x: ops.convert_to_numpy(x),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_variables_lists_and_numpy_arrays_are_taken_as_arrays(call):
    expected = call(jnp.asarray(X))
    for given in (lamina.Variable(X), X, X.tolist()):
        np.testing.assert_allclose(call(given), expected, rtol=1e-6)


def test_python_numbers_give_way_to_the_type_of_the_array():
    half = jnp.ones(2, "bfloat16")
    assert [ops.add(half, n).dtype for n in (1, 1.5, True)] == ["bfloat16"] * 3
    assert ops.multiply(jnp.ones(2, "int32"), 2.5).dtype == "float32"
    assert ops.convert_to_tensor(2.5).dtype == "float32"


def test_whole_numbers_become_floats_of_the_process():
    lamina.config.set_floatx("float16")
    try:
        assert [ops.sqrt(4).dtype, ops.mean([1, 2]).dtype, ops.zeros(2).dtype] == ["float16"] * 3
    finally:
        lamina.config.set_floatx("float32")


def test_shapes_and_types_of_what_is_not_an_array():
    assert ops.shape([[1, 2, 3]]) == (1, 3)
    assert ops.shape(lamina.Input((3,))) == (None, 3)
    assert ops.dtype(lamina.Variable([1, 2])) == "int32"
    assert [ops.is_tensor(x) for x in (jnp.ones(1), X, lamina.Variable(1.0), 1)] == [
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "bool", "float16", "bfloat16"])
def test_saturate_cast_keeps_what_fits_and_cuts_off_the_rest(dtype):
    x = np.array([-3e9, -300.0, -1.0, 0.0, 1.0, 70000.0, 3e9], "float32")
    ours, theirs = ops.saturate_cast(x, dtype), keras.ops.saturate_cast(x, dtype)
    assert ours.dtype == theirs.dtype
    assert np.asarray(ours).tolist() == np.asarray(theirs).tolist()


# ---- gradients that are easily wrong -----------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "at"),
    [
        (lambda ops, x: ops.sum(ops.divide_no_nan(x, ops.stop_gradient(x) * 0)), X),
        (lambda ops, x: ops.sum(ops.logsumexp(x, axis=1)), X * 100),
        (lambda ops, x: ops.sum(ops.sparse_categorical_crossentropy([1, 0], x, True)), X),
        (lambda ops, x: ops.sum(ops.binary_crossentropy(ops.sign(x), x, True)), X * 30),
        (lambda ops, x: ops.sum(ops.max(x, axis=1)), np.ones_like(X)),
        (lambda ops, x: ops.sum(ops.segment_max(x, np.array([0, 0]), 1)), X),
        (lambda ops, x: ops.sum(ops.clip(x, 2.0, 5.0)), X),
        (lambda ops, x: ops.det(x[:, :2]), X),
    ],
    ids=["no_nan", "logsumexp", "sparse", "binary", "ties", "segments", "clip", "det"],
)
def test_gradients_equal_keras(call, at):
    ours, theirs = (
        jax.grad(lambda x, K=K: call(K.ops, x))(jnp.asarray(at)) for K in (lamina, keras)
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


# ---- mistakes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ops.reshape(X, (None, None, None)), "-1 in place of None"),
        (lambda: ops.split(X, 2, axis=1), "does not divide into 2 equal pieces"),
        (lambda: ops.array_split(X, 0), "1 or more; received 0"),
        (lambda: ops.hsplit(1.0, 2), "needs 2 axes"),
        (lambda: ops.dsplit(X, 1), "needs 3 axes"),
        (lambda: ops.diagonal(X, axis1=1, axis2=1), "two different axes"),
        (lambda: ops.rot90(X[0]), "at least two axes"),
        (lambda: ops.rot90(X, axes=(0, 0)), "two different axes"),
        (lambda: ops.pad(X, 1, mode="reflect", constant_values=1), "with mode='constant'"),
        (lambda: ops.where(X > 1, X), "both x1 and x2, or neither"),
        (lambda: ops.select([X > 1], []), "a choice for every condition"),
        (lambda: ops.searchsorted(X, X), "needs a vector to search in"),
        (lambda: ops.digitize(X, X), "needs a vector of edges"),
        (lambda: ops.histogram(X), "needs a vector"),
        (lambda: ops.histogram(X[0], bins=0), "1 or more; received 0"),
        (lambda: ops.histogram(X[0], range=(3, 1)), r"range \(lower, upper\)"),
        (lambda: ops.correlate(X[0], X[1], mode="all"), "'valid', 'same' or 'full'"),
        (lambda: ops.vander(X), "needs a vector"),
        (lambda: ops.vander(X[0], -1), "0 or more; received -1"),
        (lambda: ops.det(X), r"needs square matrices; received shape \(2, 3\)"),
        (lambda: ops.inv(X[0]), r"needs matrices .* received shape \(3,\)"),
        (lambda: ops.solve(X[:, :2], np.ones(3)), "as many values in b"),
        (lambda: ops.cholesky([[-1.0]]), "positive eigenvalues"),
        (lambda: ops.qr(X, mode="full"), "'reduced' or 'complete'"),
        (lambda: ops.fft(X), "a pair"),
        (lambda: ops.fft((X, X[0])), "of one shape"),
        (lambda: ops.view_as_complex(X), r"needs pairs \(…, 2\)"),
        (lambda: ops.cdist(X, X[:, :2]), "of one size"),
        (lambda: ops.scatter_update(X, [[0, 0]], [1.0], "ad"), "Did you mean 'add'"),
        (lambda: ops.slice(X, (0, 0), (1,)), "a size for every axis"),
        (lambda: ops.scan(lambda c, x: (c, x), 0, X, unroll=0), "received 0"),
        (lambda: ops.psnr(X, X[0], 1.0), "compares one shape"),
        (lambda: ops.one_hot([1], 2, sparse=True), "dense arrays only"),
        (lambda: ops.multi_hot([[1]]), "needs num_classes"),
        (lambda: ops.convert_to_tensor(X, ragged=True), "dense arrays only"),
        (lambda: ops.binary_crossentropy(X, X[0]), "of one shape"),
        (lambda: ops.sparse_categorical_crossentropy(X, X), "without its classes"),
        (lambda: ops.rearrange(X, "a b -> a c"), "every axis once on both sides"),
        (lambda: ops.rearrange(X, "a -> a"), "names 1 axes"),
        (lambda: ops.rearrange(X, "(a b) c -> a b c", a=4), "cannot split an axis of 2"),
        (lambda: ops.rearrange(X, "(a b) c -> a b c"), "all but one of a, b"),
        (lambda: ops.cond(True, lambda: X, lambda: X[0]), r"same shapes(?s:.*)float32\[3\]"),
        (lambda: ops.cond(True, lambda: X, lambda: (X,)), r"same shapes(?s:.*)tuple"),
        (lambda: ops.unstack(lamina.Input((3,))), r"unstack\(x, num=…\)"),
        *[(lambda x=x, to=to: ops.reshape(x, to), "at most one unknown dimension")
          for x in (X, lamina.KerasTensor((2, 3))) for to in ((-2, 3), (-1, -1))],
        *[(lambda name=name: getattr(ops, name)(OPEN), f"{name} needs a known size on axis -2, -1")
          for name in ("cholesky", "cholesky_inverse", "det", "inv", "eig", "eigh", "qr")],
        (lambda: ops.solve(OPEN, lamina.Input((4, 2))), "solve needs a known size"),
        (lambda: ops.solve(lamina.Input((4, 4)), OPEN), "solve needs a known size on axis -2"),
        (lambda: ops.solve_triangular(OPEN, lamina.Input((4,))), "solve_triangular needs a known"),
        (lambda: ops.fft((lamina.Input((None,)), lamina.Input((None,)))), "fft needs a known size"),
        (lambda: ops.fft2((OPEN, OPEN)), "fft2 needs a known size on axis -2, -1"),
        (lambda: ops.ifft2((OPEN, OPEN)), "ifft2 needs a known size"),
    ],
)  # fmt: skip
def test_values_that_cannot_be_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ops.fabs(np.array([1j])), "no complex numbers"),
        (lambda: ops.ldexp(X, X), "integers as exponents"),
        (lambda: ops.eye(2.0), "integer as N"),
        (lambda: ops.hamming(lamina.Input(())), "number of points that is known"),
        (lambda: ops.tile(lamina.Input((3,)), lamina.Input((2,))), "takes repeats as a number"),
    ],
)
def test_arguments_of_another_kind_are_refused(call, message):
    with pytest.raises(TypeError, match=message):
        call()


@pytest.mark.parametrize("call", [ops.nonzero, ops.unique, ops.bincount])
def test_sizes_that_depend_on_values_are_refused_in_a_compiled_step(call):
    with pytest.raises(ValueError, match="compiled step"):
        jax.jit(call)(jnp.array([1, 0, 1]))


@pytest.mark.parametrize("call", [ops.add, ops.matmul, lambda a, b: ops.concatenate([a, b])])
def test_shapes_that_do_not_fit_are_named_with_the_operation(call):
    for a, b in ((X, np.ones((4, 5))), (lamina.Input((3,)), lamina.KerasTensor((4, 5)))):
        with pytest.raises((TypeError, ValueError)) as caught:
            call(a, b)
        notes = "\n".join(caught.value.__notes__)
        assert f"called on shapes {tuple(a.shape)}, (4, 5)" in notes
        assert "In ops." in notes
        assert "JAX" not in notes


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
@pytest.mark.parametrize(
    ("call", "types"),
    [
        (lambda ops, x, y: ops.binary_crossentropy(x, y), ("half", "int32")),
        (lambda ops, x, y: ops.binary_crossentropy(x, y), ("half", "bool")),
        (lambda ops, x, y: ops.binary_crossentropy(x, y), ("bool", "half")),
        (lambda ops, x, y: ops.sparse_categorical_crossentropy(x[0], y), ("int32", "half")),
        (lambda ops, x, y: ops.sparse_categorical_crossentropy(x[0], y, True), ("int32", "half")),
        (lambda ops, x, y: ops.psnr(x, y, 1.0), ("half", "bool")),
        (lambda ops, x, y: ops.psnr(x, y, 1.0), ("half", "int32")),
        (lambda ops, x, y: ops.psnr(x, y, 1.0), ("int32", "half")),
    ],
)
def test_half_floats_give_the_type_of_keras(call, types, half):
    x, y = (
        jnp.asarray(values).astype(half if kind == "half" else kind)
        for values, kind in zip(([[0, 1], [1, 1]], [[1, 0], [1, 1]]), types, strict=True)
    )
    ours, theirs = call(ops, x, y), call(keras.ops, x, y)
    assert ours.dtype == theirs.dtype
    np.testing.assert_allclose(*(np.asarray(v, "float32") for v in (ours, theirs)), rtol=1e-2)


@pytest.mark.parametrize("x", [X, lamina.KerasTensor(X.shape)], ids=["array", "symbolic"])
@pytest.mark.parametrize(
    "call",
    [
        *(lambda x, name=name: getattr(ops, name)(x, axis=9)
          for name in ("mean", "argmax", "softmax", "std", "unstack", "glu", "rms_normalization")),
        lambda x: ops.split(x, 2, axis=9),
        lambda x: ops.moments(x, axes=[0, 9]),
        lambda x: ops.swapaxes(x, 0, 9),
    ],
)  # fmt: skip
def test_an_axis_that_is_not_there_is_a_value_error(call, x):
    with pytest.raises(ValueError, match="out of bounds|out of range|rank"):
        call(x)


def test_an_operation_takes_its_settings_in_order():
    pad = registry.find("keras.src.ops.numpy", "Pad")
    np.testing.assert_array_equal(pad(((1, 0), (0, 2)))(X), np.pad(X, ((1, 0), (0, 2))))


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "float8_e5m2"])
def test_cast_knows_the_float8_types(dtype):
    assert ops.cast(X, dtype).dtype == keras.ops.cast(X, dtype).dtype == dtype
    assert ops.cast(lamina.Input((3,)), dtype).dtype == dtype
