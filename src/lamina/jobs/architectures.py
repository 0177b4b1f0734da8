"""The networks for named data sets."""

from typing import Any

from lamina import layers
from lamina.datasets import Dataset
from lamina.models import Sequential

MODELS = ("mlp", "cnn")
DEFAULT_EPOCHS = 3
# A small data set needs more epochs for the same number of steps.
EPOCHS = {"digits": 20}


def default_epochs(dataset: Dataset) -> int:
    """The default number of epochs for a data set."""
    return EPOCHS.get(dataset.name, DEFAULT_EPOCHS)


def build(dataset: Dataset, model: str) -> Any:
    """An uncompiled classifier for a data set.

    Args:
        dataset: Gives the size of the images, the range of their pixels and the classes.
        model: `"mlp"`: two dense layers of 128; `"cnn"`: two convolutions and a dense layer.
    """
    height, width = dataset.image_shape
    # Scaling is a layer of the network, so that it is saved with the model.
    stack: list[Any] = [layers.Input((height, width)), layers.Rescaling(1 / dataset.pixel_max)]
    if model == "cnn":
        stack += [
            layers.Reshape((height, width, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(128, activation="relu"),
        ]
    else:
        stack += [
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(128, activation="relu"),
        ]
    stack.append(layers.Dense(len(dataset.class_names), activation="softmax"))
    # `prediction.named_sets` finds the class names by the name of the data set in the model's name.
    return Sequential(stack, name=f"{dataset.name}_{model}")
