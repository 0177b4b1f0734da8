"""Arrays and texts in an HDF5 file, each with a checksum, so that a changed bit is detected.

HDF5 has checksums for its own structures and for arrays in chunks, but not for scalars and for
texts in attributes. So each array and text also gets a CRC-32, in an attribute that Keras ignores.
Files without these attributes can be read, too.
"""

import contextlib
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import h5py
import numpy as np

from lamina.core.messages.messages import escape_control_characters

# A version with checksums of objects and arrays, supported since HDF5 1.10 (2016).
HDF5_VERSIONS = ("v110", "latest")
CHECKSUM = "crc32"
_MAX_CHUNK = 2**31


class DamagedFileError(ValueError):
    """A file is incomplete, damaged, or not of the expected type."""


def write_array(group: h5py.Group, key: str, value: np.ndarray) -> None:
    """Write an array with its checksum."""
    options: dict[str, Any] = {}
    if value.ndim and value.size:
        # Only chunked arrays have checksums. Use a single chunk if possible.
        options = {
            "chunks": value.shape if value.nbytes < _MAX_CHUNK else True,
            "fletcher32": True,
        }
    dataset = group.create_dataset(key, data=value, **options)
    dataset.attrs[CHECKSUM] = checksum(value)
    if value.dtype.name == "bfloat16":
        # HDF5 has no bfloat16. As in Keras, the raw bytes are written, with this attribute.
        dataset.attrs["dtype"] = "bfloat16"


def read_array(dataset: h5py.Dataset) -> np.ndarray:
    """Read an array, and verify its checksum, if it has one.

    Raises:
        DamagedFileError: If it is damaged; the message has its path in the file.
    """
    where = escape_control_characters(str(dataset.name).lstrip("/"))
    with explain_read_errors(where):
        value = np.asarray(dataset)
        expected = _stored_checksum(dataset, CHECKSUM)
        dtype_name = dataset.attrs["dtype"] if value.dtype.kind == "V" else None
    if expected is not None and checksum(value) != expected:
        raise damaged_error(where)
    if value.dtype.kind == "V" and value.dtype.itemsize == 2:
        if dtype_name != "bfloat16":
            raise damaged_error(where)
        import ml_dtypes  # comes with JAX

        value = value.view(ml_dtypes.bfloat16)
    return value


def write_texts(group: h5py.Group, name: str, value: str | Sequence[str]) -> None:
    """Write a text or a list of texts as an attribute, and its checksum as another one."""
    group.attrs[name] = value
    texts = [value] if isinstance(value, str) else list(value)
    group.attrs[f"{name}_{CHECKSUM}"] = _checksum_of_texts(texts)


def verify_texts(group: h5py.Group, name: str, texts: Sequence[str]) -> None:
    """Verify the checksum of the texts of an attribute, if it has one.

    Raises:
        DamagedFileError: If it differs.
    """
    with explain_read_errors(name):
        expected = _stored_checksum(group, f"{name}_{CHECKSUM}")
    if expected is not None and _checksum_of_texts(texts) != expected:
        raise damaged_error(escape_control_characters(name))


@contextlib.contextmanager
def explain_read_errors(where: str | None = None) -> Iterator[None]:
    """Context manager that raises a DamagedFileError with a clear message for any h5py error."""
    try:
        yield
    except DamagedFileError:
        raise
    except Exception:
        raise damaged_error(where) from None


def damaged_error(where: str | None = None) -> DamagedFileError:
    """The error for an object that cannot be read or does not match its checksum."""
    what = f"{where!r} in the file is" if where else "the weights are"
    return DamagedFileError(
        f"{what} damaged and cannot be read.\n"
        "  Likely cause: a faulty or incomplete copy.\n"
        "  Fix: copy the file again, or use a backup."
    )


def _stored_checksum(owner: Any, name: str) -> int | None:
    """The checksum in an attribute; an error if the attribute is not an integer."""
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
