"""CallbackList: calls the hooks of several callbacks."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import Logs
from lamina.training.callbacks.callback import BATCH_HOOKS, EPOCH_HOOKS, LOOP_HOOKS, Callback
from lamina.training.callbacks.history import History
from lamina.training.callbacks.progbar_logger import ProgbarLogger
from lamina.training.deferred_logs import DeferredLogs

if TYPE_CHECKING:
    from lamina.models.model import Model


class CallbackList(Callback):
    """Calls the hooks of a list of callbacks in order; also for your own training loop.

    Logs become plain numbers, sorted by name, before the callbacks see them.

    Args:
        callbacks: One callback, or a list of callbacks, which may be nested.
        add_history: Put a `History` at the end if there is none.
        add_progbar: Put a `ProgbarLogger` at the end if there is none.
        model: The model, which the callbacks get as `self.model`.
        params: A dict, which the callbacks get as `self.params`.
        **more_params: Further params by name.

    Raises:
        TypeError: If an entry is not a callback.

    Example:
        >>> values = []
        >>> class Watch(Callback):
        ...     def on_train_begin(self, logs=None):
        ...         values.append(self.params["epochs"])
        >>> CallbackList([Watch()], epochs=3).on_train_begin()
        >>> values
        [3]
    """

    def __init__(
        self,
        callbacks: Callback | Sequence[Any] | None = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: "Model | None" = None,
        params: Mapping[str, Any] | None = None,
        **more_params: Any,
    ):
        self.callbacks: list[Any] = list(_flatten(callbacks))
        if add_history and not any(isinstance(c, History) for c in self.callbacks):
            self.callbacks.append(History())
        if add_progbar and not any(isinstance(c, ProgbarLogger) for c in self.callbacks):
            self.callbacks.append(ProgbarLogger())
        self.set_model(model)
        self.set_params({**(params or {}), **more_params})

    def append(self, callback: Callback) -> None:
        """Add a callback at the end.

        Args:
            callback: A callback, or a list of them.

        Raises:
            TypeError: If it is a class, or not a callback.
        """
        for new_callback in _flatten(callback):
            new_callback.set_model(self.model)
            new_callback.set_params(self.params)
            self.callbacks.append(new_callback)

    def set_model(self, model: "Model | None") -> None:
        self.model = model
        for callback in self.callbacks:
            callback.set_model(model)

    def set_params(self, params: Mapping[str, Any]) -> None:
        self.params = params
        for callback in self.callbacks:
            callback.set_params(params)

    @property
    def stops_on_nan(self) -> bool:  # type: ignore[override]
        """Whether a callback stops training without an error when the loss is not finite."""
        return any(getattr(callback, "stops_on_nan", False) for callback in self.callbacks)

    @property
    def allows_deferred_logs(self) -> bool:
        """Whether batch hooks may get logs of a step that the device is still computing.

        False if a callback stores checkpoints, or stops training when the loss is not finite.
        """
        return not self.stops_on_nan and not self.stores_checkpoints

    @property
    def stores_checkpoints(self) -> bool:
        """Whether a callback may store checkpoints of the run."""
        methods = (
            getattr(type(c), "_at_checkpoint", None) for c in self._callbacks_with_checkpoints()
        )
        return not all(method is Callback._at_checkpoint for method in methods)

    def has_batch_hooks(self, mode: str) -> bool:
        """Whether a callback must be called at every batch of this mode.

        Args:
            mode: `"train"`, `"test"` or `"predict"`.

        Returns:
            True or False.
        """
        # An object that has the hooks but is not a `Callback` is called at every batch.
        return any(
            callback.has_batch_hooks(mode) if hasattr(callback, "has_batch_hooks") else True
            for callback in self.callbacks
        )

    def get_state(self) -> dict[str, Any]:
        """The states of all callbacks, by their index in the list.

        Returns:
            A dict for `set_state`.
        """
        return {
            str(i): callback.get_state() if hasattr(callback, "get_state") else {}
            for i, callback in enumerate(self.callbacks)
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore the states of all callbacks.

        Args:
            state: Result of `get_state`.

        Raises:
            ValueError: If the state is for another number of callbacks.
        """
        if len(state) != len(self.callbacks):
            raise ValueError(
                f"The stored state is for {len(state)} callbacks, but there are "
                f"{len(self.callbacks)}.\n  Fix: resume with the same list of callbacks."
            )
        for i, callback in enumerate(self.callbacks):
            if hasattr(callback, "set_state"):
                callback.set_state(state[str(i)])

    def get_states_by_name(
        self, is_selected: Callable[[Any], bool] = lambda _: True
    ) -> list[list[Any]]:
        """Class name and state of every callback, or of selected ones, for a later run.

        Args:
            is_selected: Function that selects callbacks; all by default.

        Returns:
            Pairs of name and state, in the order of the callbacks.
        """
        states = self.get_state().values()
        pairs = zip(self.callbacks, states, strict=True)
        return [[type(c).__name__, state] for c, state in pairs if is_selected(c)]

    def set_states_by_name(
        self, states: Iterable[Sequence[Any]], is_selected: Callable[[Any], bool] = lambda _: True
    ) -> None:
        """Restore states of callbacks by the name of the class.

        A callback without a stored state starts from its initial state.

        Args:
            states: Result of `get_states_by_name`.
            is_selected: Function that selects callbacks; all by default.
        """
        unused = list(states)
        for callback in filter(is_selected, self.callbacks):
            names = [name for name, _ in unused]
            if type(callback).__name__ in names and hasattr(callback, "set_state"):
                _, state = unused.pop(names.index(type(callback).__name__))
                callback.set_state(state)

    def _stored_run(self) -> Mapping[str, Any] | None:
        """The stored run of the first callback that has one."""
        for callback in self._callbacks_with_checkpoints():
            contents: Mapping[str, Any] | None = callback._stored_run()
            if contents is not None:
                return contents
        return None

    def _steps_to_checkpoint(self) -> int | None:
        """The smallest limit of all callbacks."""
        limits = [
            callback._steps_to_checkpoint() for callback in self._callbacks_with_checkpoints()
        ]
        return min((limit for limit in limits if limit is not None), default=None)

    def _at_checkpoint(self, checkpoint: Any) -> None:
        for callback in self._callbacks_with_checkpoints():
            callback._at_checkpoint(checkpoint)

    def _callbacks_with_checkpoints(self) -> list[Any]:
        return [callback for callback in self.callbacks if hasattr(callback, "_at_checkpoint")]


def flatten_logs(logs: Mapping[str, Any] | None) -> dict[str, Any]:
    """Logs sorted by name, with Python numbers in place of arrays, and nested dicts flattened.

    Example:
        >>> import numpy as np
        >>> flatten_logs({"loss": np.float32(0.5), "accuracy": np.array(1.0)})
        {'accuracy': 1.0, 'loss': 0.5}
    """
    if isinstance(logs, DeferredLogs):
        return logs.copy_deferred()
    plain: dict[str, Any] = {}
    for name, value in sorted((logs or {}).items()):
        if isinstance(value, Mapping):
            plain.update(flatten_logs(value))
            continue
        try:
            plain[name] = float(value)
        except (TypeError, ValueError):  # text, or an array of several numbers
            plain[name] = value
    return plain


def _flatten(callbacks: Any) -> Iterator[Any]:
    if callbacks is None:
        return
    if isinstance(callbacks, (list, tuple)):
        for callback in callbacks:
            yield from _flatten(callback)
        return
    if isinstance(callbacks, type):
        raise TypeError(
            f"callbacks has the class {callbacks.__name__}, not an object of it.\n"
            f"  Fix: callbacks=[{callbacks.__name__}(…)]."
        )
    if not hasattr(callbacks, "set_model"):
        raise TypeError(
            "callbacks needs Callback objects, such as lamina.callbacks.EarlyStopping(); "
            f"received {callbacks!r}."
        )
    yield callbacks


def _loop_hook(hook: str) -> Callable[..., None]:
    @filter_traceback
    def call_hooks(self: CallbackList, logs: Logs | None = None) -> None:
        logs = flatten_logs(
            logs
        )  # one dict for all callbacks, so that each sees what earlier ones have added
        for callback in self.callbacks:
            getattr(callback, hook)(logs)

    return call_hooks


def _epoch_hook(hook: str) -> Callable[..., None]:
    @filter_traceback
    def call_hooks(self: CallbackList, epoch: int, logs: Logs | None = None) -> None:
        logs = flatten_logs(logs)
        for callback in self.callbacks:
            getattr(callback, hook)(epoch, logs)

    return call_hooks


def _batch_hook(hook: str) -> Callable[..., None]:
    @filter_traceback
    def call_hooks(self: CallbackList, batch: int, logs: Logs | None = None) -> None:
        logs = flatten_logs(logs)
        for callback in self.callbacks:
            getattr(callback, hook)(batch, logs)

    return call_hooks


for _hook in LOOP_HOOKS:
    setattr(CallbackList, _hook, _loop_hook(_hook))
for _hook in EPOCH_HOOKS:
    setattr(CallbackList, _hook, _epoch_hook(_hook))
for _hook in (_name for _names in BATCH_HOOKS.values() for _name in _names):
    setattr(CallbackList, _hook, _batch_hook(_hook))
