"""Atomic writes: a file is either the old one or the new one, whole, whatever happens between."""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[BinaryIO]:
    """Write to a temporary file beside `path`; it takes the name only once it is complete.

    Args:
        path: Where the file is to be. Missing folders are made.

    Raises:
        OSError: If it cannot be written, e.g. for lack of room; the old file is untouched.

    Example:
        >>> folder = tempfile.mkdtemp()
        >>> with atomic_write(Path(folder, "model.keras")) as file:
        ...     _ = file.write(b"weights")
        >>> Path(folder, "model.keras").read_bytes()
        b'weights'
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(
            f"{path} is a folder, and a model is saved as one file.\n"
            f"  Fix: save to {path / 'model.keras'}."
        )
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", suffix=".part", delete=False
        ) as file:
            temporary = Path(file.name)
            yield file  # type: ignore[misc]
            file.flush()
            os.fsync(file.fileno())
        # NamedTemporaryFile is private to its owner; a saved model is like any other file.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
        temporary = None
        _sync_folder(path.parent)
    except OSError as error:
        raise _explained(error, path) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()


def _sync_folder(folder: Path) -> None:
    """Make the new name itself survive a power cut, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _explained(error: OSError, path: Path) -> OSError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = ""
        with contextlib.suppress(OSError):
            free = f" ({shutil.disk_usage(path.parent).free / 2**20:.1f} MiB are free)"
        return OSError(
            error.errno,
            f"No room on the disk to save {path}{free}. An older file of that name is untouched.\n"
            "  Fix: make room, or save to another disk.",
        )
    if error.errno in (errno.EACCES, errno.EROFS):
        return PermissionError(
            error.errno,
            f"{path} cannot be written: no permission for {path.parent}.\n"
            "  Fix: save to a folder of your own.",
        )
    return error
