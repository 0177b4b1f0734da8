"""Atomic writes: a file is either the complete old one or the complete new one at any time."""

import contextlib
import errno
import glob
import io
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from lamina.core import processes
from lamina.core.types import PathLike
from lamina.core.user_data.paths import special_file_type

try:
    import fcntl
except ImportError:  # on Windows, where an open file cannot be deleted anyway
    fcntl = None  # type: ignore[assignment]

# A file that another process has just created may not be locked yet.
_LOCKED_AFTER_SECONDS = 60.0


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[BinaryIO]:
    """Write to a temporary file in the same folder, and rename it to `path` when it is complete.

    Of several processes, which all call it, the first one writes.

    A symbolic link and the permissions of an older file are kept. Temporary files of processes that
    were killed are removed.

    Args:
        path: Path of the file. Missing folders are created.

    Raises:
        OSError: If it cannot be written, such as on a full disk; the old file is unchanged.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> with atomic_write(Path(folder, "model.keras")) as file:
        ...     _ = file.write(b"weights")
        >>> Path(folder, "model.keras").read_bytes()
        b'weights'
    """
    path = Path(os.path.realpath(path))
    if not processes.is_first():
        yield io.BytesIO()  # the first process writes the file
        processes.wait_at_barrier(f"saving {path.name}")
        return
    if os.path.isdir(path):
        raise IsADirectoryError(
            errno.EISDIR,
            f"{path} is a folder, and a model is saved as one file.\n"
            f"  Fix: save to '{path / 'model.keras'}'.",
        )
    file_type = special_file_type(path)
    if file_type is not None:
        # The new file would replace it for every program on the machine.
        raise OSError(
            errno.EINVAL,
            f"{path} is {file_type}, which a file must not replace.\n  Fix: another path.",
        )
    temporary = path.with_name(f"{_prefix(path)}{secrets.token_hex(4)}.part")
    try:
        old_file = path.stat() if path.exists() else None
        if old_file is not None and not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, "the file is read-only")
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path)
        with open(temporary, "xb") as file:
            _lock(file)
            yield file
            file.flush()
            os.fsync(file.fileno())
        if old_file is not None:
            temporary.chmod(stat.S_IMODE(old_file.st_mode))
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise _explain_error(error, path) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
        processes.wait_at_barrier(f"saving {path.name}")  # also after an error, which is raised


def _prefix(path: Path) -> str:
    # The name may have the greatest length that the system allows; the temporary one is longer.
    return f".{path.name[:40]}."


def _remove_leftovers(path: Path) -> None:
    """Delete temporary files of this path whose writers were killed."""
    for name in glob.glob(f"{glob.escape(_prefix(path))}*.part", root_dir=path.parent):
        leftover = path.with_name(name)
        with contextlib.suppress(OSError):
            if time.time() - leftover.stat().st_mtime < _LOCKED_AFTER_SECONDS:
                continue
            with open(leftover, "rb+") as file:
                is_abandoned = _lock(file)
            if is_abandoned:
                leftover.unlink()


def _lock(file: Any) -> bool:
    """Lock a file for other processes while it is written; False if another process has done so."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False  # or the file system has no locks
    return True


def _sync_folder(folder: Path) -> None:
    """Write the new name to the disk, so that it survives a power failure."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def make_folder(folder: PathLike) -> None:
    """Create a folder and its parents.

    Raises:
        OSError: If that is not possible; the message explains why.
    """
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise _explain_error(error, Path(folder)) from None


def _explain_error(error: OSError, path: Path) -> OSError:
    """The error with a message that explains what failed and how to fix it."""
    error_type, code = type(error), error.errno
    if code in (errno.ENOSPC, errno.EDQUOT):
        free = ""
        with contextlib.suppress(OSError):
            free = f" ({shutil.disk_usage(path.parent).free / 2**20:.1f} MiB are free)"
        return error_type(
            code,
            f"No room on the disk to save {path}{free}. An older file of that name is untouched.\n"
            "  Fix: make room, or save to another disk.",
        )
    if code == errno.EFBIG:
        return error_type(
            code,
            f"{path} would be larger than this disk or account allows. An older file of that "
            "name is untouched.\n  Fix: save to another disk, or raise the limit (ulimit -f).",
        )
    if code in (errno.EACCES, errno.EPERM, errno.EROFS):
        return error_type(
            code,
            f"{path} cannot be written: no permission ({error.strerror}).\n"
            "  Fix: save to a folder of your own.",
        )
    if code in (errno.ENOTDIR, errno.EEXIST):
        return error_type(
            code,
            f"{path} cannot be written: a part of the path is a file and not a folder.\n"
            "  Fix: save to another path.",
        )
    if code == errno.ENAMETOOLONG:
        return error_type(code, f"{path} cannot be written: the name is too long.")
    return error
