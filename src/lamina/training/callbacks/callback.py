"""Callback: the base class of callbacks, with a hook for each event."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from lamina.core.messages.tracebacks import filter_tracebacks_of_methods
from lamina.core.types import Logs

if TYPE_CHECKING:
    from lamina.models.model import Model

BATCH_HOOKS = {
    "train": ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end"),
    "test": ("on_test_batch_begin", "on_test_batch_end"),
    "predict": ("on_predict_batch_begin", "on_predict_batch_end"),
}
EPOCH_HOOKS = ("on_epoch_begin", "on_epoch_end")
LOOP_HOOKS = (
    "on_train_begin",
    "on_train_end",
    "on_test_begin",
    "on_test_end",
    "on_predict_begin",
    "on_predict_end",
)


def mark_as_no_op(hook: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator for a batch hook that does nothing, so that the engine need not call it."""
    hook.is_no_op = True  # type: ignore[attr-defined]
    return hook


@filter_tracebacks_of_methods
class Callback:
    """Base class of callbacks: methods that `fit`, `evaluate` and `predict` call.

    Override the hooks that you need; the others do nothing. `self.model` is the model; set
    `self.model.stop_training = True` to stop training. Lamina runs many batches in one compiled
    call. If a callback overrides a batch hook, each call runs one batch, which is slower. Epoch
    hooks cost nothing.

    `logs` are plain numbers by name, such as `{"loss": 0.2, "val_loss": 0.3}`. Entries that a
    callback adds to the logs of an epoch are seen by the callbacks after it and by the history.

    Example:
        >>> class PrintLoss(Callback):
        ...     def on_epoch_end(self, epoch, logs=None):
        ...         print(f"epoch {epoch + 1}: {logs['loss']:.2f}")
        >>> PrintLoss().on_epoch_end(0, {"loss": 0.25})
        epoch 1: 0.25
    """

    model: Any = None
    params: Mapping[str, Any] | None = None

    # Names of the attributes to store in a checkpoint.
    state_names: tuple[str, ...] = ()

    # Whether the callback appends to an existing file; then its initial state is stored, too.
    appends_to_file = False

    # Whether training stops without an error when the loss is not finite.
    stops_on_nan = False

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        filter_tracebacks_of_methods(cls)

    def set_model(self, model: "Model | None") -> None:
        """Called before training with the model.

        Args:
            model: The model that is trained, evaluated or used.
        """
        self.model = model

    def set_params(self, params: Mapping[str, Any]) -> None:
        """Called before training with `epochs`, `steps` (in an epoch) and `verbose`.

        Args:
            params: A dict with these entries.
        """
        self.params = params

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Called once, before the first epoch.

        Args:
            logs: An empty dict.
        """

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Called once, after the last epoch, with its logs.

        Args:
            logs: Dict from names of losses and metrics to the last epoch's values.
        """

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Called before every epoch; `epoch` counts from 0.

        Args:
            epoch: Index of the epoch, from 0.
            logs: An empty dict.
        """

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Called after every epoch and its validation, with the losses and metrics.

        Args:
            epoch: Index of the epoch, from 0.
            logs: Dict from names of losses and metrics to values; those of validation begin with
                `val_`.
        """

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Called before `evaluate`, and before validation inside `fit`.

        Args:
            logs: An empty dict.
        """

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Called after `evaluate`, and after validation inside `fit`, with the results.

        Args:
            logs: Dict from names of losses and metrics to values.
        """

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Called before `predict`.

        Args:
            logs: An empty dict.
        """

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Called after `predict`.

        Args:
            logs: An empty dict.
        """

    @mark_as_no_op
    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before every training batch; `batch` counts from 0 in its epoch.

        Args:
            batch: Index of the batch in its epoch, from 0.
            logs: An empty dict.
        """
        self.on_batch_begin(batch, logs=logs)

    @mark_as_no_op
    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after every training batch with the means of the epoch so far.

        Args:
            batch: Index of the batch in its epoch, from 0.
            logs: Dict from names of losses and metrics to their means over the epoch so far.
        """
        self.on_batch_end(batch, logs=logs)

    @mark_as_no_op
    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Older name of `on_train_batch_begin`, which calls it.

        Args:
            batch: Index of the batch in its epoch, from 0.
            logs: An empty dict.
        """

    @mark_as_no_op
    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Older name of `on_train_batch_end`, which calls it.

        Args:
            batch: Index of the batch in its epoch, from 0.
            logs: Dict from names of losses and metrics to their means over the epoch so far.
        """

    @mark_as_no_op
    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before every batch of `evaluate` and of validation.

        Args:
            batch: Index of the batch, from 0.
            logs: An empty dict.
        """

    @mark_as_no_op
    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after every batch of `evaluate` and of validation, with the means so far.

        Args:
            batch: Index of the batch, from 0.
            logs: Dict from names of losses and metrics to their means so far.
        """

    @mark_as_no_op
    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before every batch of `predict`.

        Args:
            batch: Index of the batch, from 0.
            logs: An empty dict.
        """

    @mark_as_no_op
    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after every batch of `predict`.

        Args:
            batch: Index of the batch, from 0.
            logs: A dict with the entry `"outputs"`, the model's outputs for the batch.
        """

    def has_batch_hooks(self, mode: str) -> bool:
        """Whether the callback must be called at every batch of `"train"`, `"test"` or `"predict"`.

        Args:
            mode: `"train"`, `"test"` or `"predict"`.

        Returns:
            True if the callback overrides a batch hook of that mode.
        """
        hooks = (getattr(self, name) for name in BATCH_HOOKS[mode])
        return not all(getattr(hook, "is_no_op", False) for hook in hooks)

    def _stored_run(self) -> Mapping[str, Any] | None:
        """The stored run to resume (`Checkpoint.contents`), or None; called before any hook."""
        return None

    def _steps_to_checkpoint(self) -> int | None:
        """The largest number of steps between calls of `_at_checkpoint`; None for no limit."""
        return None

    def _at_checkpoint(self, checkpoint: Any) -> None:
        """Called at points from which training can be resumed, after all other hooks.

        It is called before the first step, after every epoch, and between some steps. Unlike a
        batch hook, it does not slow down training.

        Args:
            checkpoint: `lamina.training.checkpoint.Checkpoint`, whose `contents()` can be stored.
        """

    def _on_findings(self, record: Any, findings: Any) -> None:
        """Called after all other hooks of `fit`, if diagnosis is on.

        Args:
            record: What is known of the training, `lamina.findings.Record`.
            findings: What is wrong with it, `lamina.findings.Findings`.
        """

    def get_state(self) -> dict[str, Any]:
        """The state to store in a checkpoint: plain data and arrays.

        Returns:
            A dict for `set_state`.
        """
        return {name: getattr(self, name) for name in self.state_names}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore the state of a checkpoint; called after `on_train_begin`.

        Args:
            state: Result of `get_state`.

        Raises:
            ValueError: If the state has entries that this callback does not store.
        """
        unknown = sorted(set(state) - set(self.state_names))
        if unknown:
            raise ValueError(
                f"{type(self).__name__} stores {', '.join(self.state_names) or 'nothing'}; "
                f"the stored state has {', '.join(unknown)}.\n"
                "  Likely cause: it was stored by another list of callbacks."
            )
        for name, value in state.items():
            setattr(self, name, value)
