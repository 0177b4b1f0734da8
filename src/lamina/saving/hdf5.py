"""Arrays and texts in an HDF5 file, each with a checksum, so that a flipped bit is found.

HDF5 itself has checksums for its own structures, and for arrays in chunks. Single numbers, and
texts in attributes, have none there, so that each array and text gets a CRC-32 beside it: an
attribute that Keras passes over. Files without them are read as well.
"""

import contextlib
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import h5py
import numpy as np

from lamina.core.messages.messages import readable

# Objects and arrays with checksums. Read since HDF5 1.10 (2016).
FORMAT = ("v110", "latest")
CHECKSUM = "crc32"
_LARGEST_CHUNK = 2**31


class DamagedFileError(ValueError):
    """A model file is incomplete or not what it claims to be."""


def write_array(group: h5py.Group, key: str, value: np.ndarray) -> None:
    """Write an array with its checksum."""
    how: dict[str, Any] = {}
    if value.ndim and value.size:
        # Only what is stored in chunks has checksums: one chunk, where that is possible.
        how = {"chunks": value.shape if value.nbytes < _LARGEST_CHUNK else True, "fletcher32": True}
    dataset = group.create_dataset(key, data=value, **how)
    dataset.attrs[CHECKSUM] = checksum(value)
    if value.dtype.name == "bfloat16":
        # HDF5 has no bfloat16; Keras writes its raw bytes and says so.
        dataset.attrs["dtype"] = "bfloat16"


def read_array(dataset: h5py.Dataset) -> np.ndarray:
    """Read an array, and compare it with its checksum where it has one.

    Raises:
        DamagedFileError: If it is damaged; its place in the file is named.
    """
    where = readable(str(dataset.name).lstrip("/"))
    with reading(where):
        value = np.asarray(dataset)
        expected = _expected(dataset, CHECKSUM)
        says = dataset.attrs["dtype"] if value.dtype.kind == "V" else None
    if expected is not None and checksum(value) != expected:
        raise damaged(where)
    if value.dtype.kind == "V" and value.dtype.itemsize == 2:
        if says != "bfloat16":
            raise damaged(where)
        import ml_dtypes  # comes with JAX

        value = value.view(ml_dtypes.bfloat16)
    return value


def write_texts(group: h5py.Group, name: str, value: str | Sequence[str]) -> None:
    """Write a text or a list of texts as an attribute, with its checksum beside it."""
    group.attrs[name] = value
    texts = [value] if isinstance(value, str) else list(value)
    group.attrs[f"{name}_{CHECKSUM}"] = _checksum_of_texts(texts)


def check_texts(group: h5py.Group, name: str, texts: Sequence[str]) -> None:
    """Compare the texts of an attribute with their checksum, where they have one.

    Raises:
        DamagedFileError: If they are others.
    """
    with reading(name):
        expected = _expected(group, f"{name}_{CHECKSUM}")
    if expected is not None and _checksum_of_texts(texts) != expected:
        raise damaged(readable(name))


@contextlib.contextmanager
def reading(where: str | None = None) -> Iterator[None]:
    """Whatever h5py raises about a damaged file is said in plain words."""
    try:
        yield
    except DamagedFileError:
        raise
    except Exception:
        raise damaged(where) from None


def damaged(where: str | None = None) -> DamagedFileError:
    """The error for something that can't be read or does not match its checksum."""
    what = f"{where!r} in it is" if where else "the weights are"
    return DamagedFileError(
        f"{what} damaged and cannot be read.\n"
        "  Likely cause: a faulty or incomplete copy.\n"
        "  Fix: copy the file again, or use a backup."
    )


def _expected(owner: Any, name: str) -> int | None:
    """The number in an attribute, which somebody may have made anything else."""
    if name not in owner.attrs:
        return None
    attribute = owner.attrs.get_id(name)
    if attribute.shape != () or attribute.dtype.kind not in "iu":
        raise ValueError
    return int(owner.attrs[name])


def checksum(value: np.ndarray) -> np.uint32:
    """The CRC-32 of an array's bytes."""
    flat = np.ascontiguousarray(value).reshape(-1)
    return np.uint32(zlib.crc32(flat.view(np.uint8).data))


def _checksum_of_texts(texts: Sequence[str]) -> np.uint32:
    return np.uint32(zlib.crc32("\n".join(texts).encode("utf-8", "surrogatepass")))
