"""Models as estimators: scikit-learn's own checks, and what people do with them."""

from unittest import SkipTest

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import make_classification, make_regression
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

import lamina
from lamina.wrappers import SKLearnClassifier, SKLearnRegressor, SKLearnTransformer

QUIET = {"epochs": 1, "verbose": 0}


def network(X, y, loss, activation=None, units=8, eager=False):
    model = lamina.Sequential(
        [
            lamina.Input(X.shape[1:]),
            lamina.layers.Dense(units, activation="relu"),
            lamina.layers.Dense(y.shape[1], activation=activation),
        ]
    )
    model.compile("rmsprop", loss, run_eagerly=eager)
    return model


CLASSIFIER = {"loss": "categorical_crossentropy", "activation": "softmax"}
ESTIMATORS = [
    SKLearnClassifier(network, model_kwargs={**CLASSIFIER, "eager": True}, fit_kwargs=QUIET),
    SKLearnRegressor(network, model_kwargs={"loss": "mse", "eager": True}, fit_kwargs=QUIET),
    SKLearnTransformer(network, model_kwargs={"loss": "mse", "eager": True}, fit_kwargs=QUIET),
]
# What asks for the same result of two fits, though first weights are drawn anew.
NOT_REPEATABLE = {
    "check_classifier_data_not_an_array",
    "check_regressor_data_not_an_array",
    "check_fit_idempotent",
    "check_supervised_y_2d",
    "check_regressors_int",
}
# What a network is not, or not in one epoch; Keras's wrappers leave these out too.
NOT_MET = {
    "check_classifiers_one_label_sample_weights",  # a weight of 0 leaves the class in
    "check_classifiers_classes",  # a few steps do not find all classes
    "check_classifiers_train",  # decision_function may give probabilities
    "check_regressor_multioutput",  # predictions are float32, as the model's
}


def own_checks():
    """All checks of the classifier, and of the others what the classifier had not."""
    had: set[str] = set()
    for estimator in ESTIMATORS:
        for copy, check in estimator_checks_generator(estimator, mark=None):
            name = check.func.__name__
            if name not in had | NOT_REPEATABLE | NOT_MET:
                yield pytest.param(copy, check, id=f"{type(estimator).__name__}-{name}")
        had |= {
            check.func.__name__ for _, check in estimator_checks_generator(estimator, mark=None)
        }


@pytest.mark.extra
@pytest.mark.parametrize(("estimator", "check"), list(own_checks()))
@pytest.mark.filterwarnings("ignore")
def test_scikit_learns_own_checks(estimator, check):
    try:
        check(estimator)
    except SkipTest as reason:
        pytest.skip(str(reason))


@pytest.fixture
def classes():
    X, y = make_classification(200, 6, n_informative=4, n_classes=3, random_state=0)
    return X, np.array(["ant", "bee", "cat"])[y]


def test_a_pipeline_learns_to_name_classes(classes):
    X, y = classes
    classifier = SKLearnClassifier(network, model_kwargs=CLASSIFIER)
    pipeline = make_pipeline(StandardScaler(), classifier)
    pipeline.fit(X, y, sklearnclassifier__epochs=60, sklearnclassifier__verbose=0)
    assert pipeline.score(X, y) > 0.7
    assert classifier.epoch_ == 60
    highest = classifier.classes_[pipeline.decision_function(X).argmax(axis=1)]
    np.testing.assert_array_equal(highest, pipeline.predict(X))


def test_a_grid_search_goes_through_arguments_of_the_function(classes):
    X, y = classes
    classifier = SKLearnClassifier(network, model_kwargs=CLASSIFIER, fit_kwargs=QUIET)
    choices = [{**CLASSIFIER, "units": units} for units in (1, 3)]
    search = GridSearchCV(classifier, {"model_kwargs": choices}, cv=2, error_score="raise")
    search.fit(X, y)
    assert (
        search.best_estimator_.model_.layers[0].units
        == search.best_params_["model_kwargs"]["units"]
    )


def test_a_given_model_is_copied_or_goes_on():
    X, y = make_regression(40, 3, random_state=0)
    model = network(X, y[:, None], "mse")
    before = model.get_weights()
    regressor = SKLearnRegressor(model, fit_kwargs=QUIET).fit(X, y)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert regressor.model_ is not model
    warm = SKLearnRegressor(model, warm_start=True, fit_kwargs=QUIET).fit(X, y)
    assert warm.model_ is model
    assert int(model.optimizer.iterations) == 2
    warm.fit(X, y)
    assert int(model.optimizer.iterations) == 4
    assert warm.predict(X).shape == y.shape


def test_a_clone_keeps_every_argument():
    """Keras's forgets fit_kwargs."""
    one = clone(SKLearnRegressor(network, True, {"loss": "mse"}, QUIET))
    assert one.get_params() == {
        "model": network,
        "warm_start": True,
        "model_kwargs": {"loss": "mse"},
        "fit_kwargs": QUIET,
    }


def test_sample_weights_are_routed_to_fit():
    X, y = make_regression(20, 3, random_state=0)
    regressor = SKLearnRegressor(network, model_kwargs={"loss": "mse"}, fit_kwargs=QUIET)
    with pytest.raises(RuntimeError, match="set_config"):
        regressor.set_fit_request(sample_weight=True)
    with config_context(enable_metadata_routing=True):
        regressor.set_fit_request(sample_weight=True)
        pipeline = make_pipeline(regressor).fit(X, y, sample_weight=np.zeros(20))
    assert pipeline[0].history_.history["loss"] == [0.0]


def test_features_of_a_network_go_on_to_another_estimator():
    X, y = make_regression(40, 3, n_targets=2, random_state=0)
    features = SKLearnTransformer(network, model_kwargs={"loss": "mse"}, fit_kwargs=QUIET)
    assert make_pipeline(features, LinearRegression()).fit(X, y).predict(X).shape == (40, 2)


def test_what_cannot_be_fitted_is_refused(classes):
    X, y = classes
    uncompiled = lamina.Sequential([lamina.Input((6,)), lamina.layers.Dense(3)])
    with pytest.raises(RuntimeError, match="needs a compiled model, with a loss"):
        SKLearnClassifier(uncompiled).fit(X, y)
    with pytest.raises(TypeError, match="must be a Model, or a function .*; received 'network'"):
        SKLearnClassifier("network").fit(X, y)
    with pytest.raises(ValueError, match="Only binary and multiclass"):
        SKLearnClassifier(network).fit(X, X[:, 0])
    with pytest.raises(ValueError, match="only one class is present"):
        SKLearnClassifier(network).fit(X, ["ant"] * len(X))
