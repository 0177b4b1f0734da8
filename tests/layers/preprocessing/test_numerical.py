"""Rescaling and Normalization: statistics of data in any form, and data that have none."""

import keras
import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.layers.preprocessing import numerical


@pytest.mark.parametrize("axis", [-1, None, (1, 2), 1])
def test_adapt_measures_what_keras_measures(axis, rng):
    x = (rng.normal(size=(40, 3, 4)) * 5 + 2).astype("float32")
    ours, theirs = layers.Normalization(axis=axis), keras.layers.Normalization(axis=axis)
    ours.adapt(x)
    theirs.adapt(x)
    np.testing.assert_allclose(ours(x), theirs(x), atol=1e-4)
    np.testing.assert_allclose(ours.mean, theirs.mean.reshape(ours.mean.shape), rtol=1e-5)
    np.testing.assert_allclose(
        ours.variance, theirs.variance.reshape(ours.variance.shape), rtol=1e-4
    )


class Batches:
    """A data set that is indexed, as a PyDataset is."""

    def __init__(self, x):
        self.x = x

    def __len__(self):
        return -(-len(self.x) // 7)

    def __getitem__(self, index):
        if index >= len(self):
            raise IndexError
        return self.x[index * 7 : index * 7 + 7], None


@pytest.mark.parametrize(
    "form",
    [
        lambda x: x.tolist(),
        lambda x: [x[:7], x[7:]],
        lambda x: ((part, None) for part in np.array_split(x, 6)),
        Batches,
        lambda x: x.astype("float32"),
    ],
    ids=["nested lists", "list of arrays", "generator of pairs", "indexed", "float32"],
)
def test_the_form_of_the_data_does_not_matter(form, rng):
    x = rng.normal(size=(40, 3))
    layer = layers.Normalization()
    layer.adapt(form(x))
    np.testing.assert_allclose(np.ravel(layer.mean), x.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(np.ravel(layer.variance), x.var(axis=0), rtol=1e-5)


def test_large_arrays_are_measured_piece_by_piece(rng, monkeypatch):
    monkeypatch.setattr(numerical, "_CHUNK_VALUES", 50)
    x = rng.integers(0, 256, size=(100, 4, 3), dtype="uint8")
    layer = layers.Normalization()
    layer.adapt(x)
    np.testing.assert_allclose(np.ravel(layer.mean), x.mean(axis=(0, 1)), rtol=1e-6)
    np.testing.assert_allclose(np.ravel(layer.variance), x.var(axis=(0, 1)), rtol=1e-6)


def test_statistics_far_from_zero_are_exact():
    x = 1e6 + np.array([[0.0], [1.0], [2.0], [3.0]])
    layer = layers.Normalization()
    layer.adapt(x)
    np.testing.assert_allclose(np.ravel(layer.variance), 1.25)


def test_adapting_again_forgets():
    layer = layers.Normalization()
    layer.adapt(np.array([[0.0], [100.0]]))
    layer.adapt(np.array([[1.0], [3.0]]))
    assert layer(np.array([[3.0]])).tolist() == [[1.0]]


def test_a_column_that_never_varies_becomes_zero():
    layer = layers.Normalization()
    layer.adapt(np.array([[5.0], [5.0]]))
    assert layer(np.array([[5.0]])).tolist() == [[0.0]]


def test_the_inverse_undoes_it(rng):
    x = rng.normal(size=(10, 3)).astype("float32")
    forth, back = layers.Normalization(), layers.Normalization(invert=True)
    forth.adapt(x)
    back.adapt(x)
    np.testing.assert_allclose(back(forth(x)), x, atol=1e-5)


def test_one_mean_for_all_fits_inputs_of_any_rank():
    layer = layers.Normalization(axis=None)
    layer.adapt(np.arange(6.0).reshape(2, 3))
    assert layer(np.zeros((2, 3, 4))).shape == (2, 3, 4)
    assert layer(np.zeros(5)).shape == (5,)


def test_before_it_is_built_there_is_no_mean():
    assert layers.Normalization().mean is None


def test_rescaling_with_arrays_survives_saving():
    layer = layers.Rescaling(np.array([1.0, 2.0]), offset=[0.0, 1.0])
    again = layers.Rescaling.from_config(layer.get_config())
    x = np.ones((3, 2))
    np.testing.assert_array_equal(again(x), layer(x))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Normalization(mean=1.0), "both mean and variance, or neither"),
        (lambda: layers.Normalization(mean=[1.0], variance=[1.0, 2.0]), "the same shape"),
        (lambda: layers.Normalization(axis=None, mean=[1.0], variance=[1.0]), "more axes than"),
        (lambda: layers.Normalization(axis=3)(np.zeros((2, 3))), "no axis 3"),
        (lambda: layers.Normalization()(layers.Input((None,))), "needs a known size of axis"),
        (lambda: layers.Normalization(mean=0.0, variance=1.0).adapt(np.ones((2, 1))), "nothing to"),
    ],
)
def test_impossible_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.array([[1.0], [np.nan]]), "contain NaN or infinite values"),
        (np.array([[1.0], [np.inf]]), "contain NaN or infinite values"),
        (np.array([["a"], ["b"]]), "takes numbers; received text"),
        (np.zeros((0, 3)), "received no data"),
        ([], "received no data"),
        ([[1.0, 2.0], [3.0]], "rows differ in length"),
        (np.arange(5.0), r"Normalization\(axis=None\)"),
        (7, "an iterable of arrays; received int"),
    ],
)
def test_data_without_statistics_are_refused(data, message):
    with pytest.raises((ValueError, TypeError), match=message):
        layers.Normalization().adapt(data)


def test_data_of_another_width_are_refused():
    layer = layers.Normalization()
    layer.adapt(np.zeros((4, 3)))
    with pytest.raises(ValueError, match="built for inputs with size 3 on axis -1"):
        layer.adapt(np.zeros((4, 2)))
    with pytest.raises(ValueError, match=r"received shape \(4, 2\)"):
        layer(np.zeros((4, 2)))


@pytest.mark.parametrize("axis", [-1, (-2, -1)])
@pytest.mark.parametrize("rank", [2, 3, 4])
def test_normalization_takes_inputs_with_other_numbers_of_axes(axis, rank, rng):
    data = rng.normal(size=(4, 5, 3)).astype("float32")
    ours, theirs = lamina.layers.Normalization(axis), keras.layers.Normalization(axis)
    ours.adapt(data), theirs.adapt(data)
    x = rng.normal(size=(2, 2, 5, 3)[4 - rank :]).astype("float32")
    expected = np.asarray(theirs(x)).reshape(x.shape)  # Keras adds axes to a smaller input
    np.testing.assert_allclose(ours(x), expected, atol=1e-5)


def test_normalization_by_an_axis_counted_from_the_front_keeps_its_rank(rng):
    layer = lamina.layers.Normalization(axis=1)
    layer.adapt(rng.normal(size=(4, 5, 3)))
    with pytest.raises(ValueError, match="3 axes, size 5 on axis 1, and received .*\n.*from the"):
        layer(np.ones((2, 5, 3, 3)))


ANSWERS = {
    "Discretization": (lambda: lamina.layers.Discretization([0.0, 1.0]), np.array([0.5])),
    "Hashing": (lambda: lamina.layers.Hashing(3), np.array(["a"])),
    "HashedCrossing": (lambda: lamina.layers.HashedCrossing(3), (np.array([1]), np.array([1]))),
    "CategoryEncoding": (lambda: lamina.layers.CategoryEncoding(3), np.array([1])),
    "StringLookup": (lambda: lamina.layers.StringLookup(vocabulary=["a"]), np.array(["a"])),
    "a list": (lambda: lamina.layers.StringLookup(vocabulary=["a"]), ["a"]),
    "IntegerLookup": (lambda: lamina.layers.IntegerLookup(vocabulary=[1]), np.array([1])),
    "TextVectorization": (lambda: lamina.layers.TextVectorization(vocabulary=["a"]), ["a b"]),
    "a model": (
        lambda: lamina.Sequential([lamina.layers.StringLookup(vocabulary=["a"])]),
        np.array(["a"]),
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_layers_on_the_host_answer_with_tensors(name):
    make, x = ANSWERS[name]
    assert lamina.ops.is_tensor(make()(x))


@pytest.mark.parametrize("name", set(ANSWERS) - {"a list", "TextVectorization"})
def test_inside_a_dataset_they_stay_on_the_host(name):
    make, x = ANSWERS[name]
    layer, seen = make(), []
    source = lamina.data.Dataset.from_tensor_slices(x).batch(1)
    list(source.map(lambda *x: seen.append(layer(x[0] if len(x) == 1 else x)) or 0))
    assert isinstance(seen[0], np.ndarray)


def test_texts_stay_texts():
    back = lamina.layers.StringLookup(vocabulary=["a"], invert=True)(np.array([1]))
    assert isinstance(back, np.ndarray)
    assert back.tolist() == ["a"]
