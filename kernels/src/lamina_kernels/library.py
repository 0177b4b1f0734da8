"""The compiled library: found beside this file, its functions made known to XLA, once."""

import ctypes
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

Array = jax.Array

# Part of every name, because compiled programs that are kept on the disk ask for it: a kernel whose
# arguments change is another one.
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


def _target(function: str) -> str:
    return f"lamina_{function}_{_EDITION}"


def _register(functions: Sequence[str]) -> None:
    ending = "dylib" if sys.platform == "darwin" else "so"
    library = ctypes.CDLL(str(Path(__file__).with_name(f"liblamina_kernels.{ending}")))
    for function in functions:
        handler = jax.ffi.pycapsule(getattr(library, f"lamina_{function}"))
        jax.ffi.register_ffi_target(_target(function), handler, platform="cpu")


_register(_FUNCTIONS)
