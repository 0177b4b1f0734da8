"""`lamina.data.load`: loads a folder, a table or a text file as data to train a model on."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lamina.core.messages.errors import did_you_mean
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.user_data.paths import refuse_special_file
from lamina.data.loading.files import PICTURES, TABLES, TEXTS, tables_in
from lamina.data.loading.image_source import read_images
from lamina.data.loading.loaded import LoadedData
from lamina.data.loading.options import Options
from lamina.data.loading.samples import split_samples
from lamina.data.loading.series_source import load_series
from lamina.data.loading.table_files import Table, as_frame, is_frame, read_table
from lamina.data.loading.table_source import read_samples
from lamina.data.loading.text_source import read_texts


@filter_traceback
def load(
    source: Any,
    target: str | None = None,
    *,
    text: str | None = None,
    time: str | None = None,
    forecast: int | None = None,
    window: int | None = None,
    columns: Sequence[str] | None = None,
    drop: Sequence[str] | None = None,
    kinds: Mapping[str, str] | None = None,
    day_first: bool | None = None,
    decimal_comma: bool | None = None,
    task: str | None = None,
    split: str | None = None,
    group: str | None = None,
    validation: float = 0.15,
    test: float = 0.15,
    image_size: tuple[int, int] | None = None,
    max_memory: int | None = None,
    batch_size: int = 32,
    seed: int = 0,
    verbose: bool = True,
) -> LoadedData:
    """Load your own data: a folder of pictures or texts, a table, or a series.

    What the source does not say is guessed, and `describe()` gives the reasons. It also lists what
    could not be used. The same call returns the same parts every time.

    Args:
        source: One of

            - a folder with a subfolder for every class, of pictures or of `.txt` files;
            - a folder with such folders named `train`, `val` and `test`;
            - a folder of pictures and a table with a column of file names;
            - a table: `.csv`, `.tsv`, `.parquet`, or a pandas, polars or pyarrow table.
        target: For tables, the column to predict.
        text: For tables, a column of texts that is the only input.
        time: For tables, a column of dates; a series is sorted by it.
        forecast: Number of steps to forecast; the table is then a series.
        window: Number of steps of a series to predict from; twice `forecast` if None.
        columns: For tables, the input columns; all useful ones if None.
        drop: For tables, columns not to use, such as what is known only afterwards.
        kinds: The kinds of columns, `"number"`, `"category"`, `"date"` or `"text"`, e.g.
            `{"postcode": "category"}` for numbers that are codes; other kinds are guessed.
        day_first: Whether dates such as 02/03/2024 begin with the day. It is used if all dates of a
            column are ambiguous, unlike 31/01/2024. If None, the month comes first in such a
            column, except in dates with points, and `describe()` says so.
        decimal_comma: Whether 1,234 in a text is little more than 1. It is used if all numbers of a
            column are ambiguous, unlike 1,5, and other columns have none. If None, commas in such
            a column separate thousands, except in a file with semicolons, and `describe()` says so.
        task: Whether the target is `"classes"` or a `"number"`; guessed if None.
        split: `"stratified"` (with equal class frequencies in all parts; the default for classes),
            `"random"` (the default for numbers), `"tail"` (the last rows are the test part) or
            `"group"`. Folders named `train`, `val` and `test` define the split, and a series is
            split by time.
        group: A column such as `"patient"`; rows with the same value stay in one part.
        validation: Fraction of the rows for validation while training.
        test: Fraction of the rows to test on at the end.
        image_size: `(height, width)` that pictures are resized to; chosen from them if None.
        max_memory: Bytes of pictures that are kept in memory; a quarter of the machine's memory if
            None. More pictures are kept in a file in Lamina's cache folder (`$LAMINA_CACHE`), which
            is removed when they are no longer used; the parts are memory-mapped arrays then.
        batch_size: Rows in a batch.
        seed: Seed of the split and of the order of batches.
        verbose: Whether to print a summary in a few lines.

    Returns:
        A `LoadedData` with the parts `train`, `val` and `test`, each a `Dataset` of batches with
        its arrays as `x` and `y`. Pictures are uint8, `(pictures, height, width, channels)`; a
        table is a dict of arrays by column, `(rows,)`; texts are strings, `(texts,)`; a series is
        `(windows, steps, columns)`. Classes are int32 labels, numbers are float32.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ImportError: If the source is a table and pandas is not installed.
        ValueError: If there is nothing to learn: no files, only one class, or a target that is
            missing or has a single value.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     rows = [f"{i % 7},{'big' if i % 7 > 3 else 'small'}" for i in range(100)]
        ...     path = Path(folder, "things.csv")
        ...     _ = path.write_text("\\n".join(["weight,size", *rows]))
        ...     data = load(path, target="size", verbose=False)
        >>> data
        <LoadedData table, target 'size': train 70, val 15, test 15>
        >>> data.class_names
        ['big', 'small']
    """
    options = Options(
        target=_check_name("target", target),
        text=_check_name("text", text),
        time=_check_name("time", time),
        forecast=forecast,
        window=window,
        columns=_check_names(columns),
        drop=_check_names(drop),
        kinds=kinds,
        day_first=day_first,
        decimal_comma=decimal_comma,
        task=task,
        split=split,
        group=_check_name("group", group),
        validation=validation,
        test=test,
        image_size=image_size,
        max_memory=max_memory,
        batch_size=batch_size,
        seed=seed,
    )
    data = _load_source(source, options)
    if verbose:
        print(data.describe().headline())
    return data


def _check_name(argument: str, name: Any) -> str | None:
    """The name of a column as a string; some data frames have numbers as names."""
    if isinstance(name, int) and not isinstance(name, bool):
        return str(name)
    if isinstance(name, str) or name is None:
        return name
    raise TypeError(f"{argument} is the name of a column; received {name!r}.")


def _check_names(columns: Any) -> Any:
    if columns is None or isinstance(columns, str) or not isinstance(columns, Iterable):
        return columns
    return [_check_name("columns", name) for name in columns]


def _load_source(source: Any, options: Options) -> LoadedData:
    if is_frame(source):
        frame = as_frame(source, "the table")
        table = Table(frame, has_header=True, left_out=[], remarks=[])
        return _from_table(table, "the table", options)
    try:
        path = Path(os.path.expanduser(os.fspath(source)))
    except TypeError:
        raise TypeError(
            "load needs the path of a folder or file, or a data frame; received "
            f"{type(source).__name__}.\n"
            "  Fix: arrays need no loading: model.fit(x, y)."
        ) from None
    if not path.exists():
        existing = [entry.name for entry in _siblings(path)]
        raise FileNotFoundError(
            f"There is no file or folder {str(source)!r}; Python works in {os.getcwd()}."
            f"{did_you_mean(path.name, existing)}"
        )
    refuse_special_file(path)
    if path.is_file():
        if path.suffix.lower() not in TABLES | {".txt"}:
            raise ValueError(
                f"{path} is not a table that can be read.{_explain_unreadable_file(path)}"
            )
        return _from_table(read_table(path, expected=options.named_columns()), path.name, options)
    kind = _kind_of_folder(path)
    if kind == "images":
        options.refuse_unused("pictures")
        return split_samples(read_images(path, options), options)
    if kind == "texts":
        options.refuse_unused("texts")
        return split_samples(read_texts(path, options), options)
    tables = tables_in(path)
    if len(tables) == 1:
        table = read_table(tables[0], expected=options.named_columns())
        return _from_table(table, tables[0].name, options)
    raise ValueError(_explain_no_files(path, tables))


def _from_table(table: Table, name: str, options: Options) -> LoadedData:
    if table.frame.empty:
        raise ValueError(f"{name} has no rows.")
    if options.forecast is not None:
        options.refuse_unused("a series")
        return load_series(table, name, options)  # it is split by time
    options.refuse_unused("a table" if options.text is None else "texts of a table")
    return split_samples(read_samples(table, name, options), options)


def _kind_of_folder(folder: Path) -> str | None:
    endings = _count_suffixes(folder)
    pictures = sum(endings[ending] for ending in PICTURES)
    texts = sum(endings[ending] for ending in TEXTS)
    if not pictures and not texts:
        return None
    return "images" if pictures >= texts else "texts"


def _count_suffixes(folder: Path) -> Counter[str]:
    """The number of files with each suffix, in all subfolders."""
    return Counter(
        Path(name).suffix.lower()
        for _, folders, names in os.walk(folder)
        for name in names
        if not name.startswith(".")
    )


def _explain_no_files(folder: Path, tables: list[Path]) -> str:
    if tables:
        names = ", ".join(path.name for path in tables)
        return f"{folder} has several tables: {names}.\n  Fix: name one of them."
    endings = _count_suffixes(folder)
    if not endings:
        return (
            f"{folder} is empty.\n"
            "  Expected: a subfolder for every class with its pictures or texts in it."
        )
    has = ", ".join(f"{n:,} × {ending or 'no ending'}" for ending, n in endings.most_common(5))
    archive = any(ending in endings for ending in (".zip", ".gz", ".tar", ".tgz", ".7z", ".rar"))
    return f"{folder} has no pictures, texts or tables that can be read. It has: {has}." + (
        "\n  Fix: unpack the archive first." if archive else ""
    )


def _explain_unreadable_file(path: Path) -> str:
    ending = path.suffix.lower()
    if ending in PICTURES:
        return "\n  Fix: give the folder that has a subfolder of pictures for every class."
    if ending in (".zip", ".gz", ".tar", ".tgz", ".7z", ".rar"):
        return "\n  Fix: unpack it first, and give the folder or file that was in it."
    if ending in (".xlsx", ".xls", ".ods"):
        return "\n  Fix: save the sheet as .csv, or give pandas.read_excel(…)."
    if ending in (".json", ".jsonl"):
        return "\n  Fix: give pandas.read_json(…)."
    return f"\n  Tables end in {', '.join(sorted(TABLES))}."


def _siblings(path: Path) -> list[Path]:
    try:
        return list(path.absolute().parent.iterdir())
    except OSError:
        return []
