"""Assets: files that layers save in addition to their weights, such as vocabularies.

A layer writes and reads them with `save_assets(dir_path)` and `load_assets(dir_path)`, as in
Keras 3. It gets a temporary folder for them, and cannot access the rest of the model file.
"""

import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from lamina.core.layer.layer import Layer
from lamina.saving.hdf5 import DamagedFileError
from lamina.saving.weights_file import walk

FOLDER = "assets"
_MAX_NAME_LENGTH = 255


def write_assets(model: Layer, archive: zipfile.ZipFile) -> None:
    """Write the assets of all layers of a model to an open archive."""
    for path, part in walk(model):
        if not hasattr(part, "save_assets"):
            continue
        with tempfile.TemporaryDirectory() as folder:
            part.save_assets(folder)
            for file in sorted(Path(folder).rglob("*")):
                if file.is_file():
                    name = PurePosixPath(FOLDER, path, *file.relative_to(folder).parts)
                    archive.writestr(str(name), file.read_bytes())


def read_assets(model: Layer, names: list[str], read: Callable[[str], bytes]) -> None:
    """Load the assets of all layers of a model.

    Args:
        model: A model whose weights have been loaded.
        names: Names of all members of the archive.
        read: Returns the verified content of a member.

    Raises:
        DamagedFileError: If a layer cannot use its assets.
    """
    for path, part in walk(model):
        if not hasattr(part, "load_assets"):
            continue
        prefix = f"{FOLDER}/{path}/" if path else f"{FOLDER}/"
        with tempfile.TemporaryDirectory() as folder:
            for name in names:
                # Only the files of this layer: inner layers have subfolders.
                file_name = name.removeprefix(prefix)
                is_file = file_name and "/" not in file_name and "\\" not in file_name
                if name.startswith(prefix) and is_file:
                    if file_name in (".", "..") or len(os.fsencode(file_name)) > _MAX_NAME_LENGTH:
                        raise DamagedFileError(
                            f"an asset of layer {part.name!r} has an invalid file name: "
                            f"{ascii(file_name)[:80]}.\n"
                            "  Likely cause: the file is malicious."
                        )
                    Path(folder, file_name).write_bytes(read(name))
            try:
                part.load_assets(folder)
            except (ValueError, OSError) as error:
                raise DamagedFileError(
                    f"the assets of layer {part.name!r} cannot be used: {error}"
                ) from None
