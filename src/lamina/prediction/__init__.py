"""Prediction with a trained model: class names, probabilities, and a description of its inputs."""

from lamina.prediction.answers import Answer
from lamina.prediction.inputs import InputDescription
from lamina.prediction.predictor import Prediction, Predictor

__all__ = ["Answer", "InputDescription", "Prediction", "Predictor"]
