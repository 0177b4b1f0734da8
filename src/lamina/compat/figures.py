"""Where `plt.show()` goes: to a window if there is a screen, else into files.

Without a screen, `<script>-figure-1.png`, … are written into the current folder.
"""

import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

BACKEND = "module://lamina.compat.matplotlib_backend"
_GUI_TOOLKITS = ("PyQt6", "PySide6", "PyQt5", "PySide2", "gi", "wx", "_tkinter")
_BACKENDS_WITHOUT_WINDOWS = ("agg", "cairo", "pdf", "pgf", "ps", "svg", "template")
_script_name = "script"
_saved = 0


def save_if_no_screen(stem: str) -> None:
    """Make `plt.show()` save figures if there is no screen; to be called before Matplotlib loads.

    Args:
        stem: First part of the file names: the name of the script without `.py`.
    """
    global _script_name
    _script_name = stem
    interactive = sys.stdin.isatty() or sys.stdout.isatty()
    if not has_screen(os.environ, sys.platform, interactive):
        os.environ["MPLBACKEND"] = BACKEND


def has_screen(environment: Mapping[str, str], platform: str, interactive: bool) -> bool:
    """Whether `plt.show()` can open a window that somebody will see and close.

    Args:
        environment: The process's environment variables.
        platform: As `sys.platform`.
        interactive: Whether the input or the output is a terminal; a job that runs unattended has
            none, and a window would block it for ever.

    Example:
        >>> has_screen({"MPLBACKEND": "QtAgg"}, "linux", interactive=False)
        True
        >>> has_screen({}, "linux", interactive=True)
        False
    """
    backend = environment.get("MPLBACKEND", "").lower()
    if backend:
        return backend not in _BACKENDS_WITHOUT_WINDOWS and backend != BACKEND
    if not interactive:
        return False
    if platform in ("win32", "darwin"):
        return "SSH_CONNECTION" not in environment
    display = environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")
    return bool(display) and any(find_spec(toolkit) is not None for toolkit in _GUI_TOOLKITS)


def next_path() -> Path:
    """The path of the next figure."""
    global _saved
    _saved += 1
    return Path(f"{_script_name}-figure-{_saved}.png")
