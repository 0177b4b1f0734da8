"""Whether anything has changed in what layers, metrics and optimizers hold.

To find the Variables of a model one walks through all of its layers, which takes longer than a
small network needs for a prediction. What was found on such a walk holds until `version()` is
another object.
"""

_version = object()


def version() -> object:
    """The same object until a Variable, layer, metric or attribute of a layer is made or changed.

    It is one for the whole process, so that no change can be missed; a change in one model makes
    others walk once more.

    Example:
        >>> before = version()
        >>> before is version()
        True
        >>> changed()
        >>> before is version()
        False
    """
    return _version


def changed() -> None:
    """Say that something is not as it was."""
    global _version
    _version = object()  # never equal to one that somebody still holds, whatever threads do
