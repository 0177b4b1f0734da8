"""Prepares a user's model and data for diagnosis, in the form that training uses."""

from typing import Any

import numpy as np

from lamina.core.types import Data, Targets
from lamina.training.requests import FitRequest, fit_request


def request_for(
    model: Any, x: Data, y: Targets, validation_data: Data, epochs: int, batch_size: int
) -> FitRequest:
    """The `FitRequest` of a `fit` with these arguments, with checked and converted data."""
    return fit_request(
        model._learner, x, y,
        batch_size=batch_size, epochs=epochs, verbose=0, callbacks=None, validation_split=0.0,
        validation_data=validation_data, shuffle=True, class_weight=None, sample_weight=None,
        initial_epoch=0, steps_per_epoch=None, validation_steps=None, validation_batch_size=None,
        validation_freq=1,
    )  # fmt: skip


def initial_weights(model: Any) -> list[np.ndarray] | None:
    """The weights of a model that was never trained; None if it was."""
    if int(np.asarray(getattr(model.optimizer, "iterations", 1))) > 0:
        return None
    return [np.array(weight) for weight in model.weights]
