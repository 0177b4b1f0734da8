"""Names and places of model files, and what is said when one cannot be opened."""

import warnings
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import lamina
from lamina.core.messages.errors import LaminaWarning
from lamina.core.serialization import registry
from lamina.saving import (
    DamagedFileError,
    UnknownClassError,
    WeightsMismatchError,
    load_model,
    register_keras_serializable,
)

pytestmark = pytest.mark.quick


def small_model(units=2, **compile_arguments):
    model = lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(units)])
    if compile_arguments:
        model.compile(**compile_arguments)
    return model


@pytest.fixture(autouse=True)
def _nothing_is_registered(monkeypatch):
    monkeypatch.setattr(registry, "_custom", {})
    monkeypatch.setattr(registry, "_custom_names", {})


def same_weights(one, other):
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


# -- names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "epic_num_reader.model",
        "plain",
        "modèle – 数字.keras",
        "two words",
        "new/folder/a.keras",
    ],
)
@pytest.mark.parametrize("kind", [str, Path])
def test_any_name_will_do(name, kind, tmp_path):
    model = small_model()
    path = kind(tmp_path / name)
    model.save(path)
    assert same_weights(load_model(path), model)


def test_a_path_relative_to_where_we_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = small_model()
    model.save("model.keras")
    assert same_weights(load_model("model.keras"), model)


@pytest.mark.parametrize("name", ["weights", "my.weights.h5", "数字.h5"])
def test_any_name_will_do_for_weights(name, tmp_path):
    model, other = small_model(), small_model()
    model.save_weights(tmp_path / name)
    other.load_weights(tmp_path / name)
    assert same_weights(model, other)


def test_weights_can_be_taken_from_a_whole_model(tmp_path):
    model, other = small_model(), small_model()
    model.save(tmp_path / "model.keras")
    other.load_weights(tmp_path / "model.keras")
    assert same_weights(model, other)


@pytest.mark.parametrize("save", ["save", "save_weights"])
def test_overwrite_false_keeps_the_old_file(save, tmp_path):
    path = tmp_path / "model.keras"
    getattr(small_model(), save)(path)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match=r"exists, and overwrite=False.*\n.*overwrite=True"):
        getattr(small_model(), save)(path, overwrite=False)
    assert path.read_bytes() == before


# -- what cannot be saved --------------------------------------------------------------------------


def test_weights_that_are_not_there_yet_are_not_saved(tmp_path):
    model = lamina.Sequential([lamina.layers.Dense(2)])
    with pytest.raises(ValueError, match="has no weights yet, so there is nothing to save"):
        model.save_weights(tmp_path / "model.weights.h5")
    assert not list(tmp_path.iterdir())


def test_a_lambda_is_not_saved(tmp_path):
    model = lamina.Sequential([lamina.Input((3,)), lamina.layers.Activation(lambda x: x * 2)])
    with pytest.raises(ValueError, match="A lambda cannot be saved"):
        model.save(tmp_path / "model.keras")
    assert not list(tmp_path.iterdir())


def test_a_config_that_is_no_data_is_refused_before_anything_is_written(tmp_path):
    class Odd(lamina.layers.Layer):
        def call(self, x):
            return x

        def get_config(self):
            return {**super().get_config(), ("a", "tuple"): 1}

    model = lamina.Sequential([lamina.Input((3,)), Odd()])
    with pytest.raises(ValueError, match=r"cannot be written as data.*\n.*get_config\(\)"):
        model.save(tmp_path / "model.keras")
    assert not list(tmp_path.iterdir())


# -- what is not there -----------------------------------------------------------------------------


def test_a_missing_file_suggests_its_neighbour(tmp_path):
    small_model().save(tmp_path / "digits.keras")
    with pytest.raises(FileNotFoundError, match="There is no file") as caught:
        load_model(tmp_path / "digit.keras")
    assert f"Did you mean {str(tmp_path / 'digits.keras')!r}?" in str(caught.value)


def test_a_missing_file_in_a_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no file"):
        load_model(tmp_path / "nowhere" / "model.keras")


def test_a_saved_model_folder_is_explained(tmp_path):
    (tmp_path / "saved_model.pb").touch()
    with pytest.raises(DamagedFileError, match="saved by TensorFlow 2 as a SavedModel"):
        load_model(tmp_path)


def test_an_argument_that_load_model_does_not_have(tmp_path):
    with pytest.raises(TypeError, match="Did you mean 'custom_objects'"):
        load_model(tmp_path / "model.keras", custom_object={})


# -- classes of one's own --------------------------------------------------------------------------


class Doubling(lamina.layers.Layer):
    def call(self, x):
        return 2 * x


def swish_of_mine(x):
    return x * 0.5


def loss_of_mine(y_true, y_pred):
    return lamina.losses.mean_squared_error(y_true, y_pred)


def with_own_layer():
    return lamina.Sequential([lamina.Input((3,)), Doubling(), lamina.layers.Dense(2)])


def with_own_activation():
    layers = [lamina.Input((3,)), lamina.layers.Dense(2, activation=swish_of_mine)]
    return lamina.Sequential(layers)


def with_own_loss():
    return small_model(loss=loss_of_mine)


def with_own_metric():
    return small_model(loss="mse", metrics=[loss_of_mine])


OWN = [
    (with_own_layer, Doubling),
    (with_own_activation, swish_of_mine),
    (with_own_loss, loss_of_mine),
    (with_own_metric, loss_of_mine),
]


@pytest.mark.parametrize(("make", "own"), OWN)
def test_an_unknown_class_or_function_is_named_with_the_line_that_registers_it(make, own, tmp_path):
    path = tmp_path / "model.keras"
    make().save(path)
    with pytest.raises(UnknownClassError) as caught:
        load_model(path)
    message = str(caught.value)
    kind = "class" if isinstance(own, type) else "function"
    assert message.startswith(f"{path}: The file uses the {kind} '{own.__name__}'")
    assert len(message.splitlines()) <= 12
    custom_objects = {own.__name__: own}
    line = f"load_model(path, custom_objects={{'{own.__name__}': {own.__name__}}})"
    assert line in message
    names = {"load_model": load_model, "path": path, own.__name__: own}
    assert same_shapes(eval(line, names), make())
    decorator = "lamina.saving.register_keras_serializable(package='Custom')"
    assert f"@{decorator}" in message
    eval(decorator, {"lamina": lamina})(own)
    assert same_shapes(load_model(path), make())
    assert same_shapes(load_model(path, custom_objects), make())


@pytest.mark.parametrize(("make", "own"), OWN)
def test_keras_names_what_lamina_can_be_told(make, own, tmp_path):
    """A function or class that Keras saved under its plain name is found under it."""
    path = tmp_path / "model.keras"
    make().save(path)
    with lamina.saving.custom_object_scope({own.__name__: own}):
        assert same_shapes(load_model(path), make())


def test_a_registered_name_with_a_package_is_asked_for_with_it(tmp_path):
    @register_keras_serializable(package="zoo")
    class Tripling(Doubling):
        pass

    path = tmp_path / "model.keras"
    lamina.Sequential([lamina.Input((3,)), Tripling()]).save(path)
    registry.get_custom_objects().clear()
    with pytest.raises(UnknownClassError, match="The file uses the class 'zoo>Tripling'") as caught:
        load_model(path)
    assert "package='zoo'" in str(caught.value)
    load_model(path, custom_objects={"zoo>Tripling": Tripling})


def test_an_unknown_loss_does_not_keep_a_model_from_predicting(tmp_path):
    path = tmp_path / "model.keras"
    with_own_loss().save(path)
    with pytest.raises(UnknownClassError, match=r"load_model\(path, compile=False\)"):
        load_model(path)
    model = load_model(path, compile=False)
    assert not model.compiled
    assert model.predict(np.ones((2, 3)), verbose=0).shape == (2, 2)


def test_an_error_in_a_users_own_class_shows_where_it_arose(tmp_path):
    class Fragile(lamina.layers.Layer):
        def __init__(self, size=1, **kwargs):
            super().__init__(**kwargs)
            self.size = 10 // size

        def get_config(self):
            return {**super().get_config(), "size": 0}

        def call(self, x):
            return x

    path = tmp_path / "model.keras"
    lamina.Sequential([lamina.Input((3,)), Fragile(name="glass")]).save(path)
    with pytest.raises(DamagedFileError, match="In the config of Fragile 'glass'") as caught:
        load_model(path, custom_objects={"Fragile": Fragile})
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


# -- what goes along -------------------------------------------------------------------------------


def test_how_a_model_was_compiled_goes_along(tmp_path):
    model = small_model(
        optimizer=lamina.optimizers.SGD(0.25, momentum=0.5),
        loss=lamina.losses.Huber(delta=2.0),
        metrics=["mae", lamina.metrics.MeanSquaredError(name="squares")],
        loss_weights=0.5,
    )
    model.save(tmp_path / "model.keras")
    twin = load_model(tmp_path / "model.keras")
    x, y = np.ones((4, 3), "float32"), np.zeros((4, 2), "float32")
    expected = model.evaluate(x, y, verbose=0, return_dict=True)
    assert twin.evaluate(x, y, verbose=0, return_dict=True) == pytest.approx(expected)
    assert twin.optimizer.get_config() == model.optimizer.get_config()


EARLIER = {
    "a dtype by its name": {"dtype": "float32"},
    "a policy by its older name": {
        "dtype": {
            "module": "keras",
            "class_name": "FloatDTypePolicy",
            "config": {"name": "float32"},
        }
    },
    "an activation by its name": {"activation": "linear"},
    "a setting that there was not yet": {"quantization_config": "left out"},
}


@pytest.mark.parametrize("case", EARLIER)
def test_configs_as_earlier_versions_of_keras_3_wrote_them(case, write_file, good_config):
    config = good_config["config"]["layers"][-1]["config"]
    for key, value in EARLIER[case].items():
        config.pop(key)
        if value != "left out":
            config[key] = value
    assert load_model(write_file(config=good_config)).get_layer("scores").dtype == "float32"


def test_include_optimizer_false_leaves_no_trace_of_it(tmp_path):
    model = small_model(optimizer="adam", loss="mse")
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "model.keras", include_optimizer=False)
    with (
        zipfile.ZipFile(tmp_path / "model.keras") as archive,
        archive.open("model.weights.h5") as member,
        h5py.File(member) as file,
    ):
        assert "optimizer" not in file
    assert not load_model(tmp_path / "model.keras").compiled


def test_a_trained_model_goes_on_where_it_stopped(tmp_path, rng):
    x, y = rng.normal(size=(16, 3)).astype("float32"), rng.normal(size=(16, 2)).astype("float32")
    model = small_model(optimizer="adam", loss="mse")
    model.fit(x, y, epochs=2, verbose=0, shuffle=False)
    model.save(tmp_path / "model.keras")
    twin = load_model(tmp_path / "model.keras")
    for one in (model, twin):
        one.fit(x, y, epochs=2, verbose=0, shuffle=False)
    assert same_weights(model, twin)


def test_frozen_layers_stay_frozen(tmp_path):
    model = lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(2), lamina.layers.Dense(1)])
    model.layers[0].trainable = False
    model.save(tmp_path / "model.keras")
    assert len(load_model(tmp_path / "model.keras").trainable_weights) == 2


def test_saving_does_not_change_the_names_that_layers_get(tmp_path):
    small_model().save(tmp_path / "model.keras")
    load_model(tmp_path / "model.keras")
    assert lamina.layers.Layer().name == "layer"


# -- weights that do not fit -----------------------------------------------------------------------


def two_layers(first=4, second=2):
    layers = [lamina.layers.Dense(first, name="first"), lamina.layers.Dense(second, name="second")]
    return lamina.Sequential([lamina.Input((3,)), *layers])


def test_weights_that_do_not_fit_are_refused_and_nothing_is_changed(tmp_path):
    two_layers(second=5).save_weights(tmp_path / "w.h5")
    model = two_layers()
    before = model.get_weights()
    with pytest.raises(WeightsMismatchError, match="at layers/dense_1: Dense 'second'") as caught:
        model.load_weights(tmp_path / "w.h5")
    assert "skip_mismatch=True" in str(caught.value)
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_skip_mismatch_takes_what_fits_and_says_what_does_not(tmp_path):
    saved, model = two_layers(second=5), two_layers()
    saved.save_weights(tmp_path / "w.h5")
    before = model.get_weights()
    with pytest.warns(LaminaWarning, match="not read: layers/dense_1: Dense 'second'"):
        model.load_weights(tmp_path / "w.h5", skip_mismatch=True)
    np.testing.assert_array_equal(model.get_weights()[0], saved.get_weights()[0])
    np.testing.assert_array_equal(model.get_weights()[2], before[2])


def test_skip_mismatch_does_as_keras_does(tmp_path):
    def of(k, units):
        return k.Sequential([k.Input((3,)), k.layers.Dense(4), k.layers.Dense(units)])

    of(keras, 5).save_weights(tmp_path / "w.weights.h5")
    ours, theirs = of(lamina, 2), of(keras, 2)
    ours.set_weights(theirs.get_weights())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours.load_weights(tmp_path / "w.weights.h5", skip_mismatch=True)
        theirs.load_weights(tmp_path / "w.weights.h5", skip_mismatch=True)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_weights_of_layers_that_the_model_lacks_are_named(tmp_path):
    two_layers().save_weights(tmp_path / "w.h5")
    smaller = lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(4)])
    with pytest.warns(LaminaWarning, match="also holds weights of layers/dense_1"):
        smaller.load_weights(tmp_path / "w.h5")


def test_the_state_of_an_optimizer_is_not_missed(tmp_path):
    model = small_model(optimizer="adam", loss="mse")
    model.optimizer.build(model.trainable_variables)
    model.save_weights(tmp_path / "w.h5")
    small_model().load_weights(tmp_path / "w.h5")  # no warning


def test_the_state_of_another_optimizer_is_said_to_start_anew(tmp_path):
    model = small_model(optimizer="adam", loss="mse")
    model.optimizer.build(model.trainable_variables)
    model.save_weights(tmp_path / "w.h5")
    other = small_model(optimizer="sgd", loss="mse")
    other.optimizer.build(other.trainable_variables)
    with pytest.warns(LaminaWarning, match="optimizer"):
        other.load_weights(tmp_path / "w.h5")
    assert same_weights(model, other)


def test_weights_are_not_loaded_into_a_model_that_has_none(tmp_path):
    small_model().save_weights(tmp_path / "w.h5")
    with pytest.raises(ValueError, match="has no weights yet, so none can be loaded"):
        lamina.Sequential([lamina.layers.Dense(2)]).load_weights(tmp_path / "w.h5")


# -- any stack -------------------------------------------------------------------------------------

LAYERS = [
    lambda: lamina.layers.Dense(3, activation="relu"),
    lambda: lamina.layers.Dense(2, use_bias=False, kernel_regularizer="l2", dtype="mixed_bfloat16"),
    lambda: lamina.layers.BatchNormalization(scale=False),
    lambda: lamina.layers.LayerNormalization(),
    lambda: lamina.layers.Dropout(0.3, seed=5),
    lambda: lamina.layers.LeakyReLU(0.1),
    lambda: lamina.layers.PReLU(),
    lambda: lamina.layers.Flatten(),
    lambda: lamina.layers.Rescaling(0.5, offset=[1.0]),
    lambda: lamina.layers.Activation("gelu", trainable=False),
    lambda: lamina.Sequential([lamina.layers.Dense(2), lamina.layers.Softmax()]),
]


@settings(max_examples=12)
@given(st.lists(st.sampled_from(LAYERS), min_size=1, max_size=6), st.booleans())
def test_any_stack_comes_back_as_it_was(tmp_path, makers, with_input):
    first = [lamina.Input((3,))] if with_input else []
    model = lamina.Sequential([*first, *(make() for make in makers)])
    model.build((None, 3))
    model.save(tmp_path / "model.keras")
    twin = load_model(tmp_path / "model.keras")
    assert twin.get_config() == model.get_config()
    assert same_weights(twin, model)


def same_shapes(one, other):
    return [w.shape for w in one.get_weights()] == [w.shape for w in other.get_weights()]


class OwnArguments(lamina.Sequential):
    def compile(self, optimizer, factor):
        super().compile(optimizer, "mse")
        self.factor = factor


class FewerArguments(lamina.Sequential):
    def compile(self, optimizer, loss):
        super().compile(optimizer, loss, metrics=["mae"])


class WithTheFix(OwnArguments):
    def get_compile_config(self):
        return {**super().get_compile_config(), "factor": self.factor}

    def compile_from_config(self, config):
        self.compile(config["optimizer"], config["factor"])


def saved_and_opened(cls, path, *arguments):
    model = cls([lamina.Input((3,)), lamina.layers.Dense(2)])
    model.compile(*arguments)
    model.save(path)
    return load_model(path, custom_objects={cls.__name__: cls})


def test_a_compile_with_arguments_of_its_own_is_left_to_the_user(tmp_path):
    with pytest.warns(
        LaminaWarning, match=r"is loaded uncompiled: its compile\(optimizer, factor\)"
    ):
        model = saved_and_opened(OwnArguments, tmp_path / "model.keras", "sgd", 3)
    assert not model.compiled
    model = saved_and_opened(WithTheFix, tmp_path / "model.keras", "sgd", 3)
    assert model.compiled
    assert model.factor == 3


def test_a_compile_with_fewer_arguments_is_called_with_those(tmp_path):
    model = saved_and_opened(FewerArguments, tmp_path / "model.keras", "sgd", "mae")
    assert (type(model.optimizer).__name__, model.loss) == ("SGD", "mae")
