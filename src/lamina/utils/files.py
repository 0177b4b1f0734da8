"""`get_file`: downloads a file to the cache."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from lamina.core.configuration import config
from lamina.core.messages.tracebacks import filter_traceback
from lamina.utils import archives
from lamina.utils.archives import ARCHIVES
from lamina.utils.download import ChecksumError, DownloadError, download


@filter_traceback
def get_file(
    fname: str | None = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: str | list[str] | tuple[str, ...] | None = "auto",
    cache_dir: str | None = None,
    force_download: bool = False,
) -> str:
    """Downloads a file to the cache, unless it is there, and returns its path.

    A file of that name in the folder `$LAMINA_DATASETS` is used instead, so that scripts run
    without a network. An interrupted download is continued the next time. Use `file_hash` to verify
    the file.

    Of an archive only files and folders are unpacked, all inside one folder. Archives with links,
    with paths that lead out of the folder, or with an unpacked size of more than 1 GiB and a
    hundred times their own size are refused before anything is written.

    Args:
        fname: Name in the cache; the last part of `origin` for None.
        origin: The address; `file:///…` is copied.
        untar: Older form of `extract=True, archive_format="tar"`.
        md5_hash: Older form of `file_hash` with `hash_algorithm="md5"`.
        file_hash: Expected hash of the file, in hexadecimal digits.
        cache_subdir: Folder inside the cache.
        hash_algorithm: `"sha256"`, `"md5"`, or `"auto"` to decide by the length of the hash.
        extract: Whether to unpack an archive; then the path of the folder is returned.
        archive_format: `"tar"` (compressed or not), `"zip"`, `"auto"` for both, None for neither.
        cache_dir: The cache; Lamina's own for None.
        force_download: Whether to download it even if it is in the cache.

    Returns:
        The path of the file, or of the folder that it was unpacked into.

    Raises:
        DownloadError: If it cannot be downloaded, or has another hash.
        ValueError: If an argument is missing or wrong, or the file is not an archive, or is damaged
            or refused.
    """
    if origin is None:
        raise ValueError("get_file needs origin, the address of the file.")
    name = os.fspath(fname) if fname else Path(urlsplit(origin).path).name
    if name in ("", ".", "..") or "\0" in name or Path(name).name != name:
        raise ValueError(
            f"get_file: fname must be a bare file name; received {fname!r}, "
            f"and origin is {origin!r}.\n"
            "  Fix: give the folder as cache_dir and cache_subdir."
        )
    if md5_hash is not None and file_hash is None:
        file_hash, hash_algorithm = md5_hash, "md5"
    extract = extract or untar
    folder = Path(cache_dir or config.cache_folder()).expanduser() / cache_subdir
    # An archive and the folder with its contents need two names; they are those of Keras.
    unpacked = folder / name
    if fname and "." in name:
        target, unpacked = folder / name, folder / f"{name.split('.')[0]}_extracted"
    else:
        target = folder / f"{name}_archive" if extract else folder / name
    known_hash = _known_hash(file_hash, hash_algorithm)
    user_folder = config.datasets_folder()
    if user_folder is not None and (user_folder / name).is_file() and not force_download:
        target = _verify_local_file(user_folder / name, known_hash)
        folder.mkdir(parents=True, exist_ok=True)
    else:
        if force_download:
            target.unlink(missing_ok=True)
        if urlsplit(origin).scheme == "file":
            _copy(Path(url2pathname(urlsplit(origin).path)), target, known_hash)
        else:
            download(origin, target, known_hash, title=name)
    if not extract:
        return str(target)
    if not unpacked.exists() or unpacked.stat().st_mtime < target.stat().st_mtime:
        _unpack(target, unpacked, "tar" if untar else archive_format)
    return str(unpacked)


def _copy(source: Path, target: Path, known_hash: str | None) -> None:
    """Copy a local file to the cache, unless it is there already."""
    if not source.is_file():
        raise DownloadError(f"There is no file {str(source)!r}.")
    _verify_local_file(
        source, known_hash, "The file that origin names is another one, so it was not copied."
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as written:
        try:
            with source.open("rb") as read:
                shutil.copyfileobj(read, written)
        except BaseException:
            os.unlink(written.name)
            raise
    os.replace(written.name, target)  # atomic: no partial file appears


def _verify_local_file(
    path: Path,
    known_hash: str | None,
    reason_not_replaced: str = "It lies in the folder of LAMINA_DATASETS, so it was not replaced.",
) -> Path:
    """The path of a file in `$LAMINA_DATASETS`, after verifying its hash."""
    if known_hash is not None:
        kind, _, expected = known_hash.partition(":")
        with open(path, "rb") as file:
            actual = hashlib.file_digest(file, kind).hexdigest()
        if actual != expected:
            raise ChecksumError(
                f"{path} has another checksum ({kind} {actual[:12]}…, expected {expected[:12]}…).\n"
                f"  {reason_not_replaced}"
            )
    return path


def _known_hash(file_hash: str | None, algorithm: str) -> str | None:
    if file_hash is None:
        return None
    if algorithm == "auto":
        algorithm = "sha256" if len(file_hash) == 64 else "md5"
    if algorithm not in ("sha256", "md5"):
        raise ValueError(
            f"get_file: hash_algorithm must be 'sha256', 'md5' or 'auto'; received {algorithm!r}."
        )
    return f"{algorithm}:{file_hash}"


def _unpack(archive: Path, folder: Path, formats: str | list[str] | tuple[str, ...] | None) -> None:
    import filelock

    kinds = ARCHIVES if formats == "auto" else (formats,) if isinstance(formats, str) else formats
    for kind in kinds or ():
        if kind not in ARCHIVES:
            raise ValueError(
                f"get_file: archive_format must be 'tar', 'zip' or 'auto'; received {kind!r}."
            )
    archive_type = archives.detect_format(archive)
    if archive_type is None or archive_type not in (kinds or ()):
        raise ValueError(f"get_file: {archive} is not an archive (looked for: {formats}).")
    with filelock.FileLock(folder.with_name(f".{folder.name}.unpacking.lock")):
        archives.unpack(archive, folder, archive_type)
