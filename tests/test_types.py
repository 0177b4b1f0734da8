"""The types in signatures say something: Any stands only where anything is meant."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "lamina"
# Where users look first. Other files may have an Any for want of a better type.
FILES = (
    "core/layer/layer.py", "core/layer/layer_state.py", "core/variable/variable.py",
    "layers/convolution.py", "layers/core.py", "layers/merging.py", "layers/pooling.py",
    "layers/recurrent/gated.py", "layers/regularization.py",
    "losses/classification.py", "losses/regression.py", "metrics/accuracy.py",
    "metrics/metric.py", "metrics/regression.py",
    "models/functional.py", "models/model.py", "models/sequential.py",
    "optimizers/adam.py", "optimizers/sgd.py",
    "prediction/predictor.py", "saving/model_file.py",
    "training/callbacks/callback.py", "training/callbacks/early_stopping.py",
    "training/callbacks/model_checkpoint.py", "training/inference.py", "training/trainer.py",
)  # fmt: skip
ANYTHING = {
    ("Variable", "__init__", "initializer"),  # a function, or whatever NumPy makes an array of
    ("", "load_model", "->"),  # whatever was saved: a Model, or a FeatureSpace
    ("", "model_from_bytes", "->"),
    ("", "snapshot_of_weights", "model"),  # likewise
    ("", "parse_json", "->"),  # JSON
}


def unclear_types(source):
    """`(class, function, argument)` of everything public whose annotation is Any or missing."""
    found = set()

    def look(body, owner):
        for node in body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                look(node.body, node.name)
            if not isinstance(node, ast.FunctionDef):
                continue
            if node.name.startswith("_") and node.name not in ("__init__", "__call__"):
                continue
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            types = {one.arg: one.annotation for one in given if one.arg not in ("self", "cls")}
            if node.name != "__init__":
                types["->"] = node.returns
            for name, annotation in types.items():
                if annotation is None or ast.unparse(annotation) == "Any":
                    found.add((owner, node.name, name))

    look(ast.parse(source).body, "")
    return found


@pytest.mark.parametrize("file", FILES)
def test_public_signatures_name_what_they_take_and_give(file):
    assert unclear_types((SOURCE / file).read_text(encoding="utf-8")) - ANYTHING == set()


def test_what_takes_anything_is_still_there():
    sources = [(SOURCE / file).read_text(encoding="utf-8") for file in FILES]
    assert set().union(*map(unclear_types, sources)) >= ANYTHING


def test_any_and_missing_types_are_found():
    source = "class A:\n  def f(self, x: Any, y: int, z) -> Any: ...\ndef _g(x: Any): ...\n"
    assert unclear_types(source) == {("A", "f", "x"), ("A", "f", "z"), ("A", "f", "->")}


def test_names_of_types_can_be_joined_without_loading_jax():
    code = (
        "import sys; from lamina.core.types import *; import lamina.core.types as t;"
        "[getattr(t, n) | None for n in dir(t) if n.endswith('Like')];"
        "print(sorted({'jax', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
