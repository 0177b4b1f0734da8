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
        address: With a slash at the end.
        files: Their names.
        checksum: Checksum of the file, if it is one file that was published with a checksum.
    """

    address: str
    files: tuple[str, ...]
    checksum: str | None = None


@dataclass(frozen=True)
class Source:
    """Description of a data set, and where to get it.

    Args:
        name: As in `lamina.datasets.mnist`.
        title: As people write it.
        arrays: Every array as it must be; empty for a data set whose files are checked when they
            are read.
        folders: Names of subfolders that other tools keep it in.
        mirrors: In the order in which they are tried.
        containers: Finds the files that claim to be it in a folder, given a file's name if the
            user chose one; None for `.npz` or idx files of images.
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
        source: Which data set.
        path: A file to read instead, or (a bare name) the file's name in the caches.

    Raises:
        ValueError: If a file that the user named, directly or by `$LAMINA_DATASETS`, holds
            something else.
        DatasetUnavailableError: If it is nowhere to be had; the text names the offline route.
    """
    file_name = None
    if path is not None:
        given_path = Path(path).expanduser()
        if given_path.is_absolute() or given_path.parent != Path("."):
            return _load_named_file(source, given_path)
        file_name = given_path.name
    from_folder = _load_from_chosen_folder(source, file_name)
    if from_folder is not None:
        return from_folder
    own = _own_folder()
    for folder in (own, _keras_folder()):
        for container in candidates(folder, source, file_name):
            arrays, problem = _read_checked(container, source)
            if problem is None:
                return arrays
            if folder == own:
                _move_aside(container)
                logger.warning("%s\n  It was set aside and is fetched again.", problem)
            else:
                logger.warning("%s\n  It is left alone and not used.", problem)
    return _fetch(source)


def candidates(folder: Path, source: Source, file_name: str | None = None) -> Iterator[Container]:
    """Files in a folder that claim to be a data set, likely ones first."""
    folders = [folder / sub for sub in ("", source.name, *source.folders)]
    if source.containers is not None:
        for place in folders:
            yield from source.containers(place, file_name)
        return
    for place in folders:
        archive = place / (file_name or f"{source.name}.npz")
        if archive.is_file():
            yield containers.npz(archive)
    for place in folders:
        four = containers.idx(place)
        if four is not None:
            yield four


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
        # MNIST and Fashion-MNIST were published under the same four names, so bare idx files say
        # nothing of which of the two they are.
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
    """The arrays, and what is wrong with them in words (None if nothing is)."""
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
    from lamina.utils.download import DownloadError, download  # only when nothing is here yet

    failures = []
    for mirror in source.mirrors:
        single = len(mirror.files) == 1
        folder = _own_folder() if single else _own_folder() / source.name
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
            _container(source, folder, mirror.files[0]) if single else containers.idx(folder)
        )
        assert container is not None  # every file of the mirror was just put there
        arrays, problem = _read_checked(container, source)
        if problem is None:
            return arrays
        _move_aside(container)
        failures.append(problem)
    raise DatasetUnavailableError(_unavailable(source, failures))


def _unavailable(source: Source, failures: list[str]) -> str:
    chosen = os.environ.get("LAMINA_DATASETS")
    looked = [
        f"LAMINA_DATASETS={chosen}" if chosen else "LAMINA_DATASETS (not set)",
        str(_own_folder()),
        str(_keras_folder()),
    ]
    lines = [
        f"{source.title} is not on this machine and could not be fetched.",
        *(f"  Looked in: {place}" for place in looked),
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
