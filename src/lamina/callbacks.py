"""Public names of the callbacks, which are defined in `lamina.training.callbacks`."""

from typing import TYPE_CHECKING

from lamina.training import callbacks

if TYPE_CHECKING:
    from lamina.training.callbacks import *  # noqa: F403

__all__ = callbacks.__all__
__getattr__, __dir__ = callbacks.__getattr__, callbacks.__dir__
