"""The build backend: scikit-build-core, which asks for no more than it needs and always succeeds.

Without a compiler, or where it fails, the package is made without its library, so that it can be
installed everywhere; Lamina then works without kernels. jaxlib is asked for only where its headers
are not there yet. In the environment, LAMINA_KERNELS_LIBRARY=required makes a build without the
library an error, and LAMINA_KERNELS_LIBRARY=omit leaves it out.
"""

import os
import shutil
import sys
from typing import Any

import jax_headers
from scikit_build_core import build as core
from scikit_build_core.build import build_sdist, get_requires_for_build_sdist

__all__ = [
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_wheel",
]

_COMPILERS = ("c++", "g++", "clang++")


def get_requires_for_build_wheel(config_settings: Any = None) -> list[str]:
    """What a build needs besides scikit-build-core."""
    if not _compiles():
        return []
    required = core.get_requires_for_build_wheel(config_settings)
    return [*required, *([] if jax_headers.folder() else ["jaxlib>=0.8"])]


def prepare_metadata_for_build_wheel(folder: str, config_settings: Any = None) -> str:
    """Name, version and requirements, for which nothing need be compiled."""
    return core.prepare_metadata_for_build_wheel(folder, _without_library(config_settings))


def build_wheel(folder: str, config_settings: Any = None, metadata_folder: Any = None) -> str:
    """Build a wheel, with the library if that is possible."""
    if _compiles():
        try:
            return core.build_wheel(folder, config_settings)
        except (Exception, SystemExit) as error:
            if _is_required():
                raise
            print(f"The library could not be built ({error}): left out.", file=sys.stderr)
    return core.build_wheel(folder, _without_library(config_settings))


def _compiles() -> bool:
    if os.environ.get("LAMINA_KERNELS_LIBRARY") == "omit":
        return False
    names = [os.environ.get("CXX", ""), *_COMPILERS]
    found = any(name and shutil.which(name.split()[0]) for name in names)
    return found or os.name == "nt" or _is_required()


def _is_required() -> bool:
    return os.environ.get("LAMINA_KERNELS_LIBRARY") == "required"


def _without_library(config_settings: Any) -> dict[str, Any]:
    return {**(config_settings or {}), "wheel.cmake": "false"}
