"""The command line application: registers the commands, and converts errors to exit codes.

Exit codes: 0 success, 1 an error (with a message on stderr), 2 wrong usage, 130 stopped by Ctrl-C.
"""

import inspect
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from lamina.cli import console, usage
from lamina.cli.diagnose import diagnose
from lamina.cli.doctor import doctor
from lamina.cli.evaluate import evaluate
from lamina.cli.explain import explain
from lamina.cli.predict import predict
from lamina.cli.quickstart import quickstart
from lamina.cli.run import own_and_script_arguments, run
from lamina.cli.summary import summary
from lamina.cli.train import train
from lamina.version import __version__

app = typer.Typer(
    help="Deep learning in layers: Keras's API on JAX, with a compiled training loop.",
    epilog=console.examples("lamina quickstart", "lamina train mnist --model cnn", "lamina doctor"),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _add(command: Callable[..., None], *examples: str, **context: Any) -> None:
    """Register a function as a command; its docstring is the help, with examples at the end."""
    paragraphs = (inspect.getdoc(command) or "").split("\n\n")
    app.command(
        help="\n\n".join(" ".join(p.split()) for p in paragraphs),
        epilog=console.examples(*examples),
        context_settings=context,
    )(command)


_add(quickstart, "lamina quickstart", "lamina quickstart --data digits --out demo")
_add(
    run,
    "lamina run first_network.py",
    "lamina run train.py --epochs 5",
    "lamina run train.py --diagnose --json findings.json",
    "lamina run --processes 2 --restarts 3 train.py",
    "srun lamina run --distributed train.py",
    # All arguments after the script's name belong to the script.
    allow_extra_args=True,
    ignore_unknown_options=True,
    allow_interspersed_args=False,
)
_add(
    train,
    "lamina train mnist",
    "lamina train fashion_mnist --model cnn --epochs 10 --out runs/cnn",
    "lamina train photos/",
    "lamina train houses.csv --target price --drop id --kinds postcode=category",
    "lamina train photos/ --devices all",
    "lamina train sales.csv --target sold --time day --forecast 7",
)
_add(
    evaluate,
    "lamina evaluate runs/mnist-mlp/model.keras mnist",
    "lamina evaluate runs/photos photos-of-another-day/ --json",
)
_add(
    predict,
    "lamina predict model.keras seven.png",
    "lamina predict runs/mnist-mlp scans/ --top 1",
    "lamina predict model.keras seven.png --show",
    "lamina predict runs/houses rows.csv --json",
)
_add(
    diagnose,
    "lamina diagnose runs/mnist-mlp mnist",
    "lamina diagnose model.keras table.csv --epochs 20 --json",
)
_add(
    explain,
    "lamina explain model.keras seven.png --out why.png",
    "lamina explain runs/houses rows.csv --row 3",
    "lamina explain runs/spam 'You have won' --json",
)
_add(summary, "lamina summary model.keras", "lamina summary model.keras --json")
_add(
    doctor,
    "lamina doctor",
    "lamina doctor --json",
    "lamina doctor --distributed --processes 2 train.py",
    "srun lamina doctor --distributed train.py",
)


def _print_version(is_given: bool) -> None:
    if is_given:
        print(f"lamina {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error, in any command.")
    ] = False,
) -> None:
    """Options of every command; `main` removes --debug at any position."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with its exit code.

    Args:
        arguments: The arguments without the program's name; those of the process if None.
    """
    debug, remaining_arguments = _take_debug(sys.argv[1:] if arguments is None else arguments)
    if debug:
        from lamina.core.configuration import (
            config,  # imported late, so that `lamina --help` is quick
        )

        config.disable_traceback_filtering()
    console.print_anything()
    try:
        code = app(remaining_arguments, prog_name="lamina", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        if debug:
            raise
        console.remark("Stopped by Ctrl-C.")
        raise SystemExit(130) from None
    except Exception as error:
        if hasattr(error, "format_message"):  # raised by the parser
            usage.show(error, remaining_arguments)
            raise SystemExit(getattr(error, "exit_code", 2)) from None
        if debug:
            raise
        console.print_error(error)
        raise SystemExit(1) from None
    raise SystemExit(code if isinstance(code, int) else 0)


def _take_debug(arguments: Sequence[str]) -> tuple[bool, list[str]]:
    """Whether --debug was given, and the arguments without it; a script's arguments are kept."""
    own_arguments, script_arguments = own_and_script_arguments(arguments)
    debug = "--debug" in own_arguments
    return debug, [*(a for a in own_arguments if a != "--debug"), *script_arguments]
