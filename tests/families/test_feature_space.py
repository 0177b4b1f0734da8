"""FeatureSpace: the numbers of Keras 3.15 on TensorFlow, and models that begin with one."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lamina
from families.promises import plain
from lamina import layers
from lamina.core.serialization import registry
from lamina.utils import FeatureSpace

FILES = Path(__file__).parent / "files"
TABLE = {
    "f": [0.0, 0.1, 0.2, 0.3],
    "n": [1.0, 2.0, 3.0, 4.0],
    "d": [1.0, 5.0, 2.0, 9.0],
    "r": [1.0, 2.0, 3.0, 4.0],
    "ic": [1, 2, 2, 3],
    "sc": ["a", "b", "b", "c"],
    "sh": ["u", "v", "w", "u"],
    "ih": [7, 8, 9, 10],
}
# Columns in the order of their names: d, f, ic, ih, n, r, sc, sh.
COLUMNS = np.array(
    [
        [1, 0, 0, 0.0, 0, 0, 0, 1, 1, 0, 0, 0, -1.3416407, 1.5, 0, 0, 0, 1, 0, 0, 0, 1],
        [0, 0, 1, 0.1, 0, 1, 0, 0, 0, 0, 0, 1, -0.4472136, 2.0, 0, 1, 0, 0, 0, 1, 0, 0],
        [0, 1, 0, 0.2, 0, 1, 0, 0, 0, 1, 0, 0, 0.4472136, 2.5, 0, 1, 0, 0, 0, 0, 0, 1],
        [0, 0, 1, 0.3, 0, 0, 1, 0, 0, 0, 1, 0, 1.3416407, 3.0, 0, 0, 1, 0, 0, 0, 0, 1],
    ]
)  # fmt: skip
CROSSED = np.eye(8)[[1, 1, 1, 3]]
ENCODED = np.concatenate([COLUMNS, CROSSED], axis=1)


def space(**settings):
    features = {
        "f": "float",
        "n": "float_normalized",
        "d": FeatureSpace.float_discretized(num_bins=3),
        "r": FeatureSpace.float_rescaled(scale=0.5, offset=1.0),
        "ic": "integer_categorical",
        "sc": "string_categorical",
        "sh": FeatureSpace.string_hashed(num_bins=4),
        "ih": FeatureSpace.integer_hashed(num_bins=4),
    }
    return FeatureSpace(features, crosses=[("sc", "ic")], crossing_dim=8, **settings)


def adapted():
    made = space()
    made.adapt(TABLE)
    return made


@pytest.mark.parametrize(
    "data",
    [
        lambda: TABLE,
        lambda: {key: np.array(column) for key, column in TABLE.items()},
        lambda: {key: np.array(column)[:, None] for key, column in TABLE.items()},
        lambda: pd.DataFrame(TABLE),
        lambda: [{k: v[:2] for k, v in TABLE.items()}, {k: v[2:] for k, v in TABLE.items()}],
        lambda: ({k: v[i] for k, v in TABLE.items()} for i in range(4)),
        lambda: [(TABLE, np.zeros(4))],
    ],
    ids=["lists", "arrays", "columns", "frame", "batches", "rows", "batches-with-labels"],
)
def test_every_kind_of_column_is_encoded_as_in_keras(data):
    made = space()
    made.adapt(data())
    np.testing.assert_allclose(made(TABLE), ENCODED, atol=1e-6)
    np.testing.assert_allclose(made(pd.DataFrame(TABLE)), ENCODED, atol=1e-6)


def test_one_row_may_come_without_its_axis():
    row = {key: column[2] for key, column in TABLE.items()}
    np.testing.assert_allclose(adapted()(row), ENCODED[2], atol=1e-6)


def test_a_dict_has_one_array_a_column():
    features = {"sc": FeatureSpace.string_categorical(output_mode="int"), "d": "float_discretized"}
    cross = FeatureSpace.cross(("sc", "sc"), crossing_dim=8, output_mode="int")
    made = FeatureSpace(features, output_mode="dict", crosses=[cross])
    made.adapt({key: TABLE[key] for key in features})
    encoded = made({key: TABLE[key] for key in features})
    assert encoded["sc"].tolist() == [[3], [1], [1], [2]]
    assert encoded["sc_X_sc"].tolist() == [[1], [1], [1], [3]]
    assert encoded["d"].shape == (4, 32)
    assert encoded["d"].argmax(axis=-1).tolist() == [1, 3, 2, 3]
    assert made.get_encoded_features()["d"].shape == (None, 32)


def test_a_layer_of_ones_own_may_encode_a_column():
    layer = layers.TextVectorization(output_mode="count")
    made = FeatureSpace({"text": FeatureSpace.feature("string", layer, "float")})
    made.adapt({"text": ["one two", "two"]})
    assert made({"text": ["two two one"]}).tolist() == [[0.0, 2.0, 1.0]]
    known = layers.StringLookup(vocabulary=["a"])
    made = FeatureSpace({"letter": FeatureSpace.feature("string", known, "one_hot")})
    assert made({"letter": ["a", "z"]}).tolist() == [[0.0, 1.0], [1.0, 0.0]]


def test_known_boundaries_need_no_data():
    feature = FeatureSpace.float_discretized(None, bin_boundaries=[1.0, 2.0])
    assert FeatureSpace({"x": feature})({"x": [1.5]}).tolist() == [[0.0, 1.0, 0.0]]


def test_a_model_trains_on_columns_and_frames(tmp_path):
    made = adapted()
    model = lamina.Model(made.get_inputs(), layers.Dense(1)(made.get_encoded_features()))
    model.compile("adam", "mse")
    frame, y = pd.DataFrame(TABLE), np.ones(4)
    model.fit(frame, y, validation_data=(TABLE, y), epochs=2, verbose=0)
    predicted = model.predict({k: np.array(v) for k, v in TABLE.items()}, verbose=0)
    np.testing.assert_allclose(predicted, model.predict(frame, verbose=0))
    kernel, bias = model.get_weights()[-2:]
    np.testing.assert_allclose(predicted, ENCODED @ kernel + bias, atol=1e-5)
    model.save(tmp_path / "model.keras")
    again = lamina.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(frame, verbose=0), predicted)


def test_it_is_saved_and_loaded(tmp_path):
    adapted().save(tmp_path / "space.keras")
    again = lamina.models.load_model(tmp_path / "space.keras")
    config = plain(again.get_config())
    np.testing.assert_allclose(again(TABLE), ENCODED, atol=1e-6)
    assert plain(lamina.models.load_model(tmp_path / "space.keras").get_config()) == config


def test_one_saved_by_keras_gives_its_numbers():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = lamina.models.load_model(FILES / "feature_space_of_keras.keras")
    np.testing.assert_allclose(made(TABLE), ENCODED, atol=1e-6)


def test_its_parts_have_the_names_of_keras_in_the_config():
    config = registry.serialize(adapted())
    assert (config["module"], config["registered_name"]) == ("keras.utils", None)
    feature = config["config"]["features"]["f"]
    assert feature["module"] == "keras.src.layers.preprocessing.feature_space"
    assert (feature["class_name"], feature["registered_name"]) == ("Feature", "Feature")
    assert feature["config"]["preprocessor"]["class_name"] == "TFDIdentity"


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: FeatureSpace({}), ValueError, "needs features"),
        (lambda: FeatureSpace({"a": "flaot"}), ValueError, "Did you mean 'float'"),
        (lambda: FeatureSpace({"a": "float"}, output_mode="list"), ValueError, "output_mode"),
        (lambda: FeatureSpace({"a": "float"}, crosses=[("a", "b")]), ValueError, "'b'"),
        (lambda: FeatureSpace({"a": "float"}, crosses=[("a", "a")], crossing_dim=None),
         ValueError, "crosses need a crossing_dim"),
        (lambda: FeatureSpace.cross(("a", "b"), 8, "float"), ValueError, "output_mode of Cross"),
        (lambda: FeatureSpace.feature("int32", None, "hot"), ValueError, "output_mode of Feature"),
        (lambda: space()(TABLE), ValueError, "has not seen data yet"),
        (lambda: space().get_inputs(), ValueError, "n, d, ic, sc"),
        (lambda: space().adapt(3), TypeError, "data frame or an iterable"),
        (lambda: space().adapt({"N": [1.0]}), ValueError, "no such column"),
        (lambda: adapted()([1]), TypeError, "called on a dict"),
        (lambda: adapted()({**TABLE, "sc": [1, 2, 3, 4]}), TypeError, "'sc' must contain text"),
        (lambda: adapted()({**TABLE, "n": list("abcd")}), TypeError, "'n' must contain numbers"),
        (lambda: FeatureSpace({"a": FeatureSpace.integer_hashed(3, "int")}).get_inputs(),
         ValueError, "cannot be concatenated"),
    ],
    ids=range(15),
)  # fmt: skip
def test_what_cannot_work_is_refused_in_words(call, error, words):
    with pytest.raises(error, match=words):
        call()
