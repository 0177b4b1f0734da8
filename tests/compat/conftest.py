import os
import subprocess
import sys
import textwrap

import pytest

from lamina.compat import imports


@pytest.fixture
def served(monkeypatch):
    """TensorFlow's and Keras's names mean Lamina inside the test, and what they meant after it."""
    before = {n: m for n, m in sys.modules.items() if n.split(".")[0] in imports.TOP_LEVEL_PACKAGES}
    finders = list(sys.meta_path)
    imports.install()
    yield
    sys.meta_path[:] = finders
    for name in [n for n in sys.modules if n.split(".")[0] in imports.TOP_LEVEL_PACKAGES]:
        del sys.modules[name]
    sys.modules.update(before)


@pytest.fixture
def run_script(tmp_path):
    """Writes a script and runs it with `lamina run` in a process of its own."""

    def run(source, *arguments, name="job.py", **environment):
        (tmp_path / name).write_text(textwrap.dedent(source))
        code = (
            "import sys, pathlib; from lamina.compat.run_script import run_script;"
            "run_script(pathlib.Path(sys.argv[1]), sys.argv[2:])"
        )
        hidden = ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND")
        inherited = {k: v for k, v in os.environ.items() if k not in hidden}
        return subprocess.run(
            [sys.executable, "-c", code, name, *arguments],
            cwd=tmp_path,
            env={**inherited, **environment},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
        )

    return run
