"""The `.keras` file: a zip of config.json, metadata.json and model.weights.h5, as in Keras 3.

Reading never runs code: the config is plain data, names in it are looked up in a table.
"""

import datetime
import io
import json
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lamina.core import registry
from lamina.core.errors import LaminaWarning, nearest
from lamina.saving.atomic import atomic_write
from lamina.saving.weights_file import (
    DamagedFileError,
    WeightsMismatchError,
    as_bytes,
    read_weights,
    write_weights,
)
from lamina.version import __version__

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
# Keras's loader reads this version; the layout is that of Keras 3.
_LAYOUT_OF_KERAS = "3.15.0"
_LARGEST_CONFIG = 256 * 2**20
_LARGEST_EXPANSION = 100


def save_model(
    model: Any, filepath: str | Path, overwrite: bool = True, include_optimizer: bool = True
) -> None:
    """Write architecture, weights and optimizer state to one file, or not at all.

    Args:
        model: A built model.
        filepath: Any name; `.keras` is customary and what Keras opens.
        overwrite: False refuses to replace a file.
        include_optimizer: False leaves out how the model was compiled.

    Raises:
        OSError: If there is no room or no permission; an older file stays whole.
    """
    path = Path(filepath)
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"{path} exists, and overwrite=False.\n  Fix: another name, or overwrite=True."
        )
    if not model.built:
        raise ValueError(
            f"Model {model.name!r} has no weights yet, so there is nothing to save.\n"
            "  Fix: fit it, call it on data, or put lamina.Input(shape) first."
        )
    record = registry.serialize(model)
    if not include_optimizer:
        record.pop("compile_config", None)
    metadata = {
        "keras_version": _LAYOUT_OF_KERAS,
        "date_saved": datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S"),
        "lamina_version": __version__,
    }
    weights = as_bytes(lambda file: write_weights(model, file))
    with atomic_write(path) as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr(METADATA, json.dumps(metadata))
        archive.writestr(CONFIG, json.dumps(record))
        archive.writestr(WEIGHTS, weights)


def load_model(
    filepath: str | Path, custom_objects: Mapping | None = None, compile: bool = True, **kwargs: Any
) -> Any:
    """Read a model saved by Lamina or by Keras 3.

    Args:
        filepath: The file.
        custom_objects: From name to class or function, for what is not Lamina's own.
        compile: False leaves out loss, metrics and optimizer.
        **kwargs: `safe_mode` is accepted as in Keras; loading is always safe.

    Raises:
        FileNotFoundError: If there is no such file.
        DamagedFileError: If it is no model, or a damaged one.
        UnknownClassError: If it uses a class that is not known here.
    """
    kwargs.pop("safe_mode", None)
    if kwargs:
        raise TypeError(f"load_model() has no argument {next(iter(kwargs))!r}.")
    _know_all_classes()
    path = existing(filepath)
    with opened(path) as archive:
        try:
            record = json.loads(_member(archive, CONFIG, path))
            if not compile:
                record.pop("compile_config", None)
            model = registry.deserialize(record, custom_objects)
        except (registry.UnknownClassError, DamagedFileError):
            raise
        except (
            KeyError,
            TypeError,
            ValueError,
            AttributeError,
            IndexError,
            RecursionError,
        ) as error:
            raise DamagedFileError(
                f"{path}: the description of the model cannot be read: {error}\n"
                "  Likely cause: it was made by a newer version, or changed by hand."
            ) from error
        if not hasattr(model, "predict"):
            raise DamagedFileError(f"{path} describes a {type(model).__name__} and not a model.")
        weights = _member(archive, WEIGHTS, path)
    try:
        problems = read_weights(model, io.BytesIO(weights))
    except (WeightsMismatchError, DamagedFileError) as error:
        raise DamagedFileError(f"{path}: {error}") from error
    for problem in problems:
        warnings.warn(
            f"{path}: the optimizer's state was not read and starts anew ({problem})",
            LaminaWarning,
            stacklevel=2,
        )
    return model


def save_weights(model: Any, filepath: str | Path, overwrite: bool = True) -> None:
    """Write the weights alone (`.weights.h5` is customary)."""
    path = Path(filepath)
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists, and overwrite=False.")
    if not model.built:
        raise ValueError(
            f"Model {model.name!r} has no weights yet, so there is nothing to save.\n"
            "  Fix: fit it, call it on data, or put lamina.Input(shape) first."
        )
    content = as_bytes(lambda file: write_weights(model, file))
    with atomic_write(path) as file:
        file.write(content)


def load_weights(model: Any, filepath: str | Path, skip_mismatch: bool = False) -> None:
    """Read weights from a weights file or a saved model of the same architecture."""
    path = existing(filepath)
    if not model.built:
        raise ValueError(
            f"Model {model.name!r} has no weights yet, so none can be put in.\n"
            "  Fix: put lamina.Input(shape) first, or call model.build((None, …))."
        )
    if zipfile.is_zipfile(path):
        with opened(path) as archive:
            source: Any = io.BytesIO(_member(archive, WEIGHTS, path))
    elif _is_hdf5(path):
        source = path
    else:
        raise _no_model(path)
    try:
        problems = read_weights(model, source, skip_mismatch=skip_mismatch)
    except DamagedFileError as error:
        raise DamagedFileError(f"{path}: {error}") from error
    for problem in problems:
        warnings.warn(f"{path}: not read: {problem}", LaminaWarning, stacklevel=2)


def existing(filepath: str | Path) -> Path:
    """The path, if a file is there; else an error that names what is there instead."""
    path = Path(filepath)
    if path.is_file():
        return path
    if path.is_dir():
        raise DamagedFileError(
            f"{path} is a folder, and a model is one file.\n"
            "  Likely cause: it was saved by TensorFlow 2 as a SavedModel.\n"
            "  Fix: there, model.save('model.keras') writes a file that Lamina reads."
        )
    neighbours = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    close = nearest(path.name, neighbours)
    hint = f" Did you mean {str(path.parent / close)!r}?" if close else ""
    raise FileNotFoundError(f"There is no file {str(path)!r}.{hint}")


def opened(path: Path) -> zipfile.ZipFile:
    """The zip at a path, or the reason why it is none."""
    if not zipfile.is_zipfile(path):
        raise _no_model(path)
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise _no_model(path) from error


def _no_model(path: Path) -> DamagedFileError:
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(b"PK"):
        return DamagedFileError(
            f"{path} is incomplete: it begins like a model but its end is missing.\n"
            "  Likely cause: a copy or download that was cut off.\n  Fix: copy it again."
        )
    if _is_hdf5(path):
        return DamagedFileError(
            f"{path} is an HDF5 file of weights, or a model in the format of Keras 2.\n"
            "  Fix: for weights, model.load_weights(path); for a model, save it with Keras 3 as "
            "'model.keras' first."
        )
    return DamagedFileError(
        f"{path} is no model: it is neither a .keras file nor HDF5 (it begins with {start!r})."
    )


def _is_hdf5(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8) == b"\x89HDF\r\n\x1a\n"


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    """A member of the zip, checked against its checksum and against zip bombs."""
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise DamagedFileError(
            f"{path} is no model: it has no {name} inside (it has {archive.namelist()[:5]})."
        ) from None
    too_large = name == CONFIG and info.file_size > _LARGEST_CONFIG
    if too_large or info.file_size > _LARGEST_EXPANSION * max(info.compress_size, 1024):
        raise DamagedFileError(
            f"{path}: {name} claims {info.file_size:,} bytes in {info.compress_size:,}, which no "
            "model needs; it is not opened."
        )
    try:
        return archive.read(info)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
        raise DamagedFileError(
            f"{path} is damaged: {name} does not match its checksum ({error}).\n"
            "  Likely cause: a faulty copy or disk.\n  Fix: copy it again, or use a backup."
        ) from error


def _know_all_classes() -> None:
    """Names in a file are looked up in tables, which the rooms fill when they are imported."""
    from lamina import layers, losses, metrics, models, optimizers  # noqa: F401
