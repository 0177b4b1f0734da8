"""The page on the architecture names every file, or its folder."""

import re
from pathlib import Path

import pytest

import lamina

SOURCE = Path(lamina.__file__).parent
PAGE = Path(__file__).parents[1] / "docs" / "architecture.md"

# Packages whose files are each named, apart from kinds of files to which others are added.
FILE_BY_FILE = ("core/", "training/", "saving/")
BY_FOLDER = ("training/callbacks/", "training/feeds/", "training/placement_")

FILES = [
    path.relative_to(SOURCE).as_posix()
    for path in sorted(SOURCE.rglob("*.py"))
    if path.name not in ("__init__.py", "__main__.py", "version.py")
]


def mentioned(name: str, page: str) -> bool:
    """Whether a page has a file or folder in code style, with or without its folders."""
    return re.search(rf"`(?:[\w.]+/)*{re.escape(name)}(?:/[^`]*)?`", page) is not None


@pytest.fixture(scope="module")
def page():
    return PAGE.read_text(encoding="utf-8")


def test_every_file_of_the_spine_is_named(page):
    named = [f for f in FILES if f.startswith(FILE_BY_FILE) and not f.startswith(BY_FOLDER)]
    assert len(named) > 50
    missing = [file for file in named if not mentioned(file.rpartition("/")[2], page)]
    assert not missing, "docs/architecture.md does not name these files"


def test_every_other_file_or_its_package_is_named(page):
    missing = [file for file in FILES if not any(mentioned(name, page) for name in _names(file))]
    assert not missing, "docs/architecture.md names neither these files nor their packages"


def test_the_page_names_no_file_that_is_gone(page):
    names = {path.name for path in SOURCE.parents[1].rglob("*.py")} | {"script.py"}
    gone = [name for name in re.findall(r"`(?:[\w/]*/)?(\w+\.py)`", page) if name not in names]
    assert not gone


def _names(file: str) -> list[str]:
    """The names that count for a file: its own, that of its module, or that of a folder."""
    *folders, name = file.split("/")
    return [name, name.removesuffix(".py"), *folders]
