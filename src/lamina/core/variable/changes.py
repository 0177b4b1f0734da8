"""Detects whether any Variable, layer, metric or optimizer was created or changed.

Collecting the Variables of a model means visiting all of its layers, which takes longer than a
prediction of a small network. The result can be cached for as long as `last_change()` returns the
same object.
"""

_last_change = object()


def last_change() -> object:
    """An object that is replaced when a Variable, layer, metric or attribute of a layer changes.

    The object is shared by the whole process, so that no change is missed. A change in one model
    also invalidates what is cached for other models.

    Example:
        >>> before = last_change()
        >>> before is last_change()
        True
        >>> record_change()
        >>> before is last_change()
        False
    """
    return _last_change


def record_change() -> None:
    """Let `last_change()` return a new object from now on."""
    global _last_change
    _last_change = object()  # also unique if several threads do this at once
