"""The compiled library: found beside this file, its functions made known to XLA, once."""

import base64
import ctypes
import hashlib
import importlib.metadata
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

Array = jax.Array

# Part of every name, because compiled programs that are kept on the disk ask for it: a kernel whose
# arguments change is another one. CMake reads it from here for the library, which has to agree.
_EDITION = 2

_FUNCTIONS = (
    "adam", "product", "transposed_product",
    "convolution", "input_gradient", "kernel_gradient",
    "pooled_convolution", "pooled_input_gradient", "pooled_kernel_gradient",
    "lstm", "lstm_kept", "lstm_gradient",
    "attention", "attention_gradient",
    "moments", "weighted_sums",
)  # fmt: skip


def call(function: str, results: Any, *arguments: Array, **settings: Any) -> Any:
    """One of the library's functions as part of a traced program.

    Args:
        function: Its name.
        results: `jax.ShapeDtypeStruct`s of what it gives, in the structure that is returned.
        *arguments: Arrays.
        **settings: Attributes, and `input_output_aliases` where it works in place.
    """
    aliases = settings.pop("input_output_aliases", None)
    kernel = jax.ffi.ffi_call(
        _target(function), results, vmap_method="sequential", input_output_aliases=aliases
    )
    return kernel(*arguments, **settings)


def instructions() -> str:
    """The instruction set that runs here: `"AVX-512"`, `"AVX2"` or `"baseline"`.

    Example:
        >>> instructions() in ("AVX-512", "AVX2", "baseline")
        True
    """
    _library.lamina_instructions.restype = ctypes.c_char_p
    return _library.lamina_instructions().decode()


def _target(function: str) -> str:
    return f"lamina_{function}_{_EDITION}"


def _load() -> ctypes.CDLL:
    """The library, if it is the one that was installed with this file.

    Raises:
        ImportError: If it is missing, damaged or another one. Loading a damaged library could end
            the process.
    """
    path = Path(__file__).with_name(
        f"liblamina_kernels.{'dylib' if sys.platform == 'darwin' else 'so'}"
    )
    if not path.exists():
        raise ImportError("the package was installed without its library")
    installed = _installed_digest(path)
    if installed is not None and installed != _digest(path):
        raise ImportError(f"{path.name} is not the file that was installed")
    try:
        library = ctypes.CDLL(str(path))
        edition = library.lamina_edition()
    except (OSError, AttributeError) as error:
        raise ImportError(f"{path.name} cannot be loaded: {error}") from error
    if edition != _EDITION:
        raise ImportError(f"{path.name} is of edition {edition}, this package of {_EDITION}")
    return library


def _digest(path: Path) -> str:
    digest = hashlib.sha256(path.read_bytes()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _installed_digest(path: Path) -> str | None:
    """What the installer has recorded, or None if nothing did, as in a checkout."""
    try:
        files = importlib.metadata.distribution("lamina-kernels").files or ()
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.name == path.name and Path(str(file.locate())).resolve() == path.resolve():
            return file.hash.value if file.hash is not None else None
    return None


def _register(functions: Sequence[str]) -> None:
    for function in functions:
        handler = jax.ffi.pycapsule(getattr(_library, f"lamina_{function}"))
        jax.ffi.register_ffi_target(_target(function), handler, platform="cpu")


_library = _load()
_register(_FUNCTIONS)
