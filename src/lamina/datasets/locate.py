"""Finds a named data set in `$LAMINA_DATASETS`, the caches and the network, in this order.

The modules of data sets, such as `mnist`, describe the data set by a `Source` and call `load`.
"""

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lamina.core.configuration import config
from lamina.core.user_data.paths import refuse_special_file
from lamina.datasets import containers, verified_files
from lamina.datasets.containers import Container, UnreadableError
from lamina.datasets.fingerprints import Expected, difference

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Mirror:
    """A public server with the files of a data set.

    Args:
        address: The address of the folder, with a slash at the end.
        files: Names of the files.
        checksum: Published checksum of the file, if there is one file; or None.
    """

    address: str
    files: tuple[str, ...]
    checksum: str | None = None


@dataclass(frozen=True)
class Source:
    """Description of a data set, and where to get it.

    Args:
        name: Name of the module, as in `lamina.datasets.mnist`.
        title: Name for people.
        arrays: The expected arrays by name; empty if the files are verified by a checksum.
        folders: Names of subfolders in which other tools store it.
        mirrors: Servers, in the order in which they are tried.
        containers: A function of a folder and a file name (or None) that finds possible files of
            the data set; None for `.npz` or idx files of images.
    """

    name: str
    title: str
    arrays: Mapping[str, Expected]
    folders: tuple[str, ...] = ()
    mirrors: Sequence[Mirror] = field(default=())
    containers: Callable[[Path, str | None], Iterator[Container]] | None = None


class DatasetUnavailableError(OSError):
    """A data set is neither on this machine nor could it be downloaded."""


def load(source: Source, path: str | os.PathLike | None = None) -> dict[str, Any]:
    """Load the arrays of a data set, and verify their digests.

    Args:
        source: The data set.
        path: A file to read instead; or the name of the file in the caches, if it has no folder.

    Raises:
        ValueError: If a file that the user named, directly or by `$LAMINA_DATASETS`, holds
            something else.
        DatasetUnavailableError: If it is not found and cannot be downloaded; the message says how
            to get it offline.
    """
    file_name = None
    if path is not None:
        user_path = Path(path).expanduser()
        if user_path.is_absolute() or user_path.parent != Path("."):
            return _load_named_file(source, user_path)
        file_name = user_path.name
    from_folder = _load_from_chosen_folder(source, file_name)
    if from_folder is not None:
        return from_folder
    own_folder = _own_folder()
    for folder in (own_folder, _keras_folder()):
        for container in candidates(folder, source, file_name):
            arrays, problem = _read_checked(container, source)
            if problem is None:
                return arrays
            if folder == own_folder:
                _move_aside(container)
                logger.warning("%s\n  It was set aside and is fetched again.", problem)
            else:
                logger.warning("%s\n  It is left alone and not used.", problem)
    return _fetch(source)


def candidates(folder: Path, source: Source, file_name: str | None = None) -> Iterator[Container]:
    """Files in a folder that may be a data set, the likeliest first."""
    folders = [folder / sub for sub in ("", source.name, *source.folders)]
    if source.containers is not None:
        for subfolder in folders:
            yield from source.containers(subfolder, file_name)
        return
    for subfolder in folders:
        archive = subfolder / (file_name or f"{source.name}.npz")
        if archive.is_file():
            yield containers.npz(archive)
    for subfolder in folders:
        idx_files = containers.idx(subfolder)
        if idx_files is not None:
            yield idx_files


def is_on_this_machine(source: Source) -> bool:
    """Whether a file that may be the data set is on this machine."""
    folders = [config.datasets_folder(), _own_folder(), _keras_folder()]
    return any(any(candidates(f, source)) for f in folders if f is not None)


def _load_named_file(source: Source, path: Path) -> dict[str, Any]:
    if not path.exists():
        raise FileNotFoundError(
            f"load_data(path={str(path)!r}): there is no such file.\n"
            f"  Fix: leave path out, and {source.title} is looked for in the caches and fetched."
        )
    refuse_special_file(path)
    if path.is_dir():
        raise ValueError(
            f"load_data(path={str(path)!r}): it is a folder, and {source.title} is a file.\n"
            "  Fix: name the file, or the folder in LAMINA_DATASETS."
        )
    container = _container(source, path.parent, path.name)
    arrays, problem = _read_checked(container, source)
    if problem is not None:
        raise ValueError(
            f"{problem}\n  Fix: to read arrays of your own, use numpy.load({str(path)!r})."
        )
    return arrays


def _container(source: Source, folder: Path, file_name: str) -> Container:
    """The container of a file in a folder."""
    if source.containers is None:
        return containers.npz(folder / file_name)
    return next(source.containers(folder, file_name))


def _load_from_chosen_folder(source: Source, file_name: str | None) -> dict[str, Any] | None:
    folder = config.datasets_folder()
    if folder is None:
        return None
    if not folder.is_dir():
        logger.warning("LAMINA_DATASETS names %s, which is not a folder; it is ignored.", folder)
        return None
    for container in candidates(folder, source, file_name):
        arrays, problem = _read_checked(container, source)
        if problem is None:
            return arrays
        # The idx files of MNIST and Fashion-MNIST have the same names, so these files may be those
        # of the other data set.
        if len(container.files) > 1 and container.files[0].parent == folder:
            continue
        raise ValueError(
            f"{problem}\n"
            f"  It lies in LAMINA_DATASETS={folder}, so it was not replaced.\n"
            f"  Fix: put the right file there, or remove this one and {source.title} is looked for "
            "elsewhere."
        )
    return None


def _read_checked(container: Container, source: Source) -> tuple[dict[str, Any], str | None]:
    """The arrays, and a problem with them in words; None if there is none."""
    try:
        arrays = container.read()
    except UnreadableError as error:
        return {}, f"{error}."
    if not source.arrays or verified_files.is_remembered(container, source.arrays):
        return arrays, None
    problem = difference(arrays, source.arrays)
    if problem is not None:
        return {}, f"{container.label} is not {source.title}: {problem}."
    verified_files.remember(container, source.arrays)
    return arrays, None


def _fetch(source: Source) -> dict[str, Any]:
    from lamina.utils.download import DownloadError, download  # seldom needed

    failures = []
    for mirror in source.mirrors:
        is_single_file = len(mirror.files) == 1
        folder = _own_folder() if is_single_file else _own_folder() / source.name
        try:
            for file in mirror.files:
                download(mirror.address + file, folder / file, mirror.checksum, title=source.title)
        except DownloadError as error:
            failures.append(str(error))
            continue
        except OSError as error:
            failures.append(f"{folder} cannot be written: {error.strerror or error}")
            break
        container = (
            _container(source, folder, mirror.files[0])
            if is_single_file
            else containers.idx(folder)
        )
        assert container is not None  # all files of the mirror were downloaded
        arrays, problem = _read_checked(container, source)
        if problem is None:
            return arrays
        _move_aside(container)
        failures.append(problem)
    raise DatasetUnavailableError(_explain_unavailable(source, failures))


def _explain_unavailable(source: Source, failures: list[str]) -> str:
    variable = os.environ.get("LAMINA_DATASETS")
    searched = [
        f"LAMINA_DATASETS={variable}" if variable else "LAMINA_DATASETS (not set)",
        str(_own_folder()),
        str(_keras_folder()),
    ]
    lines = [
        f"{source.title} is not on this machine and could not be fetched.",
        *(f"  Looked in: {place}" for place in searched),
        *(f"  Tried: {failure}" for failure in failures),
    ]
    if source.mirrors:
        first = source.mirrors[0]
        files = ", ".join(first.files)
        lines += [
            f"  Without a network: fetch {files} from {first.address}",
            f"  on another machine, put it into {_own_folder()}",
            "  or into any folder and name that folder in LAMINA_DATASETS.",
        ]
    lines.append("  lamina.datasets.digits needs no network: real 8×8 digits, ready at once.")
    return "\n".join(lines)


def _move_aside(container: Container) -> None:
    for path in container.files:
        with contextlib.suppress(OSError):
            path.replace(path.with_name(f"{path.name}.corrupt"))


def _own_folder() -> Path:
    return config.cache_folder() / "datasets"


def _keras_folder() -> Path:
    home = os.environ.get("KERAS_HOME")
    return (Path(home).expanduser() if home else Path.home() / ".keras") / "datasets"
