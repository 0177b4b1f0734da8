"""What a newcomer writes in place of a layer, a name or an argument, and what he is told."""

import re
import subprocess
import sys

import keras
import numpy as np
import pytest

import lamina
from lamina.core.messages.errors import nearest

CLASSES = ["Flatten", "Dense", "Conv2D", "Dropout", "LSTM", "BatchNormalization", "Embedding"]


@pytest.mark.parametrize("name", [*CLASSES, "MaxPooling2D", "ReLU", "MultiHeadAttention"])
def test_a_class_in_a_stack_is_answered_with_a_line_that_makes_a_layer(name):
    with pytest.raises(TypeError, match="received the class itself") as caught:
        lamina.Sequential([getattr(lamina.layers, name)])
    line = re.search(r"Fix: (lamina\..*)\.$", str(caught.value))[1]
    assert line.startswith(f"lamina.layers.{name}(")
    assert isinstance(lamina.Sequential([eval(line)]).layers[0], getattr(lamina.layers, name))


@pytest.mark.parametrize(
    ("given", "kind"),
    [("relu", "Activation"), (lamina.activations.relu, "Activation"), ((4,), "InputLayer")],
    ids=["its name", "the function", "a shape"],
)
def test_what_is_no_layer_is_answered_with_the_layer_that_was_meant(given, kind):
    with pytest.raises(TypeError) as caught:
        lamina.Sequential([given])
    line = re.search(r"Fix: (lamina\..*)\.$", str(caught.value))[1]
    model = lamina.Sequential([eval(line)])
    assert type(model._stack[0]).__name__ == kind


@pytest.mark.parametrize("name", [*CLASSES, "Concatenate", "ReLU"])
def test_a_tensor_where_settings_go_is_explained_and_the_fix_runs(name):
    shape = {"Conv2D": (9, 9, 1), "LSTM": (4, 3)}.get(name, (4,))
    x, y = lamina.Input(shape), lamina.Input(shape)
    given = (x, y) if name == "Concatenate" else (x,)
    with pytest.raises(TypeError, match="given a tensor where its settings go") as caught:
        getattr(lamina.layers, name)(*given)
    line = re.search(r"Fix: (.*), in place of", str(caught.value))[1]
    assert eval(line).shape[0] is None


def test_a_layer_called_on_a_class_is_explained_and_the_fix_runs():
    x = lamina.Input((2, 3))
    with pytest.raises(TypeError, match="which is not a tensor") as caught:
        lamina.layers.Dense(3)(lamina.layers.Flatten)
    scope = {"x": x, "lamina": lamina}
    exec(re.search(r"Fix: (x = .*) first", str(caught.value))[1], scope)
    assert lamina.layers.Dense(3)(scope["x"]).shape == (None, 3)


@pytest.mark.parametrize("name", ["Conv2D", "SeparableConv2D", "SpatialDropout2D", "ConvLSTM2D"])
def test_a_missing_argument_is_asked_of_the_class_that_the_user_wrote(name):
    with pytest.raises(TypeError, match=rf"^{name}\.__init__\(\) missing"):
        getattr(lamina.layers, name)()


@pytest.mark.parametrize(
    ("name", "meant"),
    [("Adma", "Adam"), ("adma", "Adam"), ("Rmsprop", "RMSprop"), ("Adammax", "Adamax")],
)
def test_swapped_letters_are_one_slip(name, meant):
    assert nearest(name, lamina.optimizers.__all__) == meant


def test_no_name_is_better_than_a_far_one():
    assert nearest("Dens", ["models", "saving", "losses"]) is None


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("lamina.layers.Dens", "'Dense'"),
        ("lamina.Dense", "'layers.Dense'"),
        ("lamina.Dens", "'layers.Dense'"),
        ("lamina.load_model", "'models.load_model'"),
        ("lamina.Sequental", "'Sequential'"),
    ],
)
def test_a_missing_name_is_answered_once(line, hint):
    code = f"import lamina; {line}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1].endswith(f". Did you mean {hint}?")
    assert done.stderr.count("Did you mean") == 1


def test_a_name_that_keras_2_had_is_explained_without_a_guess():
    code = "import lamina; lamina.Sequential().predict_classes"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "argmax(axis=-1)" in done.stderr
    assert "Did you mean" not in done.stderr


@pytest.mark.parametrize("found", ["model.keras", "old.h5"])
def test_a_folder_with_a_model_in_it_is_answered_with_the_file(found, tmp_path):
    model = lamina.Sequential([lamina.Input((2,)), lamina.layers.Dense(1)])
    model.save(tmp_path / "model.keras")
    (tmp_path / "model.keras").rename(tmp_path / found)
    with pytest.raises(lamina.saving.DamagedFileError, match="is a folder") as caught:
        lamina.models.load_model(tmp_path)
    assert "SavedModel" not in str(caught.value)
    assert re.search(r"Fix: give the path of the file in it, '(.*)'\.", str(caught.value))[
        1
    ] == str(tmp_path / found)


def test_a_saved_model_of_tensorflow_is_known_by_its_file(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(lamina.saving.DamagedFileError, match="as a SavedModel"):
        lamina.models.load_model(tmp_path)


@pytest.mark.parametrize("symbolic", [False, True], ids=["arrays", "an Input"])
def test_what_is_no_tensor_goes_by_name_as_in_keras(symbolic):
    x = lamina.Input((3,)) if symbolic else np.zeros((2, 3), "float32")
    layer = lamina.layers.Dropout(0.5)
    with pytest.raises(ValueError, match="takes tensors by position") as caught:
        layer(x, True)
    setting = re.search(r"Fix: (.*)\.$", str(caught.value))[1]
    assert setting == "training=True"
    assert eval(f"layer(x, {setting})").shape[-1] == 3
    with pytest.raises(ValueError, match="takes tensors by position"):
        lamina.layers.Layer()(x, True)


def test_one_epoch_is_not_called_epochs():
    model = lamina.Sequential([lamina.Input((2,)), lamina.layers.Dense(1)])
    model.compile("sgd", "mse")
    lamina.config.set_max_epochs(1)
    try:
        with pytest.warns(UserWarning, match="Limited to 1 epoch, as"):
            model.fit(np.zeros((4, 2)), np.zeros(4), epochs=2, verbose=0)
    finally:
        lamina.config.set_max_epochs(None)


SCHEDULES = lamina.optimizers.schedules
WHAT_IS_NO_NUMBER = {
    "a shape of text": (lambda: lamina.KerasTensor("a"), "A shape is a tuple of integers"),
    "a size of text": (lambda: lamina.Input((2, "a")), r"received \(2, 'a'\)"),
    "a size below 0": (lambda: lamina.KerasTensor((2, -1)), r"received \(2, -1\)"),
    "half a size": (lambda: lamina.Variable("ones", shape=(1.5,)), r"received \(1.5,\)"),
    "a type of no name": (lambda: lamina.Variable(1.0, dtype="nofloat"), "Unknown dtype 'nofloat'"),
    "text in a Variable": (lambda: lamina.Variable(np.array(["a"])), "received text"),
    "text assigned": (lambda: lamina.Variable(1.0).assign("a"), "received text"),
    "nothing in a Variable": (lambda: lamina.Variable(None), "holds numbers; received None"),
    "rows of other lengths": (lambda: lamina.Variable([[1], [1, 2]]), "holds one array of numbers"),
    "a loading budget": (lambda: lamina.config.set_loading_budget("a"), "number of bytes.*'a'"),
    "a resident budget": (lambda: lamina.config.set_resident_budget("a"), "number of bytes.*'a'"),
    "an epsilon": (lambda: lamina.config.set_epsilon("a"), "epsilon is a small number"),
    "text normalized": (lambda: lamina.utils.normalize("a"), "normalize takes an array of numbers"),
    "an order": (lambda: lamina.utils.normalize([1.0], order="a"), "order is a number.*'a'"),
    "a rate": (lambda: SCHEDULES.ExponentialDecay("a", 1, 0.5), "initial_learning_rate as a numb"),
    "a cosine's rate": (lambda: SCHEDULES.CosineDecay("a", 1), "initial_learning_rate as a number"),
    "steps": (lambda: SCHEDULES.PolynomialDecay(0.1, "a"), "decay_steps as a number"),
    "a factor": (lambda: SCHEDULES.InverseTimeDecay(0.1, 1, None), "decay_rate as a number"),
    "boundaries": (lambda: SCHEDULES.PiecewiseConstantDecay("a", [1, 2]), "boundaries as a list"),
    "a metric's name": (lambda: lamina.metrics.Mean(7), "Mean needs a name that is a string"),
    "a stack": (lambda: lamina.Sequential(7), "Sequential takes a list of layers; received 7"),
    "a slope": (lambda: lamina.layers.ReLU("a"), "number of 0 or more; received 'a'"),
    "a threshold": (lambda: lamina.metrics.Precision("a"), "thresholds from 0 to 1"),
    "a recall": (lambda: lamina.metrics.PrecisionAtRecall("a"), "from 0 to 1; received 'a'"),
    "thresholds": (lambda: lamina.metrics.AUC("a"), "num_thresholds of 2 or more; received 'a'"),
    "a scale": (lambda: lamina.initializers.VarianceScaling("a"), "scale above 0; received 'a'"),
    "a q": (lambda: lamina.losses.CategoricalGeneralizedCrossEntropy("a"), "q between 0 and 1"),
    "tokens": (lambda: lamina.layers.StringLookup("a"), "max_tokens is an integer"),
    "a monitor": (lambda: lamina.callbacks.EarlyStopping(7), "monitor is the name of a loss"),
    "a plateau": (lambda: lamina.callbacks.ReduceLROnPlateau(factor="a"), "a factor above 0"),
    "a file": (lambda: lamina.callbacks.CSVLogger(7), "CSVLogger needs a path; received 7"),
    "a backup": (lambda: lamina.callbacks.BackupAndRestore(7), "backup_dir must name a folder"),
    "a model drawn": (lambda: lamina.utils.model_to_dot("a"), "Only models can be drawn; received"),
    "a value": (lambda: SCHEDULES.PiecewiseConstantDecay([1], [1, "a"]), "each of its values"),
}  # fmt: skip


@pytest.mark.parametrize(("wrong", "words"), WHAT_IS_NO_NUMBER.values(), ids=WHAT_IS_NO_NUMBER)
def test_what_is_no_number_is_said_in_words_of_lamina(wrong, words):
    with pytest.raises((ValueError, TypeError), match=words) as caught:
        wrong()
    assert not getattr(caught.value, "_lamina_bug", False)


@pytest.mark.parametrize(
    "call",
    [
        lambda K: K.layers.Dense("3"),
        lambda K: K.layers.Dense(3, unit=1),
        lambda K: K.layers.Dense(3, trainable="yes"),
        lambda K: K.layers.Dropout("a"),
        lambda K: K.layers.TimeDistributed(3),
        lambda K: K.layers.Activation(3),
        lambda K: K.Sequential([{}]),
        lambda K: K.optimizers.Adam(foo=1),
        lambda K: K.optimizers.get(3),
        lambda K: K.losses.get(3),
        lambda K: K.metrics.get(3),
        lambda K: K.initializers.get(3),
        lambda K: K.saving.load_model("missing.keras"),
    ],
)
def test_an_error_is_caught_by_the_class_that_keras_raises(call):
    with pytest.raises(Exception) as theirs:
        call(keras)
    with pytest.raises(theirs.type):
        call(lamina)
