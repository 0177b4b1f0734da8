"""Distillation: trains a small model on the outputs of a large one, and on labels."""

from lamina.core.messages.errors import explain_missing_names
from lamina.core.serialization.registry import register_list
from lamina.distillation.distiller import Distiller
from lamina.distillation.losses import (
    DistillationLoss,
    FeatureDistillation,
    LogitsDistillation,
)

__all__ = ["DistillationLoss", "Distiller", "FeatureDistillation", "LogitsDistillation"]

register_list("keras.distillation", __all__, globals().__getitem__)
explain_missing_names(__name__)
