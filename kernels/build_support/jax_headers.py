"""Where the headers of XLA's foreign function interface are; jaxlib brings them.

Run as a script, it prints the folder.
"""

import importlib.util
import sys
import sysconfig
from pathlib import Path


def folder() -> Path | None:
    """The folder of the headers, or None if there is no jaxlib.

    A build that pip isolates does not import packages of the environment that it is for. Headers
    are only read, and those of that environment suit it best, so they are found by their place.
    """
    spec = importlib.util.find_spec("jaxlib")
    places = [Path(spec.origin).parent] if spec is not None and spec.origin else []
    places += [Path(sysconfig.get_path(kind), "jaxlib") for kind in ("platlib", "purelib")]
    for place in places:
        if (place / "include/xla/ffi/api/ffi.h").is_file():
            return place / "include"
    return None


if __name__ == "__main__":
    found = folder()
    if found is None:
        sys.exit("The kernels need jaxlib to be built, for its headers. Fix: pip install jaxlib")
    print(found)
