"""The names of `backend`: types, numbers for names, and what the process is set to."""

import itertools

import keras
import pytest

from lamina import backend

TYPES = ["bool", "uint8", "int32", "int64", "bfloat16", "float16", "float32", "complex64"]


@pytest.mark.parametrize("count", [1, 2])
def test_result_types_are_those_of_keras(count):
    for types in itertools.product([*TYPES, int, float, None], repeat=count):
        assert backend.result_type(*types) == keras.backend.result_type(*types), types
    assert backend.result_type() == "float32"


def test_a_python_float_is_one_of_the_process():
    backend.set_floatx("float16")
    try:
        assert backend.result_type("int32", float) == "float16"
        assert backend.result_type("float32", float) == "float32"
    finally:
        backend.set_floatx("float32")


@pytest.mark.parametrize("dtype", [*TYPES, "uint64", "float64"])
def test_kinds_of_types_are_those_of_keras(dtype):
    assert backend.is_float_dtype(dtype) == keras.backend.is_float_dtype(dtype)
    assert backend.is_int_dtype(dtype) == keras.backend.is_int_dtype(dtype)
    assert backend.standardize_dtype(dtype) == keras.backend.standardize_dtype(dtype)


def test_numbers_of_a_prefix_start_again_with_the_session():
    assert [backend.get_uid("a"), backend.get_uid("a"), backend.get_uid("b")] == [1, 2, 1]
    backend.clear_session()
    assert backend.get_uid("a") == 1


def test_names_are_those_of_keras():
    names = [name for name in dir(keras.backend) if not name.startswith("_")]
    assert set(names) <= set(backend.__all__)
