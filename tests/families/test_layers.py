"""Every layer, and what each one promises: Keras's numbers, shapes, names and configs."""

import keras

from families.promises import Case, LayerPromises
from lamina import layers


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
    Case("Softmax", {"axis": [1, 2]}, (2, 3, 4), mask_axes=3),
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
    Case("BatchNormalization", {"axis": 1, "momentum": 0.9, "epsilon": 0.1}, IMAGES, mask_axes=3),
    Case("BatchNormalization", {"center": False, "scale": False}, IMAGES, mask_axes=3),
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


class TestLayers(LayerPromises):
    cases = CASES


def test_every_public_layer_is_in_the_table():
    base = {"Layer", "InputSpec", "Input", "InputLayer"}
    public = {n for n in layers.__all__ if isinstance(getattr(layers, n), type)} - base
    assert {getattr(layers, name).__name__ for name in public} == {case.layer for case in CASES}


def test_every_public_name_means_the_same_in_keras():
    for name in layers.__all__:
        assert getattr(keras.layers, name).__name__ == getattr(layers, name).__name__
