"""`lamina run`: a TensorFlow or Keras script, unchanged."""

from pathlib import Path
from typing import Annotated

import typer


def run(
    context: typer.Context,
    script: Annotated[
        Path, typer.Argument(metavar="SCRIPT [ARGS]...", help="A Python file, and its arguments.")
    ],
) -> None:
    """Run a script written for TensorFlow or Keras, unchanged.

    `import tensorflow`, `keras` and `tf_keras` mean Lamina while it runs. Without a screen,
    `plt.show()` saves its figures beside the script's other output and names them.
    """
    from lamina.compat.run_script import run_script

    run_script(script, context.args)
