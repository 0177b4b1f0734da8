"""A library that is not the one that was installed is refused, and never run."""

import base64
import ctypes
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import lamina_kernels
import pytest

PACKAGE = Path(lamina_kernels.__file__).parent
LIBRARY = next(PACKAGE.glob("liblamina_kernels.*"))


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A copy of the package, with the record that an installer writes; gives the library's path."""
    shutil.copytree(PACKAGE, tmp_path / "lamina_kernels")
    record(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path / "lamina_kernels" / LIBRARY.name


def record(folder):
    """Write down what is in the library now."""
    information = folder / "lamina_kernels-0.1.0.dist-info"
    information.mkdir(exist_ok=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: lamina-kernels\n")
    content = (folder / "lamina_kernels" / LIBRARY.name).read_bytes()
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    line = f"lamina_kernels/{LIBRARY.name},sha256={digest},{len(content)}\n"
    (information / "RECORD").write_text(line)


def load(library):
    """Run the module that loads the library beside it, without telling XLA."""
    spec = importlib.util.spec_from_file_location("loaded", library.with_name("library.py"))
    module = importlib.util.module_from_spec(spec)
    source = Path(spec.origin).read_text().replace("\n_register(_FUNCTIONS)", "\n")
    exec(compile(source, spec.origin, "exec"), module.__dict__)
    return module


def test_a_copy_that_is_whole_is_loaded(installed):
    assert load(installed).instructions() == lamina_kernels.instructions()


@pytest.mark.parametrize("left", [0, 1000, 200_000])
def test_a_truncated_library_is_refused_before_it_is_loaded(installed, left):
    installed.write_bytes(installed.read_bytes()[:left])
    with pytest.raises(ImportError, match="is not the file that was installed"):
        load(installed)


def test_a_changed_byte_is_noticed(installed):
    content = bytearray(installed.read_bytes())
    content[len(content) // 2] ^= 1
    installed.write_bytes(content)
    with pytest.raises(ImportError, match="is not the file that was installed"):
        load(installed)


def test_a_missing_library_is_told_as_an_installation_without_it(installed):
    installed.unlink()
    with pytest.raises(ImportError, match="installed without its library"):
        load(installed)


def test_a_file_that_is_no_library_is_refused(installed):
    installed.write_text("no library")
    record(installed.parents[1])
    with pytest.raises(ImportError, match="cannot be loaded"):
        load(installed)


def test_the_library_of_another_project_is_refused(installed):
    foreign = next(Path(ctypes.__file__).parents[1].rglob("lib-dynload/_ctypes*.so"), None)
    if foreign is None:
        pytest.skip("Python's own extensions are part of its program here")
    shutil.copy(foreign, installed)
    record(installed.parents[1])
    with pytest.raises(ImportError, match="cannot be loaded"):
        load(installed)


def test_a_library_of_another_edition_is_refused(installed):
    source = installed.with_name("library.py")
    source.write_text(source.read_text().replace("_EDITION = 2\n", "_EDITION = 1\n"))
    with pytest.raises(ImportError, match="of edition 2, this package of 1"):
        load(installed)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux for the processor")
@pytest.mark.parametrize("asked", ["baseline", "avx2", "avx512", "avx1024", ""])
def test_instructions_are_run_only_where_the_processor_has_them(asked):
    flags = Path("/proc/cpuinfo").read_text().split()
    sets = [("AVX-512", "avx512bw", "avx512"), ("AVX2", "avx2", "avx2")]
    # The best that there is, up to what was asked for; a name that is unknown asks for nothing.
    most = {"baseline": 2, "avx2": 1}.get(asked, 0)
    expected = next((name for name, flag, _ in sets[most:] if flag in flags), "baseline")
    program = (
        f"import ctypes; name = ctypes.CDLL({str(LIBRARY)!r}).lamina_instructions; "
        "name.restype = ctypes.c_char_p; print(name().decode())"
    )
    environment = {**os.environ, "LAMINA_KERNELS_INSTRUCTIONS": asked}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True)
    assert done.stdout.decode().strip() == expected
