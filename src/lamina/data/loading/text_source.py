"""Folders of text files, one folder per class."""

import unicodedata
from pathlib import Path

import numpy as np

from lamina.core.user_data.paths import refuse_special_file
from lamina.data.loading.description import LeftOut
from lamina.data.loading.duplicates import copies_of_values
from lamina.data.loading.files import TEXTS, find_files
from lamina.data.loading.options import Options
from lamina.data.loading.samples import Samples
from lamina.data.loading.table_files import decode_text

# Longer texts are cut to this number of characters.
MAX_LENGTH = 100_000


def read_texts(folder: Path, options: Options) -> Samples:
    """Read the texts of a folder.

    Raises:
        ValueError: If there are no subfolders for classes, or no readable texts.
    """
    files = find_files(folder, TEXTS)
    if files.classes is None:
        raise ValueError(
            f"Nothing says what class the {len(files.paths):,} texts in {folder} are of.\n"
            "  Expected: a subfolder for every class with its texts in it."
        )
    texts, labels, names, parts = [], [], [], []
    left_out = list(files.left_out)
    for index, path in enumerate(files.paths):
        name = path.relative_to(folder).as_posix()
        try:
            refuse_special_file(path)
            text = decode_text(path.read_bytes(), path)[0].strip()
        except (OSError, ValueError):
            left_out.append(LeftOut(name, "cannot be read as text"))
            continue
        if not text:
            left_out.append(LeftOut(name, "is empty"))
            continue
        texts.append(text)
        labels.append(files.classes[index])
        names.append(name)
        parts.append(files.parts[index] if files.parts else "")
    if not texts:
        raise ValueError(f"None of the {len(files.paths):,} texts in {folder} can be read.")
    x, remarks = texts_as_array(texts)
    return Samples(
        kind="text",
        title=f"{len(texts):,} texts of {len(set(labels))} classes",
        x=x,
        target="class",
        labels=labels,
        values=None,
        names=names,
        left_out=left_out,
        remarks=files.remarks + remarks,
        copies=copies_of_values(texts),
        parts=parts if files.parts else None,
    )


def texts_as_array(texts: list[str]) -> tuple[np.ndarray, list[str]]:
    """Texts as an array of strings, `(texts,)`, and a remark if some of them were cut."""
    x = np.empty(len(texts), dtype=object)
    x[:] = [unicodedata.normalize("NFC", text[:MAX_LENGTH]) for text in texts]
    count = sum(len(text) > MAX_LENGTH for text in texts)
    remarks = [f"{count:,} texts are longer than {MAX_LENGTH:,} characters and were cut."]
    return x, remarks if count else []
