"""Whether any Variable, layer, metric or optimizer was made or changed.

Finding the Variables of a model means visiting all of its layers, which takes longer than a
prediction of a small network. The result can be cached for as long as `last_change()` returns the
same object.
"""

_last_change = object()


def last_change() -> object:
    """The same object until a Variable, layer, metric or attribute of a layer is made or changed.

    There is one for the whole process, so that no change is missed. A change in one model also
    invalidates what is cached for others.

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
    """Make `last_change()` return another object from now on."""
    global _last_change
    _last_change = object()  # never equal to an older one, whatever threads do
