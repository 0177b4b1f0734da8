"""Predictor: a model and what is known of its inputs, ready to be asked."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from lamina.core.messages.tracebacks import filter_methods
from lamina.core.variable.stateless import snapshot
from lamina.prediction.inputs import InputDescription
from lamina.prediction.named_sets import class_names
from lamina.prediction.probabilities import as_probabilities
from lamina.training.feeds.conversion import convert
from lamina.training.inference import TensorSpec


class Prediction(NamedTuple):
    """What a classifier says of one sample.

    Args:
        class_name: The likeliest class.
        probability: How likely it is, from 0 to 1.
        top: The likeliest classes with their probabilities, likeliest first.
    """

    class_name: str
    probability: float
    top: tuple[tuple[str, float], ...]


@filter_methods
class Predictor:
    """A model with what is known of its inputs: class names, probabilities, programs made ahead.

    It asks the model as it is: what training changes is seen by the next call. May be used by
    several threads.

    Args:
        model: A built model.
        inputs: What is known of its inputs and classes; an `InputDescription`.
        batch_size: Samples in a batch, as for `model.predict`.
        independent: Whether a sample may be of several classes at once, each with a probability of
            its own.

    Example:
        >>> import lamina
        >>> import numpy as np
        >>> dense = lamina.layers.Dense(2, kernel_initializer="ones", bias_initializer="zeros")
        >>> model = lamina.Sequential([lamina.Input((3,)), dense])
        >>> known = lamina.prediction.InputDescription(class_names=("no", "yes"))
        >>> predictor = lamina.Predictor(model, known)
        >>> predictor.warm_up([1, 32])
        >>> predictor.probabilities(np.ones((1, 3))).tolist()
        [[0.5, 0.5]]
        >>> predictor.classify(np.ones((1, 3)), top_k=1)[0].top
        (('no', 0.5),)
    """

    def __init__(
        self,
        model: Any,
        inputs: InputDescription | None = None,
        batch_size: int | None = None,
        independent: bool = False,
    ):
        self.model = model
        self.inputs = InputDescription() if inputs is None else inputs
        self.batch_size = batch_size
        self.independent = independent

    def warm_up(self, batch_sizes: Sequence[int] = (1,), example: Any = None) -> None:
        """Compile for calls with so many samples, so that the first of them need not wait.

        Nothing of the model changes by it, not even the states of stateful layers.

        Args:
            batch_sizes: Numbers of samples that calls will have.
            example: A sample or more, as `predict` takes them; needed where the model does not say
                what its inputs are, or leaves an axis open beside that of the batch.

        Raises:
            ValueError: If it is not known what the inputs are.

        Example:
            >>> import lamina
            >>> model = lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(2)])
            >>> lamina.Predictor(model).warm_up([1, 8])
        """
        function = self.model.inference_function(example)
        if example is None:
            row = jax.tree.map(_one_row, function.inputs)
        else:
            row = jax.tree.map(lambda a: a[:1], convert(example, "example", text=True))
        with snapshot(self.model.variables):  # what a forward pass changes is forgotten
            for count in batch_sizes:
                self.predict(jax.tree.map(lambda a: np.repeat(a, count, axis=0), row))  # noqa: B023

    def predict(self, x: Any) -> Any:
        """The model's outputs.

        Args:
            x: Inputs, `(samples, …)`, as for `model.predict`.

        Returns:
            The outputs, `(samples, …)`, as NumPy arrays in the structure in which the model gives
            them.

        Raises:
            ValueError, TypeError: If the inputs do not fit the model.

        Example:
            >>> import lamina
            >>> import numpy as np
            >>> model = lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(2)])
            >>> lamina.Predictor(model).predict(np.ones((5, 3))).shape
            (5, 2)
        """
        return self.model.predict(x, batch_size=self.batch_size, verbose=0)

    def probabilities(self, x: Any) -> np.ndarray:
        """How likely every class is: softmax or sigmoid where the model gives logits.

        Whether it does is told from the numbers: those that are no probabilities are logits.

        Args:
            x: Inputs, `(samples, …)`.

        Returns:
            `(samples, classes)`, from 0 to 1; of a model with one output, for yes or no, two
            columns.

        Raises:
            ValueError: If the model does not give one number a class.

        Example:
            >>> import lamina
            >>> import numpy as np
            >>> layer = lamina.layers.Dense(4, kernel_initializer="zeros")
            >>> model = lamina.Sequential([lamina.Input((3,)), layer])
            >>> lamina.Predictor(model).probabilities(np.ones((1, 3))).tolist()
            [[0.25, 0.25, 0.25, 0.25]]
        """
        return as_probabilities(np.asarray(self.predict(x)), self.independent)

    def classify(self, x: Any, top_k: int = 3) -> list[Prediction]:
        """The likeliest classes of every sample.

        Args:
            x: Inputs, `(samples, …)`.
            top_k: How many classes to name.

        Returns:
            A `Prediction` for each sample.

        Raises:
            ValueError: If the model does not give one number a class, there are not as many names
                as classes, or `top_k` is below 1.

        Example:
            >>> import lamina
            >>> import numpy as np
            >>> layer = lamina.layers.Dense(2, bias_initializer=lambda *_, **k: np.array([1, 0]))
            >>> model = lamina.Sequential([lamina.Input((3,)), layer])
            >>> lamina.Predictor(model).classify(np.zeros((1, 3)))[0].class_name
            '0'
        """
        if top_k < 1:
            raise ValueError(f"top_k must be 1 or more; received {top_k}.")
        probabilities = self.probabilities(x)
        names = self.names_of(probabilities.shape[1])
        places = np.argsort(-probabilities, axis=1, kind="stable")[:, :top_k]
        found = []
        for row, best in zip(probabilities, places, strict=True):
            top = tuple((names[i], float(row[i])) for i in best)
            found.append(Prediction(*top[0], top))
        return found

    def names_of(self, classes: int) -> tuple[str, ...]:
        """The names of the classes: those that are known, or numbers.

        Args:
            classes: How many the model tells apart.

        Returns:
            As many names.

        Raises:
            ValueError: If other numbers of names are known.
        """
        names = self.inputs.class_names
        if names is None:
            return class_names(self.model, classes)
        if len(names) != classes:
            raise ValueError(
                f"There are {len(names)} class names, and model {self.model.name!r} tells "
                f"{classes} classes apart: {', '.join(names[:5])}{' …' * (len(names) > 5)}"
            )
        return tuple(names)


def _one_row(spec: TensorSpec) -> np.ndarray:
    """A sample to compile for."""
    if None in spec.shape[1:]:
        raise ValueError(
            f"Input {spec.name!r} of shape {spec.shape} has an axis of any size, so it is not "
            "known what to compile for.\n  Fix: give a sample: predictor.warm_up([1], x[:1])."
        )
    return spec.one_row()
