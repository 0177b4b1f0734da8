"""Healthy programs: a network, data and settings that reach a good result."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import lamina
from lamina import layers

Layer = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Program:
    """A training, as a value that faults are injected into.

    Args:
        name: Its name.
        layers: Class and arguments of each layer of a `Sequential`.
        x, y: Training samples.
        x_val, y_val: Validation samples.
        loss: The loss.
        optimizer: Class of the optimizer.
        rate: The learning rate.
        settings: Other arguments of the optimizer.
        fit: Arguments of `fit`.
        scale: What raw inputs are divided by, or a pair of mean and deviation.
    """

    name: str
    layers: tuple[Layer, ...]
    x: Any
    y: Any
    x_val: Any
    y_val: Any
    loss: Any
    optimizer: str = "Adam"
    rate: float = 0.001
    settings: dict[str, Any] = field(default_factory=dict)
    fit: dict[str, Any] = field(default_factory=dict)
    scale: Any = None

    def model(self) -> lamina.Model:
        """The compiled model. The names of its layers are the same in every process."""
        made = [
            (Block if kind == "Block" else getattr(layers, kind))(
                name=f"{kind.lower()}_{position}", **arguments
            )
            for position, (kind, arguments) in enumerate(self.layers)
        ]
        model = lamina.Sequential(made)
        optimizer = getattr(lamina.optimizers, self.optimizer)(self.rate, **self.settings)
        model.compile(optimizer, loss=self.loss, metrics=["accuracy"] if self.classes else ["mae"])
        return model

    @property
    def classes(self) -> bool:
        """Whether it predicts classes."""
        return "crossentropy" in str(self.loss)


@lamina.saving.register_keras_serializable("benchmarks")
class Block(layers.Layer):
    """A block of a transformer: self-attention and two dense layers."""

    def __init__(self, width: int = 32, heads: int = 2, **kwargs: Any):
        super().__init__(**kwargs)
        self.width, self.heads = width, heads
        self.attention = layers.MultiHeadAttention(heads, width // heads)
        self.first, self.second = layers.LayerNormalization(), layers.LayerNormalization()
        self.hidden = layers.Dense(2 * width, activation="relu")
        self.out = layers.Dense(width)

    def call(self, x: Any) -> Any:
        x = self.first(x + self.attention(x, x))
        return self.second(x + self.out(self.hidden(x)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width, "heads": self.heads}


def dense(units: int, activation: str = "relu", **arguments: Any) -> Layer:
    return "Dense", {"units": units, "activation": activation, **arguments}


def folder() -> Path:
    """The folder of the data sets that are not part of scikit-learn."""
    given = os.environ.get("LAMINA_DATASETS")
    if not given:
        raise SystemExit(
            "The programs need MNIST, Fashion-MNIST, diamonds.csv, titanic.csv and sms_spam.tsv.\n"
            "  Fix: put them in a folder, and set LAMINA_DATASETS to it."
        )
    return Path(given)


def _split(x: Any, y: Any, seed: int, count: int) -> tuple[Any, Any, Any, Any]:
    order = np.random.default_rng(seed).permutation(len(x))
    x, y = x[order], y[order]
    return x[count:], y[count:], x[:count], y[:count]


@cache
def _digits() -> tuple[Any, Any]:
    from sklearn.datasets import load_digits

    data = load_digits()
    return data.images.astype("float32"), data.target.astype("int64")


@cache
def _pictures(name: str) -> tuple[Any, Any]:
    data = dict(np.load(folder() / f"{name}.npz"))
    return data["x_train"], data["y_train"].astype("int64")


@cache
def _table(name: str) -> Any:
    import pandas

    return pandas.read_csv(folder() / name, sep="\t" if name.endswith("tsv") else ",")


def digits_dense(seed: int) -> Program:
    x, y = _digits()
    x, y, x_val, y_val = _split(x / 16, y, seed, 400)
    return Program(
        "digits dense",
        (("Flatten", {}), dense(64), dense(64), dense(10, "softmax")),
        x, y, x_val, y_val,
        "sparse_categorical_crossentropy", fit={"epochs": 20}, scale=16.0,
    )  # fmt: skip


def mnist_dense(seed: int) -> Program:
    x, y = _pictures("mnist")
    rows = np.random.default_rng(seed).permutation(len(x))[:6000]
    x, y, x_val, y_val = _split(x[rows] / np.float32(255), y[rows], seed, 1000)
    return Program(
        "mnist dense",
        (("Flatten", {}), dense(128), dense(64), dense(10, "softmax")),
        x, y, x_val, y_val,
        "sparse_categorical_crossentropy", fit={"epochs": 8}, scale=255.0,
    )  # fmt: skip


def fashion_cnn(seed: int) -> Program:
    x, y = _pictures("fashion_mnist")
    rows = np.random.default_rng(seed).permutation(len(x))[:3000]
    x, y, x_val, y_val = _split(x[rows, :, :, None] / np.float32(255), y[rows], seed, 600)

    def conv(filters: int) -> Layer:
        return "Conv2D", {"filters": filters, "kernel_size": 3, "activation": "relu"}

    pool: Layer = ("MaxPooling2D", {})
    return Program(
        "fashion cnn",
        (conv(16), pool, conv(32), pool, ("Flatten", {}), dense(64), dense(10, "softmax")),
        x, y, x_val, y_val,
        "sparse_categorical_crossentropy", fit={"epochs": 8}, scale=255.0,
    )  # fmt: skip


def digits_lstm(seed: int) -> Program:
    x, y = _digits()
    x, y, x_val, y_val = _split(x / 16, y, seed, 400)
    return Program(
        "digits lstm",
        (("LSTM", {"units": 32}), dense(32), dense(10, "softmax")),
        x, y, x_val, y_val,
        "sparse_categorical_crossentropy", rate=0.003, fit={"epochs": 20}, scale=16.0,
    )  # fmt: skip


def digits_transformer(seed: int) -> Program:
    x, y = _digits()
    x, y, x_val, y_val = _split(x / 16, y, seed, 400)
    return Program(
        "digits transformer",
        (dense(32), ("Block", {"width": 32}), ("Flatten", {}), dense(10, "softmax")),
        x, y, x_val, y_val,
        "sparse_categorical_crossentropy", fit={"epochs": 12}, scale=16.0,
    )  # fmt: skip


def sms_embedding(seed: int) -> Program:
    from sklearn.feature_extraction.text import CountVectorizer

    table = _table("sms_spam.tsv")
    label, text = table.columns[:2]
    texts, y = table[text].astype(str).to_numpy(), (table[label] == "spam").to_numpy("int64")
    words = CountVectorizer(max_features=2000).fit(texts)
    known, split = words.vocabulary_, words.build_analyzer()
    x = np.zeros((len(texts), 30), "int32")
    for row, message in enumerate(texts):
        indices = [known[word] + 1 for word in split(message) if word in known][:30]
        x[row, : len(indices)] = indices
    x, y, x_val, y_val = _split(x, y, seed, 1000)
    return Program(
        "sms embedding",
        (
            ("Embedding", {"input_dim": 2001, "output_dim": 16}),
            ("GlobalAveragePooling1D", {}),
            dense(16),
            dense(1, "sigmoid"),
        ),
        x, y, x_val, y_val,
        "binary_crossentropy", rate=0.003, fit={"epochs": 10},
    )  # fmt: skip


def titanic(seed: int) -> Program:
    import pandas

    table = _table("titanic.csv")
    numbers = table[["age", "fare", "sibsp", "parch"]].astype(float)
    numbers = numbers.fillna(numbers.median())
    kinds = pandas.get_dummies(table[["sex", "pclass", "embarked"]].astype(str)).astype(float)
    raw = np.concatenate([numbers.to_numpy(), kinds.to_numpy()], axis=1).astype("float32")
    mean, spread = raw.mean(axis=0), raw.std(axis=0)
    y = table["survived"].to_numpy("int64")
    x, y, x_val, y_val = _split((raw - mean) / spread, y, seed, 250)
    return Program(
        "titanic",
        (dense(32), dense(16), dense(1, "sigmoid")),
        x, y, x_val, y_val,
        "binary_crossentropy", rate=0.003, fit={"epochs": 20}, scale=(mean, spread),
    )  # fmt: skip


def diamonds(seed: int) -> Program:
    table = _table("diamonds.csv").sample(5000, random_state=seed)
    numbers = table[["carat", "depth", "table", "x", "y", "z"]].to_numpy(float)
    ranks = [table[name].astype("category").cat.codes for name in ("cut", "color", "clarity")]
    raw = np.concatenate([numbers, np.stack(ranks, axis=1)], axis=1).astype("float32")
    mean, spread = raw.mean(axis=0), raw.std(axis=0)
    price = np.log(table["price"].to_numpy(float))
    y = ((price - price.mean()) / price.std()).astype("float32")
    x, y, x_val, y_val = _split((raw - mean) / spread, y, seed, 1000)
    return Program(
        "diamonds",
        (dense(64), dense(64), dense(1, "linear")),
        x, y, x_val, y_val,
        "mean_squared_error", fit={"epochs": 12}, scale=(mean, spread),
    )  # fmt: skip


def breast_cancer(seed: int) -> Program:
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    raw = data.data.astype("float32")
    mean, spread = raw.mean(axis=0), raw.std(axis=0)
    x, y, x_val, y_val = _split((raw - mean) / spread, data.target, seed, 150)
    return Program(
        "breast cancer",
        (dense(32), ("Dropout", {"rate": 0.2}), dense(16), dense(2, "softmax")),
        x, y, x_val, y_val,
        "sparse_categorical_crossentropy", "SGD", 0.05, {"momentum": 0.9}, {"epochs": 25},
        (mean, spread),
    )  # fmt: skip


def penguins(seed: int) -> Program:
    import pandas

    table = _table("penguins.csv").dropna()
    numbers = table.select_dtypes("number").to_numpy("float32")
    mean, spread = numbers.mean(axis=0), numbers.std(axis=0)
    y = np.eye(3, dtype="float32")[pandas.Categorical(table["species"]).codes]
    x, y, x_val, y_val = _split((numbers - mean) / spread, y, seed, 100)
    return Program(
        "penguins",
        (dense(16), dense(16), dense(3, "softmax")),
        x, y, x_val, y_val,
        "categorical_crossentropy", rate=0.005, fit={"epochs": 30, "batch_size": 16},
        scale=(mean, spread),
    )  # fmt: skip


def autoencoder(seed: int) -> Program:
    x, _ = _digits()
    x = x.reshape(len(x), 64) / 16
    x, _, x_val, _ = _split(x, x, seed, 400)
    return Program(
        "autoencoder",
        (dense(48), dense(24), dense(48), dense(64, "sigmoid")),
        x, x, x_val, x_val,
        "mean_squared_error", rate=0.003, fit={"epochs": 20}, scale=16.0,
    )  # fmt: skip


def several_labels(seed: int) -> Program:
    x, y = _digits()
    labels = np.stack([y % 2 == 0, y > 4, y % 3 == 0, (y == 0) | (y > 5)], axis=1)
    x, y, x_val, y_val = _split(x / 16, labels.astype("float32"), seed, 400)
    return Program(
        "several labels",
        (("Flatten", {}), dense(64), dense(32), dense(4, "sigmoid")),
        x, y, x_val, y_val,
        "binary_crossentropy", rate=0.002, fit={"epochs": 20}, scale=16.0,
    )  # fmt: skip


def normalised_cnn(seed: int) -> Program:
    x, y = _pictures("mnist")
    rows = np.random.default_rng(seed).permutation(len(x))[:2500]
    x, y, x_val, y_val = _split(x[rows, :, :, None] / np.float32(255), y[rows], seed, 500)
    return Program(
        "mnist batch norm",
        (
            ("Conv2D", {"filters": 8, "kernel_size": 3, "strides": 2}),
            ("BatchNormalization", {"momentum": 0.9}),
            ("ReLU", {}),
            ("Conv2D", {"filters": 16, "kernel_size": 3, "strides": 2, "activation": "relu"}),
            ("Flatten", {}),
            ("Dropout", {"rate": 0.3}),
            dense(10, "softmax"),
        ),
        x, y, x_val, y_val,
        "sparse_categorical_crossentropy", rate=0.003, fit={"epochs": 8}, scale=255.0,
    )  # fmt: skip


def scaled_inside(seed: int) -> Program:
    """Pixels from 0 to 255, and a layer that scales them."""
    program = mnist_dense(seed)
    return replace(
        program,
        name="scaled inside",
        layers=(("Rescaling", {"scale": 1 / 255}), *program.layers),
        x=program.x * 255,
        x_val=program.x_val * 255,
        scale=None,
    )


def large_targets(seed: int) -> Program:
    """Targets in the hundreds, which a higher rate and more epochs reach."""
    program = diamonds(seed)
    return replace(
        program,
        name="targets in the hundreds",
        y=program.y * 100 + 300,
        y_val=program.y_val * 100 + 300,
        rate=0.02,
        fit={"epochs": 30},
    )


def sorted_series(seed: int) -> Program:
    """A time series in its order, not shuffled."""
    rng = np.random.default_rng(seed)
    time = np.arange(2200)
    series = np.sin(time / 9) + 0.5 * np.sin(time / 31) + rng.normal(0, 0.05, len(time))
    windows = np.lib.stride_tricks.sliding_window_view(series.astype("float32"), 25)
    x, y = windows[:, :24], windows[:, 24]
    return Program(
        "sorted series", (dense(32), dense(1, "linear")),
        x[:1700], y[:1700], x[1730:], y[1730:],
        "mean_squared_error", rate=0.003, fit={"epochs": 15, "shuffle": False},
    )  # fmt: skip


def frozen_base(seed: int) -> Program:
    """Random features that are not trained, and a layer that is."""
    program = digits_dense(seed)
    layers_of = (("Flatten", {}), dense(512, trainable=False), dense(10, "softmax"))
    return replace(program, name="frozen base", layers=layers_of, rate=0.003)


def whole_world(seed: int) -> Program:
    """XOR: four samples are all there are."""
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32")
    y = np.array([0, 1, 1, 0])
    return Program(
        "xor", (dense(16, "tanh"), dense(1, "sigmoid")), x, y, x, y,
        "binary_crossentropy", rate=0.05, fit={"epochs": 300},
    )  # fmt: skip


def rare_class(seed: int) -> Program:
    """A class of a fiftieth of the samples, with weights."""
    program = digits_dense(seed)

    def part(x: Any, y: Any, every: int) -> tuple[Any, Any]:
        rare = np.flatnonzero(y == 0)[::every]
        rows = np.sort(np.concatenate([np.flatnonzero(y != 0), rare]))
        return x[rows], (y[rows] == 0).astype("int64")

    x, y = part(program.x, program.y, 4)
    x_val, y_val = part(program.x_val, program.y_val, 4)
    fit = {"epochs": 20, "class_weight": {0: 1.0, 1: 30.0}}
    stack = (*program.layers[:-1], dense(1, "sigmoid"))
    return replace(
        program, name="rare class", layers=stack, x=x, y=y, x_val=x_val, y_val=y_val,
        loss="binary_crossentropy", fit=fit,
    )  # fmt: skip


def high_rate(seed: int) -> Program:
    """A rate of 0.2, with which plain SGD does well on scaled columns."""
    program = breast_cancer(seed)
    stack = (dense(16, "tanh"), dense(2, "softmax"))
    return replace(program, name="high rate", layers=stack, rate=0.2, settings={})


ODD: tuple[Callable[[int], Program], ...] = (
    scaled_inside, large_targets, sorted_series, frozen_base, whole_world, rare_class, high_rate,
)  # fmt: skip
PROGRAMS: tuple[Callable[[int], Program], ...] = (
    digits_dense, mnist_dense, fashion_cnn, digits_lstm, digits_transformer, sms_embedding, titanic,
    diamonds, breast_cancer, penguins, autoencoder, several_labels, normalised_cnn,
)  # fmt: skip
