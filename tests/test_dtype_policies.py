"""Dtype policies by name, config and path of the layer."""

import json

import keras
import numpy as np
import pytest

import lamina
from lamina import dtype_policies
from lamina.core.unavailable import NotAvailableError
from lamina.dtype_policies import DTypePolicy, DTypePolicyMap

pytestmark = pytest.mark.quick


def encoder_in_half():
    return DTypePolicyMap("float32", {"encoder/.*": DTypePolicy("bfloat16"), "head": "float16"})


def test_public_names_are_those_of_keras():
    assert {n for n in dir(keras.dtype_policies) if n[0] != "_"} <= set(dtype_policies.__all__)
    names = {n for n in dir(keras.mixed_precision) if n[0] != "_"}
    assert names == set(lamina.mixed_precision.__all__)
    assert lamina.mixed_precision.Policy is DTypePolicy is dtype_policies.FloatDTypePolicy


def test_a_policy_without_a_name_is_the_global_one():
    lamina.mixed_precision.set_global_policy("mixed_bfloat16")
    assert DTypePolicy().name == "mixed_bfloat16"
    assert dtype_policies.get(None) == lamina.mixed_precision.global_policy()
    assert DTypePolicyMap().default_policy.compute_dtype == "bfloat16"


@pytest.mark.parametrize("policy", [DTypePolicy("mixed_float16"), encoder_in_half()])
def test_config_goes_to_keras_and_back(policy):
    record = json.loads(json.dumps(dtype_policies.serialize(policy)))
    theirs = keras.dtype_policies.deserialize(record)
    assert dtype_policies.get(record) == policy
    if isinstance(policy, DTypePolicyMap):
        assert theirs["encoder/dense"].name == "bfloat16"
        # Keras writes the default as it was given.
        theirs = keras.dtype_policies.DTypePolicyMap(
            "float32", {k: keras.DTypePolicy(p.name) for k, p in policy.items()}
        )
        ours = dtype_policies.deserialize(keras.dtype_policies.serialize(theirs))
        assert ours == policy
    else:
        assert record == keras.dtype_policies.serialize(theirs)


def test_a_map_gives_each_layer_inside_the_policy_of_its_path():
    class Encoder(lamina.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.half = lamina.layers.Dense(2, name="half", dtype=self.dtype_policy)
            self.full = lamina.layers.Dense(2, name="full", dtype=self.dtype_policy)

        def call(self, x):
            return self.full(self.half(x))

    policies = DTypePolicyMap("float32", {"encoder/half": "mixed_bfloat16", "other": "float16"})
    encoder = Encoder(name="encoder", dtype=policies)
    x = np.ones((1, 3), "float32")
    assert encoder(x).dtype == "float32"
    assert encoder.half(x).dtype == "bfloat16"
    assert {v.dtype for v in encoder.weights} == {"float32"}
    assert encoder.half.compute_dtype == "bfloat16"


def test_floats_are_cast_and_nothing_else():
    policy = DTypePolicy("mixed_float16")
    assert policy.convert_input(np.ones(2), autocast=True, dtype="float16").dtype == "float16"
    assert policy.convert_input(np.ones(2), autocast=False, dtype="float16").dtype == "float32"
    assert policy.convert_input(np.ones(2, int), autocast=True, dtype="float16").dtype == "int32"
    assert policy.convert_input("text", autocast=True, dtype="float16") == "text"


def test_a_map_is_a_dict_of_patterns():
    policies = encoder_in_half()
    assert policies["encoder/attention/query"].name == "bfloat16"
    assert policies["head"].name == "float16"
    assert policies["head/kernel"].name == "float32"
    assert list(policies) == ["encoder/.*", "head"]
    assert policies.name == "map_float32" == keras.dtype_policies.DTypePolicyMap("float32").name
    assert repr(policies) == (
        "<DTypePolicyMap default_policy=float32, "
        "mapping={'encoder/.*': 'bfloat16', 'head': 'float16'}>"
    )
    policies[".*/query"] = "float64"
    with pytest.raises(ValueError, match=r"Two keys .* match the layer 'encoder/query'"):
        policies["encoder/query"]
    with pytest.raises(ValueError, match="has 'float16' for 'head' already"):
        policies["head"] = "float32"
    del policies["head"]
    assert "head" not in policies


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: DTypePolicyMap(encoder_in_half()), ValueError, "cannot be a DTypePolicyMap"),
        (lambda: DTypePolicyMap("float32", [1]), TypeError, "must be a dict"),
        (lambda: DTypePolicyMap("float32", {"a": "float31"}), ValueError, "'float31'"),
        (
            lambda: DTypePolicy("int8_from_float32"),
            NotAvailableError,
            "'int8_from_float32' is not available",
        ),
        (
            lambda: lamina.layers.Dense(1, dtype="int4/128_from_mixed_bfloat16"),
            NotAvailableError,
            "yet",
        ),
        (lambda: dtype_policies.GPTQDTypePolicy("gptq/4/128"), NotAvailableError, "mixed_bfloat16"),
    ],
)
def test_what_cannot_be_is_refused(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_a_quantized_policy_in_a_file_says_that_it_comes_later():
    policy = keras.dtype_policies.QuantizedDTypePolicy("int8", "float32")
    record = keras.dtype_policies.serialize(policy)
    with pytest.raises(NotAvailableError, match="QuantizedDTypePolicy is not available yet"):
        dtype_policies.deserialize(record)


def test_a_layer_with_a_map_keeps_it_when_a_policy_is_assigned():
    policies = DTypePolicyMap("float32")
    outer = lamina.Sequential([lamina.Input((2,)), lamina.layers.Dense(2, dtype=policies)])
    layer = outer.layers[0]
    layer.dtype_policy = "bfloat16"
    assert layer.dtype_policy is policies
    assert policies[layer.path].name == "bfloat16"
    layer.dtype_policy = "mixed_bfloat16"
    assert (layer.compute_dtype, layer.variable_dtype) == ("bfloat16", "float32")
    other = lamina.layers.Dense(2, dtype=DTypePolicyMap())  # not built: there is no path to note
    other.dtype_policy = "float16"
    assert other.dtype_policy.name == "float16"
