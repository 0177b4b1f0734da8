"""In which type layers keep their weights and compute, under Keras's names."""

from lamina.core.dtypes import DTypePolicy, get_policy

get = get_policy

__all__ = ["DTypePolicy", "get"]
