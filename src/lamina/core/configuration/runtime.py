"""Settings of JAX, made before the first array is created: compiled programs are cached on disk.

Every module that makes arrays imports this one. Settings that the user has made are not changed.
With `LAMINA_KEEP_PROGRAMS=0` in the environment, compiled programs are not cached.
"""

import hashlib
import os
import platform
from pathlib import Path

# Set before JAX looks for devices, so that one process does not take all memory of a GPU.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax
import jaxlib

from lamina.core.configuration import config

_CACHE_BYTES = 512 * 2**20


def programs_folder() -> Path:
    """The folder of compiled programs, one for each type of processor and version of JAX.

    A program compiled for the vector instructions of one machine must not be run on another
    that shares the home folder.
    """
    environment = f"{platform.machine()}-{jaxlib.__version__}-{_processor_features()}"
    return (
        config.cache_folder() / "programs" / hashlib.sha256(environment.encode()).hexdigest()[:16]
    )


def _processor_features() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    descriptions = ("model name", "flags", "Features")
    return "\n".join(dict.fromkeys(line for line in lines if line.startswith(descriptions)))


def _cache_programs_on_disk() -> None:
    chosen_by_user = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    if chosen_by_user or os.environ.get("LAMINA_KEEP_PROGRAMS") == "0":
        return
    folder = programs_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # a read-only home: programs are compiled again at the next start
    if not os.access(folder, os.W_OK):
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    # By default JAX caches only programs that took over a second to compile; small networks take
    # less.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    # JAX's own limit on the size is slow: it reads every entry before each write.
    _delete_oldest_programs(folder)


def _delete_oldest_programs(folder: Path) -> None:
    """Delete the oldest programs, down to half of the limit, if the folder exceeds it."""
    try:
        with os.scandir(folder) as entries:
            files = [(e.stat().st_mtime, e.stat().st_size, e.path) for e in entries if e.is_file()]
        excess = sum(size for _, size, _ in files) - _CACHE_BYTES
        if excess <= 0:
            return
        excess += _CACHE_BYTES // 2
        for _, size, path in sorted(files):
            if excess <= 0:
                break
            os.unlink(path)
            excess -= size
    except OSError:
        return  # another process is deleting


class _Process:
    """Facts about this process."""

    forked_after_jax_started = False


def _record_fork() -> None:
    from jax._src import xla_bridge  # has no public name

    if xla_bridge.backends_are_initialized():
        _Process.forked_after_jax_started = True


def refuse_after_fork(caller: str) -> None:
    """Raise an error in a forked child of a process that has used JAX: computing would hang.

    A fork does not copy JAX's threads, so the child would wait for them forever.

    Raises:
        RuntimeError: If this process is such a child.
    """
    if _Process.forked_after_jax_started:
        raise RuntimeError(
            f"{caller}() cannot work in this process: it was forked from one that had used JAX, "
            "whose threads a fork does not copy.\n"
            "  Fix: multiprocessing.get_context('spawn').Process(…), or fork before the first "
            "model is made."
        )


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_record_fork)
_cache_programs_on_disk()
