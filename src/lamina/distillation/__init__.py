"""Distillation: trains a small model on the outputs of a large one, and on labels."""

from lamina.core.messages.errors import suggest_similar_names
from lamina.core.serialization.registry import register_list
from lamina.distillation.distiller import Distiller
from lamina.distillation.losses import (
    DistillationLoss,
    FeatureDistillation,
    LogitsDistillation,
)

__all__ = ["DistillationLoss", "Distiller", "FeatureDistillation", "LogitsDistillation"]

register_list("keras.distillation", __all__, globals().__getitem__)
suggest_similar_names(__name__)
