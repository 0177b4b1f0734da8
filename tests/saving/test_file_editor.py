"""KerasFileEditor, and configs in the layout of Keras 2."""

import keras
import numpy as np
import pytest

import lamina
from lamina.saving import DamagedFileError, KerasFileEditor
from lamina.utils import legacy


def make(library, *sizes):
    library.backend.clear_session()  # names are counted from the beginning, whoever ran before
    layers = [library.layers.Dense(units) for units in sizes]
    return library.Sequential([library.Input((4,)), *layers])


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "old.weights.h5"
    make(lamina, 3, 2).save_weights(path)
    return path


def test_a_file_of_keras_is_shown_like_one_of_lamina(weights, tmp_path, capsys):
    KerasFileEditor(weights).summary()
    ours = capsys.readouterr().out
    theirs = make(keras, 3, 2)
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    KerasFileEditor(tmp_path / "theirs.weights.h5").summary()
    assert capsys.readouterr().out.splitlines()[1:] == ours.splitlines()[1:]
    assert "└── dense_1" in ours
    assert "0: shape=(4, 3), dtype=float32" in ours


def test_a_whole_model_shows_its_config(tmp_path, capsys):
    make(lamina, 3).save(tmp_path / "m.keras")
    editor = KerasFileEditor(tmp_path / "m.keras")
    assert editor.config["class_name"] == "Sequential"
    assert "Saved with Keras 3" in capsys.readouterr().out
    assert editor.weights_dict["layers"]["dense"]["0"].shape == (4, 3)


def test_edited_weights_fit_another_model_in_both_libraries(weights, tmp_path):
    editor = KerasFileEditor(weights)
    kernel = editor.weights_dict["layers"]["dense"]["0"]
    editor.delete_object("layers/dense_1")
    editor.rename_object("dense", new_name="dense_1")
    editor.add_object("layers/dense", {"0": np.eye(4, dtype="float32"), "1": np.ones(4)})
    editor.add_weights("layers/dense", {"1": np.zeros(4, "float32")})
    editor.resave_weights(tmp_path / "new.weights.h5")
    for library in (lamina, keras):
        model = make(library, 4, 3)
        model.load_weights(tmp_path / "new.weights.h5")
        np.testing.assert_array_equal(model.get_weights()[0], np.eye(4))
        np.testing.assert_array_equal(model.get_weights()[2], kernel)


def test_a_comparison_counts_what_differs(weights, capsys):
    """Each weight once: Keras counts those of nested objects several times."""
    editor, reference = KerasFileEditor(weights), keras.saving.KerasFileEditor(str(weights))
    expected = {(3, 2): (0, 4), (3, 2, 2): (2, 4), (3,): (2, 2), (5, 2): (3, 1)}
    for sizes, (errors, matches) in expected.items():
        ours = editor.compare(make(lamina, *sizes))
        assert ours["status"] == reference.compare(make(keras, *sizes))["status"]
        assert (ours["error_count"], ours["match_count"]) == (errors, matches)
    assert "Weight layers/dense/0 has shape (4, 5) in the model and (4, 3)" in (
        capsys.readouterr().out
    )


def test_names_that_are_not_there_or_not_alone_are_refused(weights):
    editor = KerasFileEditor(weights)
    with pytest.raises(ValueError, match="no object 'dens_1'. Did you mean 'dense_1'"):
        editor.delete_object("dens_1")
    with pytest.raises(ValueError, match="a name, not a path; received 'a/b'"):
        editor.rename_object("dense", "a/b")
    with pytest.raises(ValueError, match="parent already has an object 'dense_1'"):
        editor.rename_object("dense", "dense_1")
    with pytest.raises(ValueError, match="has no weight '7'; it has 0, 1"):
        editor.delete_weight("dense", "7")
    with pytest.raises(ValueError, match="no object 'nowhere' to put 'x' into"):
        editor.add_object("nowhere/x", {})
    with pytest.raises(ValueError, match="dict of arrays by name"):
        editor.add_weights("dense", [1])
    with pytest.raises(ValueError, match="must end in '.weights.h5'"):
        editor.save("x.keras")
    editor.add_object("layers/part", {})
    editor.add_object("layers/part/dense", {})
    with pytest.raises(
        ValueError, match="Several objects are named 'dense'.\n  Fix: give the path of one"
    ):
        editor.delete_object("dense")


def test_what_is_no_file_of_weights_is_refused(tmp_path):
    path = tmp_path / "x.weights.h5"
    path.write_text("hello, this is not a file of weights at all")
    with pytest.raises(DamagedFileError, match="is not a model"):
        KerasFileEditor(path)


def test_configs_of_keras_2_go_both_ways():
    regularizer = lamina.regularizers.L2(0.5)
    config = legacy.serialize_keras_object(regularizer)
    theirs = keras.utils.legacy.serialize_keras_object(keras.regularizers.L2(0.5))
    assert config == theirs
    known = {"L2": lamina.regularizers.L2}
    assert legacy.deserialize_keras_object(config, known).l2 == 0.5
    assert legacy.deserialize_keras_object("L2", known).l2 == 0.01
    assert legacy.deserialize_keras_object(None) is None
    assert legacy.serialize_keras_object(lamina.activations.relu) == "relu"
    with pytest.raises(ValueError, match="Unknown regularizer 'L3'.\n  Known: L2"):
        legacy.deserialize_keras_object("L3", known, printable_module_name="regularizer")
    with pytest.raises(ValueError, match="cannot be written as a config"):
        legacy.serialize_keras_object(3)
