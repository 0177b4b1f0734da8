"""A name is listed once, in its package: `get` and files find it there, and nothing else."""

import importlib
import inspect
import pkgutil

import pytest

from lamina import (
    activations,
    constraints,
    initializers,
    losses,
    metrics,
    optimizers,
    regularizers,
)
from lamina.core.serialization import registry
from lamina.core.serialization.naming import to_snake_case

pytestmark = pytest.mark.quick

BASES = {
    losses: ("Loss", "LossFunctionWrapper"),
    metrics: ("Metric", "MeanMetricWrapper"),
    optimizers: ("Optimizer", "OptaxOptimizer", "OptimizerMap"),
    initializers: ("Initializer",),
    regularizers: ("Regularizer",),
    constraints: ("Constraint",),
    activations: (),
}
HELPERS = {"deserialize", "get", "resolve_loss", "resolve_metric", "serialize"}


def short(package):
    return package.__name__.removeprefix("lamina.")


def in_files(package):
    """What a file may name of a package."""
    return registry.public_names(f"keras.{short(package)}")


every_package = pytest.mark.parametrize("package", BASES, ids=short)


def is_found(package, name, symbol):
    try:
        found = package.get(name)
    except TypeError as error:
        return f"{symbol.__name__!r} needs arguments" in str(error)
    # The metric of that name stands for its function, as in Keras.
    in_its_place = to_snake_case(type(found).__name__) == name
    return found is symbol or type(found) is symbol or in_its_place


@every_package
def test_get_finds_every_public_class_and_function(package):
    public = {name: getattr(package, name) for name in package.__all__}
    wanted = {
        name: symbol
        for name, symbol in public.items()
        if callable(symbol) and name not in HELPERS and name not in BASES[package]
    }
    assert wanted
    assert [name for name, symbol in wanted.items() if not is_found(package, name, symbol)] == []


@every_package
def test_what_files_and_get_find_is_public(package):
    found = in_files(package)
    assert found
    assert found == {name: getattr(package, name) for name in package.__all__ if name in found}


@every_package
def test_a_file_cannot_name_the_functions_that_look_names_up(package):
    assert not HELPERS & set(in_files(package))


@pytest.mark.parametrize("package", [losses, metrics], ids=short)
def test_every_function_that_a_file_may_name_compares_predictions_with_targets(package):
    functions = [symbol for symbol in in_files(package).values() if inspect.isfunction(symbol)]
    assert functions
    for function in functions:
        assert list(inspect.signature(function).parameters)[:2] == ["y_true", "y_pred"]


@pytest.mark.parametrize("package", [losses, metrics, optimizers, initializers], ids=short)
def test_every_class_of_a_package_is_listed(package):
    """Unless others of the package are made of it, or its name begins with `_`."""
    base = getattr(package, BASES[package][0])
    classes = {
        cls
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
        for cls in vars(importlib.import_module(module.name)).values()
        if isinstance(cls, type) and issubclass(cls, base) and cls.__module__ == module.name
    }
    leaves = {cls.__name__ for cls in classes if not set(cls.__subclasses__()) & classes}
    assert len(leaves) > 10
    assert {name for name in leaves if not name.startswith("_")} <= set(package.__all__)


@pytest.mark.parametrize(
    ("package", "name", "base"),
    [
        (losses, "loss", "Loss"),
        (metrics, "Metrik", "Metric"),
        (initializers, "initialiser", "Initializer"),
        (optimizers, "optimizr", "Optimizer"),
    ],
    ids=["loss", "metric", "initializer", "optimizer"],
)
def test_a_base_class_is_not_suggested(package, name, base):
    with pytest.raises(ValueError, match="^Unknown ") as refused:
        package.get(name)
    said = str(refused.value).partition("\n")[2].replace(",", " ").split()
    assert f"{base!r}?" not in str(refused.value)
    assert base not in said
    assert base.lower() not in said


@pytest.mark.parametrize("package", [losses, metrics, initializers, regularizers], ids=short)
def test_a_base_class_may_stand_in_a_config(package):
    base = getattr(package, BASES[package][0])
    config = {"class_name": base.__name__, "config": {}}
    assert type(package.get(config)) is base


@pytest.mark.parametrize(
    ("get", "name", "fix"),
    [
        (metrics.get, "MeanIoU", r"lamina\.metrics\.MeanIoU\(num_classes=…\)"),
        (metrics.get, metrics.MeanIoU, r"lamina\.metrics\.MeanIoU\(num_classes=…\)"),
        (optimizers.get, "MultiOptimizer", r"lamina\.optimizers\.MultiOptimizer\(optimizer_map=…"),
    ],
)
def test_a_name_that_needs_arguments_says_which(get, name, fix):
    with pytest.raises(TypeError, match=f"needs arguments.*\n  Fix: {fix}"):
        get(name)


def test_a_class_of_ones_own_that_needs_arguments_says_which():
    class Within(constraints.Constraint):
        def __init__(self, low, high, step=1.0):
            pass

    with pytest.raises(TypeError, match=r": low, high\.\n  Fix: Within\(low=…, high=…\)\."):
        constraints.get(Within)
