"""Checks that all processes train the same model on the same data, before and during a run."""

import hashlib
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from lamina.core import processes
from lamina.training.feeds.chunks import Chunk
from lamina.training.requests import FitRequest
from lamina.training.train_state import TrainState

_FIXES = {
    "the data": "read the same data in every process; each device takes its own rows of a batch",
    "the weights": "lamina.utils.set_random_seed(1) before the model is made, in every process",
    "the order of the samples": "lamina.utils.set_random_seed(1) before fit, in every process",
    "the arguments of fit": "call fit with the same arguments in every process",
}


def check_processes_agree(request: FitRequest, variables: TrainState[Any]) -> None:
    """Raise an error if the processes would compute different things; all of them call it.

    Raises:
        RuntimeError: If data, weights or arguments differ. Training would hang, or give a model
            that differs from process to process.
    """
    if not processes.is_multi_process():
        return
    feed = request.feed
    digests: dict[str, bytes | None] = {
        "the data": _digest(feed.samples, *_arrays(feed.example())),
        "the weights": _digest(*(_value(v) for v in jax.tree.leaves(variables))),
        **_digests_of_parts(jax.tree.leaves(variables)),
        "the order of the samples": _digest(feed.seed),
        "the arguments of fit": _digest(request.epochs, feed.steps, request.validation is None),
    }
    different = processes.find_differences(digests)
    for name, numbers in different.items():
        raise RuntimeError(
            f"Process {', '.join(map(str, numbers))} and others do not agree on {name}.\n"
            "  Likely cause: a random number or a file that is not the same everywhere.\n"
            f"  Fix: {_FIXES.get(name, _FIXES['the weights'])}."
        )


def check_chunks(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """The chunks, of which all processes must have equally many, of the same sizes.

    Raises:
        RuntimeError: If the data of one process end earlier. The others would wait for it forever.
    """
    if not processes.is_multi_process():
        yield from chunks
        return
    steps = 0
    while True:
        chunk = next(chunks, None)
        size = b"" if chunk is None else repr((chunk.batch_size, chunk.start, chunk.stop)).encode()
        different = processes.find_differences({"size": _digest(size)}).get("size")
        if different:
            numbers = ", ".join(map(str, different))
            raise RuntimeError(
                f"After {steps} steps the data of process {numbers} differ from those "
                "of process 0: they end, or have batches of another size.\n"
                "  Likely cause: each process reads other files, or a generator ends earlier.\n"
                f"  Fix: {_FIXES['the data']}."
            )
        if chunk is None:
            return
        steps += chunk.stop - chunk.start
        yield chunk


def _arrays(example: tuple[Any, Any, Any]) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(example)]


def _value(variable: Any) -> Any:
    value = variable._value
    if not value.is_fully_replicated:
        return value.shape
    return np.asarray(value.addressable_shards[0].data)


def _digests_of_parts(variables: list[Any]) -> dict[str, bytes | None]:
    """Digests of the parts of divided weights that several processes have; None for others' parts.

    The names are the same in all processes.
    """
    digests: dict[str, bytes | None] = {}
    for number, variable in enumerate(variables):
        value = variable._value
        if value.is_fully_replicated:
            continue
        holders: dict[Any, set[int]] = {}
        for device, index in value.sharding.devices_indices_map(value.shape).items():
            holders.setdefault(_bounds(index), set()).add(device.process_index)
        own = {_bounds(shard.index): shard.data for shard in value.addressable_shards}
        for k, (bounds, processes_with_it) in enumerate(holders.items()):
            if len(processes_with_it) > 1:
                part = own.get(bounds)
                name = f"part {k} of the weight {variable.path} (variable {number})"
                digests[name] = None if part is None else _digest(np.asarray(part))
    return digests


def _bounds(index: tuple[slice, ...]) -> tuple[tuple[int | None, int | None], ...]:
    return tuple((axis.start, axis.stop) for axis in index)


def _digest(*values: Any) -> bytes:
    total = hashlib.sha256()
    for value in values:
        array = isinstance(value, np.ndarray) and value.dtype != object
        total.update(value.tobytes() if array else repr(value).encode())
    return total.digest()
