"""Large arrays are read where the user holds them, and give what copies give."""

import jax
import numpy as np
import pytest

import lamina
from lamina.training.feeds import zero_copy as rows
from lamina.training.feeds.zero_copy import UnalignedRows, rows_of
from lamina.training.placement import OneDevice
from small_models import classifier, same_weights


def put(array):
    return OneDevice().put_data(array)


@pytest.fixture
def all_large(monkeypatch):
    monkeypatch.setattr(rows, "_MIN_BYTES", 0)


def beginning_at(place, values):
    """The same values, so many bytes behind a multiple of 64."""
    memory = np.zeros(values.nbytes + 128, np.uint8)
    start = -memory.ctypes.data % 64 + place
    array = memory[start : start + values.nbytes].view(values.dtype).reshape(values.shape)
    array[...] = values
    return array


@pytest.mark.parametrize("place", [16, 32, 48])
@pytest.mark.parametrize(("dtype", "shape"), [("uint8", (3, 5)), ("float32", (7,)), ("int32", ())])
def test_rows_are_those_of_the_array(all_large, place, dtype, shape):
    values = np.random.default_rng(seed=1).integers(0, 200, size=(11, *shape)).astype(dtype)
    array = beginning_at(place, values)
    data = put(array)
    assert isinstance(data, UnalignedRows)
    assert data.numbers.unsafe_buffer_pointer() == array.ctypes.data - place  # no copy
    order = np.array([10, 0, 4, 4, 9], "int32")
    take = jax.jit(rows_of, static_argnums=3)
    np.testing.assert_array_equal(take(data, order, 1, 3), values[[0, 4, 4]])
    np.testing.assert_array_equal(take(data, None, 8, 3), values[8:])


@pytest.mark.parametrize("place", [0, 2])
def test_what_need_not_or_cannot_be_read_in_place_is_an_array(all_large, place):
    values = np.arange(12, dtype="float32").reshape(3, 4)
    if place:
        values = beginning_at(place, values.astype("float32"))
        assert not values.flags.aligned
    else:
        values = beginning_at(0, values)
    assert isinstance(put(values), jax.Array)
    assert isinstance(put(values[:, ::2]), jax.Array)


@pytest.mark.parametrize("shuffle", [True, False])
def test_training_in_place_gives_the_weights_of_copies(blobs, monkeypatch, shuffle):
    copied, in_place = classifier(), classifier()
    in_place.set_weights(copied.get_weights())
    data = [beginning_at(16, array) for array in blobs]
    results = []
    for model, least in ((copied, 2**40), (in_place, 0)):
        monkeypatch.setattr(rows, "_MIN_BYTES", least)
        lamina.set_random_seed(3)
        model.fit(*data, batch_size=32, shuffle=shuffle, epochs=2, verbose=0)
        results.append(model.evaluate(*data, verbose=0))
    assert same_weights(copied, in_place, 0)
    assert results[0] == results[1]
