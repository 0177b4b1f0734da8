"""Settings that hold for the whole process: float type, epsilon, image layout, cache folder.

Everything here is plain Python; nothing imports JAX, so `import lamina` stays quick.
"""

import os
from pathlib import Path
from typing import Any, SupportsFloat

from lamina.core.messages.tracebacks import filter_traceback

_FLOAT_TYPES = ("float16", "bfloat16", "float32", "float64")
_settings: dict[str, Any] = {
    "diagnosis": "notes",
    "floatx": "float32",
    "epsilon": 1e-7,
    "image_data_format": "channels_last",
    "resident_budget": None,
    "loading_budget": None,
    "max_epochs": None,
    "max_steps_per_epoch": None,
    "interactive_logging": True,
    "traceback_filtering": os.environ.get("LAMINA_TRACEBACK_FILTERING") != "off",
    "flash_attention": None,
}


def floatx() -> str:
    """Name of the default float type, `"float32"` unless changed.

    Returns:
        A name.

    Example:
        >>> floatx()
        'float32'
    """
    return str(_settings["floatx"])


@filter_traceback
def set_floatx(value: str) -> None:
    """Set the default float type: `"float16"`, `"bfloat16"`, `"float32"` or `"float64"`.

    Args:
        value: Name of the type.

    Raises:
        ValueError: If it is none of the four.
    """
    if value not in _FLOAT_TYPES:
        raise ValueError(f"floatx must be one of {', '.join(_FLOAT_TYPES)}; received {value!r}.")
    _settings["floatx"] = value


def epsilon() -> float:
    """The small number (1e-7 unless changed) that keeps logarithms and divisions finite.

    Returns:
        A number.
    """
    value: float = _settings["epsilon"]
    return value


@filter_traceback
def set_epsilon(value: float) -> None:
    """Set the small number that keeps logarithms and divisions finite.

    Args:
        value: The number, without a unit.
    """
    if not isinstance(value, SupportsFloat) or not float(value) >= 0:
        raise ValueError(f"epsilon is a small number, 0 or more; received {value!r}.")
    _settings["epsilon"] = float(value)


def image_data_format() -> str:
    """`"channels_last"` or `"channels_first"`: where images keep their channel axis.

    Returns:
        A name.
    """
    return str(_settings["image_data_format"])


@filter_traceback
def set_image_data_format(data_format: str) -> None:
    """Set the default position of the channel axis for layers made from now on.

    Args:
        data_format: `"channels_last"` or `"channels_first"`.

    Raises:
        ValueError: If it is neither.
    """
    _settings["image_data_format"] = standardize_data_format(data_format)


@filter_traceback
def standardize_data_format(data_format: str | None) -> str:
    """`data_format` checked and in lower case; the process-wide default for None."""
    if data_format is None:
        return image_data_format()
    if str(data_format).lower() not in ("channels_last", "channels_first"):
        raise ValueError(
            f"data_format must be 'channels_last' or 'channels_first'; received {data_format!r}."
        )
    return str(data_format).lower()


def resident_budget() -> int:
    """Bytes of training data that may stay on the device; larger sets are streamed.

    Set by `$LAMINA_RESIDENT_BYTES` or `set_resident_budget`; otherwise half of the free memory.
    """
    if _settings["resident_budget"] is not None:
        return int(_settings["resident_budget"])
    if "LAMINA_RESIDENT_BYTES" in os.environ:
        return int(_bytes_from_environment("LAMINA_RESIDENT_BYTES"))
    return _free_memory() // 2


@filter_traceback
def set_resident_budget(size: int | None) -> None:
    """Set how many bytes of training data may stay on the device; None: half of the free memory.

    Args:
        size: Number of bytes, or None.

    Raises:
        ValueError: If it is negative.
    """
    _check_bytes(size)
    _settings["resident_budget"] = size


@filter_traceback
def loading_budget(file_size: int = 0) -> float:
    """Bytes of memory that opening a model file may use: unpacked data, Variables and tables.

    Set by `set_loading_budget` or `$LAMINA_LOADING_BYTES`; otherwise 32 MiB plus 16 times the size
    of the file, which is several times what a model with its optimizer needs. A file that needs
    more is refused, because a file of a few bytes can request arrays of any size.

    Args:
        file_size: Bytes of the file.

    Returns:
        A number of bytes.
    """
    if _settings["loading_budget"] is not None:
        return float(_settings["loading_budget"])
    if os.environ.get("LAMINA_LOADING_BYTES"):
        return _bytes_from_environment("LAMINA_LOADING_BYTES")
    return 32 * 2**20 + 16 * file_size


@filter_traceback
def set_loading_budget(size: float | None) -> None:
    """Set how many bytes of memory opening a model file may use, for files that you trust.

    Args:
        size: Bytes; `float("inf")` for no limit, None for the default of `loading_budget`.
    """
    _check_bytes(size)
    _settings["loading_budget"] = size


def _check_bytes(size: float | None) -> None:
    if size is not None and not (isinstance(size, SupportsFloat) and float(size) >= 0):
        raise ValueError(f"The budget is a number of bytes, 0 or more; received {size!r}.")


def _bytes_from_environment(variable: str) -> float:
    try:
        size = float(os.environ[variable])
    except ValueError:
        size = -1.0
    if not size >= 0:
        raise ValueError(
            f"{variable} is a number of bytes, such as 8e9; it is {os.environ[variable]!r}."
        )
    return size


def max_epochs() -> int | None:
    """The most epochs that any `fit` may run, or None; `set_max_epochs` or `$KERAS_MAX_EPOCHS`."""
    return _read_limit("max_epochs", "KERAS_MAX_EPOCHS")


@filter_traceback
def set_max_epochs(max_epochs: int | None) -> None:
    """Limit the epochs of every `fit` from now on, to try a script quickly; None: no limit.

    Args:
        max_epochs: Number of epochs, or None.
    """
    _set_limit("max_epochs", max_epochs)


def max_steps_per_epoch() -> int | None:
    """The most steps of any epoch, `evaluate` or `predict`, or None.

    It is set by `set_max_steps_per_epoch` or `$KERAS_MAX_STEPS_PER_EPOCH`.
    """
    return _read_limit("max_steps_per_epoch", "KERAS_MAX_STEPS_PER_EPOCH")


@filter_traceback
def set_max_steps_per_epoch(max_steps_per_epoch: int | None) -> None:
    """Limit the steps of every epoch, `evaluate` and `predict` from now on; None: no limit.

    Args:
        max_steps_per_epoch: Number of steps, or None.
    """
    _set_limit("max_steps_per_epoch", max_steps_per_epoch)


def _read_limit(name: str, variable: str) -> int | None:
    if _settings[name] is not None:
        return int(_settings[name])
    return int(os.environ[variable]) if os.environ.get(variable) else None


def _set_limit(name: str, value: int | None) -> None:
    is_positive_integer = isinstance(value, int) and not isinstance(value, bool) and value > 0
    if value is not None and not is_positive_integer:
        raise ValueError(f"{name} must be an integer above 0, or None; received {value!r}.")
    _settings[name] = value


def diagnosis() -> str:
    """How thoroughly `fit` looks for problems in a training: `"off"`, `"notes"` or `"full"`.

    Returns:
        The setting.
    """
    return str(_settings["diagnosis"])


@filter_traceback
def set_diagnosis(level: str) -> None:
    """Set how thoroughly `fit` looks for problems in a training.

    Args:
        level: `"notes"`, the default, records facts that take no extra time; when the training
            ends, likely problems are shown, and `history.findings` has all findings. `"full"` also
            trains changed copies of the model, for at most 15 % of the training time or 20 seconds,
            whichever is longer, to find out which change helps. `"off"` looks for nothing.

    Raises:
        ValueError: If there is no such level.

    Example:
        >>> set_diagnosis("off")
        >>> diagnosis()
        'off'
        >>> set_diagnosis("notes")
    """
    if level not in ("off", "notes", "full"):
        raise ValueError(f"set_diagnosis takes 'off', 'notes' or 'full'; received {level!r}.")
    _settings["diagnosis"] = level


def enable_interactive_logging() -> None:
    """Show progress and messages on standard output, which is the default."""
    _settings["interactive_logging"] = True


def disable_interactive_logging() -> None:
    """Send progress and messages to Python's logger `"lamina"` (level INFO), e.g. on a server."""
    _settings["interactive_logging"] = False


def is_interactive_logging_enabled() -> bool:
    """Whether progress and messages go to standard output rather than to the logger."""
    return bool(_settings["interactive_logging"])


def enable_traceback_filtering() -> None:
    """Leave the frames of Lamina and JAX out of tracebacks, which is the default."""
    _settings["traceback_filtering"] = True


def disable_traceback_filtering() -> None:
    """Show all frames in tracebacks, to debug Lamina itself.

    `LAMINA_TRACEBACK_FILTERING=off` in the environment has the same effect.
    """
    _settings["traceback_filtering"] = False


def is_traceback_filtering_enabled() -> bool:
    """Whether the frames of Lamina and JAX are left out of tracebacks."""
    return bool(_settings["traceback_filtering"])


def _free_memory() -> int:
    import jax  # only needed for training

    stats = jax.local_devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        return int(stats["bytes_limit"] - stats.get("bytes_in_use", 0))
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(x.split()[1]) * 1024 for x in lines if x.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return 4 * 2**30  # not Linux: a size that any machine used for training has


def cache_folder() -> Path:
    """Folder for downloads and compiled programs: `$LAMINA_CACHE`, else `~/.cache/lamina`."""
    folder = os.environ.get("LAMINA_CACHE")
    if folder:
        return Path(folder).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "lamina"


def datasets_folder() -> Path | None:
    """The folder in `$LAMINA_DATASETS`, which need not exist; None if the variable is not set."""
    folder = os.environ.get("LAMINA_DATASETS")
    return Path(folder).expanduser() if folder else None


def enable_flash_attention() -> None:
    """Let attention use a fused kernel where one is available, which is the default."""
    _settings["flash_attention"] = None


def disable_flash_attention() -> None:
    """Do not use a fused kernel in attention layers made from now on."""
    _settings["flash_attention"] = False


def is_flash_attention_enabled() -> bool | None:
    """False if it was disabled; None if a fused kernel is used where one is available."""
    enabled: bool | None = _settings["flash_attention"]
    return enabled
