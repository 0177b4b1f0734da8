"""Every class and function of these packages takes what Keras's takes, with the same defaults."""

import importlib
import inspect

import keras
import pytest

NAMESPACES = (
    "activations", "constraints", "initializers", "losses", "metrics", "mixed_precision",
    "optimizers", "optimizers.legacy", "optimizers.schedules", "regularizers",
)  # fmt: skip


def _attribute(module, path):
    for part in path.split("."):
        module = getattr(module, part)
    return module


def _public(namespace):
    theirs = _attribute(keras, namespace)
    return [n for n in dir(theirs) if n[0] != "_" and not inspect.ismodule(getattr(theirs, n))]


SYMBOLS = [(namespace, name) for namespace in NAMESPACES for name in _public(namespace)]


def _parameters(symbol):
    """What can be given by name, with its default; those of the bases count where they are taken.

    A Lamina class may hand on `**kwargs` where Keras's repeats the arguments of its base.
    """
    found = {}
    classes = symbol.__mro__ if inspect.isclass(symbol) else [symbol]
    for cls in classes:
        function = vars(cls).get("__init__") if inspect.isclass(symbol) else cls
        if function is None or cls is object:
            continue
        parameters = list(inspect.signature(function).parameters.values())
        for p in parameters[1:] if inspect.isclass(symbol) else parameters:
            if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY):
                found.setdefault(p.name, p.default)
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return found


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_no_name_is_missing(namespace):
    ours = importlib.import_module(f"lamina.{namespace}")
    assert [name for name in _public(namespace) if not hasattr(ours, name)] == []


@pytest.mark.parametrize(("namespace", "name"), SYMBOLS)
def test_arguments_and_defaults_are_those_of_keras(namespace, name):
    theirs = _attribute(keras, f"{namespace}.{name}")
    if namespace == "optimizers.legacy":
        theirs = getattr(keras.optimizers, name)  # those of Keras only refuse to be made
    ours = getattr(importlib.import_module(f"lamina.{namespace}"), name)
    assert inspect.isclass(ours) == inspect.isclass(theirs)
    expected, found = _parameters(theirs), _parameters(ours)
    assert {k: v for k, v in found.items() if k in expected} == {
        # Where Keras has none, Lamina may have a default.
        k: found.get(k) if v is inspect.Parameter.empty else v
        for k, v in expected.items()
    }
    if name == "Optimizer" or not inspect.isclass(ours):
        return
    # In the same order, as far as arguments may be given by place.
    own = list(inspect.signature(vars(_owner(ours))["__init__"]).parameters.values())[1:]
    by_place = [p.name for p in own if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert by_place == [p for p in expected if p in by_place][: len(by_place)]


def _owner(cls):
    return next(c for c in cls.__mro__ if "__init__" in vars(c))


@pytest.mark.parametrize(
    ("namespace", "alias", "name"),
    [
        (namespace, alias, _attribute(keras, f"{namespace}.{alias}").__name__)
        for namespace, alias in SYMBOLS
        if inspect.isclass(_attribute(keras, f"{namespace}.{alias}")) and alias.islower()
    ],
)
def test_a_name_in_snake_case_is_the_class(namespace, alias, name):
    ours = importlib.import_module(f"lamina.{namespace}")
    assert getattr(ours, alias) is getattr(ours, name)
