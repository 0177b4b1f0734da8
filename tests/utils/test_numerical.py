import tracemalloc

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from lamina.utils import normalize, to_categorical

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("dtype", ["uint8", "int32", "bool", "float16", "float32", "float64"])
@pytest.mark.parametrize("axis", [1, 2, -1, -2])
@pytest.mark.parametrize("order", [1, 2, 3, np.inf])
def test_normalize_gives_kerass_numbers_and_type(rng, dtype, axis, order):
    x = rng.integers(0, 3, (50, 4, 5)).astype(dtype)
    x[3] = 0
    expected = keras.utils.normalize(x, axis=axis, order=order)
    actual = normalize(x, axis=axis, order=order)
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected)


def test_normalize_along_the_first_axis_means_the_first_axis():
    x = np.array([[3.0, 0.0], [4.0, 2.0]])
    np.testing.assert_allclose(normalize(x, axis=0), [[0.6, 0.0], [0.8, 1.0]])


def test_normalize_of_a_vector_and_of_nothing():
    np.testing.assert_allclose(normalize(np.array([3, 4])), [0.6, 0.8])
    assert normalize(np.zeros((0, 28, 28), "uint8"), axis=1).shape == (0, 28, 28)


def test_normalize_leaves_the_input_alone(rng):
    x = rng.normal(size=(4, 3))
    before = x.copy()
    normalize(x, axis=1)
    np.testing.assert_array_equal(x, before)


def test_normalize_needs_little_memory_beside_its_result(rng):
    x = rng.integers(0, 256, (4000, 28, 28), dtype="uint8")
    tracemalloc.start()
    result = normalize(x, axis=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.2 * result.nbytes  # the plain formula needs three times the result


def test_normalize_of_a_jax_array_is_a_jax_array():
    x = jnp.array([[3.0, 4.0], [0.0, 0.0]])
    result = normalize(x)
    assert isinstance(result, jax.Array)
    np.testing.assert_allclose(result, keras.utils.normalize(x), rtol=1e-6)
    assert normalize(jnp.array([3, 4])).tolist() == pytest.approx([0.6, 0.8])


def test_normalize_names_an_axis_that_does_not_exist():
    with pytest.raises(ValueError, match=r"axis 3 does not exist in an array of shape \(2, 2\)"):
        normalize(np.ones((2, 2)), axis=3)


@given(
    hnp.arrays("int64", hnp.array_shapes(min_dims=1, max_dims=3, max_side=4),
               elements=st.integers(0, 5)),
    st.sampled_from([None, 6, 9]),
)  # fmt: skip
def test_to_categorical_gives_kerass_numbers(labels, num_classes):
    expected = keras.utils.to_categorical(labels, num_classes)
    actual = to_categorical(labels, num_classes)
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected)


def test_to_categorical_keeps_jax_arrays():
    result = to_categorical(jnp.array([1, 0]), 2)
    assert isinstance(result, jax.Array)
    assert result.tolist() == [[0.0, 1.0], [1.0, 0.0]]


def test_to_categorical_takes_whole_floats_and_lists():
    assert to_categorical([1.0, 0.0]).tolist() == [[0.0, 1.0], [1.0, 0.0]]


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        ([-1, 0], None, r"class index -1 lies outside 0…0"),
        ([1, 2, 3], 3, r"class index 3 lies outside 0…2 \(num_classes=3\)"),
        ([0.5], None, r"integer class indices; received float64 values such as"),
        (["cat"], None, r"numpy\.unique"),
        ([], None, "empty array"),
    ],
)
def test_to_categorical_refuses_what_is_no_class_number(labels, classes, message):
    with pytest.raises(ValueError, match=message):
        to_categorical(labels, classes)
