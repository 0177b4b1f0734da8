"""The networks that `train` and `quickstart` build, and the scripts that build the same ones."""

from pathlib import Path
from typing import Any

from lamina.datasets import Dataset

MODELS = ("mlp", "cnn")
DEFAULT_EPOCHS = 3
# A small data set takes more passes for as many steps.
EPOCHS = {"digits": 20}


def build(dataset: Dataset, model: str) -> Any:
    """An uncompiled classifier for a data set.

    Args:
        dataset: Gives the size of the images, the range of their pixels and the classes.
        model: `"mlp"`: two dense layers of 128; `"cnn"`: two convolutions and a dense layer.
    """
    import lamina
    from lamina import layers

    height, width = dataset.image_shape
    # Scaling is part of the network, so that it is saved along and no user can forget it.
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
    # `predict` finds the class names by the name of the data set in the model's name.
    return lamina.Sequential(stack, name=f"{dataset.name}_{model}")


def script(job: Any, epochs: int) -> str:
    """A script of plain Lamina that does what a command did, with the same numbers.

    Args:
        job: A `training.Job`.
        epochs: How many it has trained; fewer than the job's where it was stopped.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=False,  # Python, not HTML
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("script.py.jinja").render(
        job=job,
        dataset=job.dataset,
        classes=len(job.dataset.class_names),
        epochs=max(epochs, 1),
        stopped=epochs < job.epochs,
        done=epochs,
    )


def class_names(model: Any, outputs: int) -> tuple[str, ...]:
    """What a model's outputs mean: a known data set's classes, else numbers.

    Args:
        model: A loaded model; `build` gave it the data set's name.
        outputs: How many classes it tells apart.
    """
    from importlib import import_module

    from lamina.cli.inputs import set_of

    name = set_of(model)
    if name is not None:
        names: tuple[str, ...] = import_module(f"lamina.datasets.{name}").CLASS_NAMES
        if len(names) == outputs:
            return names
    return tuple(map(str, range(outputs)))
