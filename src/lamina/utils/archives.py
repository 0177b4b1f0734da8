"""Unpacks untrusted `.tar` and `.zip` archives: only plain files, inside one folder.

The whole list of contents is checked before anything is written. `tarfile` and `zipfile` are used
only for reading. This module writes the files itself, and creates no links.
"""

import contextlib
import os
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Any, NamedTuple

ARCHIVES = ("tar", "zip")
# Limits of the unpacked size; compressed data sets are far below them.
_BYTES_ALWAYS_ALLOWED = 2**30
_MAX_EXPANSION = 100
# Limits of the number of entries; an entry takes at least some thirty bytes.
_ENTRIES_ALWAYS_ALLOWED = 10_000
_MIN_BYTES_PER_ENTRY = 30
_MAX_HEADER = 2**20
_MAX_NAME_LENGTH, _MAX_PATH_LENGTH = 255, 1000


class RefusedArchiveError(ValueError):
    """An archive has entries that no data set needs, or is damaged."""


class _Entry(NamedTuple):
    """A file or folder in an archive."""

    name: str
    is_folder: bool
    size: int
    is_executable: bool
    open: Callable[[], IO[bytes]]


def detect_format(archive: Path) -> str | None:
    """`"tar"` (compressed or not), `"zip"`, or None if a file is neither."""
    with contextlib.suppress(tarfile.TarError, EOFError, OSError):
        tarfile.open(archive, tarinfo=_Header).close()
        return "tar"
    return "zip" if zipfile.is_zipfile(archive) else None


def unpack(archive: Path, folder: Path, kind: str) -> None:
    """Unpack an archive into a folder, completely or not at all.

    An older folder of that name is replaced. Links, devices, paths that lead out of the folder, and
    archives with an excessive unpacked size are refused before anything is written.

    Args:
        archive: The file.
        folder: The folder for the contents.
        kind: `"tar"` or `"zip"`; see `detect_format`.

    Raises:
        RefusedArchiveError: If it is refused or damaged.
        OSError: If the disk is full or there is no permission.
    """
    # The folder gets its name only when it is complete.
    temporary = folder.with_name(f"{folder.name}.partial")
    _remove(temporary)
    try:
        with (
            _explain_errors(archive),
            (_open_tar if kind == "tar" else _open_zip)(archive) as entries,
        ):
            listed = _check_entries(archive, entries, folder)
            temporary.mkdir(parents=True)
            for entry in listed:
                _write(entry, temporary)
        _remove(folder)
        temporary.replace(folder)
    finally:
        _remove(temporary)


@contextlib.contextmanager
def _open_tar(path: Path) -> Iterator[Iterator[_Entry]]:
    def entries(tar: tarfile.TarFile) -> Iterator[_Entry]:
        for member in tar:
            if not (member.isreg() or member.isdir()) or member.size < 0:
                raise _refusal_error(
                    path, member.name, f"is {_KINDS.get(member.type, 'not a regular file')}"
                )
            is_executable = bool(member.mode & stat.S_IXUSR)

            def read(member: tarfile.TarInfo = member) -> Any:
                return tar.extractfile(member)

            yield _Entry(member.name, member.isdir(), member.size, is_executable, read)

    with tarfile.open(path, tarinfo=_Header) as tar:
        yield entries(tar)


@contextlib.contextmanager
def _open_zip(path: Path) -> Iterator[Iterator[_Entry]]:
    def entries(archive: zipfile.ZipFile) -> Iterator[_Entry]:
        for info in archive.infolist():
            mode = info.external_attr >> 16
            kind = stat.S_IFMT(mode)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                what = "a link" if kind == stat.S_IFLNK else "not a regular file"
                raise _refusal_error(path, info.filename, f"is {what}")
            if info.flag_bits & 1:
                raise _refusal_error(path, info.filename, "is encrypted")

            def read(info: zipfile.ZipInfo = info) -> Any:
                return archive.open(info)

            is_executable = bool(mode & stat.S_IXUSR)
            yield _Entry(info.filename, info.is_dir(), info.file_size, is_executable, read)

    with zipfile.ZipFile(path) as archive:
        yield entries(archive)


_KINDS = {
    tarfile.SYMTYPE: "a link",
    tarfile.LNKTYPE: "a link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
}
_LONG_HEADERS = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)


class _Header(tarfile.TarInfo):
    """The header of an entry, with a plausible size; `tarfile` would trust any declared size."""

    @classmethod
    def frombuf(cls, buf: Any, encoding: str, errors: str) -> Any:
        header = super().frombuf(buf, encoding, errors)
        if header.size < 0 or (header.type in _LONG_HEADERS and header.size > _MAX_HEADER):
            raise RefusedArchiveError(
                f"an entry claims to have {header.size:,} bytes, which none has.\n"
                "  Likely cause: the archive is damaged or malicious."
            )
        return header

    def _proc_gnusparse_10(self, *args: Any) -> Any:
        # `tarfile` would read the map of a sparse file without limit.
        raise RefusedArchiveError("it has sparse files, which get_file does not unpack.")


def _check_entries(path: Path, entries: Iterator[_Entry], folder: Path) -> list[_Entry]:
    """All entries of an archive, after checking each of them."""
    on_disk = path.stat().st_size
    max_bytes = _BYTES_ALWAYS_ALLOWED + _MAX_EXPANSION * on_disk
    max_entries = _ENTRIES_ALWAYS_ALLOWED + on_disk // _MIN_BYTES_PER_ENTRY
    listed: list[_Entry] = []
    files: set[PurePosixPath] = set()
    folders: set[PurePosixPath] = set()
    total = 0
    for entry in entries:
        target = _relative_path(path, entry.name)
        total += entry.size
        if total > max_bytes or len(listed) >= max_entries:
            what = f"{total:,} bytes" if total > max_bytes else f"more than {max_entries:,} entries"
            raise RefusedArchiveError(
                f"{path} unpacks to {what}, in a file of {on_disk:,} bytes; nothing was unpacked.\n"
                "  Likely cause: it was made to fill a disk.\n"
                f"  Fix: if you trust it, {_FIX_BY_HAND}."
            )
        (folders if entry.is_folder else files).add(target)
        folders.update(target.parents)
        listed.append(entry)
    conflicts = files & folders
    if conflicts:
        raise _refusal_error(path, str(min(conflicts)), "is a file and a folder at once")
    existing = next(p for p in folder.absolute().parents if p.exists())
    free = shutil.disk_usage(existing).free
    if total > free:
        raise RefusedArchiveError(
            f"{path} unpacks to {total:,} bytes, and {free:,} are free in {existing}.\n"
            "  Fix: make room, or give cache_dir= on another disk."
        )
    return listed


def _relative_path(path: Path, name: str) -> PurePosixPath:
    """The path of an entry relative to the folder; paths that lead out of it are refused."""
    posix_path, windows_path = PurePosixPath(name), PureWindowsPath(name)
    if (
        posix_path.is_absolute()
        or windows_path.anchor
        or ".." in (*posix_path.parts, *windows_path.parts)
    ):
        raise _refusal_error(path, name, "leads out of the folder")
    sizes = [len(os.fsencode(part)) for part in posix_path.parts]
    if "\0" in name or max(sizes, default=0) > _MAX_NAME_LENGTH or sum(sizes) > _MAX_PATH_LENGTH:
        raise _refusal_error(path, name, "has an invalid or too long name")
    return posix_path


def _write(entry: _Entry, folder: Path) -> None:
    target = folder / PurePosixPath(entry.name)
    if entry.is_folder:
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    # Read only the declared size, even if the stream is longer.
    remaining = entry.size
    with entry.open() as source, target.open("wb") as file:
        while remaining > 0 and (piece := source.read(min(remaining, 2**20))):
            file.write(piece)
            remaining -= len(piece)
    if remaining:
        raise RefusedArchiveError(f"{ascii(entry.name)[:200]} is cut off.")
    if entry.is_executable:
        target.chmod(target.stat().st_mode | stat.S_IXUSR)


@contextlib.contextmanager
def _explain_errors(path: Path) -> Iterator[None]:
    """Context manager that turns errors of the libraries into a RefusedArchiveError."""
    try:
        yield
    except RefusedArchiveError as error:
        if str(error).startswith(str(path)):
            raise
        raise RefusedArchiveError(f"{path}: {error}") from None
    except OSError as error:
        # Errors of the operating system have a number; those of a damaged .gz, .bz2 or .xz do not.
        if error.errno is not None:
            raise
        raise _damaged_error(path, error) from None
    except Exception as error:
        raise _damaged_error(path, error) from None


def _damaged_error(path: Path, error: Exception) -> RefusedArchiveError:
    return RefusedArchiveError(
        f"{path} is damaged or incomplete: {str(error)[:200] or type(error).__name__}.\n"
        "  Fix: get_file(…, force_download=True) fetches it again."
    )


_FIX_BY_HAND = "get_file(…, extract=False), and unpack it by hand"


def _refusal_error(path: Path, name: str, what: str) -> RefusedArchiveError:
    return RefusedArchiveError(
        f"{path}: {ascii(name)[:200]} {what}, and data sets have only files and folders; nothing "
        f"was unpacked.\n  Likely cause: it is malicious, or installs something.\n"
        f"  Fix: if you trust it, {_FIX_BY_HAND}."
    )


def _remove(path: Path) -> None:
    """Remove a file, a link or a folder with its contents."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
