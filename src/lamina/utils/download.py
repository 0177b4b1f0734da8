"""Downloads a file over HTTP: with checksum, retries and progress; resumes partial downloads.

Used by `datasets` and `utils.get_file`. pooch verifies the checksum, retries, and renames the file.
"""

import hashlib
import shutil
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

CONNECT_SECONDS, READ_SECONDS = 5, 30


class DownloadError(OSError):
    """A file could not be downloaded; the message has the address and the reason."""


class ChecksumError(DownloadError, ValueError):
    """A downloaded file has the wrong checksum. (Keras raises a ValueError.)"""


def download(
    address: str,
    target: Path,
    known_hash: str | None = None,
    retries: int = 2,
    title: str | None = None,
) -> Path:
    """Download a file unless it exists, and return its path.

    If two processes download the same file, the second waits for the first.

    Args:
        address: An `http://` or `https://` address.
        target: Path of the file; it appears only when it is complete.
        known_hash: Such as `sha256:731c…` or `md5:f68b…`; None for no check.
        retries: Number of further attempts, with growing pauses, after a broken transfer, a wrong
            checksum or a busy server.
        title: Name in the progress line; the file's name for None.

    Raises:
        DownloadError: If the file cannot be downloaded.
    """
    import filelock
    import pooch
    import requests

    target = Path(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(target.with_name(f".{target.name}.lock")):
            fetcher = pooch.create(
                path=target.parent,
                base_url="",
                registry={target.name: known_hash},
                urls={target.name: address},
                retry_if_failed=retries,
            )
            logger = pooch.get_logger()
            level = logger.level
            logger.setLevel("ERROR")  # pooch would announce every step; `_Resuming` does it once
            try:
                fetcher.fetch(target.name, downloader=_Resuming(target, title or target.name))
            finally:
                logger.setLevel(level)
    except requests.exceptions.RequestException as error:
        raise DownloadError(f"{host(address)}: {_describe_error(error)}") from error
    except ValueError as error:
        raise ChecksumError(f"{host(address)}: the checksum is wrong, expected {known_hash}") from (
            error
        )
    return target


def host(address: str) -> str:
    """The part of an address that names the server.

    Example:
        >>> host("https://example.org/data/mnist.npz")
        'example.org'
    """
    return urlsplit(address).netloc or address


class _Resuming:
    """A downloader for pooch that keeps partial downloads and requests only the missing bytes."""

    def __init__(self, target: Path, title: str):
        self.target = target
        self.title = title

    def __call__(self, address: str, output_file: str, _: Any) -> None:
        import requests

        # The files of mirrors may differ, so each address has its own partial file.
        key = hashlib.sha256(address.encode()).hexdigest()[:8]
        partial = self.target.with_name(f"{self.target.name}.{key}.partial")
        bytes_received = partial.stat().st_size if partial.exists() else 0
        headers = {"Accept-Encoding": "identity"}
        if bytes_received:
            headers["Range"] = f"bytes={bytes_received}-"
        try:
            response = requests.get(
                address, headers=headers, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS)
            )
        except requests.exceptions.ConnectionError as error:
            # An immediate retry would not help, and the caller has other addresses to try.
            raise DownloadError(f"{host(address)}: {_describe_error(error)}") from error
        with response:
            if response.status_code == requests.codes.requested_range_not_satisfiable:
                partial.unlink()
            elif 400 <= response.status_code < 500:
                raise DownloadError(f"{host(address)}: it answered {response.status_code}")
            response.raise_for_status()
            resumed = response.status_code == requests.codes.partial_content
            with open(partial, "ab" if resumed else "wb") as file:
                self._receive(response, file, bytes_received if resumed else 0)
        shutil.move(partial, output_file)

    def _receive(self, response: Any, file: Any, bytes_received: int) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        length = response.headers.get("content-length")
        total = int(length) + bytes_received if length else None
        console = Console(file=sys.stderr)
        size = f", {total / 1e6:.1f} MB" if total else ""
        console.print(
            f"Downloading {self.title} from {host(response.url)}{size}",
            highlight=False,
            markup=False,
        )
        columns = (
            TextColumn("  "), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
            TimeRemainingColumn(),
        )  # fmt: skip
        with Progress(
            *columns, console=console, transient=True, disable=not console.is_terminal
        ) as progress:
            task = progress.add_task("", total=total, completed=bytes_received)
            for chunk in response.iter_content(chunk_size=1 << 16):
                file.write(chunk)
                progress.advance(task, len(chunk))


def _describe_error(error: Exception) -> str:
    import requests

    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted here"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy refused (see HTTPS_PROXY)"
    if isinstance(error, requests.exceptions.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.HTTPError) and error.response is not None:
        return f"it answered {error.response.status_code}"
    if isinstance(error, requests.exceptions.ConnectionError):
        return "no connection"
    return f"the transfer was interrupted ({type(error).__name__})"
