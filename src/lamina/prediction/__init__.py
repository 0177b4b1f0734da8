"""Asking a trained model: batches, class names, probabilities, and what is known of its inputs."""

from lamina.prediction.inputs import InputDescription
from lamina.prediction.predictor import Prediction, Predictor

__all__ = ["InputDescription", "Prediction", "Predictor"]
