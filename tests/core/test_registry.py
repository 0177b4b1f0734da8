"""Objects as plain data and back; the classes of users, found by name and never by import."""

import json

import jax.numpy as jnp
import keras
import numpy as np
import pytest

import lamina
from lamina.core.serialization.registry import (
    UnknownClassError,
    custom_object_scope,
    deserialize,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
    serialize,
)

pytestmark = pytest.mark.quick


def plain(data):
    return json.loads(json.dumps(data))


class Scale(lamina.Layer):
    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        return x * self.factor


def double(x):
    return x * 2


VALUES = [
    None,
    True,
    3,
    0.5,
    "text",
    [1, [2.0, None]],
    {"a": {"b": [1]}},
    (1, 2),
    b"\x00bytes",
    ...,
    slice(1, None, 2),
    np.float32(2.5),
    np.int64(3),
    np.array([[1.0, 2.0]], "float32"),
    np.array([1, 2], "int8"),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_are_written_as_keras_writes_them_and_come_back(value):
    saved = plain(serialize(value))
    if not isinstance(value, bytes):
        assert saved == plain(keras.saving.serialize_keras_object(value))
    back = deserialize(saved)
    if isinstance(value, np.ndarray):
        assert back.dtype == value.dtype
        np.testing.assert_array_equal(back, value)
    else:
        assert back == (list(value) if isinstance(value, tuple) else value)


def test_device_arrays_come_back_as_device_arrays():
    back = deserialize(plain(serialize(jnp.array([1.5, 2.5], "bfloat16"))))
    assert back.dtype == "bfloat16"
    assert back.tolist() == [1.5, 2.5]


@pytest.mark.parametrize(
    "make",
    [
        lambda K: K.layers.Dense(3, activation="relu", kernel_regularizer="l2"),
        lambda K: K.initializers.HeNormal(seed=3),
        lambda K: K.regularizers.L1L2(0.1, 0.2),
        lambda K: K.constraints.MaxNorm(2.0),
        lambda K: K.losses.CategoricalCrossentropy(label_smoothing=0.1),
        lambda K: K.metrics.TopKCategoricalAccuracy(k=3, name="top3"),
        lambda K: K.optimizers.Adam(K.optimizers.schedules.ExponentialDecay(0.1, 100, 0.9)),
        lambda K: K.activations.softmax,
        lambda K: K.losses.mean_squared_error,
        lambda K: K.DTypePolicy("mixed_float16"),
        lambda K: [K.layers.ReLU(name="r"), {"loss": K.losses.MeanSquaredError()}],
    ],
)
def test_objects_of_ours_are_written_as_keras_writes_its_own(make):
    ours, theirs = serialize(make(lamina)), keras.saving.serialize_keras_object(make(keras))
    assert approximately(plain(ours)) == approximately(plain(theirs))
    assert plain(serialize(deserialize(plain(theirs)))) == plain(ours)


def approximately(data):
    if isinstance(data, dict):
        return {key: approximately(value) for key, value in data.items()}
    if isinstance(data, list):
        return [approximately(item) for item in data]
    return round(data, 5) if isinstance(data, float) else data


def test_a_dtype_is_written_as_its_name():
    assert serialize([np.float32, np.dtype("int8"), jnp.bfloat16]) == [
        "float32",
        "int8",
        "bfloat16",
    ]


# The classes of users


def test_a_class_given_at_loading_is_found():
    saved = plain(serialize(Scale(3.0, name="s")))
    again = deserialize(saved, {"Scale": Scale})
    assert (type(again), again.factor, again.name) == (Scale, 3.0, "s")


def test_a_class_given_by_a_scope_is_found_inside_it_only():
    saved = plain(serialize([Scale(), double]))
    with custom_object_scope({"Scale": Scale, "double": double}):
        layer, function = deserialize(saved)
    assert isinstance(layer, Scale)
    assert function is double
    with pytest.raises(UnknownClassError):
        deserialize(saved)


def test_a_registered_class_is_found_under_its_package():
    saved = plain(serialize(register_keras_serializable("my_project", "Scaling")(Scale)()))
    assert saved["registered_name"] == "my_project>Scaling"
    assert get_registered_name(Scale) == "my_project>Scaling"
    assert get_registered_object("my_project>Scaling") is Scale
    assert isinstance(deserialize(saved), Scale)


def test_a_registered_function_is_found():
    register_keras_serializable("my_project")(double)
    saved = plain(serialize(double))
    assert saved["config"] == "my_project>double"
    assert deserialize(saved) is double
    assert lamina.activations.get("my_project>double") is double


def test_the_table_of_custom_objects_may_be_changed_in_place():
    get_custom_objects()["Scale"] = Scale
    assert isinstance(deserialize(plain(serialize(Scale()))), Scale)


def test_scopes_nest_and_the_innermost_wins():
    other = type("Other", (Scale,), {})
    with custom_object_scope({"Scale": other}):
        with custom_object_scope({"Scale": Scale}):
            assert type(deserialize(serialize(Scale()))) is Scale
        assert type(deserialize(serialize(Scale()))) is other
        assert type(deserialize(serialize(Scale()), {"Scale": Scale})) is Scale


def test_a_users_class_may_hide_one_of_ours():
    class Dense(lamina.layers.Dense):
        pass

    saved = plain(serialize(lamina.layers.Dense(2)))
    assert type(deserialize(saved, {"Dense": Dense})) is Dense


def test_an_unknown_class_says_how_to_make_it_known():
    saved = plain(serialize(Scale()))
    with pytest.raises(UnknownClassError) as caught:
        deserialize(saved)
    message = str(caught.value)
    assert "the class 'Scale'" in message
    assert "custom_objects={'Scale': Scale}" in message
    assert "@lamina.saving.register_keras_serializable(package='Custom')" in message


def test_a_misspelt_class_of_ours_gets_the_nearest_name():
    saved = {"module": "keras.layers", "class_name": "Desne", "config": {}}
    with pytest.raises(UnknownClassError, match=r"no 'Desne' in 'keras.layers'. Did you mean 'Den"):
        deserialize(saved)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (lambda x: x, ValueError, "A lambda cannot be saved"),
        (object(), TypeError, r"cannot be saved: it has no get_config\(\)"),
    ],
)
def test_what_is_no_data_cannot_be_written(value, error, message):
    with pytest.raises(error, match=message):
        serialize({"deep": [value]})


def test_a_class_without_config_cannot_be_registered():
    with pytest.raises(ValueError, match=r"Bare cannot be registered: it has no get_config\(\)"):
        register_keras_serializable()(type("Bare", (), {}))


def test_a_file_cannot_name_a_module_to_import():
    saved = {"module": "os", "class_name": "system", "config": {"command": "true"}}
    with pytest.raises(UnknownClassError):
        deserialize(saved)


def test_base_classes_know_initializers_by_name_though_nothing_else_was_imported():
    import subprocess
    import sys

    code = (
        "from lamina import Layer; "
        "print(Layer().add_weight(shape=(2,), initializer='ones', regularizer='l2').numpy())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[1. 1.]"


def test_a_scope_of_nothing_changes_nothing():
    with custom_object_scope(None):
        assert lamina.saving.get_registered_object("Nothing") is None
        assert lamina.saving.deserialize_keras_object({"a": 1}) == {"a": 1}
