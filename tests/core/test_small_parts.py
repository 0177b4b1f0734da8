"""Names, dtypes, shapes, settings: the small parts that everything stands on."""

import keras
import numpy as np
import pytest
from hypothesis import given, strategies as st
from keras.src.utils.naming import to_snake_case as keras_to_snake_case

import lamina
from lamina import InputSpec
from lamina.core.configuration import config
from lamina.core.configuration.dtypes import DTypePolicy, get_policy, standardize_dtype
from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.layer.input_spec import check_inputs
from lamina.core.messages.errors import nearest, unknown_argument, unknown_name
from lamina.core.serialization import naming
from lamina.core.variable.variable import to_shape_tuple

# Naming


@given(st.text(alphabet="abCDeF_12 -é", max_size=12))
def test_snake_case_is_that_of_keras(name):
    assert naming.to_snake_case(name) == keras_to_snake_case(name)


@pytest.mark.parametrize("name", [*lamina.layers.__all__, "MyVGG16Block", "GRUv2", "HTTPServer"])
def test_snake_case_of_class_names_is_that_of_keras(name):
    assert naming.to_snake_case(name) == keras_to_snake_case(name)


def test_names_are_counted_and_counting_can_start_again():
    assert [naming.unique_name("dense") for _ in range(3)] == ["dense", "dense_1", "dense_2"]
    assert naming.unique_name("conv") == "conv"
    naming.reset_names()
    assert naming.unique_name("dense") == "dense"


# Dtypes


@pytest.mark.parametrize(
    "dtype",
    [
        "float32",
        "bfloat16",
        "int8",
        "bool",
        "string",
        None,
        float,
        int,
        bool,
        str,
        np.float16,
        np.dtype("uint8"),
        np.dtype(">f4"),
        np.zeros(1, "int64").dtype,
        "complex64",
    ],
    ids=str,
)
def test_dtypes_have_the_names_of_keras(dtype):
    assert standardize_dtype(dtype) == keras.backend.standardize_dtype(dtype)


def test_dtypes_of_jax_have_names_too():
    import jax.numpy as jnp

    assert [standardize_dtype(d) for d in (jnp.float32, jnp.bfloat16, jnp.ones(1).dtype)] == [
        "float32",
        "bfloat16",
        "float32",
    ]


@pytest.mark.parametrize("dtype", ["float31", "f4", object, np.dtype("datetime64[s]")], ids=str)
def test_unknown_dtypes_are_refused(dtype):
    with pytest.raises(ValueError, match="Unknown dtype"):
        standardize_dtype(dtype)


@pytest.mark.parametrize("name", ["float32", "float16", "mixed_bfloat16", "mixed_float16", "int8"])
def test_policies_say_what_those_of_keras_say(name):
    if name == "int8":
        ours = DTypePolicy(name)
        assert (ours.compute_dtype, ours.variable_dtype) == ("int8", "int8")
        return
    ours, theirs = DTypePolicy(name), keras.DTypePolicy(name)
    for aspect in ("name", "compute_dtype", "variable_dtype"):
        assert getattr(ours, aspect) == getattr(theirs, aspect)
    assert ours.get_config() == theirs.get_config()
    assert DTypePolicy.from_config(ours.get_config()) == ours


def test_the_global_policy_is_that_of_new_layers():
    lamina.config.set_dtype_policy("mixed_bfloat16")
    assert lamina.layers.Dense(1).compute_dtype == "bfloat16"
    lamina.config.set_dtype_policy("float32")
    assert lamina.layers.Dense(1).compute_dtype == "float32"
    assert get_policy(np.float16) == DTypePolicy("float16")
    assert (
        get_policy({"class_name": "DTypePolicy", "config": {"name": "float16"}}).name == "float16"
    )


def test_an_unknown_policy_is_refused():
    with pytest.raises(ValueError, match="Unknown dtype policy 'mixed_float8'"):
        lamina.layers.Dense(1, dtype="mixed_float8")
    with pytest.raises(TypeError, match="needs a name"):
        DTypePolicy(3)


# Shapes


@pytest.mark.parametrize(
    ("shape", "expected"),
    [(None, ()), (3, (3,)), (np.int64(3), (3,)), ([2, None], (2, None)), ((), ())],
)
def test_shapes_come_in_many_forms(shape, expected):
    assert to_shape_tuple(shape) == expected


SPECS = [
    {"ndim": 2},
    {"min_ndim": 2},
    {"max_ndim": 2},
    {"shape": (None, 3)},
    {"axes": {-1: 3}},
    {"axes": {1: 3}, "min_ndim": 2},
    {"shape": (None, 3, 1), "allow_last_axis_squeeze": True},
    {"dtype": "float32"},
]


@pytest.mark.parametrize("settings", SPECS, ids=str)
@pytest.mark.parametrize(
    "shape", [(2, 3), (None, 3), (2, 4), (2, 3, 1), (3,), (2, 5, 3), (2, None), (2, 3, 2)], ids=str
)
def test_what_a_spec_accepts_is_what_keras_accepts(settings, shape):
    theirs = keras.InputSpec(**settings)
    tensor = keras.KerasTensor(shape)
    try:
        keras.src.layers.input_spec.assert_input_compatibility(theirs, tensor, "layer")
        accepted = True
    except (ValueError, IndexError):
        accepted = False
    try:
        check_inputs(InputSpec(**settings), KerasTensor(shape), "layer")
        ours = True
    except ValueError:
        ours = False
    if settings.get("allow_last_axis_squeeze") and shape in ((3,), (2, 3, 2)):
        assert accepted  # Keras compares only the axes that both have
        accepted = False
    assert ours == accepted


def test_a_spec_is_written_and_read():
    spec = InputSpec(shape=(None, 3), axes={-1: 3}, optional=True)
    theirs = keras.InputSpec(shape=(None, 3), axes={-1: 3}, optional=True)
    assert spec.get_config() == theirs.get_config()
    assert repr(InputSpec.from_config(spec.get_config())) == repr(spec)
    assert repr(InputSpec(ndim=2)) == "InputSpec(ndim=2)"


@pytest.mark.parametrize(
    ("spec", "inputs", "message"),
    [
        (InputSpec(ndim=2), np.ones(3), r"expected an input with 2 axes and received shape \(3,\)"),
        (InputSpec(dtype="int32"), np.ones(3), "expected dtype int32 and received float64"),
        ([InputSpec(), InputSpec()], np.ones(3), r"takes 2 input\(s\) and received 1"),
        (InputSpec(ndim=1), "text", "takes arrays and received 'text'"),
        (InputSpec(ndim=1), None, r"takes 1 input\(s\) and received 0|received None"),
        ([InputSpec(ndim=1, name="a"), InputSpec(ndim=1, name="b")], {"a": np.ones(1)},
         "no input 'b'"),
    ],
)  # fmt: skip
def test_inputs_that_a_spec_does_not_accept_are_named(spec, inputs, message):
    with pytest.raises(ValueError, match=message):
        check_inputs(spec, inputs, "Dense 'dense'")


def test_specs_may_be_optional_or_absent_and_go_by_name():
    check_inputs([InputSpec(ndim=1), InputSpec(ndim=1, optional=True)], [np.ones(1), None], "layer")
    check_inputs([InputSpec(ndim=1), None], [np.ones(1), np.ones((1, 2))], "layer")
    named = [InputSpec(ndim=2, name="b"), InputSpec(ndim=1, name="a")]
    check_inputs(named, {"a": np.ones(1), "b": np.ones((1, 1)), "more": np.ones(1)}, "layer")


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"axes": {"last": 3}}, TypeError, "axes must map axis numbers to sizes"),
        ({"axes": {3: 3}, "ndim": 2}, ValueError, "an input with 2 axes has no axis 3"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(settings, error, message):
    with pytest.raises(error, match=message):
        InputSpec(**settings)


# Settings


def test_settings_can_be_changed_and_are_checked(monkeypatch):
    monkeypatch.setattr(config, "_settings", dict(config._settings))
    config.set_floatx("float16")
    assert lamina.Variable("zeros", shape=(2,)).dtype == "float16"
    assert lamina.layers.Dense(1).dtype == "float16"
    config.set_epsilon(1e-3)
    assert config.epsilon() == 1e-3
    config.set_image_data_format("channels_first")
    assert config.standardize_data_format(None) == "channels_first"
    assert config.standardize_data_format("Channels_Last") == "channels_last"
    config.set_resident_budget(10)
    assert config.resident_budget() == 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: config.set_floatx("float8"), "floatx must be one of float16"),
        (lambda: config.set_image_data_format("first"), "data_format must be 'channels_last'"),
        (lambda: config.set_resident_budget(-1), "0 or more; received -1"),
    ],
)
def test_settings_that_do_not_exist_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        change()


def test_the_budget_and_the_cache_may_be_set_outside(monkeypatch, tmp_path):
    monkeypatch.setenv("LAMINA_RESIDENT_BYTES", "1e6")
    assert config.resident_budget() == 1_000_000
    monkeypatch.setenv("LAMINA_CACHE", str(tmp_path / "mine"))
    assert config.cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("LAMINA_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert config.cache_folder() == tmp_path / "lamina"
    monkeypatch.delenv("LAMINA_RESIDENT_BYTES")
    assert config.resident_budget() > 2**20


# Words


@pytest.mark.parametrize(
    ("name", "found"),
    [("Desne", "Dense"), ("conv2d", "Conv2D"), ("max_pooling2d", "MaxPooling2D"), ("xyz", None)],
)
def test_the_nearest_name_forgives_case_and_underscores(name, found):
    assert nearest(name, ["Dense", "Conv2D", "MaxPooling2D"]) == found


def test_unknown_names_and_arguments_list_what_is_known():
    assert str(unknown_name("loss", "mes", ["mse", "mae"])).startswith(
        "Unknown loss 'mes'. Did you mean 'mse'?"
    )
    assert "Known: mae, mse." in str(unknown_name("loss", "entropy", ["mse", "mae"]))
    assert str(unknown_argument("Dense", "unit", ["units", "name"])) == (
        "Dense has no argument 'unit'. Did you mean 'units'?\n  Its arguments: name, units."
    )


def test_no_policy_is_no_policy():
    with pytest.raises(ValueError, match=r"set_dtype_policy\('float32'\)"):
        lamina.config.set_dtype_policy(None)
