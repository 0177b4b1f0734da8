"""Lamina: Keras's API on JAX, with a compiled training loop.

    import lamina

    (x_train, y_train), (x_test, y_test) = lamina.datasets.mnist.load_data()

Everything is loaded when it is first used, so that `import lamina` is quick and does not load JAX.
The names are listed below for editors and type checkers.
"""

import importlib
from typing import TYPE_CHECKING, Any

from lamina.version import __version__

if TYPE_CHECKING:
    from lamina import (
        activations,
        applications,
        backend,
        callbacks,
        config,
        constraints,
        data,
        datasets,
        diagnosis,
        distillation,
        distribution,
        dtype_policies,
        explanation,
        export,
        initializers,
        layers,
        legacy,
        losses,
        metrics,
        mixed_precision,
        models,
        ops,
        optimizers,
        prediction,
        preprocessing,
        quantizers,
        random,
        regularizers,
        saving,
        tree,
        utils,
        visualization,
        wrappers,
    )
    from lamina.core.configuration.dtypes import DTypePolicy
    from lamina.core.configuration.scopes import StatelessScope, SymbolicScope, device, name_scope
    from lamina.core.graph.keras_tensor import KerasTensor
    from lamina.core.graph.operation import Operation
    from lamina.core.layer.input_spec import InputSpec
    from lamina.core.layer.layer import Layer
    from lamina.core.layer.remat import RematScope, remat
    from lamina.core.messages.errors import LaminaWarning
    from lamina.core.variable.seed import set_random_seed
    from lamina.core.variable.stateless import stateless, value_and_grad
    from lamina.core.variable.variable import Variable
    from lamina.dtype_policies import FloatDTypePolicy
    from lamina.initializers import Initializer
    from lamina.layers.input import Input
    from lamina.losses import Loss
    from lamina.metrics import Metric
    from lamina.models import Function, Functional, Model, Sequential
    from lamina.optimizers import Optimizer
    from lamina.prediction import Predictor
    from lamina.quantizers import Quantizer  # type: ignore[attr-defined]
    from lamina.regularizers import Regularizer

_MODULES = (
    "activations", "applications", "backend", "callbacks", "config", "constraints", "data",
    "datasets", "diagnosis", "distillation", "distribution", "dtype_policies",
    "explanation", "export", "initializers", "layers", "legacy", "losses", "metrics",
    "mixed_precision", "models", "ops", "optimizers", "prediction", "preprocessing", "quantizers",
    "random", "regularizers", "saving", "tree", "utils", "visualization", "wrappers",
)  # fmt: skip
_NAMES = {
    "DTypePolicy": "lamina.core.configuration.dtypes",
    "FloatDTypePolicy": "lamina.dtype_policies",
    "Function": "lamina.models",
    "Functional": "lamina.models",
    "Initializer": "lamina.initializers",
    "Input": "lamina.layers.input",
    "InputSpec": "lamina.core.layer.input_spec",
    "KerasTensor": "lamina.core.graph.keras_tensor",
    "LaminaWarning": "lamina.core.messages.errors",
    "Layer": "lamina.core.layer.layer",
    "Loss": "lamina.losses",
    "Metric": "lamina.metrics",
    "Model": "lamina.models",
    "Operation": "lamina.core.graph.operation",
    "Optimizer": "lamina.optimizers",
    "Predictor": "lamina.prediction",
    "Quantizer": "lamina.quantizers",
    "Regularizer": "lamina.regularizers",
    "RematScope": "lamina.core.layer.remat",
    "Sequential": "lamina.models",
    "StatelessScope": "lamina.core.configuration.scopes",
    "SymbolicScope": "lamina.core.configuration.scopes",
    "Variable": "lamina.core.variable.variable",
    "device": "lamina.core.configuration.scopes",
    "name_scope": "lamina.core.configuration.scopes",
    "remat": "lamina.core.layer.remat",
    "set_random_seed": "lamina.core.variable.seed",
    "stateless": "lamina.core.variable.stateless",
    "value_and_grad": "lamina.core.variable.stateless",
}

__all__ = [
    "DTypePolicy",
    "FloatDTypePolicy",
    "Function",
    "Functional",
    "Initializer",
    "Input",
    "InputSpec",
    "KerasTensor",
    "LaminaWarning",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "Operation",
    "Optimizer",
    "Predictor",
    "Quantizer",
    "Regularizer",
    "RematScope",
    "Sequential",
    "StatelessScope",
    "SymbolicScope",
    "Variable",
    "__version__",
    "activations",
    "applications",
    "backend",
    "callbacks",
    "config",
    "constraints",
    "data",
    "datasets",
    "device",
    "diagnosis",
    "distillation",
    "distribution",
    "dtype_policies",
    "explanation",
    "export",
    "initializers",
    "layers",
    "legacy",
    "losses",
    "metrics",
    "mixed_precision",
    "models",
    "name_scope",
    "ops",
    "optimizers",
    "prediction",
    "preprocessing",
    "quantizers",
    "random",
    "regularizers",
    "remat",
    "saving",
    "set_random_seed",
    "stateless",
    "tree",
    "utils",
    "value_and_grad",
    "visualization",
    "wrappers",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"lamina.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    from lamina import callbacks, layers, models, saving, utils
    from lamina.core.messages.errors import attribute_error, did_you_mean, nearest
    from lamina.core.messages.tracebacks import strip_internal_frames

    hint = did_you_mean(name, __all__)
    packages = (layers, models, saving, callbacks, utils)
    package = next((p.__name__ for p in packages if name in p.__all__), None)
    layer = nearest(name, layers.__all__)
    if package is not None:
        hint = f" Did you mean '{package.removeprefix('lamina.')}.{name}'?"
    elif layer and not hint and not name.startswith("_"):
        hint = f" Did you mean 'layers.{layer}'?"
    try:
        raise attribute_error(f"Lamina has no {name!r}.{hint}", name)
    except AttributeError as error:
        strip_internal_frames(error)
        raise


def __dir__() -> list[str]:
    return __all__
