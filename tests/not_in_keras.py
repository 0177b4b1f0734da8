"""What Lamina has and Keras has not, written with Keras's base classes for the tests.

The tables of the tests compare every layer, loss, metric and optimizer with Keras's of that name.
One that Keras lacks is written again in the file of its table, independently of Lamina's, as a
user of Keras would write it:

    @not_in_keras("losses")
    class SquaredRelativeError(keras.losses.Loss): ...

From then on the tables find it as `keras.losses.SquaredRelativeError`, and files name it so.
"""

import importlib
from collections.abc import Callable
from typing import TypeVar

from keras.src.api_export import register_internal_serializable

Class = TypeVar("Class", bound=type)


def not_in_keras(module: str) -> Callable[[Class], Class]:
    """Decorator that puts a class in the place that Keras would have it in.

    Args:
        module: `"layers"`, `"losses"`, `"metrics"` or `"optimizers"`.
    """
    namespace = importlib.import_module(f"keras.{module}")

    def put(cls: Class) -> Class:
        known = getattr(namespace, cls.__name__, None)
        if known is not None:
            assert not known.__module__.startswith("keras."), f"Keras has {cls.__name__} by now"
            return known  # the file of a table is imported under two names
        register_internal_serializable(f"keras.{module}.{cls.__name__}", cls)
        setattr(namespace, cls.__name__, cls)
        looked_up = getattr(importlib.import_module(f"keras.src.{module}"), "ALL_OBJECTS_DICT", {})
        looked_up[cls.__name__] = cls
        return cls

    return put
