"""Models: Sequential, functional and subclassed; summary and cloning."""

from lamina.core import registry
from lamina.core.errors import explain_missing_names
from lamina.models.cloning import clone_model
from lamina.models.function import Function
from lamina.models.functional import Functional
from lamina.models.model import Model, model_from_json
from lamina.models.sequential import Sequential
from lamina.saving import load_model, save_model

__all__ = [
    "Function",
    "Functional",
    "Model",
    "Sequential",
    "clone_model",
    "load_model",
    "model_from_json",
    "save_model",
]

registry.register_namespace("keras", {"Sequential": Sequential, "Model": Model})
# Where Keras's own loader looks for it.
registry.register_namespace("keras.src.models.functional", {"Functional": Functional})
registry.register_namespace("keras.models", {"Model": Model, "Functional": Functional})

explain_missing_names(__name__)
