"""Distillation: a small model learns from a large one as well as from the labels."""

from lamina.core.messages.errors import explain_missing_names
from lamina.core.serialization.registry import register_namespace
from lamina.distillation.distiller import Distiller
from lamina.distillation.losses import (
    DistillationLoss,
    FeatureDistillation,
    LogitsDistillation,
)

__all__ = ["DistillationLoss", "Distiller", "FeatureDistillation", "LogitsDistillation"]

register_namespace(
    "keras.distillation",
    {
        "DistillationLoss": DistillationLoss,
        "Distiller": Distiller,
        "FeatureDistillation": FeatureDistillation,
        "LogitsDistillation": LogitsDistillation,
    },
)
explain_missing_names(__name__)
