"""Checkpoint: the state of a run of `fit`, from which another process can resume it exactly.

The rest of a run depends on the values of all Variables, the state of the callbacks, the global
random generators, and the position in the data. `contents` returns all of these.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lamina.core.layer.layer_state import set_own_trainable
from lamina.core.variable import seed as seeds
from lamina.core.variable.variable import Variable
from lamina.optimizers import Optimizer
from lamina.training.callbacks import CallbackList
from lamina.training.feeds.feed import Feed
from lamina.training.learner import Learner
from lamina.training.requests import FitRequest


class Checkpoint:
    """The current position of a run of `fit`.

    Whenever the run could be resumed from its position, `Callback._at_checkpoint` is called.

    Args:
        learner: The model that is trained, prepared for its first step.
        request: The request of the run.
        callbacks: The callbacks.
    """

    def __init__(self, learner: Learner, request: FitRequest, callbacks: CallbackList):
        self._learner = learner
        self._model = learner.model
        self._feed = request.feed
        self._hooks = callbacks
        self._validation = request.validation
        self._has_validation_after = request.has_validation_after
        self._feeds = [feed for feed in (request.feed, request.validation) if feed is not None]
        for feed in self._feeds:
            feed.random_states.is_recording = callbacks.stores_checkpoints
        epoch = request.initial_epoch
        self.first_epoch = epoch
        self.epoch = epoch  # the current or next epoch, from 0
        self.step = 0  # number of finished steps of this epoch
        self.logs: dict[str, Any] = {}  # logs of the epoch so far
        self.steps = 0  # number of steps since the run began
        self.last_logs: dict[str, Any] = {}  # logs of the last complete epoch
        self.interrupted = False  # whether an interrupt ends the run after this point
        self.stopped = False  # whether a callback has stopped the training

    def advance(self, epoch: int, step: int, logs: dict[str, Any]) -> None:
        """Update the position, after all callbacks have been called for it."""
        self.steps += step - self.step if epoch == self.epoch else 0
        self.epoch, self.step, self.logs = epoch, step, logs
        self.stopped = bool(self._model.stop_training)
        self._hooks._at_checkpoint(self)

    def begin(self) -> None:
        """Start a run that is not resumed."""
        self._hooks._at_checkpoint(self)

    def max_steps(self) -> int | None:
        """The largest number of steps before the next `_at_checkpoint`; None for no limit."""
        return self._hooks._steps_to_checkpoint()

    # -- storing and resuming --------------------------------------------------------------------

    def contents(self) -> dict[str, Any]:
        """Everything that is needed to resume from here, as plain data and arrays."""
        model, variables = self._model, self._model.variables
        index = {id(v): i for i, v in enumerate(variables)}
        return {
            "epoch": self.epoch,
            "step": self.step,
            "steps": self.steps,
            "logs": dict(self.logs),
            "last": dict(self.last_logs),
            "stopped": self.stopped,
            "order": {"seed": self._feed.seed, "steps": self._feed.steps},
            "precision": self._learner.precision.active,
            "random": seeds.random_state(self._python_and_numpy_state()),
            "sources": [feed.random_states.contents() for feed in self._feeds],
            "layers_trainable": [bool(layer.trainable) for layer in self._learner.layers()],
            "variables_trainable": [bool(v.trainable) for v in variables],
            "variables": _values(variables),
            "metrics": _values(model.metrics_variables),
            "optimizers": [
                {
                    "weights": [index.get(id(v)) for v in _weights_of(optimizer)],
                    "variables": _values(optimizer.variables),
                }
                for optimizer in self._learner.optimizers()
            ],
            "callbacks": self._hooks.get_states_by_name(),
        }

    def initial_contents(self) -> dict[str, Any] | None:
        """State of the callbacks that append to an existing file, before the first step."""
        states = self._hooks.get_states_by_name(is_selected=_appends_to_file)
        return {"callbacks": states} if states else None

    def _python_and_numpy_state(self) -> np.ndarray | None:
        """State of NumPy's and Python's generators at this position; None for their current state.

        The current state may be ahead, because a thread may have used the generators for later
        batches.
        """
        return self._feed.random_state_after(self.epoch, self.step) if self.step else None

    def resume(self, contents: Mapping[str, Any]) -> None:
        """Restore `contents`. In the middle of an epoch, `on_epoch_begin` is called again."""
        if "epoch" not in contents:  # the initial contents: there was no step before
            self._hooks.set_states_by_name(contents["callbacks"], is_selected=_appends_to_file)
            return
        self._refuse_other_model(contents)
        if self._learner.precision.requested == "auto":
            # Not timed again, so that all steps of the run have one precision.
            self._learner.precision.active = contents.get("precision", "float32")
        self.epoch, self.step = contents["epoch"], contents["step"]
        self.steps, self.logs = contents["steps"], contents["logs"]
        self.last_logs, self.stopped = contents["last"], contents["stopped"]
        if self.step:
            self._hooks.on_epoch_begin(self.epoch)
        self._restore_variables(contents)
        self._hooks.set_states_by_name(contents["callbacks"])
        self._feed.skip(self.epoch - self.first_epoch, self.step)
        if self._validation is not None:
            self._validation.skip_evaluations(self._evaluations_before())
        # Last, because iterating over the sources uses the generators, too. A thread that works
        # ahead uses the states of the stored run already; then they must not be changed.
        seeds.restore_random_state(
            contents["random"], python_and_numpy=not self._feed.is_drawing_random_numbers
        )
        self._model.stop_training = self.stopped

    def _evaluations_before(self) -> int:
        return sum(map(self._has_validation_after, range(self.first_epoch, self.epoch)))

    def _refuse_other_model(self, contents: Mapping[str, Any]) -> None:
        shapes = [tuple(np.shape(value)) for value in contents["variables"]]
        model_shapes = [v.shape for v in self._model.variables]
        if shapes != model_shapes:
            pairs = zip(shapes, model_shapes, strict=False)
            mismatch = next((pair for pair in pairs if pair[0] != pair[1]), None)
            reason = f"it has {len(shapes)} arrays and this model {len(model_shapes)}"
            if mismatch is not None:
                reason = f"a weight has shape {mismatch[0]} there and {mismatch[1]} here"
            raise ValueError(
                f"The backup is of another model than {self._model.name!r}: {reason}.\n"
                "  Fix: create the same model as before, or use another backup_dir for each model."
            )
        optimizers = [len(o["variables"]) for o in contents["optimizers"]]
        if len(optimizers) != len(self._learner.optimizers()):
            raise ValueError(
                f"The backup is of a model with {len(optimizers)} optimizers, and this one has "
                f"{len(self._learner.optimizers())}.\n  Fix: compile the model as before."
            )
        steps, stored_steps = self._feed.steps, contents["order"]["steps"]
        if steps != stored_steps:
            raise ValueError(
                f"The backup was made with {stored_steps} steps per epoch, and now there are "
                f"{steps}.\n"
                "  Likely cause: other data, or another batch_size.\n"
                "  Fix: use the same as before, or delete the backup to start over."
            )

    def _restore_variables(self, contents: Mapping[str, Any]) -> None:
        model, variables = self._model, self._model.variables
        # A callback may have frozen or unfrozen layers before.
        set_own_trainable(self._learner.layers(), contents["layers_trainable"])
        for variable, trainable in zip(variables, contents["variables_trainable"], strict=True):
            variable.trainable = trainable
        _assign(variables, contents["variables"], "weights")
        _assign(model.metrics_variables, contents["metrics"], "metrics")
        for optimizer, stored in zip(
            self._learner.optimizers(), contents["optimizers"], strict=True
        ):
            if isinstance(optimizer, Optimizer) and None not in stored["weights"]:
                optimizer.build([variables[i] for i in stored["weights"]])
            _assign(optimizer.variables, stored["variables"], "variables of the optimizer")


def restore_sources(
    contents: Mapping[str, Any] | None, feed: Feed, validation: bool = False
) -> None:
    """Restore the random states of a source of batches from the run that is resumed.

    Args:
        contents: The stored `Checkpoint.contents`, if a run is resumed.
        feed: A feed from which no batch has been read.
        validation: Whether the feed has the validation data.
    """
    sources = [] if contents is None else contents.get("sources", [])
    if contents is None or validation >= len(sources):
        return
    feed.random_states.restore(sources[validation])
    if not validation:
        feed.seed = contents["order"]["seed"]


def _appends_to_file(callback: Any) -> bool:
    return bool(getattr(callback, "appends_to_file", False))


def _weights_of(optimizer: Any) -> list[Variable]:
    return list(getattr(optimizer, "_trainable_variables", ()))


def _values(variables: list[Variable]) -> list[np.ndarray]:
    return [v.numpy() for v in variables]


def _assign(variables: list[Variable], values: list[Any], what: str) -> None:
    if [v.shape for v in variables] != [tuple(np.shape(value)) for value in values]:
        raise ValueError(
            f"The backup holds {len(values)} {what} and this model has {len(variables)}, or of "
            "other shapes.\n  Fix: compile the model as before, or delete the backup."
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
