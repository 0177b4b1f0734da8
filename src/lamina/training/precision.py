"""Precision: whether a model trains in half-size floats, asked for by name or found by trying.

Weights, optimizer and metrics stay in float32, as with Keras's mixed policies. Only steps of
training are concerned: what a model measures and predicts does not depend on the machine that
trained it.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from lamina.core import structure
from lamina.core.errors import did_you_mean
from lamina.core.variable import computing_in
from lamina.training.feeds.conversion import number_of_samples, pack_x_y_sample_weight
from lamina.training.feeds.host import SmallRowsFeed
from lamina.training.feeds.resident import Chunk, Feed, ResidentFeed, place

_NAMES = ("auto", "float32", "mixed_bfloat16", "mixed_float16")

# The mean loss over the steps of a trial may differ by 2 %: bfloat16 has 8 bits, so that one
# operation is off by up to 0.4 %. A gain below a tenth is within what timing a trial can tell.
_AGREEMENT = 0.02
_GAIN = 1.1

_ROUNDS = 3
_ROUND_SECONDS = 0.05
_MOST_STEPS = 64


class Trial(NamedTuple):
    """Some steps in one precision, on copies of the state."""

    seconds: float  # a step
    loss: float  # mean over the steps


class Precision:
    """What `compile(precision=…)` asked for, and what became of it.

    Args:
        asked: None or a name among `auto`, `float32`, `mixed_bfloat16` and `mixed_float16`.

    Attributes:
        chosen: The name that holds; None for what the layers say by themselves, or `auto` before
            it was tried.

    Raises:
        ValueError: For another name.
    """

    def __init__(self, asked: str | None = None):
        if asked is not None and asked not in _NAMES:
            raise ValueError(
                f"compile(): precision={asked!r} is not known.{did_you_mean(str(asked), _NAMES)}\n"
                f"  Fix: one of {', '.join(map(repr, _NAMES))}, or None for what the layers say."
            )
        self.asked = asked
        self.chosen = asked

    @property
    def scales_losses(self) -> bool:
        return self.chosen == "mixed_float16"

    @property
    def compute_dtype(self) -> str | None:
        """What layers with the policy `float32` compute in while they train; None: as ever."""
        name = self.chosen or ""
        return name.removeprefix("mixed_") if name.startswith("mixed_") else None

    def applied(self, step: Callable, model: Any) -> Callable:
        """A step in this precision; the layers that give the outputs keep float32."""
        dtype = self.compute_dtype
        if dtype is None:
            return step
        graph = getattr(model, "_graph", None)
        outputs = [] if graph is None else graph.output_list
        full = frozenset(id(tensor.history.operation) for tensor in outputs)

        def in_half(data: Any) -> Any:
            with computing_in(dtype, full):
                return step(data)

        return in_half

    def settle(self, model: Any, feed: Feed, say: Callable[[str], None]) -> None:
        """Choose for `auto`, once: a few steps of the first data both ways, on copies.

        Args:
            model: Preprocessed for its first step; nothing of it is changed.
            feed: What it is to be trained on; nothing of it is used up.
            say: Is told what was chosen and why, in one line.
        """
        if self.chosen != "auto":
            return
        if model.run_eagerly:
            self.chosen = "float32"
            return
        chunk = _first_chunk(feed)
        programs, trials = {}, {}
        try:
            for name in ("float32", "mixed_bfloat16"):
                self.chosen = name
                variables = model.state_variables()
                programs[name] = model._make_program("train", variables)
            trials = _tried(programs, variables, chunk)
        except (TypeError, ValueError) as error:  # an operation that bfloat16 does not have
            failed = str(error).partition("\n")[0]
        if trials:
            self.chosen, why = verdict(trials["float32"], trials["mixed_bfloat16"])
        else:
            self.chosen, why = "float32", f"the model does not run in bfloat16: {failed}"
        if self.chosen in programs:
            key, _ = model._key_of_program("train")
            model._programs[key] = programs[self.chosen]  # compiled already
        structure.changed()
        say(f"precision='auto' chose {self.chosen}: {why}.")


def verdict(full: Trial, half: Trial) -> tuple[str, str]:
    """The name of the precision to train in, and why.

    Example:
        >>> verdict(Trial(0.004, 0.70), Trial(0.002, 0.70))[0]
        'mixed_bfloat16'
        >>> verdict(Trial(0.004, 0.70), Trial(0.002, 0.75))
        ('float32', 'bfloat16 is 2.0 times as fast, but the losses are 0.75 and 0.7')
    """
    gain = full.seconds / half.seconds
    agrees = abs(half.loss - full.loss) <= _AGREEMENT * abs(full.loss)  # False for NaN
    if gain < _GAIN:
        slower = f"bfloat16 takes {half.seconds * 1e3:.3g} ms a step"
        return "float32", f"{slower}, float32 {full.seconds * 1e3:.3g}"
    faster = f"bfloat16 is {gain:.1f} times as fast"
    if not agrees:
        return "float32", f"{faster}, but the losses are {half.loss:.4g} and {full.loss:.4g}"
    return "mixed_bfloat16", f"{faster}, and the loss is the same within {_AGREEMENT:.0%}"


def _tried(programs: dict[str, Any], variables: Any, chunk: Chunk) -> dict[str, Trial]:
    """Every program on copies of the same state, alternately, so that a busy spell hits both."""

    def run(program: Any, steps: int) -> Trial:
        state = jax.tree.map(lambda v: jax.device_put(v._value, may_alias=False), variables)
        stop = chunk.start + steps
        began = time.perf_counter()
        _, outcome = program(
            jax.block_until_ready(state),
            *(chunk.data, chunk.order, chunk.start, stop),
            batch_size=chunk.batch_size,
        )
        logs = jax.device_get(outcome).logs
        seconds = (time.perf_counter() - began) / steps
        return Trial(seconds, float(logs["loss"]) if "loss" in logs else np.nan)

    first = {name: (run(program, 1), run(program, 1)) for name, program in programs.items()}
    longest = max(again.seconds for _, again in first.values())
    wanted = int(_ROUND_SECONDS / max(longest, 1e-6))
    steps = max(1, min(wanted, _MOST_STEPS, chunk.stop - chunk.start))
    trials: dict[str, list[Trial]] = {name: [] for name in programs}
    for _ in range(_ROUNDS):
        for name, program in programs.items():
            trials[name].append(run(program, steps))
    return {name: min(found) for name, found in trials.items()}


def _first_chunk(feed: Feed) -> Chunk:
    """The first steps of the data, without using any of it up."""
    if type(feed) in (ResidentFeed, SmallRowsFeed):
        return next(iter(feed.chunks(0)))
    example = pack_x_y_sample_weight(*feed.example())
    rows = min(a.shape[0] for a in jax.tree.leaves(example))
    batch_size = min(rows, getattr(feed, "batch_size", rows))
    some = jax.tree.map(lambda a: np.asarray(a[:batch_size]), example)
    return Chunk(place(some), None, number_of_samples(some), 0, 1)
