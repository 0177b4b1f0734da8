"""Which files a folder has, and what its subfolders mean: classes, or parts of the data."""

import os
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from lamina.data.loading.description import LeftOut

# Names of subfolders that hold parts of the data and not classes.
_PARTS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
# Endings of pictures; what Pillow makes of a file is decided by its content.
PICTURES = frozenset(
    ".avif .bmp .dib .gif .ico .jfif .jp2 .jpe .jpeg .jpg .pbm .pcx .pgm .png .pnm .ppm .qoi .tga "
    ".tif .tiff .webp".split()
)
TEXTS = frozenset({".txt", ".md", ".text"})
TABLES = frozenset({".csv", ".tsv", ".tab", ".parquet", ".pq"})


@dataclass
class FoundFiles:
    """The files of a folder that count.

    Args:
        paths: The files, sorted within each class.
        classes: The class of each file, or None where there are no subfolders.
        parts: `"train"`, `"val"` or `"test"` for each file, or None where they are not given.
        left_out: Files and links that are not among them.
        remarks: What the names of folders were taken for, where that could be otherwise.
    """

    paths: list[Path] = field(default_factory=list)
    classes: list[str] | None = None
    parts: list[str] | None = None
    left_out: list[LeftOut] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def find_files(folder: Path, endings: Collection[str]) -> FoundFiles:
    """Files with these endings, by class and part where subfolders say so.

    Hidden files and folders do not count. Links that lead out of the folder are not followed.

    Args:
        folder: The folder.
        endings: Endings of file names in lower case, with the dot.
    """
    found = FoundFiles()
    parts = {name: _PARTS[name.lower()] for name in _subfolders(folder) if name.lower() in _PARTS}
    if "train" not in parts.values():
        return _by_class(folder, folder, endings)
    inside = {name: _by_class(folder / name, folder, endings) for name in parts}
    if _are_classes(folder, parts, inside):
        found = _by_class(folder, folder, endings)
        names = ", ".join(sorted(parts))
        found.remarks.append(
            f"The folders {names} were taken for classes, since there are no folders of classes "
            "in them. If they are parts of the data, each needs a subfolder for every class."
        )
        return found
    found.parts, classes = [], []
    labelled = any(part.classes for part in inside.values())
    for name, part in inside.items():
        found.left_out += part.left_out
        if labelled and part.classes is None:
            found.left_out += [
                LeftOut(_name(p, folder), "is in no folder of a class") for p in part.paths
            ]
            continue
        found.paths += part.paths
        found.parts += [parts[name]] * len(part.paths)
        classes += part.classes or []
    others = [name for name in _subfolders(folder) if name not in parts]
    found.left_out += [LeftOut(f"{n}/", "lies beside the parts of the data") for n in others]
    found.classes = classes if labelled else None
    return found


def _are_classes(folder: Path, parts: dict[str, str], inside: dict[str, FoundFiles]) -> bool:
    """Whether folders named train and test are of those things rather than parts of the data.

    They are if files lie in them directly, none is named like a validation part, and no table says
    what the files show.
    """
    if any(part.classes for part in inside.values()) or "val" in parts.values():
        return False
    if tables_in(folder):
        return False
    return sum(bool(part.paths) for part in inside.values()) > 1 or any(
        name not in parts for name in _subfolders(folder)
    )


def _by_class(folder: Path, root: Path, endings: Collection[str]) -> FoundFiles:
    found = FoundFiles()
    classes: list[str] = []
    for name in _subfolders(folder):
        for path in _walk(folder / name, root, endings, found.left_out):
            found.paths.append(path)
            classes.append(unicodedata.normalize("NFC", name))  # as in any other file system
    if found.paths:
        found.classes = classes
        loose = [p for p in _files(folder) if p.suffix.lower() in endings]
        found.left_out += [LeftOut(_name(p, root), "is in no folder of a class") for p in loose]
    else:
        found.paths = list(_walk(folder, root, endings, found.left_out))
    return found


def _walk(folder: Path, root: Path, endings: Collection[str], left_out: list) -> list[Path]:
    inside = []
    # Follows no links to folders, so that no circle of them is walked for ever.
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in folders:
            path = Path(place) / name
            if path.is_symlink():
                left_out.append(LeftOut(_name(path, root), "is a link to a folder"))
        for name in sorted(names):
            path = Path(place) / name
            if name.startswith(".") or name in ("Thumbs.db", "desktop.ini"):
                continue
            if path.is_symlink() and not path.exists():
                left_out.append(LeftOut(_name(path, root), "is a link to nothing"))
            elif path.is_symlink() and not path.resolve().is_relative_to(root.resolve()):
                left_out.append(LeftOut(_name(path, root), "is a link out of the folder"))
            elif path.suffix.lower() in endings:
                inside.append(path)
            elif path.suffix.lower() not in TABLES:
                left_out.append(LeftOut(_name(path, root), "is of another kind"))
    return inside


def _subfolders(folder: Path) -> list[str]:
    return sorted(
        path.name
        for path in folder.iterdir()
        if path.is_dir() and not path.is_symlink() and not path.name.startswith(".")
    )


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file())


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def tables_in(folder: Path) -> list[Path]:
    """The tables that lie in a folder itself, which may say what its pictures show."""
    return [path for path in _files(folder) if path.suffix.lower() in TABLES]
