"""LambdaCallback: a callback made of functions."""

from collections.abc import Callable

from lamina.core.errors import unknown_argument
from lamina.training.callbacks.callback import BATCH_HOOKS, EPOCH_HOOKS, LOOP_HOOKS, Callback


class LambdaCallback(Callback):
    """Calls functions at certain moments of training.

    Args:
        **hooks: From the name of a hook of `Callback` to a function of what the hook is given:
            `(epoch, logs)`, `(batch, logs)` or `(logs)`.

    Raises:
        TypeError: If there is no hook of that name.

    Example:
        >>> callback = LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"]))
        >>> callback.on_epoch_end(0, {"loss": 0.5})
        0 0.5
    """

    def __init__(self, **hooks: Callable | None):
        known = [*LOOP_HOOKS, *EPOCH_HOOKS, *(n for names in BATCH_HOOKS.values() for n in names)]
        for name, function in hooks.items():
            if name not in known:
                raise unknown_argument("LambdaCallback", name, known)
            if function is not None:
                setattr(self, name, function)
