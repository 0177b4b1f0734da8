"""What of Keras's public surface Lamina lacks: names, arguments, and members of classes.

    python tools/keras_surface.py              what is missing and not explained
    python tools/keras_surface.py --all        what is missing, explained or not
    python tools/keras_surface.py --layers     the same, of the namespaces that hold "layers"

The list is the installed `keras` package itself; the explanations are the tables of
docs/keras-compatibility.md, one line a name. A test compares the two in both directions, so the
page can neither hide what is missing nor go on about what is there by now.
"""

import fnmatch
import functools
import importlib
import inspect
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")


PAGE = Path(__file__).parents[1] / "docs" / "keras-compatibility.md"

# What Python itself, or a base class of another library, puts into a class.
NOT_MEMBERS = {"mro", "with_traceback", "add_note", "args"}


@dataclass(frozen=True, order=True)
class Gap:
    """Something of Keras that Lamina lacks."""

    name: str  # `layers.Dense`, `layers.Dense(lora_rank)` or `layers.Layer.quantize`
    kind: str  # "name", "argument", "member", or "later": a name that says it comes later

    def __str__(self) -> str:
        return self.name


def gaps() -> list[Gap]:
    """Everything missing, sorted by name."""
    found: set[Gap] = set()
    seen: set[int] = set()
    for namespace, theirs in public_namespaces():
        ours = _ours(namespace)
        for name, symbol in sorted(vars(theirs).items()):
            if name.startswith("_") or isinstance(symbol, ModuleType):
                continue
            label = f"{namespace}.{name}" if namespace else name
            if ours is None or not hasattr(ours, name):
                found.add(Gap(label, "name"))
                continue
            mine = getattr(ours, name)
            if getattr(mine, "unavailable", None):
                found.add(Gap(label, "later"))
            elif id(symbol) not in seen:
                found.update(Gap(f"{label}({a})", "argument") for a in missing(symbol, mine))
                if inspect.isclass(symbol) and inspect.isclass(mine):
                    found.update(Gap(f"{label}.{m}", "member") for m in members(symbol, mine))
            # An alias is looked at once, under the first of its names.
            seen.add(id(symbol))
    return sorted(found)


def public_namespaces(name: str = "") -> Iterator[tuple[str, ModuleType]]:
    """Keras's public modules, `""` for the top level, then `layers`, `ops`, `ops.numpy` …"""
    module = importlib.import_module(f"keras.{name}" if name else "keras")
    yield name, module
    for child, value in sorted(vars(module).items()):
        inside = f"{name}.{child}" if name else child
        if isinstance(value, ModuleType) and child != "src" and not child.startswith("_"):
            if value.__name__ == f"keras.{inside}":
                yield from public_namespaces(inside)


def missing(theirs: Any, ours: Any) -> list[str]:
    """Arguments of Keras's that ours does not take by name."""
    wanted, given = _parameters(theirs), _parameters(ours)
    if wanted is None or given is None:
        return []
    if any(p.kind is p.VAR_KEYWORD for p in given.values()) and not inspect.isclass(ours):
        return []
    named = [p.name for p in wanted.values() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    accepted = set(given) | _passed_on(ours)
    return [name for name in named if name not in accepted]


def members(theirs: type, ours: type) -> list[str]:
    """Public methods and properties that Keras's class defines or inherits and ours lacks.

    What a public base class lacks already is reported there.
    """
    of_bases = {n for base in theirs.__mro__[1:] if _is_public(base) for n in dir(base)}
    mine = {n for n in dir(theirs) if not n.startswith("_")} - of_bases - NOT_MEMBERS
    assigned = _assigned(ours)
    return sorted(name for name in mine if not hasattr(ours, name) and name not in assigned)


def explained() -> list[tuple[str, str]]:
    """`(kind, name)` for every row of the page's tables; a name may be a pattern, `vgg16.*`."""
    rows: list[tuple[str, str]] = []
    kind = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        marker = re.match(r"<!-- surface: (\w+) -->", line)
        if marker:
            kind = marker.group(1)
        elif line.startswith("#"):
            kind = ""
        elif kind and line.startswith("| `"):
            rows += [(kind, name) for name in re.findall(r"`([^`]+)`", line.split("|")[1])]
    return rows


def unexplained() -> list[Gap]:
    """What is missing and stands in no table of the page."""
    rows = explained()
    return [gap for gap in gaps() if not any(matches(row, gap) for row in rows)]


def matches(row: tuple[str, str], gap: Gap) -> bool:
    """Whether a row of the page speaks of this gap."""
    kind, pattern = row
    return kind == gap.kind and fnmatch.fnmatchcase(gap.name, pattern)


def _ours(namespace: str) -> Any:
    try:
        return importlib.import_module(f"lamina.{namespace}" if namespace else "lamina")
    except ModuleNotFoundError:
        return None


def _parameters(symbol: Any) -> dict[str, inspect.Parameter] | None:
    try:
        return dict(inspect.signature(symbol).parameters)
    except (TypeError, ValueError):
        return None


def _passed_on(ours: Any) -> set[str]:
    """Arguments that a class takes through `**kwargs` and hands to its bases."""
    if not inspect.isclass(ours):
        return set()
    return {name for base in ours.__mro__[1:-1] for name in (_parameters(base) or {})}


def _assigned(ours: type) -> set[str]:
    """Attributes that the methods of a class set: `self.kernel = …`."""
    return {name for base in ours.__mro__[:-1] for name in _assigned_in(base)}


@functools.cache  # most classes share their bases, and `getsource` parses a file each time
def _assigned_in(base: type) -> set[str]:
    """Attributes that the methods in the body of this class set."""
    try:
        source = inspect.getsource(base)
    except (OSError, TypeError):
        return set()
    names = set(re.findall(r"\bself\.(\w+)(?:: [^=\n]+)? = ", source))
    return names | set(re.findall(r"\bself\.(\w+), ", source))


_public_classes: set[int] = set()


def _is_public(cls: type) -> bool:
    if not _public_classes:
        for _, module in public_namespaces():
            _public_classes.update(id(v) for v in vars(module).values() if inspect.isclass(v))
    return id(cls) in _public_classes


def main(arguments: list[str]) -> int:
    everything = "--all" in arguments
    wanted = [a.removeprefix("--") for a in arguments if a != "--all"]
    found = gaps() if everything else unexplained()
    open_gaps = [gap for gap in found if not wanted or any(w in gap.name for w in wanted)]
    for kind in ("name", "later", "argument", "member"):
        names = [gap.name for gap in open_gaps if gap.kind == kind]
        print(f"{kind}: {len(names)}")
        for name in names:
            print(f"  {name}")
    return 1 if open_gaps else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
