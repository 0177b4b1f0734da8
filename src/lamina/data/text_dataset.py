"""`text_dataset_from_directory`: a folder of text files as batches of strings."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.user_data.paths import refuse_endless
from lamina.data.labelled_folder import Folder, check_format


@filter_traceback
def text_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    max_length: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """A folder of `.txt` files as batches of texts, one subfolder for each class.

    A network computes with numbers: `dataset.map(lambda x, y: (vectorize(x), y))` with a
    `TextVectorization` layer makes them.

    Args:
        directory: The folder; for this and what is not named here see
            `image_dataset_from_directory`.
        labels: As there.
        label_mode: As there.
        class_names: As there.
        batch_size: As there.
        max_length: Characters of a text that are kept, from its start; all for None. (Keras
            counts bytes for `format="tf"`, which may cut a letter in two.)
        shuffle: As there.
        seed: As there.
        validation_split: As there.
        subset: As there.
        follow_links: As there.
        format: As there.
        verbose: As there.

    Returns:
        A `Dataset` of `(texts, labels)`, or of texts alone: an array of Python strings,
        `(batch,)`. A pair of them for `subset="both"`.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it holds no texts, or an argument does not fit; while training, if a file
            is not UTF-8: the text names it.
    """
    check_format(format)
    folder = Folder(
        kind="text",
        formats=(".txt",),
        directory=directory,
        labels=labels,
        label_mode=label_mode,
        class_names=class_names,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        validation_split=validation_split,
        subset=subset,
        follow_links=follow_links,
        verbose=verbose,
    )
    return folder.datasets(lambda path: _read(path)[:max_length])


def _read(path: str) -> str:
    refuse_endless(path)
    try:
        return Path(path).read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}.\n"
            f"  Fix: Path({path!r}).write_text(Path({path!r}).read_text('latin-1'), 'utf-8') "
            "if it is Latin-1."
        ) from None
