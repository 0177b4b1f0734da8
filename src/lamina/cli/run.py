"""`lamina run`: a TensorFlow or Keras script, unchanged."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer


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
        if arguments[position] == "--json":
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
) -> None:
    """Run a script written for TensorFlow or Keras, unchanged.

    `import tensorflow`, `keras` and `tf_keras` mean Lamina while it runs. Without a screen,
    `plt.show()` saves its figures beside the script's other output and names them.
    """
    from lamina.compat.run_script import run_script

    wanted = diagnose or apply or json_file is not None
    run_script(script, context.args, wanted, json_file, apply)
