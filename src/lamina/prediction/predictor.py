"""Predictor: a model with a description of its inputs, for prediction."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import jax
import numpy as np

from lamina.contract import Contract
from lamina.core.messages.tracebacks import filter_tracebacks_of_methods
from lamina.core.types import Data, Outputs
from lamina.core.variable.stateless import snapshot
from lamina.prediction.answers import Answer, make_answers
from lamina.prediction.inputs import InputDescription
from lamina.prediction.named_sets import class_names
from lamina.prediction.probabilities import as_probabilities
from lamina.prediction.raw_inputs import read_inputs
from lamina.prediction.raw_sources import RawInputs
from lamina.training.feeds.conversion import convert
from lamina.training.inference import TensorSpec
from lamina.training.input_contract import far_from_training

if TYPE_CHECKING:
    from lamina.models.model import Model


class Prediction(NamedTuple):
    """The prediction of a classifier for one sample.

    Args:
        class_name: The most probable class.
        probability: Its probability, from 0 to 1.
        top: The most probable classes with their probabilities, in descending order.
    """

    class_name: str
    probability: float
    top: tuple[tuple[str, float], ...]


@filter_tracebacks_of_methods
class Predictor:
    """A model with class names, probabilities and programs compiled in advance.

    It uses the current weights of the model, so the next call sees changes by training. Several
    threads may use it.

    Args:
        model: A built model.
        inputs: Description of its inputs and classes.
        batch_size: Samples in a batch, as for `model.predict`.
        independent: Whether a sample may belong to several classes, each with its own probability.

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
        model: "Model",
        inputs: InputDescription | None = None,
        batch_size: int | None = None,
        independent: bool = False,
    ):
        self.model = model
        self.inputs = InputDescription() if inputs is None else inputs
        self.batch_size = batch_size
        self.independent = independent

    def warm_up(self, batch_sizes: Sequence[int] = (1,), example: Data = None) -> None:
        """Compile in advance for calls with these numbers of samples.

        The model does not change, not even the states of stateful layers.

        Args:
            batch_sizes: Numbers of samples of later calls.
            example: One sample or more, as for `predict`; needed if the inputs of the model are
                unknown, or have an axis of any size besides the batch axis.

        Raises:
            ValueError: If the inputs are unknown.

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
        with snapshot(self.model.variables):  # changes of the state are dropped
            for count in batch_sizes:
                self.predict(jax.tree.map(lambda a: np.repeat(a, count, axis=0), row))  # noqa: B023

    def predict(self, x: Data) -> Outputs:
        """The model's outputs.

        Args:
            x: Inputs, `(samples, …)`, as for `model.predict`.

        Returns:
            The outputs, `(samples, …)`, as NumPy arrays in the structure of the model's outputs.

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

    def probabilities(self, x: Data) -> np.ndarray:
        """The probability of every class; softmax or sigmoid is applied to logits.

        Outputs that are not probabilities are taken as logits.

        Args:
            x: Inputs, `(samples, …)`.

        Returns:
            `(samples, classes)`, from 0 to 1; two columns for a model with one output.

        Raises:
            ValueError: If the model does not have one output per class.

        Example:
            >>> import lamina
            >>> import numpy as np
            >>> layer = lamina.layers.Dense(4, kernel_initializer="zeros")
            >>> model = lamina.Sequential([lamina.Input((3,)), layer])
            >>> lamina.Predictor(model).probabilities(np.ones((1, 3))).tolist()
            [[0.25, 0.25, 0.25, 0.25]]
        """
        return as_probabilities(np.asarray(self.predict(x)), self.independent)

    def classify(self, x: Data, top_k: int = 3) -> list[Prediction]:
        """The most probable classes of every sample.

        Args:
            x: Inputs, `(samples, …)`.
            top_k: Number of classes to return.

        Returns:
            A `Prediction` for each sample.

        Raises:
            ValueError: If the model does not have one output per class, the number of names differs
                from the number of classes, or `top_k` is below 1.

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
        ranking = np.argsort(-probabilities, axis=1, kind="stable")[:, :top_k]
        answers = []
        for row, best in zip(probabilities, ranking, strict=True):
            top = tuple((names[i], float(row[i])) for i in best)
            answers.append(Prediction(*top[0], top))
        return answers

    def answer(self, sources: Data) -> list[Answer]:
        """Predictions for files, rows or texts, also mixed.

        The model's contract says how they become inputs; see `lamina.data.load`.

        Args:
            sources: One sample or a list of samples. For a model of pictures: paths, folders,
                bytes, Pillow images, arrays. For one of a table: paths, data frames, rows as dicts.
                For one of texts: texts, or paths. For a forecast: a table or array of the last
                steps.

        Returns:
            An `Answer` for each input, in their order.

        Raises:
            TypeError: If the model cannot take something of that type; the message says what it
                takes.
            ValueError: If the model has no contract, or a column is missing.

        Example:
            >>> import lamina
            >>> import pandas
            >>> rows = {"size": [1, 2, 8, 9] * 10, "kind": ["small", "small", "big", "big"] * 10}
            >>> data = lamina.data.load(pandas.DataFrame(rows), target="kind", verbose=False)
            >>> inputs, x = data.encoded()
            >>> outputs = lamina.layers.Dense(2, activation="softmax")(x)
            >>> model = lamina.Model(inputs, outputs)
            >>> model.compile(lamina.optimizers.Adam(0.1), "sparse_categorical_crossentropy")
            >>> _ = model.fit(data.train, epochs=30, verbose=0)
            >>> [answer.label for answer in lamina.Predictor(model).answer([{"size": 0.5}])]
            ['small']
        """
        return self.answer_with_remarks(sources)[0]

    def answer_with_remarks(self, sources: Data) -> tuple[list[Answer], list[str]]:
        """Answers, and remarks for the user, such as columns that were not used.

        Args:
            sources: As for `answer`.

        Returns:
            Answers and remarks.

        Raises:
            TypeError, ValueError: As `answer`.
        """
        inputs_read = read_inputs(self._contract, sources)
        return self.answers_to(inputs_read), inputs_read.remarks

    def answers_to(self, inputs_read: RawInputs) -> list[Answer]:
        """Answers for inputs that were already read, for a caller that also needs the inputs.

        Args:
            inputs_read: The result of `read_inputs` in `lamina.prediction.raw_inputs`.

        Returns:
            An `Answer` for each input, in their order.

        Example:
            >>> import lamina
            >>> import pandas
            >>> from lamina.prediction.raw_inputs import read_inputs
            >>> rows = {"size": [1, 2, 8, 9] * 10, "kind": ["small", "small", "big", "big"] * 10}
            >>> data = lamina.data.load(pandas.DataFrame(rows), target="kind", verbose=False)
            >>> inputs, x = data.encoded()
            >>> model = lamina.Model(inputs, lamina.layers.Dense(2, activation="softmax")(x))
            >>> model.compile("adam", "sparse_categorical_crossentropy")
            >>> _ = model.fit(data.train, verbose=0)
            >>> inputs_read = read_inputs(model.input_contract, {"size": 0.5})
            >>> len(inputs_read.x["size"]), len(lamina.Predictor(model).answers_to(inputs_read))
            (1, 1)
        """
        answers = []
        if inputs_read.x is not None:
            outputs = np.asarray(self.predict(inputs_read.x))
            far = far_from_training(self._contract, inputs_read.x)
            answers = make_answers(self._contract, inputs_read.names, outputs, far)
        for failure in reversed(inputs_read.failures):
            answers.insert(failure.before, Answer(failure.name, error=failure.why))
        return answers

    @property
    def _contract(self) -> Contract:
        # For an empty contract, `read_inputs` raises an error with an explanation.
        return self.model.input_contract or Contract()

    def names_of(self, classes: int) -> tuple[str, ...]:
        """Names of the classes, or numbers if they are unknown.

        Args:
            classes: Number of classes.

        Returns:
            A name for each class.

        Raises:
            ValueError: If the description has another number of names.
        """
        names = self.inputs.class_names
        contract = self.model.input_contract
        if names is None and contract is not None and contract.class_names is not None:
            names = contract.class_names
        if names is None:
            return class_names(self.model, classes)
        if len(names) != classes:
            raise ValueError(
                f"There are {len(names)} class names, but model {self.model.name!r} predicts "
                f"{classes} classes: {', '.join(names[:5])}{' …' * (len(names) > 5)}"
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
