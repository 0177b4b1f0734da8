"""The same architecture in Lamina and in Keras: numbers, weights, shapes, configs, files."""

import json

import jax
import keras
import numpy as np
import pytest

import lamina
from architectures import ALL
from lamina.core.serialization import registry


def each(architectures):
    return pytest.mark.parametrize("make", architectures, ids=lambda make: make.__name__)


@pytest.fixture(autouse=True)
def _keras_may_wonder():
    """It warns where inputs come in a list of one."""
    import warnings

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The structure of `inputs`")
        yield


def both(make):
    ours, x = make(lamina)
    theirs, _ = make(keras)
    rng = np.random.default_rng(seed=4)
    values = [rng.uniform(0.5, 1.5, size=v.shape).astype("float32") for v in theirs.weights]
    ours.set_weights(values)
    theirs.set_weights(values)
    return ours, theirs, x


def assert_same(ours, theirs, structure=True):
    if structure:
        assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5, rtol=1e-5)


@each(ALL)
def test_outputs_weights_and_shapes_equal_keras(make):
    ours, theirs, x = both(make)
    assert_same(ours(x), theirs(x))
    assert_same(ours.predict(x, verbose=0), theirs.predict(x, verbose=0))
    assert [v.path for v in ours.weights] == [v.path for v in theirs.weights]
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    assert ours.count_params() == theirs.count_params()
    assert ours.input_shape == theirs.input_shape
    assert ours.output_shape == theirs.output_shape
    assert ours.input_names == [t._keras_history.operation.name for t in theirs.inputs]
    shapes = jax.tree.map(lambda a: (None, *a.shape[1:]), x)
    assert ours.compute_output_shape(shapes) == theirs.compute_output_shape(shapes)


@each([make for make in ALL if make.__name__ != "structure"])
def test_a_step_of_training_changes_the_weights_as_in_keras(make):
    ours, theirs, x = both(make)
    if "dropout" in str([layer.name for layer in ours._flatten_layers()]):
        pytest.skip("random numbers differ")
    targets = jax.tree.map(np.zeros_like, ours.predict(x, verbose=0))
    for K, model in ((lamina, ours), (keras, theirs)):
        model.compile(K.optimizers.SGD(0.01), loss=K.losses.MeanSquaredError())
    losses = [model.train_on_batch(x, targets) for model in (ours, theirs)]
    np.testing.assert_allclose(np.ravel(losses[0])[0], np.ravel(losses[1])[0], rtol=1e-4)
    for one, other in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def plain(config):
    """As it comes back from a file, without what Keras writes and nobody needs."""
    config = json.loads(json.dumps(config))

    def clean(data):
        if isinstance(data, dict):
            data = {k: clean(v) for k, v in data.items() if k != "compile_config"}
            if set(data) >= {"args", "kwargs"}:
                # The mode and the mask that Keras itself filled in.
                kwargs = {k: v for k, v in data["kwargs"].items() if k not in ("training", "mask")}
                data["kwargs"] = kwargs
            return data
        return [clean(item) for item in data] if isinstance(data, list) else data

    return clean(config)


@each([make for make in ALL if make.__name__ != "masked"])
def test_the_config_equals_keras(make):
    ours, theirs, _ = both(make)
    expected = plain(keras.saving.serialize_keras_object(theirs))
    # Keras's Sequential makes a hidden functional model, and so counts names otherwise.
    expected["config"]["name"] = ours.name
    assert plain(registry.serialize(ours)) == expected


@each(ALL)
def test_models_made_from_either_config_compute_the_same(make):
    ours, theirs, x = both(make)
    expected, values = theirs(x), theirs.get_weights()
    for again in (
        lamina.models.model_from_json(ours.to_json()),
        lamina.models.model_from_json(theirs.to_json()),
        type(ours).from_config(json.loads(ours.to_json())["config"]),
        keras.models.model_from_json(ours.to_json()),
        lamina.models.clone_model(ours),
    ):
        again.set_weights(values)
        assert_same(again(x), expected, structure=False)  # tuples have become lists
    assert lamina.models.model_from_json(ours.to_json()).to_json() == ours.to_json()


@each(ALL)
def test_files_go_both_ways(make, tmp_path):
    ours, theirs, x = both(make)
    expected = theirs(x)
    ours.save(tmp_path / "ours.keras")
    theirs.save(tmp_path / "theirs.keras")
    assert_same(lamina.models.load_model(tmp_path / "ours.keras")(x), expected, structure=False)
    assert_same(lamina.models.load_model(tmp_path / "theirs.keras")(x), expected, structure=False)
    assert_same(keras.models.load_model(tmp_path / "ours.keras")(x), expected, structure=False)


@each(ALL)
def test_a_copy_has_weights_of_its_own(make):
    ours, _, x = both(make)
    copy = lamina.models.clone_model(ours)
    assert type(copy) is type(ours)
    assert [v.shape for v in copy.weights] == [v.shape for v in ours.weights]
    assert not {id(v) for v in copy.variables} & {id(v) for v in ours.variables}
    assert not {id(p) for p in copy._flatten_layers()} & {id(p) for p in ours._flatten_layers()}
    before = ours.get_weights()
    copy.set_weights([v.numpy() + 1 for v in copy.weights])
    for one, other in zip(ours.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)
