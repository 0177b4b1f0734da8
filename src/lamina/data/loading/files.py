"""Finds the files of a folder, and whether its subfolders are classes or parts of the data."""

import os
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from lamina.data.loading.description import LeftOut

# Names of subfolders that are parts of the data rather than classes.
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
# Endings of picture files; Pillow then detects the format from the content.
PICTURES = frozenset(
    ".avif .bmp .dib .gif .ico .jfif .jp2 .jpe .jpeg .jpg .pbm .pcx .pgm .png .pnm .ppm .qoi .tga "
    ".tif .tiff .webp".split()
)
TEXTS = frozenset({".txt", ".md", ".text"})
TABLES = frozenset({".csv", ".tsv", ".tab", ".parquet", ".pq"})


@dataclass
class FolderFiles:
    """The files of a folder that are used as samples.

    Args:
        paths: The files, sorted within each class.
        classes: The class of each file; None without subfolders.
        parts: `"train"`, `"val"` or `"test"` for each file; None without such subfolders.
        left_out: Files and links that are not used.
        remarks: Remarks for the user on how ambiguous names of folders were understood.
    """

    paths: list[Path] = field(default_factory=list)
    classes: list[str] | None = None
    parts: list[str] | None = None
    left_out: list[LeftOut] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def find_files(folder: Path, endings: Collection[str]) -> FolderFiles:
    """Find the files with these endings, with their classes and parts if subfolders define them.

    Hidden files and folders are ignored. Links that lead out of the folder are not followed.

    Args:
        folder: The folder.
        endings: Endings of file names in lower case, with the dot.
    """
    parts = {
        name: _PARTS[name.lower()] for name in _list_subfolders(folder) if name.lower() in _PARTS
    }
    if "train" not in parts.values():
        return _find_by_class(folder, folder, endings)
    files_of = {name: _find_by_class(folder / name, folder, endings) for name in parts}
    if _are_classes(folder, parts, files_of):
        files = _find_by_class(folder, folder, endings)
        names = ", ".join(sorted(parts))
        files.remarks.append(
            f"The folders {names} were taken for classes, since there are no folders of classes "
            "in them. If they are parts of the data, each needs a subfolder for every class."
        )
        return files
    files, classes = FolderFiles(parts=[]), []
    assert files.parts is not None
    have_classes = any(part.classes for part in files_of.values())
    for name, part in files_of.items():
        files.left_out += part.left_out
        if have_classes and part.classes is None:
            files.left_out += [
                LeftOut(_relative_name(p, folder), "is in no folder of a class") for p in part.paths
            ]
            continue
        files.paths += part.paths
        files.parts += [parts[name]] * len(part.paths)
        classes += part.classes or []
    others = [name for name in _list_subfolders(folder) if name not in parts]
    files.left_out += [LeftOut(f"{n}/", "lies beside the parts of the data") for n in others]
    files.classes = classes if have_classes else None
    return files


def _are_classes(folder: Path, parts: dict[str, str], files_of: dict[str, FolderFiles]) -> bool:
    """Whether folders named train and test are classes of these names, not parts of the data.

    They are classes if they contain files directly, none is named like a validation part, and there
    is no table with labels.
    """
    if any(part.classes for part in files_of.values()) or "val" in parts.values():
        return False
    if tables_in(folder):
        return False
    return sum(bool(part.paths) for part in files_of.values()) > 1 or any(
        name not in parts for name in _list_subfolders(folder)
    )


def _find_by_class(folder: Path, root: Path, endings: Collection[str]) -> FolderFiles:
    files = FolderFiles()
    classes: list[str] = []
    for name in _list_subfolders(folder):
        for path in _walk(folder / name, root, endings, files.left_out):
            files.paths.append(path)
            # macOS decomposes accented letters in file names.
            classes.append(unicodedata.normalize("NFC", name))
    if files.paths:
        files.classes = classes
        unlabelled = [p for p in _list_files(folder) if p.suffix.lower() in endings]
        files.left_out += [
            LeftOut(_relative_name(p, root), "is in no folder of a class") for p in unlabelled
        ]
    else:
        files.paths = list(_walk(folder, root, endings, files.left_out))
    return files


def _walk(folder: Path, root: Path, endings: Collection[str], left_out: list) -> list[Path]:
    """The files with these endings in a folder and its subfolders; adds others to `left_out`."""
    paths = []
    # Links to folders are not followed, since they may form a cycle.
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in folders:
            path = Path(parent) / name
            if path.is_symlink():
                left_out.append(LeftOut(_relative_name(path, root), "is a link to a folder"))
        for name in sorted(names):
            path = Path(parent) / name
            if name.startswith(".") or name in ("Thumbs.db", "desktop.ini"):
                continue
            if path.is_symlink() and not path.exists():
                left_out.append(LeftOut(_relative_name(path, root), "is a link to nothing"))
            elif path.is_symlink() and not path.resolve().is_relative_to(root.resolve()):
                left_out.append(LeftOut(_relative_name(path, root), "is a link out of the folder"))
            elif path.suffix.lower() in endings:
                paths.append(path)
            elif path.suffix.lower() not in TABLES:
                left_out.append(LeftOut(_relative_name(path, root), "is of another kind"))
    return paths


def _list_subfolders(folder: Path) -> list[str]:
    return sorted(
        path.name
        for path in folder.iterdir()
        if path.is_dir() and not path.is_symlink() and not path.name.startswith(".")
    )


def _list_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file())


def _relative_name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def tables_in(folder: Path) -> list[Path]:
    """The tables directly in a folder, which may have the labels of its pictures."""
    return [path for path in _list_files(folder) if path.suffix.lower() in TABLES]
