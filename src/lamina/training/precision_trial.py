"""Chooses a precision by a timed trial of a few steps in float32 and in bfloat16."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from lamina.core import processes
from lamina.core.variable.changes import record_change
from lamina.core.variable.stateless import values_of
from lamina.core.variable.variable import Variable
from lamina.training.compiled_function import CompiledFunction
from lamina.training.feeds.chunks import Chunk
from lamina.training.feeds.feed import Feed
from lamina.training.learner import Learner
from lamina.training.programs import make_program
from lamina.training.train_state import TrainState

# The mean loss over the steps of a trial may differ by 2 %: bfloat16 has 8 significant bits, so the
# error of one operation is up to 0.4 %. The timing of a trial cannot resolve gains below a tenth.
_MAX_LOSS_DIFFERENCE = 0.02
_MIN_SPEEDUP = 1.1

_ROUNDS = 3
_ROUND_SECONDS = 0.05
_MAX_STEPS = 64


class Trial(NamedTuple):
    """Results of a few steps in one precision, on copies of the state."""

    seconds: float  # per step
    loss: float  # mean over the steps


def choose_precision(learner: Learner, feed: Feed, report: Callable[[str], None]) -> None:
    """Choose a precision for `precision="auto"`, once, by a few steps on copies of the state.

    Args:
        learner: A model prepared for its first step; it is not changed.
        feed: The training data; training still gets all batches.
        report: Called with a line about the choice and its reason.
    """
    precision = learner.precision
    if precision.active != "auto":
        return
    if learner.model.run_eagerly or processes.is_multi_process():  # their trials could differ
        precision.active = "float32"
        return
    chunk = feed.first_chunk()
    programs, trials = {}, {}
    try:
        for name in ("float32", "mixed_bfloat16"):
            precision.active = name
            variables = learner.state("train")
            programs[name] = make_program(learner, "train", variables)
        trials = _time_programs(programs, variables, chunk)
    except (TypeError, ValueError) as error:  # an operation does not support bfloat16
        reason = str(error).partition("\n")[0]
    if trials:
        precision.active, why = choose_by_results(trials["float32"], trials["mixed_bfloat16"])
    else:
        precision.active, why = "float32", f"the model does not run in bfloat16: {reason}"
    if precision.active in programs:
        learner.programs.add("train", programs[precision.active])  # compiled already
    record_change()
    report(f"precision='auto' chose {precision.active}: {why}.")


def choose_by_results(full: Trial, half: Trial) -> tuple[str, str]:
    """The name of the precision for the training, and the reason.

    Example:
        >>> choose_by_results(Trial(0.004, 0.70), Trial(0.002, 0.70))[0]
        'mixed_bfloat16'
        >>> choose_by_results(Trial(0.004, 0.70), Trial(0.002, 0.75))
        ('float32', 'bfloat16 is 2.0 times as fast, but the losses are 0.75 and 0.7')
    """
    speedup = full.seconds / half.seconds
    agrees = abs(half.loss - full.loss) <= _MAX_LOSS_DIFFERENCE * abs(full.loss)  # False for NaN
    if speedup < _MIN_SPEEDUP:
        timing = f"bfloat16 takes {half.seconds * 1e3:.3g} ms per step"
        return "float32", f"{timing}, float32 {full.seconds * 1e3:.3g}"
    gain = f"bfloat16 is {speedup:.1f} times as fast"
    if not agrees:
        return "float32", f"{gain}, but the losses are {half.loss:.4g} and {full.loss:.4g}"
    return "mixed_bfloat16", f"{gain}, and the loss is the same within {_MAX_LOSS_DIFFERENCE:.0%}"


def _time_programs(
    programs: dict[str, CompiledFunction], variables: TrainState[Variable], chunk: Chunk
) -> dict[str, Trial]:
    """Run the programs alternately on copies of the state, so that system load affects both."""

    def run(program: Any, steps: int) -> Trial:
        placement = variables.placement
        state = jax.block_until_ready(placement.copy(values_of(variables)))
        start = time.perf_counter()
        _, outcome = program(
            state,
            chunk.data,
            chunk.order,
            placement.put_step_number(chunk.start),
            placement.put_step_number(chunk.start + steps),
            batch_size=chunk.batch_size,
        )
        logs = jax.device_get(outcome).logs
        seconds = (time.perf_counter() - start) / steps
        return Trial(seconds, float(logs["loss"]) if "loss" in logs else np.nan)

    # The first run of each program also compiles.
    pairs = [(run(program, 1), run(program, 1)) for program in programs.values()]
    longest = max(second.seconds for _, second in pairs)
    steps_of_round = int(_ROUND_SECONDS / max(longest, 1e-6))
    steps = max(1, min(steps_of_round, _MAX_STEPS, chunk.stop - chunk.start))
    trials: dict[str, list[Trial]] = {name: [] for name in programs}
    for _ in range(_ROUNDS):
        for name, program in programs.items():
            trials[name].append(run(program, steps))
    return {name: min(rounds) for name, rounds in trials.items()}
