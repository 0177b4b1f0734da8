"""Reads folders of pictures, with a subfolder for each class, or a table with labels."""

from collections.abc import Sequence
from pathlib import Path

from lamina.core.messages.errors import did_you_mean
from lamina.data.loading.cells import as_texts
from lamina.data.loading.description import LeftOut
from lamina.data.loading.duplicates import copies_of_pictures
from lamina.data.loading.files import PICTURES, FolderFiles, find_files, tables_in
from lamina.data.loading.image_files import read_pictures
from lamina.data.loading.options import Options
from lamina.data.loading.samples import Samples
from lamina.data.loading.table_files import read_table


def read_images(folder: Path, options: Options) -> Samples:
    """Read the pictures of a folder.

    Raises:
        ValueError: If there are no readable pictures, or no labels.
    """
    files, target = add_labels_from_table(find_files(folder, PICTURES), folder, options.target)
    remarks = files.remarks
    if files.classes is None:
        raise ValueError(
            f"Nothing says what the {len(files.paths):,} pictures in {folder} show.\n"
            "  Expected: a subfolder for every class with its pictures in it, or a table beside "
            "them with a column of file names and one of classes.\n"
            f"  Fix: move them, e.g. to {folder / 'cat'} and {folder / 'dog'}."
        )
    names = [path.relative_to(folder).as_posix() for path in files.paths]
    pictures = read_pictures(files.paths, names, options.image_size, options.max_memory)
    if not pictures.indices:
        why = "; ".join(map(str, pictures.left_out[:3]))
        raise ValueError(f"None of the pictures in {folder} can be read: {why}.")
    height, width, channels = pictures.pixels.shape[1:]
    labels = [files.classes[i] for i in pictures.indices]
    kind = "grey" if channels == 1 else "colour"
    count = len(pictures.indices)
    title = f"{count:,} pictures of {len(set(labels))} classes, {height}×{width} in {kind}"
    return Samples(
        kind="images",
        title=title,
        x=pictures.pixels,
        target=target,
        labels=labels,
        values=None,
        names=[names[i] for i in pictures.indices],
        left_out=files.left_out + pictures.left_out,
        remarks=remarks + pictures.remarks,
        copies=copies_of_pictures(pictures.pixels),
        parts=None if files.parts is None else [files.parts[i] for i in pictures.indices],
    )


def add_labels_from_table(
    files: FolderFiles, folder: Path, target: str | None
) -> tuple[FolderFiles, str]:
    """Take the classes of files from a table in the same folder, if subfolders do not define them.

    Args:
        files: The files of the folder, with their classes if subfolders say them.
        folder: The folder.
        target: The column with the classes, if the user has named one.

    Returns:
        The files, and the name of the target.

    Raises:
        ValueError: If the user has named a column, and there is no table with such a column.
    """
    if target is None and files.classes is not None:
        return files, "class"
    table = _find_label_table(folder)
    if table is not None:
        remarks = files.remarks
        files, target = _apply_label_table(table, files, folder, target)
        files.remarks = [*remarks, f"Classes are those of column {target!r} of {table.name}."]
    elif target is not None:
        raise ValueError(
            f"target={target!r} is a column, but there is no table beside the pictures in "
            f"{folder}.\n  Fix: leave target out, and the subfolders are the classes."
        )
    return files, target or "class"


def _find_label_table(folder: Path) -> Path | None:
    tables = tables_in(folder)
    if len(tables) > 1:
        raise ValueError(
            f"{folder} has several tables: {', '.join(p.name for p in tables)}.\n"
            "  Fix: leave the one that says what the pictures show."
        )
    return tables[0] if tables else None


def _apply_label_table(
    table: Path, files: FolderFiles, folder: Path, target: str | None
) -> tuple[FolderFiles, str]:
    """The files that have a row in a table, with their classes, and the name of the target."""
    frame = read_table(table).frame
    columns = {str(name): as_texts(frame[name]) for name in frame.columns}
    by_name: dict[str, Path] = {}
    # The full path comes last, since it is never ambiguous.
    by_name |= {path.stem: path for path in files.paths}
    by_name |= {path.name: path for path in files.paths}
    by_name |= {path.relative_to(folder).as_posix(): path for path in files.paths}
    matches = {n: sum(v in by_name for v in values if v) for n, values in columns.items()}
    file_column = max(matches, key=lambda name: matches[name])
    if not matches[file_column]:
        raise ValueError(
            f"No column of {table} has the names of the pictures in {folder}.\n"
            f"  Its columns: {', '.join(columns)}. A picture: {files.paths[0].name}."
        )
    others = [name for name in columns if name != file_column]
    if target is None:
        if len(others) != 1:
            raise ValueError(
                f"Which column of {table.name} is to be predicted? It has {_join_names(others)}.\n"
                f"  Fix: target={others[0] if others else 'class'!r}"
            )
        target = others[0]
    if target not in others:
        raise ValueError(
            f"{table.name} has no column {target!r} beside the names of the files."
            f"{did_you_mean(target, others)}\n  Its columns: {_join_names(others)}."
        )
    left_out = list(files.left_out)
    classes: dict[Path, str] = {}
    for name, label in zip(columns[file_column], columns[target], strict=True):
        picture = by_name.get(name or "")
        if picture is None:
            left_out.append(LeftOut(f"{table.name}: {name}", "is not a picture in the folder"))
        elif label is None:
            left_out.append(LeftOut(str(name), f"has no {target} in {table.name}"))
        elif picture in classes:
            left_out.append(LeftOut(f"{table.name}: {name}", "is listed twice"))
        else:
            classes[picture] = label
    in_table = {by_name[name] for name in columns[file_column] if name in by_name}
    left_out += [
        LeftOut(path.relative_to(folder).as_posix(), f"is not in {table.name}")
        for path in files.paths
        if path not in in_table
    ]
    parts = None
    if files.parts is not None:
        part_of = dict(zip(files.paths, files.parts, strict=True))
        parts = [part_of[path] for path in classes]
    return FolderFiles(list(classes), list(classes.values()), parts, left_out), target


def _join_names(names: Sequence[str]) -> str:
    return ", ".join(map(str, names)) or "no other"
