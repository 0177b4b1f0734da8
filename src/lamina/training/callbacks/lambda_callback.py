"""LambdaCallback: a callback made of functions."""

from collections.abc import Callable
from typing import Any

from lamina.core.messages.errors import unknown_argument
from lamina.training.callbacks.callback import BATCH_HOOKS, EPOCH_HOOKS, LOOP_HOOKS, Callback


class LambdaCallback(Callback):
    """A callback whose hooks are the given functions.

    Args:
        on_epoch_begin, on_epoch_end: Functions `(epoch, logs)`.
        on_train_begin, on_train_end: Functions `(logs)`.
        on_train_batch_begin, on_train_batch_end: Functions `(batch, logs)`.
        **hooks: Functions for other hooks of `Callback`, by name. Other names become attributes.

    Raises:
        TypeError: If a name looks like a misspelt hook.

    Example:
        >>> callback = LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"]))
        >>> callback.on_epoch_end(0, {"loss": 0.5})
        0 0.5
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None,
        on_train_batch_begin: Callable[..., Any] | None = None,
        on_train_batch_end: Callable[..., Any] | None = None,
        **hooks: Callable[..., Any] | None,
    ):
        hooks |= {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
        }
        hook_names = [
            *LOOP_HOOKS,
            *EPOCH_HOOKS,
            *(n for names in BATCH_HOOKS.values() for n in names),
        ]
        for name, function in hooks.items():
            if name not in hook_names and (name.startswith("on_") or f"on_{name}" in hook_names):
                raise unknown_argument("LambdaCallback", name, hook_names)
            if function is not None:
                setattr(self, name, function)
