"""Evaluates a saved model on a user's own data with known targets, for `lamina evaluate`."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lamina.contract import Contract
from lamina.core.messages.errors import did_you_mean
from lamina.data.loading.cells import as_texts, parse_numbers
from lamina.data.loading.decimal_marks import decimal_marks, has_decimal_comma
from lamina.data.loading.files import PICTURES, TEXTS, find_files, tables_in
from lamina.data.loading.image_source import add_labels_from_table
from lamina.data.loading.series import make_windows
from lamina.data.loading.table_files import read_table
from lamina.prediction.raw_inputs import read_inputs
from lamina.prediction.raw_series import steps_of


class OwnEvaluation(NamedTuple):
    """Results of an evaluation.

    Args:
        results: Loss and metrics by name.
        samples: Number of samples.
        left_out: Reasons why samples were not used, by name.
        remarks: What else the user should know.
    """

    results: dict[str, float]
    samples: int
    left_out: dict[str, str]
    remarks: list[str]


class LabelledSamples(NamedTuple):
    """Inputs, targets, what was left out and why, and what else the user should know."""

    x: Any
    y: np.ndarray
    left_out: dict[str, str]
    remarks: list[str]


def evaluate_own(model: Any, source: str, batch_size: int = 256) -> OwnEvaluation:
    """Measure a model on a folder with a subfolder for every class, or on a table with the target.

    Args:
        model: A loaded model that was trained on data of `lamina.data.load`.
        source: Path of the folder or table.
        batch_size: Samples per step.

    Raises:
        FileNotFoundError: If there is nothing at the path.
        ValueError: If there are no targets, or classes that the model does not have.
    """
    x, y, left_out, remarks = labelled_samples(model.input_contract, source)
    results = model.evaluate(x, y, batch_size=batch_size, verbose=0, return_dict=True)
    return OwnEvaluation({k: float(v) for k, v in results.items()}, len(y), left_out, remarks)


def labelled_samples(contract: Contract, source: str) -> LabelledSamples:
    """Inputs and targets from a folder or table, as a model with this contract takes them.

    Args:
        contract: The contract of the model.
        source: Path of the folder or table.

    Raises:
        FileNotFoundError: If there is nothing at the path.
        ValueError: If there are no targets, or classes that the model does not have.
    """
    path = Path(source)
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {source!r}.")
    if path.is_dir() and contract.kind in ("images", "text"):
        samples = _read_folder(contract, path)
    elif path.is_dir():
        raise ValueError(f"{source} is a folder, and the model was trained on a table.")
    elif contract.kind == "series":
        samples = _read_series(contract, path)
    else:
        samples = _read_table(contract, path)
    if not len(samples.y):
        raise ValueError(f"Nothing in {source} could be measured on.")
    return samples


def _read_folder(contract: Contract, folder: Path) -> LabelledSamples:
    files = find_files(folder, PICTURES if contract.kind == "images" else TEXTS)
    if contract.kind == "images":
        by_folders = files.classes is not None and not tables_in(folder)
        target = None if contract.target == "class" or by_folders else contract.target
        files, _ = add_labels_from_table(files, folder, target)
    if files.classes is None:
        raise ValueError(
            f"Nothing says what class the files in {folder} are of.\n"
            "  Expected: a subfolder for every class."
        )
    remarks = list(files.remarks)
    paths, classes = list(map(str, files.paths)), files.classes
    if files.parts is not None:
        parts = set(files.parts)
        part = "test" if "test" in parts else "val" if "val" in parts else "train"
        remarks.append(f"{folder} has folders for parts of the data; {part} was measured on.")
        indices = [i for i, name in enumerate(files.parts) if name == part]
        paths, classes = [paths[i] for i in indices], [classes[i] for i in indices]
    inputs = read_inputs(contract, paths)
    class_of = dict(zip(paths, classes, strict=True))
    y = _class_indices(contract, [class_of[name] for name in inputs.names])
    left_out = {**{o.what: o.why for o in files.left_out}, **inputs.errors}
    return LabelledSamples(inputs.x, y, left_out, remarks + inputs.remarks)


def _read_table(contract: Contract, path: Path) -> LabelledSamples:
    target = contract.target or ""
    table = read_table(path, (target, *(column.name for column in contract.columns)))
    frame = table.frame
    columns = list(map(str, frame.columns))
    if target not in columns:
        raise ValueError(
            f"{path} has no column {target!r}, which predictions are compared with."
            f"{did_you_mean(target, columns)}\n  Its columns: {', '.join(columns)}."
        )
    texts = as_texts(frame[target])
    comma = decimal_marks(frame, None, table.separator).comma_for(target)
    numbers = parse_numbers(texts, has_decimal_comma(texts, comma))
    is_class = contract.class_names is not None
    has_target = np.array([value is not None for value in (texts if is_class else numbers)])
    inputs = read_inputs(contract, [frame[has_target]])
    left_out = {out.what: out.why for out in table.left_out}
    if not has_target.all():
        left_out[f"{(~has_target).sum():,} rows"] = f"have no {target}"
    if contract.class_names is not None:
        y = _class_indices(contract, [text for text in texts if text is not None])
    else:
        y = np.array([n for n in numbers if n is not None], dtype="float32")
    return LabelledSamples(inputs.x, y, left_out, table.remarks + inputs.remarks)


def _read_series(contract: Contract, path: Path) -> LabelledSamples:
    assert contract.series is not None
    table = read_table(path)
    remarks = list(table.remarks)
    steps = steps_of(contract, table.frame, remarks)
    windows = make_windows(
        steps[:, 0],
        steps[:, 1:],
        contract.series.forecast,
        contract.series.window,
        0,
        0,
    )
    return LabelledSamples(windows.x, windows.y, {}, remarks)


def _class_indices(contract: Contract, names: list[str]) -> np.ndarray:
    class_names = contract.class_names or ()
    unknown = sorted(set(names) - set(class_names))
    if unknown:
        raise ValueError(
            f"There is a class {unknown[0]!r}, which the model does not know."
            f"{did_you_mean(unknown[0], class_names)}\n  It knows: {', '.join(class_names[:20])}."
        )
    index_of = {name: i for i, name in enumerate(class_names)}
    return np.array([index_of[name] for name in names], dtype="int32")
