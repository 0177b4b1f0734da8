"""`LoadedData`: a user's data in three parts, with a description."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from lamina.contract import Contract
from lamina.core.messages.tracebacks import filter_tracebacks_of_methods
from lamina.data.dataset import Dataset
from lamina.data.loading.description import Description
from lamina.data.loading.picture_store import take_rows


@filter_tracebacks_of_methods
class LoadedPart(Dataset):
    """One part of loaded data: a `Dataset` of batches `(x, y)` whose arrays are available as well.

    Args:
        x: Inputs with rows on the first axis: an array, or a dict of arrays by column.
        y: Targets, one for every row.
        names: The name of each row: a file, or a line of a table.
        batch_size: Rows in a batch.
        shuffle: Whether every pass has a new order.
        seed: Seed of the order.
        class_names: The names of the classes 0, 1, …; None if the target is a number.
        contract: The contract of a model that is trained on it.

    Example:
        >>> part = LoadedPart(np.zeros((5, 2)), np.arange(5), list("abcde"), batch_size=2)
        >>> [y.tolist() for _, y in part]
        [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        x: Any,
        y: np.ndarray,
        names: list[str],
        batch_size: int = 32,
        shuffle: bool = False,
        seed: int = 0,
        class_names: list[str] | None = None,
        contract: Contract | None = None,
    ):
        self.x = x
        self.y = y
        self.batch_size = batch_size
        passes = iter(range(2**62))

        def batches() -> Iterator:
            order = np.arange(len(y))
            if shuffle:
                order = np.random.default_rng([seed, next(passes)]).permutation(order)
            for first in range(0, len(order), batch_size):
                rows = order[first : first + batch_size]
                yield _take_rows(self.x, rows), self.y[rows]

        super().__init__(
            batches, -(-len(y) // batch_size), class_names=class_names, contract=contract
        )
        self.names: list[str] = names

    @property
    def resident(self) -> tuple[Any, np.ndarray]:
        """The arrays `(x, y)`, which `fit` keeps on the device in place of batches."""
        return self.x, self.y

    @property
    def size(self) -> int:
        """Number of rows."""
        return len(self.y)


@filter_tracebacks_of_methods
@dataclass(frozen=True)
class LoadedData:
    """A user's data, ready to train on; `lamina.data.load` returns it.

    Args:
        kind: `"images"`, `"table"`, `"text"` or `"series"`.
        target: Name of the target: a column, or `"class"`.
        train: The part to train on.
        val: The part to validate on while training.
        test: The part to test on at the end.
        class_names: The names of the classes 0, 1, …; None if the target is a number.
        columns: For a table, its input columns with their kinds.
    """

    kind: str
    target: str
    train: LoadedPart
    val: LoadedPart
    test: LoadedPart
    class_names: list[str] | None
    columns: tuple[Any, ...]
    _description: Description

    @property
    def parts(self) -> dict[str, LoadedPart]:
        """The three parts by name."""
        return {"train": self.train, "val": self.val, "test": self.test}

    def describe(self) -> Description:
        """The description of the data: kinds of columns, missing values, copies, class counts.

        Returns:
            A `Description`; `print` shows it.
        """
        return self._description

    def encoded(self) -> Any:
        """The first layers of a model for these data: scaling, vocabularies, missing values.

        They are part of the model, so later inputs are preprocessed in the same way. They are
        adapted to the training part alone.

        Returns:
            `(inputs, features)`: the inputs of the model, and a tensor for the next layers.

        Example:
            >>> import lamina
            >>> import pandas
            >>> table = pandas.DataFrame({"size": range(0, 80, 2), "kind": ["a", "b"] * 20})
            >>> data = lamina.data.load(table, target="kind", columns=["size"], verbose=False)
            >>> inputs, x = data.encoded()
            >>> outputs = lamina.layers.Dense(len(data.class_names), activation="softmax")(x)
            >>> model = lamina.Model(inputs, outputs)
        """
        from lamina.data.loading.encoding import encoded  # imports all layers

        return encoded(self)

    def decoded(self, outputs: Any, inputs: Any) -> Any:
        """The last layers of a model whose target is a number: they scale it to its units.

        Args:
            outputs: The outputs of the model, with a mean of about 0 and a standard deviation of 1.
            inputs: The inputs that `encoded` has returned.

        Returns:
            A tensor of the same shape.

        Raises:
            ValueError: If the target is a class.
        """
        from lamina.data.loading.encoding import decoded  # imports all layers

        return decoded(self, outputs, inputs)

    def plot(self) -> Any:
        """Draw the data: examples of the classes, distributions of columns, or the series.

        Returns:
            A matplotlib figure.
        """
        from lamina.data.loading.plots import make_figure  # needs matplotlib

        return make_figure(self)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {part.size:,}" for name, part in self.parts.items())
        return f"<LoadedData {self.kind}, target {self.target!r}: {sizes}>"


def make_part(
    x: Any, y: np.ndarray, names: list[str], rows: np.ndarray, **kwargs: Any
) -> LoadedPart:
    """Make a part of these rows."""
    inputs = take_rows(x, rows) if isinstance(x, np.ndarray) else _take_rows(x, rows)
    return LoadedPart(inputs, y[rows], [names[row] for row in rows], **kwargs)


def _take_rows(x: Any, rows: np.ndarray) -> Any:
    return {name: column[rows] for name, column in x.items()} if isinstance(x, dict) else x[rows]
