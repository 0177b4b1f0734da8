"""Runs a script as `python script.py` does, with Lamina instead of TensorFlow."""

import contextlib
import os
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from lamina.compat import figures, imports, job_process
from lamina.core import processes

_PACKAGE_FOLDER = str(Path(__file__).parent)


def run_script(
    script: Path,
    arguments: Sequence[str] = (),
    diagnose: bool = False,
    json_file: Path | None = None,
    apply: bool = False,
    distributed: bool = False,
) -> NoReturn:
    """Run a script, and exit with its exit code.

    `__name__`, `sys.argv` and `sys.path[0]` are what they would be without Lamina. An exception
    is shown with the script's own frames.

    Args:
        script: A Python file written for TensorFlow, Keras or Lamina.
        arguments: The script's `sys.argv[1:]`.
        diagnose: Whether to diagnose every `fit`, and explain an error.
        json_file: Where to write the findings as JSON, whatever the exit code is; None for nowhere.
        apply: Whether to train a copy with the change of the first finding of each `fit`.
        distributed: Whether a launcher has started several processes; see `job_process`.

    Raises:
        SystemExit: Always, with the script's exit code; 1 after an exception.
        ValueError: If the file is not a script.
        FileNotFoundError: If there is no such file.
    """
    check_script(script)
    imports.install()
    figures.save_if_no_screen(script.stem)
    sys.argv = [str(script), *arguments]
    sys.path[0] = str(script.resolve().parent)
    job_process.begin(os.environ, distributed)
    diagnosis: Any = None
    listener_scope: Any = contextlib.nullcontext()
    if diagnose:
        from lamina.compat import diagnosed_run  # imports JAX
        from lamina.training import events

        diagnosis = diagnosed_run.begin(script, json_file, apply)
        listener_scope = events.add_listeners(diagnosis)
    try:
        with listener_scope:
            runpy.run_path(str(script), run_name="__main__")
    except SystemExit as leaving:
        _finish(diagnosis)
        job_process.end_at_once(leaving.code)
        raise
    except BaseException as error:
        if diagnosis is not None:
            diagnosis.on_error(error)
        frames = _frames_of(error.__traceback__, str(script))
        if processes.is_multi_process():
            _finish(diagnosis)  # the hook ends the process
        sys.excepthook(type(error), error.with_traceback(frames), frames)
        _finish(diagnosis)
        raise SystemExit(130 if isinstance(error, KeyboardInterrupt) else 1) from None
    _finish(diagnosis)
    raise SystemExit(0)


def _finish(diagnosis: Any) -> None:
    if diagnosis is not None and processes.is_first():
        diagnosis.finish()


def check_script(script: Path) -> None:
    """Refuse a file that is not there or is not a script.

    Raises:
        ValueError: If the file is not a script.
        FileNotFoundError: If there is no such file.
    """
    if script.suffix == ".ipynb":
        raise ValueError(
            f"{script} is a notebook, not a script.\n"
            f"  Fix: jupyter nbconvert --to script {script}, then run the .py file."
        )
    if not script.is_file():
        raise FileNotFoundError(f"There is no file {str(script)!r}; give the path of a script.")


def _frames_of(frames: TracebackType | None, filename: str) -> TracebackType | None:
    """The traceback from the script's first frame on, without the frames of this folder.

    None for a script that does not parse: there is nothing to show but the error.
    """
    while frames is not None and frames.tb_frame.f_code.co_filename != filename:
        frames = frames.tb_next
    last, frame = frames, frames
    while frame is not None:
        if not frame.tb_frame.f_code.co_filename.startswith((_PACKAGE_FOLDER, "<frozen importlib")):
            last = frame
        frame = frame.tb_next
    if last is not None:
        last.tb_next = None
    return frames
