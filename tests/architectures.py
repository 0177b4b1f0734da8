"""The same architectures for both libraries: functions of `lamina` or `keras`, with inputs."""

import numpy as np


def array(*shape):
    return np.random.default_rng(seed=sum(shape)).normal(size=shape).astype("float32")


def one_to_one(K):
    x = K.Input((4,), name="x")
    h = K.layers.Dense(5, activation="relu")(x)
    return K.Model(x, K.layers.Dense(2)(h)), array(3, 4)


def several_inputs_and_outputs(K):
    a, b = K.Input((4,), name="a"), K.Input((3,), name="b")
    h, g = K.layers.Dense(5, name="h")(a), K.layers.Dense(5)(b)
    s = K.layers.Add()([h, g])
    outputs = [K.layers.Dense(2, name="first")(s), K.layers.Dense(1, name="second")(g)]
    return K.Model([a, b], outputs), [array(2, 4), array(2, 3)]


def tuples(K):
    a, b = K.Input((4,)), K.Input((4,))
    d = K.layers.Dense(3)
    return K.Model((a, b), (d(a), d(b))), (array(2, 4), array(2, 4))


def dicts(K):
    a, b = K.Input((4,), name="a"), K.Input((4,), name="b")
    d = K.layers.Dense(3)
    outputs = {"z": d(a), "y": K.layers.Dense(2)(d(b))}
    return K.Model({"b": b, "a": a}, outputs), {"a": array(2, 4), "b": array(3, 4)[:2]}


def structure(K):
    a, b, c = (K.Input((2,), name=name) for name in "abc")
    d = K.layers.Dense(3)
    outputs = {"deep": [d(a), {"er": K.layers.Dense(2)(d(b))}], "flat": c}
    return K.Model([a, {"b": b, "c": c}], outputs), [
        array(2, 2),
        {"b": array(2, 2), "c": array(2, 2)},
    ]


def shared_layer(K):
    x = inputs = K.Input((4,))
    d = K.layers.Dense(4)
    x = d(K.layers.Activation("relu")(d(x)))
    return K.Model(inputs, K.layers.Concatenate()([x, d(inputs)])), array(2, 4)


def shared_model(K):
    i = K.Input((4,))
    inner = K.Model(i, K.layers.Dense(4)(i), name="inner")
    x = inputs = K.Input((4,))
    x = inner(K.layers.Dense(4)(inner(x)))
    return K.Model(inputs, [x, inner(inputs)]), array(2, 4)


def nested_sequential(K):
    layers = [K.Input((4,)), K.layers.Dense(4, activation="relu"), K.layers.BatchNormalization()]
    inner = K.Sequential(layers, name="inner")
    x = inputs = K.Input((4,))
    x = K.layers.Dropout(0.5)(inner(x))
    return K.Model(inputs, K.layers.Dense(2)(x), name="outer"), array(2, 4)


def unused_input(K):
    a, b = K.Input((4,)), K.Input((3,))
    return K.Model([a, b], K.layers.Dense(2)(a)), [array(2, 4), array(2, 3)]


def input_as_output(K):
    a = K.Input((4,))
    return K.Model(a, [a, K.layers.Dense(2)(a)]), array(2, 4)


def inner_output(K):
    model, x = one_to_one(K)
    return K.Model(model.inputs, model.get_layer("dense").output), x


def residual(K):
    x = inputs = K.Input((8, 8, 3))
    for _ in range(2):
        y = K.layers.Conv2D(3, 3, padding="same")(x)
        y = K.layers.BatchNormalization()(y)
        x = K.layers.ReLU()(y + x)
    x = K.layers.GlobalAveragePooling2D()(x)
    return K.Model(inputs, K.layers.Dense(2)(x[:, :2] * 2)), array(2, 8, 8, 3)


def unknown_axes(K):
    x = inputs = K.Input((None, None, 2))
    x = K.layers.Conv2D(4, 2)(x)
    return K.Model(inputs, K.layers.GlobalMaxPooling2D()(x)), array(2, 5, 6, 2)


def masked(K):
    x = inputs = K.Input((6,), dtype="int32")
    x = K.layers.Embedding(5, 3, mask_zero=True)(x)
    tokens = np.array([[1, 2, 0, 0, 0, 0], [3, 3, 3, 1, 0, 0]])
    return K.Model(inputs, K.layers.GlobalAveragePooling1D()(x)), tokens


def sequential(K):
    return K.Sequential([K.Input((4,)), K.layers.Dense(5), K.layers.Dropout(0.2)]), array(2, 4)


def sequential_built_later(K):
    model = K.Sequential([K.layers.Dense(5), K.layers.Dense(2)])
    model.build((None, 4))
    return model, array(2, 4)


def sequential_of_models(K):
    first = K.Sequential([K.Input((4,)), K.layers.Dense(3)], name="first")
    return K.Sequential([first, K.layers.Dense(2)]), array(2, 4)


FUNCTIONAL = [
    one_to_one, several_inputs_and_outputs, tuples, dicts, structure, shared_layer, shared_model,
    nested_sequential, unused_input, input_as_output, inner_output, residual, unknown_axes,
    masked,
]  # fmt: skip
SEQUENTIAL = [sequential, sequential_built_later, sequential_of_models]
ALL = [*FUNCTIONAL, *SEQUENTIAL]
