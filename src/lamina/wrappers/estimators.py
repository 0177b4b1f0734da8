"""Estimators with scikit-learn's interface, which wrap a model."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

# The base classes are scikit-learn's; this module is loaded when an estimator is first used.
from sklearn import get_config  # noqa: TID253
from sklearn.base import (  # noqa: TID253
    BaseEstimator,
    ClassifierMixin,
    RegressorMixin,
    TransformerMixin,
)
from sklearn.preprocessing import OneHotEncoder  # noqa: TID253
from sklearn.utils.multiclass import type_of_target  # noqa: TID253
from sklearn.utils.validation import check_is_fitted, validate_data  # noqa: TID253

from lamina.core.messages.tracebacks import filter_tracebacks_of_methods
from lamina.models import Model, clone_model


@filter_tracebacks_of_methods
class _Estimator(BaseEstimator):
    """Base class of the three estimators: makes the model and fits it."""

    def __init__(
        self,
        model: Model | Callable[..., Model],
        warm_start: bool = False,
        model_kwargs: dict | None = None,
        fit_kwargs: dict | None = None,
    ):
        # As scikit-learn requires, arguments are stored unchanged, and checked in `fit`.
        self.model = model
        self.warm_start = warm_start
        self.model_kwargs = model_kwargs
        self.fit_kwargs = fit_kwargs

    def fit(self, X: Any, y: Any, **kwargs: Any) -> Any:
        """Train a model.

        Args:
            X: Samples, `(samples, features)`.
            y: Targets, `(samples,)` or `(samples, outputs)`.
            **kwargs: For `model.fit`; they take precedence over `fit_kwargs`.

        Returns:
            The estimator itself.
        """
        accepts_several_outputs = not isinstance(self, ClassifierMixin)
        X, y = validate_data(
            self, X, y, multi_output=accepts_several_outputs, y_numeric=accepts_several_outputs
        )
        y = self._encode(y)
        model = self._make_model(X, y)
        if not model.compiled or model.loss is None or model.optimizer is None:
            raise RuntimeError(
                f"{type(self).__name__} needs a compiled model, with a loss and an optimizer.\n"
                "  Fix: model.compile(optimizer='adam', loss=…) before it is given here."
            )
        self.history_ = model.fit(X, y, **{**(self.fit_kwargs or {}), **kwargs})
        self.model_ = model
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predictions, in the shape of the targets given to `fit`.

        Args:
            X: Samples, `(samples, features)`.

        Returns:
            Array `(samples,)` or `(samples, outputs)`.
        """
        return self._decode(self._predict_outputs(X))

    def set_fit_request(self, **kwargs: bool | None | str) -> Any:
        """Ask meta-estimators, such as a grid search, to pass arguments to `fit`.

        Args:
            **kwargs: From the name of an argument (`sample_weight`) to True, False, None or the
                name under which it is passed; see scikit-learn's metadata routing.

        Returns:
            The estimator itself.

        Raises:
            RuntimeError: If metadata routing is not enabled.
        """
        if not get_config().get("enable_metadata_routing"):
            raise RuntimeError(
                "Metadata routing is not enabled.\n"
                "  Fix: sklearn.set_config(enable_metadata_routing=True)."
            )
        self._metadata_request = self._get_metadata_request()
        for name, alias in kwargs.items():
            self._metadata_request.fit.add_request(param=name, alias=alias)
        return self

    @property
    def epoch_(self) -> int:
        """Number of epochs of the last `fit`."""
        history = getattr(self, "history_", None)
        return 0 if history is None else len(history.epoch)

    def _make_model(self, X: np.ndarray, y: np.ndarray) -> Model:
        if self.warm_start and hasattr(self, "model_"):
            return self.model_
        if isinstance(self.model, Model):
            return self.model if self.warm_start else clone_model(self.model)
        if not callable(self.model):
            raise TypeError(
                f"{type(self).__name__}: model must be a Model, or a function (X, y, …) that "
                f"returns one; received {self.model!r}."
            )
        return self.model(X=X, y=y, **(self.model_kwargs or {}))

    def _predict_outputs(self, X: Any) -> np.ndarray:
        check_is_fitted(self, "model_")
        X = validate_data(self, X, reset=False)
        verbose = (self.fit_kwargs or {}).get("verbose", "auto")
        return self.model_.predict(X, verbose=verbose)

    def _encode(self, y: np.ndarray) -> np.ndarray:
        self._is_one_column = y.ndim == 1
        return y.reshape(-1, 1) if self._is_one_column else y

    def _decode(self, outputs: np.ndarray) -> np.ndarray:
        return outputs[:, 0] if self._is_one_column and outputs.shape[1:] == (1,) else outputs

    def __sklearn_clone__(self) -> Any:
        # A function is shared; a model is copied, because fit may change it.
        model = copy.deepcopy(self.model) if isinstance(self.model, Model) else self.model
        return type(self)(**{**self.get_params(deep=False), "model": model})

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.non_deterministic = True  # initial weights are random
        tags.target_tags.multi_output = not isinstance(self, ClassifierMixin)
        return tags


@filter_tracebacks_of_methods
class SKLearnClassifier(ClassifierMixin, _Estimator):
    """A model as a scikit-learn classifier.

    The model is given its targets one-hot, `(samples, classes)`, and gives a number for each
    class; `predict` returns the class with the highest number.

    Args:
        model: A compiled model, of which `fit` trains a copy; or a function that takes X and y by
            name and returns a compiled model.
        warm_start: Continue from the weights of the previous `fit`, training the given model
            itself.
        model_kwargs: Further arguments of the function.
        fit_kwargs: Arguments of `model.fit`, such as `{"epochs": 10}`.

    Attributes:
        model_: The trained model.
        history_: Result of its `fit`.
        classes_: The classes, sorted.

    Example:
        >>> import lamina
        >>> def network(X, y, units):
        ...     model = lamina.Sequential([
        ...         lamina.Input(X.shape[1:]), lamina.layers.Dense(units, activation="relu"),
        ...         lamina.layers.Dense(y.shape[1], activation="softmax")])
        ...     model.compile("adam", "categorical_crossentropy")
        ...     return model
        >>> classifier = SKLearnClassifier(
        ...     network, model_kwargs={"units": 4}, fit_kwargs={"verbose": 0})
        >>> X = np.arange(12.0).reshape(6, 2) / 12
        >>> classifier.fit(X, ["cat", "dog"] * 3).classes_.tolist()
        ['cat', 'dog']
        >>> classifier.predict(X).shape
        (6,)
    """

    def decision_function(self, X: Any) -> np.ndarray:
        """The outputs for every class, `(samples, classes)`.

        Args:
            X: Samples, `(samples, features)`.

        Returns:
            Array `(samples, classes)`.
        """
        return self._predict_outputs(X)

    def _encode(self, y: np.ndarray) -> np.ndarray:
        kind = type_of_target(y, raise_unknown=True)
        if kind not in ("binary", "multiclass"):
            raise ValueError(
                "Only binary and multiclass targets can be classified. "
                f"Unknown label type: {kind} targets were given."
            )
        y = super()._encode(y)
        self._encoder = OneHotEncoder(sparse_output=False).fit(y)
        self.classes_ = self._encoder.categories_[0]
        if len(self.classes_) == 1:
            raise ValueError("Classifier can't train when only one class is present.")
        return self._encoder.transform(y)

    def _decode(self, outputs: np.ndarray) -> np.ndarray:
        return super()._decode(self._encoder.inverse_transform(outputs))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # as an untuned network in a few epochs
        return tags


class SKLearnRegressor(RegressorMixin, _Estimator):
    """A model as a scikit-learn regressor.

    Args:
        model: A compiled model, of which `fit` trains a copy; or a function that takes X and y by
            name and returns a compiled model.
        warm_start: Continue from the weights of the previous `fit`, training the given model
            itself.
        model_kwargs: Further arguments of the function.
        fit_kwargs: Arguments of `model.fit`, such as `{"epochs": 10}`.

    Attributes:
        model_: The trained model.
        history_: Result of its `fit`.

    Example:
        >>> import lamina
        >>> model = lamina.Sequential([lamina.Input((2,)), lamina.layers.Dense(1)])
        >>> model.compile("adam", "mse")
        >>> X = np.arange(12.0).reshape(6, 2) / 12
        >>> regressor = SKLearnRegressor(model, fit_kwargs={"verbose": 0}).fit(X, X[:, 0])
        >>> regressor.predict(X).shape
        (6,)
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags


@filter_tracebacks_of_methods
class SKLearnTransformer(TransformerMixin, _Estimator):
    """A model as a scikit-learn transformer: its outputs are the features of the next step.

    (Not a transformer in the sense of attention.)

    Args:
        model: A compiled model, of which `fit` trains a copy; or a function that takes X and y by
            name and returns a compiled model.
        warm_start: Continue from the weights of the previous `fit`, training the given model
            itself.
        model_kwargs: Further arguments of the function.
        fit_kwargs: Arguments of `model.fit`, such as `{"epochs": 10}`.

    Attributes:
        model_: The trained model.
        history_: Result of its `fit`.

    Example:
        >>> import lamina
        >>> model = lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(2)])
        >>> model.compile("adam", "mse")
        >>> X = np.ones((4, 3))
        >>> SKLearnTransformer(model, fit_kwargs={"verbose": 0}).fit_transform(X, X[:, :2]).shape
        (4, 2)
    """

    def transform(self, X: Any) -> np.ndarray:
        """The outputs of the model, `(samples, outputs)`.

        Args:
            X: Samples, `(samples, features)`.

        Returns:
            Array `(samples, outputs)`.
        """
        return self._predict_outputs(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags
