"""Models as scikit-learn's estimators: in pipelines, grid searches and cross-validation."""

from lamina.core.messages.errors import suggest_similar_names
from lamina.wrappers.estimators import SKLearnClassifier, SKLearnRegressor, SKLearnTransformer

__all__ = ["SKLearnClassifier", "SKLearnRegressor", "SKLearnTransformer"]

suggest_similar_names(__name__)
