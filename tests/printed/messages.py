"""The messages of the source that print a fix, and how one of them is tried out."""

import ast
import re
import warnings
from pathlib import Path
from typing import NamedTuple

import jax
import numpy

import lamina

SOURCE = Path(lamina.__file__).parent
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_QUOTED = re.compile("«(.*?)»")


class Message(NamedTuple):
    """A text in the source with `Fix:` in it; `…` stands for what is filled in."""

    file: str
    line: int
    text: str


class Case(NamedTuple):
    """A script that gets a message, and the script of one who does what the message says.

    What the second takes from the message, word for word, stands in «…», in the code or in a
    comment behind it. `before` is run before either.
    """

    wrong: str
    mended: str
    before: str = ""


def in_source():
    """Every message that prints a fix, in the order of files and lines."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text("utf-8")
        if "Fix:" not in text:
            continue
        tree = ast.parse(text)
        docstrings = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, _DOCUMENTED) and isinstance(node.body[0], ast.Expr)
        }
        name = str(path.relative_to(SOURCE))
        found += [
            Message(name, line, said) for line, said in _texts(tree, docstrings) if "Fix:" in said
        ]
    return found


def _texts(node, left_out):
    if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in left_out:
        text = _text(node)
        if "Fix:" in text:
            yield node.lineno, text
            return
    for child in ast.iter_child_nodes(node):
        yield from _texts(child, left_out)


def _text(node):
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values)
    # What stands inside braces may have the fix in it.
    inner = [_text(part) for part in ast.walk(node) if isinstance(part, ast.Constant)]
    return "…" + "".join(text for text in inner if "Fix:" in text)


def provoke(case):
    """What the first script is told: warnings, the error and its notes."""
    scope = prepared(case)
    said = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            exec(case.wrong, scope)
        except Exception as error:
            said = [str(error), *getattr(error, "__notes__", ())]
    return "\n".join([*(str(warning.message) for warning in caught), *said])


def is_said(message, said):
    """Whether a message of the source, filled in, is what was said."""
    words = re.escape(message.text.replace("{}", "…")).replace("…", ".*")
    return re.search(words, said, re.DOTALL) is not None


def quotations(case):
    """What the second script takes from the message."""
    return _QUOTED.findall(case.mended)


def mend(case):
    """Run the second script; any warning is an error."""
    scope = prepared(case)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(_QUOTED.sub(r"\1", case.mended), scope)


def prepared(case):
    """The names that a script finds."""
    scope = names()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(case.before, scope)
    return scope


def names():
    """What a script may use."""
    return {
        "lamina": lamina,
        "numpy": numpy,
        "np": numpy,
        "jax": jax,
        "Path": Path,
        "layers": lamina.layers,
        "ops": lamina.ops,
        "Input": lamina.Input,
        "x": numpy.ones((4, 3), "float32"),
        "y": numpy.arange(4) % 2,
        "images": numpy.ones((2, 6, 6, 1), "float32"),
        "words": numpy.array([["a"], ["b"], ["a"]]),
        "net": net,
    }


def net(*stack, inputs=(3,), loss="mse", compiled=True, **arguments):
    """An Input and layers; one Dense if none is given."""
    model = lamina.Sequential([lamina.Input(inputs), *(stack or [lamina.layers.Dense(1)])])
    if compiled:
        model.compile(arguments.pop("optimizer", "sgd"), loss, **arguments)
    return model
