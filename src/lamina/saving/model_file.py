"""The `.keras` file: a zip of config.json, metadata.json and model.weights.h5, as in Keras 3.

The zip may also have `contract.json`, which describes the data that the model was trained on and is
ignored by Keras, and a folder `assets` with vocabularies and the like. Loading never runs code from
the file: the config is plain data, and class names in it are looked up in a table (`registry.py`).
"""

import contextlib
import datetime
import io
import json
import warnings
import zipfile
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from lamina import dtype_policies  # noqa: F401 - files may name them
from lamina.contract import Contract
from lamina.core.configuration import config as settings
from lamina.core.memory_limit import OverBudgetError, memory_limit
from lamina.core.messages.errors import LaminaWarning, nearest, stacklevel_of_user, unknown_argument
from lamina.core.messages.tracebacks import filter_traceback, strip_internal_frames
from lamina.core.serialization import registry
from lamina.core.types import Config, CustomObjects
from lamina.core.user_data.paths import refuse_special_file
from lamina.core.variable.stateless import snapshot
from lamina.core.variable.threads import is_training_in_other_thread
from lamina.core.variable.variable import deferred_initialization
from lamina.saving import legacy_config, legacy_file, orbax_folder, shards, weights_file
from lamina.saving.assets import FOLDER, read_assets, write_assets
from lamina.saving.atomic import atomic_write
from lamina.saving.hdf5 import DamagedFileError
from lamina.saving.weights_file import (
    OVER_BUDGET,
    StoredWeights,
    WeightsMismatchError,
    as_bytes,
    read_weights,
    write_weights,
)
from lamina.version import __version__

if TYPE_CHECKING:
    from lamina.layers.preprocessing.feature_space import FeatureSpace
    from lamina.models.model import Model

_LEGACY = (".h5", ".hdf5")
CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
# The description of the data that the model was trained on; Keras ignores it.
CONTRACT = "contract.json"
# Keras's loader reads this version; the layout is that of Keras 3.
_KERAS_VERSION = "3.15.0"
# Parsed JSON takes many times the memory of its text.
_JSON_MEMORY_FACTOR = 8


@filter_traceback
def save_model(
    model: "Model | FeatureSpace",
    filepath: str | Path,
    overwrite: bool = True,
    zipped: bool | None = None,
    include_optimizer: bool = True,
    **kwargs: Any,
) -> None:
    """Write architecture, weights and optimizer state to one file.

    The file is written completely or not at all.

    Args:
        model: The model. If it has no weights yet, it is saved without them, with a warning.
        filepath: Path of the file; Keras opens only names that end in `.keras`. A name that ends in
            `.h5` or `.hdf5` creates a file in the layout of Keras 2, with a warning.
        overwrite: Whether an existing file may be replaced.
        zipped: Accepted for compatibility with Keras: a model is always one file.
        include_optimizer: Whether to save the optimizer, loss and metrics.
        **kwargs: `save_format` is accepted for compatibility with Keras, without effect.

    Raises:
        FileExistsError: If the file exists and `overwrite` is False.
        OSError: If the disk is full or there is no permission; an older file stays intact.
        ValueError: If the model has parts that cannot be written as data.
    """
    _ignore_old_arguments("save_model()", kwargs)
    _check_is_model(model)
    path = _check_writable(filepath, overwrite)
    if _may_lack_weights(model):
        warnings.warn(
            f"Model {model.name!r} has no weights yet: the file will hold its layers alone.\n"
            "  Fix: to save weights, too, first fit it, call it on data, or put "
            "lamina.Input(shape) in front.",
            LaminaWarning,
            stacklevel=stacklevel_of_user(),
        )
    with snapshot_of_weights(model):
        _save_to(model, path, include_optimizer)


def _save_to(model: Any, path: Path, include_optimizer: bool) -> None:
    record = registry.serialize_with_sharing(model)
    if not include_optimizer:
        record.pop("compile_config", None)
    if path.suffix.lower() in _LEGACY and not path.name.endswith(".weights.h5"):
        _save_legacy(model, path, record)
        return
    parts = _make_members(model, record, include_optimizer)
    with atomic_write(path) as file:
        _write_parts(model, parts, file)


def snapshot_of_weights(model: Any) -> contextlib.AbstractContextManager[Any]:
    """Context manager: a thread that trains the model does not change the values that are saved."""
    if not is_training_in_other_thread():
        return contextlib.nullcontext()
    return snapshot(model._learner.variables())


def model_as_bytes(model: "Model") -> bytes:
    """The content of a file of `save_model`, for copies of a model."""
    with snapshot_of_weights(model):
        parts = _make_members(model, registry.serialize_with_sharing(model), include_optimizer=True)
    return bytes(as_bytes(lambda file: _write_parts(model, parts, file)))


def model_from_bytes(content: bytes, custom_objects: CustomObjects | None = None) -> Any:
    """The inverse of `model_as_bytes`."""
    _import_all_classes()
    return _read_model(io.BytesIO(content), Path("a copy of a model"), custom_objects, True)


def _make_members(model: Any, record: Config, include_optimizer: bool) -> dict[str, Any]:
    metadata = {
        "keras_version": _KERAS_VERSION,
        "date_saved": datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S"),
        "lamina_version": __version__,
    }
    parts = {
        METADATA: json.dumps(metadata),
        CONFIG: _as_json(model, record),
        WEIGHTS: as_bytes(lambda file: write_weights(model, file, include_optimizer)),
    }
    contract = getattr(model, "input_contract", None)  # a FeatureSpace has none
    if contract is not None:
        parts[CONTRACT] = json.dumps(contract.to_json())
    return parts


def _write_parts(model: Any, parts: dict[str, Any], file: Any) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
        write_assets(model, archive)


@filter_traceback
def load_model(
    filepath: str | Path,
    custom_objects: CustomObjects | None = None,
    compile: bool = True,
    **kwargs: Any,
) -> Any:
    """Read a model saved by Lamina or by Keras 3, or an `.h5` file of Keras 2.

    Args:
        filepath: Path of the file.
        custom_objects: From name to class or function, for objects that are not Lamina's own.
        compile: Whether to load loss, metrics and optimizer.
        **kwargs: `safe_mode` is accepted for compatibility with Keras; loading is always safe.

    Returns:
        The model, compiled if the saved one was and `compile` is True.

    Raises:
        FileNotFoundError: If the file does not exist.
        DamagedFileError: If the file is damaged, or is not a model.
        UnknownClassError: If the model uses an unknown class.
        WeightsMismatchError: If a class creates other weights than when the model was saved.
    """
    _ignore_old_arguments("load_model()", kwargs)
    _import_all_classes()
    checkpoint = orbax_folder.latest_checkpoint(Path(filepath))
    if checkpoint is not None:
        return _load_checkpoint(checkpoint, custom_objects, compile)
    path = check_is_file(filepath)
    with path.open("rb") as file:
        return _read_model(file, path, custom_objects, compile)


def _load_checkpoint(path: Path, custom_objects: CustomObjects | None, compile: bool) -> Any:
    """The model of a checkpoint of Orbax."""
    record = parse_json(orbax_folder.config_in(path).encode())
    size = orbax_folder.size_of(orbax_folder.shapes_in(path))
    with deferred_initialization():
        with name_file_in_errors(path), memory_limit(settings.loading_budget(size)):
            model = _model_from_record(record, custom_objects, compile)
        orbax_folder.read_checkpoint(model, path)
    return model


def _read_model(
    file: BinaryIO, path: Path, custom_objects: CustomObjects | None, compile: bool
) -> Any:
    with name_file_in_errors(path):
        budget = settings.loading_budget(size_of(file))
    with name_file_in_errors(path), memory_limit(budget), deferred_initialization():
        if is_hdf5(file):
            model, remarks = _load_legacy(file, path, custom_objects, compile)
            _warn(path, remarks)
            return model
        config, weights = read_members(file, path, CONFIG, WEIGHTS)
        with weights_file.open_weights(io.BytesIO(weights), size_of(file)) as stored:
            model = _model_from_record(parse_json(config), custom_objects, compile)
            try:
                remarks = read_weights(model, stored)
            except WeightsMismatchError as error:
                raise WeightsMismatchError(
                    f"{error}\n  Likely cause: a class of the model makes other weights than when "
                    "it was saved.\n  Fix: load it with the class that was used then."
                ) from None
        _read_assets(model, file, path)
        _read_contract(model, file, path)
    _warn(path, remarks)
    return model


@filter_traceback
def save_weights(
    model: "Model",
    filepath: str | Path,
    overwrite: bool = True,
    max_shard_size: float | None = None,
    objects_to_skip: Iterable[Any] | None = None,
) -> None:
    """Write the weights alone (`.weights.h5` is customary).

    Args:
        model: A built model.
        filepath: Path of the file. With `max_shard_size`, the name must end in `.weights.json`; the
            shards are written to the same folder.
        overwrite: Whether an existing file may be replaced.
        max_shard_size: Largest size of one file in GiB; None for one file.
        objects_to_skip: Layers whose weights are left out.

    Raises:
        FileExistsError: If the file exists and `overwrite` is False.
        ValueError: If the name has another suffix, or a single weight is larger than a shard.
    """
    _check_is_model(model)
    path = _check_writable(filepath, overwrite)
    if _may_lack_weights(model):
        raise ValueError(
            f"Model {model.name!r} has no weights yet, so there is nothing to save.\n"
            "  Fix: fit it, call it on data, or put lamina.Input(shape) first."
        )
    skipped = list(objects_to_skip or ())
    with snapshot_of_weights(model):
        if max_shard_size is not None or path.name.endswith(shards.SUFFIX):
            shards.write_shards(model, path, max_shard_size, skipped)
            return
        content = as_bytes(lambda file: write_weights(model, file, objects_to_skip=skipped))
    with atomic_write(path) as file:
        file.write(content)


@filter_traceback
def load_weights(
    model: "Model",
    filepath: str | Path,
    skip_mismatch: bool = False,
    by_name: bool | None = None,
    objects_to_skip: Iterable[Any] | None = None,
) -> None:
    """Read weights from a weights file or a saved model of the same architecture.

    Args:
        model: A built model.
        filepath: A file of `save_weights` or `save_model`, of Lamina, Keras 2 or Keras 3.
        skip_mismatch: Skip layers whose weights do not fit, with a warning.
        by_name: For `.h5` files of Keras 2: match layers by name, rather than by order; layers that
            are not in the file are not changed.
        objects_to_skip: Layers that are not changed.

    Raises:
        FileNotFoundError: If the file does not exist.
        DamagedFileError: If the file has no weights, or is damaged.
        WeightsMismatchError: If the weights do not fit; then the model is not changed.
    """
    checkpoint = orbax_folder.latest_checkpoint(Path(filepath))
    path = check_is_file(filepath) if checkpoint is None else checkpoint
    if _may_lack_weights(model):
        raise ValueError(
            f"Model {model.name!r} has no weights yet, so none can be loaded.\n"
            "  Fix: put lamina.Input(shape) first, or call model.build((None, …))."
        )
    if checkpoint is not None:
        orbax_folder.read_checkpoint(model, checkpoint)
        return
    skipped = list(objects_to_skip or ())
    with name_file_in_errors(path), path.open("rb") as file:
        if path.name.endswith(shards.SUFFIX):
            with shards.open_shards(path) as stored:
                remarks = _read_into(model, stored, skip_mismatch, by_name, skipped)
            _warn(path, remarks)
            return
        source: Any = file
        if not is_hdf5(file):
            (weights,) = read_members(file, path, WEIGHTS)
            source = io.BytesIO(weights)
        with weights_file.open_weights(source, size_of(file)) as stored:
            remarks = _read_into(model, stored, skip_mismatch, by_name, skipped)
    _warn(path, remarks)


def _read_into(
    model: Any, stored: Any, skip_mismatch: bool, by_name: bool | None, skipped: list[Any]
) -> list[str]:
    is_legacy = isinstance(stored, StoredWeights) and legacy_file.is_legacy(stored)
    if by_name and not is_legacy:
        raise ValueError(
            "by_name is for .h5 files of Keras 2; in this file, weights are identified by their "
            "position in the model.\n"
            "  Fix: load_weights(…, skip_mismatch=True) to load those that fit."
        )
    if skipped and is_legacy:
        raise ValueError("objects_to_skip is not for .h5 files of Keras 2.\n  Fix: by_name=True.")
    try:
        if is_legacy:
            return legacy_file.read_layers(model, stored, skip_mismatch, bool(by_name))
        return read_weights(model, stored, skip_mismatch, skipped)
    except WeightsMismatchError as error:
        hint = (
            ""
            if "Fix:" in str(error)
            else (
                "\n  Fix: make the model with the same layers as the saved one, or "
                "load_weights(…, skip_mismatch=True) to load those that fit."
            )
        )
        raise WeightsMismatchError(f"{error}{hint}") from None


def check_is_file(filepath: str | Path) -> Path:
    """The path, if it is a file; else an error that explains what it is."""
    path = Path(filepath)
    if path.is_file():
        return path
    if path.is_dir():
        raise DamagedFileError(f"{path} is a folder; a model is one file.{_explain_folder(path)}")
    try:
        refuse_special_file(path)
    except ValueError as error:
        raise DamagedFileError(str(error)) from None
    neighbours: list[str] = []
    with contextlib.suppress(OSError):
        neighbours = [p.name for p in path.parent.iterdir()]
    close = nearest(path.name, neighbours)
    hint = f" Did you mean {str(path.parent / close)!r}?" if close else ""
    raise NoFileError(f"There is no file {str(path)!r}.{hint}")


class NoFileError(FileNotFoundError, ValueError):
    """The file does not exist. Python raises FileNotFoundError, and Keras ValueError."""


def _explain_folder(path: Path) -> str:
    """The likely cause and the fix, for a folder in place of a model file."""
    if (path / "saved_model.pb").exists() or (path / "keras_metadata.pb").exists():
        return (
            "\n  Likely cause: it was saved by TensorFlow 2 as a SavedModel.\n"
            "  Fix: there, model.save('model.keras') writes a file that Lamina reads."
        )
    with contextlib.suppress(OSError):
        files = sorted(p for p in path.iterdir() if p.suffix in (".keras", ".h5"))
        models = [p for p in files if not p.name.endswith(".weights.h5")]
        if models:
            return f"\n  Fix: give the path of the file in it, {str(models[0])!r}."
    return "\n  Fix: name the .keras file; there is none in this folder."


def _ignore_old_arguments(function: str, kwargs: dict[str, Any]) -> None:
    """Accept arguments of Keras that have no effect; refuse others."""
    ignored = {"load_model()": ("safe_mode", "options"), "save_model()": ("save_format",)}[function]
    for name in kwargs:
        if name not in ignored:
            argument_names = ("filepath", "overwrite", "custom_objects", "compile", *ignored)
            raise unknown_argument(function, name, argument_names)


def _check_writable(filepath: str | Path, overwrite: bool) -> Path:
    path = Path(filepath)
    if not overwrite and path.exists():
        raise FileExistsError(
            f"{path} exists, and overwrite=False.\n  Fix: another name, or overwrite=True."
        )
    return path


def _check_is_model(model: Any) -> None:
    if not hasattr(model, "_flatten_layers"):
        raise TypeError(
            f"Only a model can be saved; received {model!r}.\n"
            "  Fix: pass the model first, then the path: save_model(model, path)."
        )


def _may_lack_weights(model: Any) -> bool:
    """Whether a model has layers that are not built."""
    inner = model._flatten_layers(include_self=False)
    return not model.built and not (inner and all(layer.built for layer in inner))


@contextlib.contextmanager
def name_file_in_errors(path: Path) -> Iterator[None]:
    """Context manager that adds the name of the file to errors about its content."""
    try:
        yield
    except (DamagedFileError, WeightsMismatchError, registry.UnknownClassError) as error:
        if str(error).startswith(str(path)):
            raise
        notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", ()))
        raise type(error)(f"{path}: {error}{notes}") from error.__cause__
    except OSError as error:
        if str(path) in str(error):
            raise
        raise type(error)(
            error.errno,
            f"{path} cannot be opened: {error.strerror or error}.\n"
            "  Likely cause: a faulty disk, or a path that does not name a regular file.",
        ) from None


def _as_json(model: Any, record: Any) -> str:
    try:
        return json.dumps(record)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(
            f"Model {model.name!r} cannot be written as data: {error}.\n"
            "  Likely cause: a get_config() that returns more than numbers, texts, lists and dicts."
        ) from None


def _save_legacy(model: Any, path: Path, record: Config) -> None:
    """Write an `.h5` file as `model.save` of Keras 3 does."""
    _as_json(model, record)
    warnings.warn(
        f"{path} is written in the layout of Keras 2, which stores less than a .keras file.\n"
        f"  Fix: model.save({str(path.with_suffix('.keras'))!r}), unless an older program "
        "must read it.",
        LaminaWarning,
        stacklevel=stacklevel_of_user(),
    )
    compiled = record.get("compile_config")
    attributes: dict[str, Any] = {
        "keras_version": _KERAS_VERSION,
        "backend": "jax",
        "model_config": {"class_name": record["class_name"], "config": record["config"]},
    }
    if compiled:
        names = ("loss_weights", "metrics", "weighted_metrics")
        attributes["training_config"] = {
            **{name: legacy_config.functions_by_name(compiled.get(name)) for name in names},
            "loss": legacy_config.full_names(compiled.get("loss")),
            "optimizer_config": compiled.get("optimizer"),
        }
    optimizer = model.optimizer if compiled else None
    content = as_bytes(lambda file: legacy_file.write_legacy(model, attributes, file, optimizer))
    with atomic_write(path) as file:
        file.write(content)


def _load_legacy(
    file: BinaryIO, path: Path, custom_objects: CustomObjects | None, compile: bool
) -> tuple[Any, list[str]]:
    """The model in an `.h5` file of Keras 2 or 3, and remarks on parts that were not read."""
    with weights_file.open_weights(file, size_of(file)) as stored:
        config = legacy_file.config_of(stored, "model_config")
        if config is None:
            raise _only_weights_error(path)
        model = _model_from_record(
            lambda: legacy_config.model_record(config), custom_objects, compile=False
        )
        remarks = legacy_file.read_layers(model, stored)
        training = legacy_file.config_of(stored, "training_config") if compile else None
        if isinstance(training, dict):
            remarks += _compile_legacy(model, training, stored, custom_objects)
    return model, remarks


def _compile_legacy(
    model: Any,
    training: dict[str, Any],
    stored: StoredWeights,
    custom_objects: CustomObjects | None,
) -> list[str]:
    outputs = len(getattr(model, "outputs", [None]))
    try:
        with registry.custom_object_scope(custom_objects or {}):
            model.compile_from_config(legacy_config.compile_record(training, outputs))
    except registry.UnknownClassError as error:
        error.add_note("  To predict, it is not needed: load_model(path, compile=False).")
        raise
    except Exception as error:
        # The model can be used even if the loss and metrics in an old file cannot.
        strip_internal_frames(error)
        return [f"the model is not compiled: {str(error)[:300]}\n  Fix: model.compile(…)."]
    problem = legacy_file.read_optimizer(model.optimizer, stored)
    return [problem] if problem else []


def parse_json(config: bytes) -> Any:
    """Parse a JSON member."""
    try:
        return json.loads(config)
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(
            f"the description of the model cannot be used: it is not JSON ({error}).\n"
            "  Likely cause: it was changed by hand."
        ) from None


def _model_from_record(record: Any, custom_objects: CustomObjects | None, compile: bool) -> Any:
    """Create a model with new weights from its record.

    Args:
        record: Plain data, or a function that returns it.
        custom_objects, compile: See `load_model`.
    """
    if not compile and isinstance(record, dict):
        record.pop("compile_config", None)
    try:
        record = record() if callable(record) else record
        model = registry.deserialize_with_sharing(record, custom_objects)
    except registry.UnknownClassError:
        raise
    except OverBudgetError as error:
        notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", ()))
        raise DamagedFileError(
            f"the description of the model cannot be used: {error}{notes}\n{OVER_BUDGET}"
        ) from None
    except Exception as error:
        # A changed config may lead to any error in any layer. The cause is shown only if it may be
        # in the user's own class.
        strip_internal_frames(error)
        notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", ()))
        text = str(error)[:1000] or type(error).__name__
        has_custom_classes = custom_objects or registry.get_custom_objects()
        raise DamagedFileError(
            f"the description of the model cannot be used: {text}{notes}\n"
            "  Likely cause: it was changed by hand, or a class is not the one that was saved."
        ) from (error if has_custom_classes and not isinstance(error, RecursionError) else None)
    if not hasattr(model, "save"):
        raise DamagedFileError(f"it describes a {type(model).__name__} and not a model.")
    return model


def read_members(file: BinaryIO, path: Path, *names: str) -> list[bytes]:
    """Read members of a zip, with verified checksums and limited sizes (no zip bombs)."""
    try:
        archive = zipfile.ZipFile(file)
    except Exception:
        raise _not_a_model_error(file, path) from None
    with archive:
        return [_read_member(archive, name, size_of(file)) for name in names]


def _read_assets(model: Any, file: BinaryIO, path: Path) -> None:
    """Load the assets of layers, such as vocabularies."""
    with zipfile.ZipFile(file) as archive:
        names = [name for name in archive.namelist() if name.startswith(f"{FOLDER}/")]
        _check_names(archive, {CONFIG, METADATA, WEIGHTS, CONTRACT, *names})
        total = sum(archive.getinfo(name).file_size for name in names)
        if total > settings.loading_budget(size_of(file)):
            raise DamagedFileError(
                f"{path}: its {FOLDER} claim to be {total:,} bytes, in a file of "
                f"{size_of(file):,}.\n{OVER_BUDGET}"
            )
        read_assets(model, names, lambda name: _read_member(archive, name, size_of(file)))


def _read_contract(model: Any, file: BinaryIO, path: Path) -> None:
    """Read the description of the data that the model was trained on, if the file has one."""
    with zipfile.ZipFile(file) as archive:
        if CONTRACT not in archive.namelist():
            return
        content = _read_member(archive, CONTRACT, size_of(file))
    try:
        model.input_contract = Contract.from_json(json.loads(content))
    except (ValueError, RecursionError) as error:
        _warn(path, [f"{CONTRACT} was not used: {error}."])


def _check_names(archive: zipfile.ZipFile, expected_names: Collection[str]) -> None:
    """Refuse a zip whose list of contents has a damaged name.

    Unknown members are ignored, but each is opened: this fails if its name differs in the list and
    in the member. Otherwise a member with a damaged name would be ignored silently.
    """
    for info in archive.infolist():
        if info.filename not in expected_names:
            try:
                archive.open(info).close()
            except Exception:
                raise DamagedFileError(
                    f"its list of contents is damaged, at {ascii(info.filename)[:80]}.\n"
                    "  Likely cause: a faulty copy or disk.\n  Fix: copy it again, or use a backup."
                ) from None


def _read_member(archive: zipfile.ZipFile, name: str, size_on_disk: int) -> bytes:
    try:
        info = archive.getinfo(name)
    except KeyError:
        names = ", ".join(ascii(n)[:50] for n in archive.namelist()[:5]) or "nothing"
        raise DamagedFileError(
            f"it is not a model: it has no {name} inside, but {names}."
        ) from None
    limit = settings.loading_budget(size_on_disk)
    if name in (CONFIG, METADATA, CONTRACT):
        limit /= _JSON_MEMORY_FACTOR
    if info.file_size > limit:
        raise DamagedFileError(
            f"{name} claims to be {info.file_size:,} bytes, in a file of {size_on_disk:,}; it is "
            f"not opened.\n{OVER_BUDGET}"
        )
    try:
        return archive.read(info)
    except Exception:
        raise DamagedFileError(
            f"{name} inside it is damaged: it does not match its checksum.\n"
            "  Likely cause: a faulty copy or disk.\n  Fix: copy it again, or use a backup."
        ) from None


def _not_a_model_error(file: BinaryIO, path: Path) -> DamagedFileError:
    """The error for a file that is not a zip."""
    file.seek(0)
    start = file.read(8)
    if not start:
        return DamagedFileError(f"{path} is empty.\n  Fix: copy it again, or use a backup.")
    if start.startswith(b"PK"):
        return DamagedFileError(
            f"{path} is incomplete or damaged: it begins like a model but its list of contents, at "
            "the end, is missing.\n"
            "  Likely cause: a copy or download that was cut off.\n  Fix: copy it again."
        )
    if is_hdf5(file):
        return _only_weights_error(path)
    return DamagedFileError(
        f"{path} is not a model: it is neither a .keras file nor HDF5 (it begins with {start!r})."
    )


def _only_weights_error(path: Path) -> DamagedFileError:
    return DamagedFileError(
        f"{path} is an HDF5 file of weights, without the description of a model.\n"
        "  Fix: make the model and call model.load_weights(path)."
    )


def is_hdf5(file: BinaryIO) -> bool:
    """Whether a file begins like HDF5."""
    file.seek(0)
    is_signature = file.read(8) == b"\x89HDF\r\n\x1a\n"
    file.seek(0)
    return is_signature


def size_of(file: BinaryIO) -> int:
    """Bytes of an open file."""
    position = file.tell()
    size = file.seek(0, io.SEEK_END)
    file.seek(position)
    return size


def _warn(path: Path, remarks: list[str]) -> None:
    for remark in remarks:
        warnings.warn(f"{path}: {remark}", LaminaWarning, stacklevel=stacklevel_of_user())


def _import_all_classes() -> None:
    """Import all packages with public classes, since importing them fills the registry."""
    # Some are above this package in the import order; nothing of them is used here.
    from lamina import distillation, layers, losses, metrics, models, optimizers  # noqa: F401
    from lamina.layers.preprocessing import feature_space  # noqa: F401 - public under utils
