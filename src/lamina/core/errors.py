"""Words that error messages share: the nearest known name, shapes, and lists of choices."""

import difflib
from collections.abc import Iterable


class LaminaWarning(UserWarning):
    """Something works, but probably not as meant; the text says what to do."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name closest to a misspelt one, or None if none is near."""
    by_lower = {str(k).lower().replace("_", ""): str(k) for k in known}
    wanted = str(name).lower().replace("_", "")
    found = difflib.get_close_matches(wanted, list(by_lower), n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` Did you mean 'relu'?` or an empty string: made to be appended to a message."""
    found = nearest(name, known)
    return f" Did you mean {found!r}?" if found else ""


def unknown_name(kind: str, name: object, known: Iterable[str]) -> ValueError:
    """The error for a name that is in no table, e.g. `unknown_name("loss", "msee", table)`.

    Args:
        kind: What was looked for, in the singular: `"loss"`, `"layer"`.
        name: What came.
        known: Every name that would have been accepted.
    """
    known = sorted(map(str, known))
    message = f"Unknown {kind} {name!r}.{did_you_mean(str(name), known)}"
    return ValueError(f"{message}\n  Known: {', '.join(known)}.")


def unknown_argument(owner: str, name: str, known: Iterable[str]) -> TypeError:
    """The error for a misspelt keyword argument of a layer, loss, metric or optimizer."""
    known = sorted(set(known))
    return TypeError(
        f"{owner} has no argument {name!r}.{did_you_mean(name, known)}\n"
        f"  Its arguments: {', '.join(known)}."
    )
