"""Replayed: stores the batches of a generator of validation data, to use them in every epoch."""

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import jax

from lamina.core.configuration import config
from lamina.core.types import PyTree


class Replayed:
    """The batches of a generator; when it has ended, its first batches are repeated.

    Every validation continues an endless generator. If the generator ends, later epochs would have
    no validation data. So the batches of the first validation are stored, if they fit into the
    budget for resident data.

    Args:
        iterator: The generator.
        steps: Maximum number of batches in a validation.
        warn: Called with a message when the generator has ended.

    Example:
        >>> batches = Replayed(iter([1, 2]), None, print)
        >>> list(batches)
        [1, 2]
        >>> list(batches)  # doctest: +ELLIPSIS
        The validation data ended: ...
        [1, 2]
    """

    # A resumed run must repeat every earlier pass, because later ones depend on it.
    passes_to_replay = math.inf

    def __init__(self, iterator: Iterator[Any], steps: int | None, warn: Callable[[str], None]):
        self._iterator = iterator
        self._steps = steps
        self._warn = warn
        self._stored: list[Any] | None = []
        self._bytes = 0
        self._passes_started = 0
        self._exhausted = False

    def __iter__(self) -> Iterator[Any]:
        self._passes_started += 1
        first = self._passes_started == 1
        count = 0
        while not self._exhausted and count != self._steps:
            try:
                batch = next(self._iterator)
            except StopIteration:
                self._exhausted = True
                break
            if first:
                self._store(batch)
            count += 1
            yield batch
        if first or count == self._steps:
            return
        self._warn(
            "The validation data ended: a generator can be iterated only once.\n  "
            + (
                f"The {len(self._stored)} batches of the first validation are used again.\n"
                if self._stored
                else "Its batches are too large to be stored, so there are no more val_ metrics.\n"
            )
            + "  Fix: pass validation_data as arrays or a PyDataset."
        )
        yield from (self._stored or [])[: None if self._steps is None else self._steps - count]

    def _store(self, batch: PyTree) -> None:
        if self._stored is None:
            return
        self._bytes += sum(getattr(leaf, "nbytes", 64) for leaf in jax.tree.leaves(batch))
        if self._bytes > config.resident_budget():
            self._stored = None
            return
        self._stored.append(copy.deepcopy(batch))  # a generator may reuse its arrays
