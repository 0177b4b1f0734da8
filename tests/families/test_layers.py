"""Every layer, and what each one promises: Keras's numbers, shapes, names and configs."""

import json
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from lamina import layers
from lamina.core import registry
from lamina.core.keras_tensor import KerasTensor
from lamina.core.stateless import stateless, value_and_grad, values_of


@dataclass
class Case:
    """A layer with settings, and the shapes (with batch axis) of the arrays it is called on."""

    layer: str
    settings: dict
    shapes: Any  # one shape, or a list of shapes for a layer that merges
    dtype: str = "float32"
    id: str = field(default="")

    def __post_init__(self):
        shown = "-".join(f"{k}={v}" for k, v in self.settings.items())
        self.id = f"{self.layer}-{shown}" if shown else self.layer

    @property
    def several(self) -> bool:
        return isinstance(self.shapes, list)

    def ours(self, **kwargs) -> Any:
        return getattr(layers, self.layer)(**self.settings, name="it", **kwargs)

    def theirs(self, **kwargs) -> Any:
        return getattr(keras.layers, self.layer)(**self.settings, name="it", **kwargs)

    def inputs(self) -> Any:
        rng = np.random.default_rng(seed=3)
        arrays = [
            rng.integers(0, 5, size=shape)
            if self.dtype == "int32"
            else rng.normal(size=shape).astype(self.dtype)
            for shape in (self.shapes if self.several else [self.shapes])
        ]
        return arrays if self.several else arrays[0]

    def unknown_batch(self) -> Any:
        shapes = [(None, *shape[1:]) for shape in (self.shapes if self.several else [self.shapes])]
        return shapes if self.several else shapes[0]


def _image(*sizes: int) -> tuple:
    return (2, *sizes, 3)


REGULARIZED = {"kernel_regularizer": "l2", "bias_constraint": "non_neg", "use_bias": True}
ROWS, IMAGES, STEPS = (4, 5), _image(7, 6), (2, 6, 3)

CASES = [
    Case("Dense", {"units": 3}, ROWS),
    Case("Dense", {"units": 3, "activation": "relu", "use_bias": False}, (2, 4, 5)),
    Case("Dense", {"units": 3, "activation": "softmax", **REGULARIZED}, ROWS),
    Case("Dense", {"units": 3, "activity_regularizer": "l2"}, ROWS),
    Case("Embedding", {"input_dim": 5, "output_dim": 3}, (2, 4), "int32"),
    Case("Embedding", {"input_dim": 5, "output_dim": 3, "mask_zero": True}, (2, 4), "int32"),
    Case("Embedding", {"input_dim": 5, "output_dim": 3, "embeddings_constraint": "unit_norm"},
         (2,), "int32"),
    Case("EinsumDense", {"equation": "ab,bc->ac", "output_shape": 3, "bias_axes": "c",
                         "activation": "relu"}, ROWS),
    Case("EinsumDense", {"equation": "abc,cde->abde", "output_shape": (4, 2, 3),
                         "bias_axes": "de"}, (2, 4, 5)),
    Case("EinsumDense", {"equation": "...x,xy->...y", "output_shape": 3, "bias_axes": "y",
                         "kernel_regularizer": "l2"}, (2, 4, 5)),
    Case("EinsumDense", {"equation": "abc...,cd->abd...", "output_shape": (4, 2),
                         "bias_axes": "b"}, (2, 4, 5, 3)),
    Case("Identity", {}, ROWS),
    Case("Flatten", {}, IMAGES),
    Case("Flatten", {"data_format": "channels_first"}, IMAGES),
    Case("Flatten", {}, (4,)),
    Case("Flatten", {}, IMAGES, "int32"),
    Case("Reshape", {"target_shape": (5, 1)}, ROWS),
    Case("Reshape", {"target_shape": (-1, 2)}, _image(2, 2)),
    Case("Activation", {"activation": "tanh"}, ROWS),
    Case("ReLU", {}, ROWS),
    Case("ReLU", {"max_value": 0.5, "negative_slope": 0.1, "threshold": 0.2}, ROWS),
    Case("LeakyReLU", {}, ROWS),
    Case("LeakyReLU", {"negative_slope": 0.1}, ROWS),
    Case("PReLU", {}, ROWS),
    Case("PReLU", {"shared_axes": [1, 2], "alpha_initializer": "ones"}, IMAGES),
    Case("ELU", {"alpha": 0.5}, ROWS),
    Case("Softmax", {}, ROWS),
    Case("Softmax", {"axis": [1, 2]}, (2, 3, 4)),
    Case("Dropout", {"rate": 0.0}, ROWS),
    Case("ActivityRegularization", {"l1": 0.1, "l2": 0.2}, ROWS),
    Case("Rescaling", {"scale": 0.5, "offset": -1.0}, ROWS),
    Case("Rescaling", {"scale": 1 / 255}, IMAGES, "int32"),
    Case("Rescaling", {"scale": [1.0, 2.0, 3.0], "offset": [0.0, 1.0, 2.0]}, IMAGES),
    Case("Normalization", {}, ROWS),
    Case("Normalization", {"axis": None}, IMAGES),
    Case("Normalization", {"axis": (1, -1), "invert": True}, STEPS),
    Case("Normalization", {"mean": 2.0, "variance": 4.0}, ROWS),
    Case("Normalization", {"axis": (1, 2), "mean": [1.0, 2.0, 3.0], "variance": [1.0, 4.0, 9.0]},
         STEPS),
    Case("BatchNormalization", {}, ROWS),
    Case("BatchNormalization", {"axis": 1, "momentum": 0.9, "epsilon": 0.1}, IMAGES),
    Case("BatchNormalization", {"center": False, "scale": False}, IMAGES),
    Case("BatchNormalization", {"trainable": False, "gamma_initializer": "random_normal"}, ROWS),
    Case("LayerNormalization", {}, ROWS),
    Case("LayerNormalization", {"axis": [1, 2], "epsilon": 0.1}, STEPS),
    Case("LayerNormalization", {"axis": 1, "center": False}, STEPS),
    Case("LayerNormalization", {"scale": False}, STEPS),
    Case("Conv1D", {"filters": 2, "kernel_size": 3, "padding": "causal", "strides": 2}, STEPS),
    Case("Conv2D", {"filters": 2, "kernel_size": 3}, IMAGES),
    Case("Conv2D", {"filters": 2, "kernel_size": (3, 2), "strides": (2, 1), "padding": "same",
                    "activation": "relu", **REGULARIZED}, IMAGES),
    Case("Conv2D", {"filters": 2, "kernel_size": 2, "dilation_rate": 2, "use_bias": False}, IMAGES),
    Case("Conv2D", {"filters": 4, "kernel_size": 2, "groups": 2}, (2, 5, 5, 4)),
    Case("Conv2D", {"filters": 2, "kernel_size": 2, "data_format": "channels_first"},
         (2, 3, 5, 4)),
    Case("Conv3D", {"filters": 2, "kernel_size": 2}, (1, 3, 4, 3, 2)),
    Case("MaxPooling1D", {}, STEPS),
    Case("MaxPooling2D", {}, IMAGES),
    Case("MaxPooling2D", {"pool_size": 3, "strides": 2, "padding": "same"}, IMAGES),
    Case("MaxPooling3D", {}, (1, 4, 4, 2, 2)),
    Case("AveragePooling1D", {"pool_size": 2}, STEPS),
    Case("AveragePooling2D", {"pool_size": (3, 2), "strides": 1, "padding": "same"}, IMAGES),
    Case("AveragePooling2D", {"pool_size": 2, "data_format": "channels_first"}, (2, 3, 5, 4)),
    Case("AveragePooling3D", {"pool_size": 2}, (1, 4, 4, 2, 2)),
    Case("GlobalAveragePooling1D", {}, STEPS),
    Case("GlobalAveragePooling2D", {"keepdims": True}, IMAGES),
    Case("GlobalAveragePooling2D", {"data_format": "channels_first"}, IMAGES),
    Case("GlobalAveragePooling3D", {}, (1, 2, 2, 2, 2)),
    Case("GlobalMaxPooling1D", {"keepdims": True}, STEPS),
    Case("GlobalMaxPooling2D", {}, IMAGES),
    Case("GlobalMaxPooling3D", {}, (1, 2, 2, 2, 2)),
    Case("Add", {}, [ROWS, ROWS, ROWS]),
    Case("Add", {}, [(2, 4, 5), (2, 5)]),
    Case("Subtract", {}, [ROWS, ROWS]),
    Case("Multiply", {}, [(2, 4, 5), (2, 1, 5)]),
    Case("Average", {}, [ROWS, ROWS]),
    Case("Maximum", {}, [ROWS, ROWS]),
    Case("Minimum", {}, [ROWS, ROWS]),
    Case("Concatenate", {}, [ROWS, (4, 2)]),
    Case("Concatenate", {"axis": 1}, [(2, 4, 5), (2, 1, 5)]),
    Case("Dot", {"axes": 1}, [ROWS, ROWS]),
    Case("Dot", {"axes": (2, 1), "normalize": True}, [(2, 4, 5), (2, 5, 3)]),
    Case("Dot", {"axes": -1}, [(2, 4, 5), (2, 3, 5)]),
]  # fmt: skip
WEIGHTY = [
    case
    for case in CASES
    if case.layer
    in ("Dense", "EinsumDense", "Embedding", "PReLU", "BatchNormalization", "LayerNormalization")
    or case.layer.startswith("Conv")
    and case.layer != "Concatenate"
]


def each(cases):
    return pytest.mark.parametrize("case", cases, ids=[case.id for case in cases])


def both_built(case: Case) -> tuple[Any, Any]:
    """Our layer and Keras's, with the same random weights."""
    ours, theirs = case.ours(), case.theirs()
    shapes = case.shapes if case.several else tuple(case.shapes)
    ours.build(shapes)
    if not theirs.built:
        theirs.build(shapes)
    rng = np.random.default_rng(seed=8)
    values = [(rng.random(size=w.shape) + 0.5).astype(w.dtype) for w in ours.weights]
    ours.set_weights(values)
    theirs.set_weights(values)
    if hasattr(theirs, "finalize_state"):
        theirs.finalize_state()
    return ours, theirs


@each(CASES)
def test_weights_have_the_names_and_order_of_keras(case):
    ours, theirs = both_built(case)
    assert [w.path for w in ours.weights] == [w.path for w in theirs.weights]
    assert [w.shape for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]
    assert [w.dtype for w in ours.weights] == [w.dtype for w in theirs.weights]
    assert [w.name for w in ours.trainable_weights] == [w.name for w in theirs.trainable_weights]


@each(CASES)
def test_output_and_losses_equal_keras(case):
    ours, theirs = both_built(case)
    x = case.inputs()
    y, expected = ours(x), theirs(x)
    assert y.dtype == expected.dtype
    np.testing.assert_allclose(y, expected, atol=1e-5, rtol=1e-5)
    np.testing.assert_allclose(sum(ours.losses), sum(theirs.losses), rtol=1e-5)


@each([case for case in CASES if case.layer == "BatchNormalization"])
def test_output_and_moving_averages_equal_keras_in_training(case):
    ours, theirs = both_built(case)
    x = case.inputs()
    np.testing.assert_allclose(ours(x, training=True), theirs(x, training=True), atol=1e-5)
    for one, other in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@each(WEIGHTY)
def test_gradients_equal_keras(case):
    ours, theirs = both_built(case)
    x = case.inputs()
    weights = np.random.default_rng(seed=5).normal(size=ours.compute_output_shape(case.shapes))
    trainable, rest = ours.trainable_variables, ours.non_trainable_variables

    def our_loss():
        return jnp.sum(ours(x, training=True) * weights.astype("float32"))

    def run():
        return value_and_grad(our_loss, trainable)()

    boxes = [*trainable, *rest]
    (_, gradients), _ = jax.jit(stateless(run, boxes))([box.value for box in boxes])

    mode = {"training": True} if theirs._call_has_training_arg else {}

    def their_loss(trainable, rest):
        output, _ = theirs.stateless_call(trainable, rest, x, **mode)
        return jnp.sum(output * weights.astype("float32"))

    expected = jax.jit(jax.grad(their_loss))(
        [v.value for v in theirs.trainable_variables],
        [v.value for v in theirs.non_trainable_variables],
    )
    assert len(gradients) == len(expected)
    for gradient, wanted in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(gradient, wanted, atol=1e-4, rtol=1e-4)


@each(CASES)
def test_output_shape_is_known_without_running(case):
    ours, theirs = both_built(case)
    shapes = case.unknown_batch()
    shape = ours.compute_output_shape(shapes)
    assert shape == tuple(theirs.compute_output_shape(shapes))
    actual = ours(case.inputs())
    assert shape[1:] == actual.shape[1:]
    assert len(shape) == actual.ndim


@each(CASES)
def test_a_symbolic_call_traces_nothing(case, monkeypatch):
    from lamina.core import keras_tensor, layer, operation

    for module in (keras_tensor, layer, operation):
        monkeypatch.setattr(module, "trace_spec", None)
    shapes = case.unknown_batch()
    symbols = [KerasTensor(s, case.dtype) for s in (shapes if case.several else [shapes])]
    ours = case.ours()
    symbol = ours(symbols if case.several else symbols[0])
    actual = ours(case.inputs())
    assert symbol.shape[1:] == actual.shape[1:]
    assert symbol.dtype == actual.dtype


@each(CASES)
def test_config_equals_keras_and_makes_the_same_layer(case):
    ours, theirs = case.ours(), case.theirs()
    for _ in ("before it is built", "after"):
        config = plain(registry.serialize(ours)["config"])
        assert config == plain(keras.saving.serialize_keras_object(theirs)["config"])
        again = type(ours).from_config(plain(ours.get_config()))
        assert plain(again.get_config()) == plain(ours.get_config())
        from_keras = registry.deserialize(plain(keras.saving.serialize_keras_object(theirs)))
        assert type(from_keras) is type(ours)
        ours, theirs = both_built(case)


def plain(config: Any) -> Any:
    """A config as it comes back from a file: tuples have become lists."""
    return json.loads(json.dumps(config))


@each([case for case in CASES if case.dtype == "float32"])
def test_mixed_precision_computes_in_bfloat16_and_keeps_weights_in_float32(case):
    ours = case.ours(dtype="mixed_bfloat16")
    ours.build(case.shapes)
    pure = stateless(lambda x: ours(x, training=True), ours.variables)
    output, _ = jax.eval_shape(pure, values_of(ours.variables), case.inputs())
    assert output.dtype == "bfloat16"
    assert {w.dtype for w in ours.weights} <= {"float32", "int32"}


def test_every_public_layer_is_in_the_table():
    base = {"Layer", "InputSpec", "Input", "InputLayer"}
    public = {n for n in layers.__all__ if isinstance(getattr(layers, n), type)} - base
    assert {getattr(layers, name).__name__ for name in public} == {case.layer for case in CASES}


def test_every_public_name_means_the_same_in_keras():
    for name in layers.__all__:
        assert getattr(keras.layers, name).__name__ == getattr(layers, name).__name__
