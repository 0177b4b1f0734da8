"""Default names of objects: `dense`, `dense_1`, … for `Dense`."""

import functools
import re

from lamina.core.configuration.context import context


@functools.lru_cache(maxsize=1024)
def to_snake_case(name: str) -> str:
    """`"MaxPooling2D"` → `"max_pooling2d"`, the spelling that Keras uses in names and files.

    Example:
        >>> to_snake_case("BatchNormalization")
        'batch_normalization'
    """
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def unique_name(prefix: str) -> str:
    """`prefix` at its first use, then `prefix_1`, `prefix_2`, …"""
    count = context.object_name_counts[prefix]
    context.object_name_counts[prefix] += 1
    return prefix if count == 0 else f"{prefix}_{count}"


def check_name(name: str | None, owner: str) -> str | None:
    """Check that a name can be part of a path; the error begins with `owner`."""
    if name is not None and (not isinstance(name, str) or "/" in name):
        raise ValueError(f"{owner} needs a name that is a string without '/'; received {name!r}.")
    return check_printable(name, owner)


def check_printable(name: str | None, owner: str) -> str | None:
    """Check that a name has no control characters, which could change a terminal's settings."""
    if name is not None and not isinstance(name, str):
        raise ValueError(f"{owner} needs a name that is a string; received {name!r}.")
    if name is not None and not name.isprintable():
        raise ValueError(
            f"{owner} needs a name without control characters; received {ascii(name)[:200]}."
        )
    return name


def auto_name(cls: type) -> str:
    """A new default name for an object of a class."""
    return unique_name(to_snake_case(cls.__name__))


def next_uid(prefix: str) -> int:
    """The next value of a counter for the prefix, from 1, for `get_uid`."""
    context.uid_counts[prefix] += 1
    return context.uid_counts[prefix]


def reset_names() -> None:
    """Restart all counters, as `clear_session` does."""
    context.object_name_counts.clear()
    context.uid_counts.clear()
