"""What `lamina.models` offers, and where each name lives; loaded when it is first used."""

from lamina.models.cloning import (
    clone_model,
)
from lamina.models.function import (
    Function,
)
from lamina.models.functional import (
    Functional,
)
from lamina.models.model import (
    Model,
    model_from_json,
)
from lamina.models.sequential import (
    Sequential,
)
from lamina.saving import (
    load_model,
    save_model,
)
from lamina.training.inference import (
    InferenceFunction,
    TensorSpec,
)

__all__ = [
    "Function",
    "Functional",
    "InferenceFunction",
    "Model",
    "Sequential",
    "TensorSpec",
    "clone_model",
    "load_model",
    "model_from_json",
    "save_model",
]
