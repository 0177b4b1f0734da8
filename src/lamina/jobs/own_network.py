"""Builds a small network for a user's own data, as Python code.

`lamina train` runs this code and writes it to `train.py`, so the script repeats the job exactly.
"""

from typing import Any

import lamina
from lamina import layers
from lamina.data import LoadedData

# With fewer training pictures, they are randomly translated, rotated and zoomed.
_FEW_PICTURES = 2_000
# With fewer windows, a forecast is a weighted sum of the past; more can train a hidden layer.
_FEW_WINDOWS = 1_000
_MAX_BEFORE_DENSE = 8


def network_code(data: LoadedData, learning_rate: float | None = None) -> str:
    """Lines of Python that define a compiled `model` for `data`, in the order in which they run.

    Args:
        data: Loaded data, for their kind, size and number of classes.
        learning_rate: Adam's; chosen by the kind of data if None.
    """
    lines = ["inputs, x = data.encoded()"]
    lines += {
        "images": _image_layers,
        "text": _text_layers,
        "table": _table_layers,
        "series": _series_layers,
    }[data.kind](data)
    if data.class_names is not None:
        lines += [
            'outputs = layers.Dense(len(data.class_names), activation="softmax")(x)',
        ]
        loss, metric = "sparse_categorical_crossentropy", "accuracy"
    else:
        units = data.train.y.shape[1] if data.train.y.ndim == 2 else 1
        lines += [f"outputs = data.decoded(layers.Dense({units})(x), inputs)"]
        loss, metric = "mean_squared_error", "mean_absolute_error"
    rate = learning_rate or (0.003 if data.class_names is None else 0.001)
    lines += [
        "",
        "model = lamina.Model(inputs, outputs)",
        "model.compile(",
        f"    optimizer=lamina.optimizers.Adam({rate:g}),",
        f'    loss="{loss}",',
        f'    metrics=["{metric}"],',
        ")",
    ]
    return "\n".join(lines)


def build(data: LoadedData, code: str, seed: int) -> Any:
    """Run the code of a network.

    Args:
        data: The data that the code refers to.
        code: Result of `network_code`.
        seed: Random seed of the initial weights.
    """
    lamina.utils.set_random_seed(seed)
    names: dict[str, Any] = {"lamina": lamina, "layers": layers, "data": data}
    # The code consists of the fixed lines and numbers above, and contains no text of the user.
    exec(compile(code, "<network>", "exec"), names)
    return names["model"]


def default_epochs(data: LoadedData) -> int:
    """Maximum number of epochs; the weights of the best one are kept."""
    if data.kind in ("images", "text"):
        return 20
    return 60 if data.train.size > 5_000 else 200


def patience(epochs: int) -> int:
    """Epochs without a better validation loss after which training ends."""
    return max(3, epochs // 8)


def _image_layers(data: LoadedData) -> list[str]:
    height, width = data.train.x.shape[1:3]
    lines = []
    if data.train.size < _FEW_PICTURES:
        lines += [
            "x = layers.RandomTranslation(0.05, 0.05)(x)",
            "x = layers.RandomRotation(0.03)(x)",
            "x = layers.RandomZoom(0.05)(x)",
        ]
    side, width_of_layer = min(height, width), 32
    while side > _MAX_BEFORE_DENSE and width_of_layer <= 128:
        lines += [
            f'x = layers.Conv2D({width_of_layer}, 3, padding="same", activation="relu")(x)',
            "x = layers.MaxPooling2D()(x)",
        ]
        side, width_of_layer = side // 2, 2 * width_of_layer
    pooled = side > _MAX_BEFORE_DENSE
    return [
        *lines,
        "x = layers.GlobalAveragePooling2D()(x)" if pooled else "x = layers.Flatten()(x)",
        "x = layers.Dropout(0.3)(x)",
        'x = layers.Dense(128, activation="relu")(x)',
    ]


def _text_layers(data: LoadedData) -> list[str]:
    return ["x = layers.Dropout(0.5)(x)", 'x = layers.Dense(16, activation="relu")(x)']


def _table_layers(data: LoadedData) -> list[str]:
    units = 32 if data.train.size < 2_000 else 128
    dense = f'x = layers.Dense({units}, activation="relu")(x)'
    # Dropout shifts the mean of a sum, which costs accuracy where the target is a number.
    dropout = ["x = layers.Dropout(0.2)(x)"] if data.class_names is not None else []
    return [dense, *dropout, dense]


def _series_layers(data: LoadedData) -> list[str]:
    lines = ["x = layers.Flatten()(x)"]
    if data.train.size >= _FEW_WINDOWS:
        lines += ['x = layers.Dense(64, activation="relu")(x)', "x = layers.Dropout(0.1)(x)"]
    return lines
