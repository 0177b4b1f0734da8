"""`lamina run`: a TensorFlow or Keras script, unchanged."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from lamina.cli import console

# Heading of the options for several processes in the help.
_PROCESSES_HEADING = "Several processes"
# Lamina's options that have a value.
_OPTIONS_WITH_VALUE = ("--json", "--processes", "--devices-per-process", "--restarts")


def own_and_script_arguments(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Divide the arguments of `lamina run` into Lamina's and the script's.

    `--diagnose`, `--apply` and `--json FILE` may follow the script. A script gets options of these
    names after `--`.

    Args:
        arguments: As typed, without the program's name, of any command.

    Returns:
        Lamina's arguments, with the script as the last one, and those that follow it.
    """
    own = list(arguments)
    if "run" not in own[:2]:
        return own, []
    script = _position_of_script(own)
    if script is None:
        return own, []
    own, rest = own[:script], own[script:]
    end = rest.index("--") if "--" in rest else len(rest)
    if "--diagnose" in rest[:end]:
        rest.remove("--diagnose")
        own.append("--diagnose")
        if "--apply" in rest[: end - 1]:
            rest.remove("--apply")
            own.append("--apply")
        if "--json" in rest[: end - 1]:
            at = rest.index("--json")
            own += rest[at : at + 2]
            del rest[at : at + 2]
    return [*own, rest[0]], rest[1:]


def _position_of_script(arguments: Sequence[str]) -> int | None:
    position = arguments.index("run") + 1
    while position < len(arguments):
        if arguments[position] in _OPTIONS_WITH_VALUE:
            position += 2
        elif arguments[position].startswith("-"):
            position += 1
        else:
            return position
    return None


def run(
    context: typer.Context,
    script: Annotated[
        Path, typer.Argument(metavar="SCRIPT [ARGS]...", help="A Python file, and its arguments.")
    ],
    diagnose: Annotated[
        bool,
        typer.Option("--diagnose", help="Say what is wrong with each training, or with the error."),
    ] = False,
    apply: Annotated[
        bool,
        typer.Option("--apply", help="Also train a copy with the change of the first finding."),
    ] = False,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json", metavar="FILE", help="Write the findings to a file, whatever the exit code."
        ),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Train in so many processes of this machine, together.",
            rich_help_panel=_PROCESSES_HEADING,
        ),
    ] = None,
    devices_per_process: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Devices of each process; without GPUs, simulated CPU devices.",
            show_default="all GPUs, shared out",
            rich_help_panel=_PROCESSES_HEADING,
        ),
    ] = None,
    restarts: Annotated[
        int,
        typer.Option(
            min=0,
            help="How often to start all again after one has failed.",
            rich_help_panel=_PROCESSES_HEADING,
        ),
    ] = 0,
    distributed: Annotated[
        bool,
        typer.Option(
            "--distributed",
            help="This is one of the processes that srun, mpirun, torchrun or a pod has started.",
            rich_help_panel=_PROCESSES_HEADING,
        ),
    ] = False,
) -> None:
    """Run a script written for TensorFlow or Keras, unchanged.

    `import tensorflow`, `keras` and `tf_keras` mean Lamina while it runs. Without a screen,
    `plt.show()` saves its figures beside the script's other output and names them.

    With `--processes` or `--distributed` a script that knows nothing of it trains on all devices
    of all processes: each batch is divided over them. The first process prints.
    """
    from lamina.compat.run_script import check_script, run_script

    if processes is None and (devices_per_process is not None or restarts):
        processes = 1
    if processes is None:
        wanted = diagnose or apply or json_file is not None
        run_script(script, context.args, wanted, json_file, apply, distributed)
    if distributed:
        raise typer.BadParameter(
            "it is for processes that another launcher starts; leave --processes out.",
            param_hint="--distributed",
        )
    from lamina.jobs.several_processes import SeveralProcesses

    check_script(script)
    own = ["--diagnose"] * diagnose + ["--apply"] * apply
    own += [] if json_file is None else ["--json", str(json_file)]
    job = SeveralProcesses(
        [sys.executable, "-m", "lamina", "run", *own, str(script), *context.args],
        processes,
        devices_per_process,
        restarts,
        tell=console.remark,
    )
    raise typer.Exit(job.run())
