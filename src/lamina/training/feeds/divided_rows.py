"""DividedRows: batches whose rows are divided over devices, each of which has its own only.

The rows of a chunk are in the order of its batches. A device needs its part of every batch, so the
chunk is divided batch by batch, on the host. A step then reads its batch without communication.
"""

import functools
from typing import Any

import jax
import numpy as np
from jax import lax
from jax.sharding import NamedSharding


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=["rows"], meta_fields=["batch_size"]
)
class DividedRows:
    """Rows of several batches: device `d` has the `d`-th part of each.

    Args:
        rows: Array `(devices, steps * rows of a part, …)`, divided over the first axis.
        batch_size: Rows of a batch, a multiple of the number of devices.
    """

    def __init__(self, rows: Any, batch_size: int):
        self.rows, self.batch_size = rows, batch_size

    def slice_rows(self, start: Any, count: int) -> jax.Array:
        """`count` rows from row `start` on, which begins a batch: `(count, …)`."""
        devices = self.rows.shape[0]
        batches, part = count // self.batch_size, self.batch_size // devices
        rows = lax.dynamic_slice_in_dim(self.rows, start // devices, batches * part, axis=1)
        if batches > 1:
            rows = rows.reshape(devices, batches, part, *rows.shape[2:]).swapaxes(0, 1)
        return rows.reshape(count, *self.rows.shape[2:])


def divide_rows(
    array: np.ndarray,
    batch_size: int,
    sharding: NamedSharding,
    own_rows: np.ndarray | None = None,
) -> DividedRows:
    """The rows of a host array, each on the device that computes with it.

    Args:
        array: Rows of several batches, `(steps * batch_size, …)`; with `own_rows`
            `(steps * len(own_rows), …)`.
        batch_size: Rows of a batch, a multiple of the number of parts.
        sharding: Divides the first axis into as many parts as a batch has.
        own_rows: Positions in a batch of the rows of `array`: whole parts, in order. None if the
            array has all rows.
    """
    parts = sharding.mesh.shape[sharding.spec[0]]
    part = batch_size // parts
    own_parts = range(parts) if own_rows is None else [int(row) // part for row in own_rows[::part]]
    place_of = {number: place for place, number in enumerate(own_parts)}
    steps = len(array) // (part * len(own_parts))
    by_batch = array.reshape(steps, len(own_parts), part, *array.shape[1:])
    shape = (parts, steps * part, *array.shape[1:])

    def rows_of_device(index: Any) -> np.ndarray:
        first, stop, _ = index[0].indices(parts)
        places = [place_of[number] for number in range(first, stop)]
        own = np.ascontiguousarray(by_batch[:, places[0] : places[-1] + 1].swapaxes(0, 1))
        return own.reshape(-1, *shape[1:])

    return DividedRows(jax.make_array_from_callback(shape, sharding, rows_of_device), batch_size)
