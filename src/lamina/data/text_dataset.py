"""`text_dataset_from_directory`: a folder of text files as batches of strings."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lamina.contract import Contract
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import PathLike
from lamina.core.user_data.paths import refuse_special_file
from lamina.data.labelled_folder import LabelledFolder, check_format


@filter_traceback
def text_dataset_from_directory(
    directory: PathLike,
    labels: str | Sequence[int] | None = "inferred",
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

    Use `dataset.map(lambda x, y: (vectorize(x), y))` with a `TextVectorization` layer to convert
    the texts to numbers.

    Args:
        directory: The folder; see `image_dataset_from_directory`.
        labels: As for `image_dataset_from_directory`.
        label_mode: As for `image_dataset_from_directory`.
        class_names: As for `image_dataset_from_directory`.
        batch_size: As for `image_dataset_from_directory`.
        max_length: Characters of a text that are kept, from its start; all for None. (Keras
            counts bytes for `format="tf"`, which may cut a letter in two.)
        shuffle: As for `image_dataset_from_directory`.
        seed: As for `image_dataset_from_directory`.
        validation_split: As for `image_dataset_from_directory`.
        subset: As for `image_dataset_from_directory`.
        follow_links: As for `image_dataset_from_directory`.
        format: As for `image_dataset_from_directory`.
        verbose: As for `image_dataset_from_directory`.

    Returns:
        A `Dataset` of `(texts, labels)`, or of texts alone: an array of Python strings,
        `(batch,)`. A pair of them for `subset="both"`. A model that is trained on it remembers the
        names of the classes.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If the folder has no texts, or an argument is wrong. Later, in iteration: if a
            file is not UTF-8; the message has its path.
    """
    check_format(format)
    folder = LabelledFolder(
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
    # Without a contract for shortened texts: `predict` would not shorten the texts of files.
    contract = Contract("text") if max_length is None else None
    return folder.datasets(lambda path: _read(path)[:max_length], contract=contract)


def _read(path: str) -> str:
    refuse_special_file(path)
    try:
        return Path(path).read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}.\n"
            f"  Fix: Path({path!r}).write_text(Path({path!r}).read_text('latin-1'), 'utf-8') "
            "if it is Latin-1."
        ) from None
