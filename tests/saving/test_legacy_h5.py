"""`.h5` files of Keras 2 and 3: models and weights, read without Keras and written for it."""

import json
import warnings

import h5py
import keras
import numpy as np
import pytest

import lamina
from lamina.saving import DamagedFileError, UnknownClassError, WeightsMismatchError

X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


def small(library):
    return library.Sequential(
        [
            library.Input((4,)),
            library.layers.Dense(3, activation="relu", kernel_regularizer="l2"),
            library.layers.BatchNormalization(),
            library.layers.Dropout(0.5),
            library.layers.Dense(1),
        ]
    )


def nested(library):
    inside = library.Sequential(
        [library.Input((3,)), library.layers.Dense(3, name="deep")], name="inside"
    )
    graph_in = library.Input((3,))
    graph = library.Model(graph_in, library.layers.Dense(2)(graph_in), name="graph")
    x = library.Input((4,), name="x")
    hidden = library.layers.Dense(3, activation="tanh")(x)
    one, two = inside(hidden), inside(inside(hidden))
    both = library.layers.Concatenate()([graph(one), graph(two)])
    return library.Model(x, [library.layers.Dense(1, name="a")(both), graph(hidden)])


def images(library):
    layers = library.layers
    return library.Sequential(
        [
            library.Input((4,)),
            layers.Reshape((2, 2, 1)),
            layers.Conv2D(3, 2, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


MODELS = [small, nested, images]


def saved_by_keras(model, path):
    model.save(path)
    return path


def saved_by_lamina(model, path):
    with pytest.warns(lamina.LaminaWarning, match="in the layout of Keras 2"):
        model.save(path)
    return path


def all_close(one, other):
    for a, b in zip(keras.tree.flatten(one), keras.tree.flatten(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("make", MODELS)
def test_a_model_that_keras_saved_opens(make, tmp_path):
    theirs = make(keras)
    ours = lamina.models.load_model(saved_by_keras(theirs, tmp_path / "m.h5"))
    all_close(ours.predict(X, verbose=0), theirs.predict(X, verbose=0))
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]


@pytest.mark.parametrize("make", MODELS)
def test_keras_opens_what_lamina_saved(make, tmp_path):
    ours = make(lamina)
    theirs = keras.models.load_model(saved_by_lamina(ours, tmp_path / "m.hdf5"), compile=False)
    all_close(ours.predict(X, verbose=0), theirs.predict(X, verbose=0))


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop"])
def test_training_goes_on_with_the_state_of_the_optimizer(optimizer, tmp_path):
    def fit(model):
        return model.fit(X, Y, epochs=2, shuffle=False, verbose=0).history

    theirs = small(keras)
    theirs.layers[2].rate = 0.0  # its bits are not Keras's
    theirs.compile(optimizer, "mse", metrics=["mae", keras.metrics.RootMeanSquaredError()])
    fit(theirs)
    path = saved_by_keras(theirs, tmp_path / "m.h5")
    ours = lamina.models.load_model(path)
    assert int(ours.optimizer.iterations) == 2
    all_close(list(fit(ours).values()), list(fit(theirs).values()))
    path = saved_by_lamina(ours, tmp_path / "back.h5")
    assert keras.models.load_model(path).compiled  # with fresh slots, as from its own files
    again = lamina.models.load_model(path)
    for one, other in zip(ours.optimizer.variables, again.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_an_operation_in_a_graph_is_told_from_the_layer_of_that_name(tmp_path):
    """Keras's own loader takes it for the layer, and fails."""
    x = keras.Input((4,))
    theirs = keras.Model(x, keras.layers.Dense(2)(x) * 2.0 + 1.0)
    path = saved_by_keras(theirs, tmp_path / "m.h5")
    ours = lamina.models.load_model(path)
    all_close(ours.predict(X, verbose=0), theirs.predict(X, verbose=0))


def test_a_config_too_large_for_an_old_attribute_is_written_and_read(tmp_path):
    model = lamina.Sequential([lamina.Input((2,))] + [lamina.layers.Dense(2) for _ in range(90)])
    path = saved_by_lamina(model, tmp_path / "deep.h5")
    with h5py.File(path) as file:
        assert len(file.attrs["model_config"]) > 2**16
    loaded = lamina.models.load_model(path)
    all_close(loaded.get_weights(), model.get_weights())


def test_custom_classes_are_given_by_name(tmp_path):
    class Double(lamina.layers.Layer):
        def call(self, x):
            return 2 * x

    model = lamina.Sequential([lamina.Input((4,)), Double(), lamina.layers.Dense(1)])
    path = saved_by_lamina(model, tmp_path / "m.h5")
    loaded = lamina.models.load_model(path, custom_objects={"Double": Double})
    all_close(loaded.predict(X, verbose=0), model.predict(X, verbose=0))
    with pytest.raises(UnknownClassError, match="'Double'"):
        lamina.models.load_model(path)


# -- Keras 2 ---------------------------------------------------------------------------------------

DENSE = {
    "trainable": True,
    "dtype": "float32",
    "use_bias": True,
    "kernel_initializer": {
        "class_name": "GlorotUniform",
        "config": {"seed": None, "dtype": "float32"},
    },
    "bias_initializer": {"class_name": "Zeros", "config": {}},
    "kernel_regularizer": {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.01}},
    "bias_regularizer": None,
    "activity_regularizer": None,
    "kernel_constraint": None,
    "bias_constraint": None,
}


def dense(name, units, activation="linear", **more):
    config = {**DENSE, "name": name, "units": units, "activation": activation, **more}
    return {"class_name": "Dense", "config": config}


def layer_of_graph(record, *calls):
    return {**record, "name": record["config"]["name"], "inbound_nodes": list(calls)}


def write_keras_2(path, model_config, weights, training=None, optimizer=None):
    """A file as TensorFlow 2.4 wrote it."""

    def names(group, arrays):
        group.attrs["weight_names"] = np.array([name.encode() for name in arrays], dtype="S")
        for name, value in arrays.items():
            group[name] = value

    with h5py.File(path, "w") as file:
        if model_config:
            file.attrs["keras_version"] = b"2.4.0"
            file.attrs["backend"] = b"tensorflow"
            file.attrs["model_config"] = json.dumps(model_config).encode()
            if training:
                file.attrs["training_config"] = json.dumps(training).encode()
        group = file.create_group("model_weights") if model_config else file
        group.attrs["layer_names"] = np.array([name.encode() for name in weights], dtype="S")
        for layer, arrays in weights.items():
            names(group.create_group(layer), arrays)
        if optimizer:
            names(file.create_group("optimizer_weights"), optimizer)
    return path


KERNEL, BIAS = X[:4, :3].copy(), np.array([1.0, 2.0, 3.0], "float32")
KERNEL_2, BIAS_2 = X[4:7, :1].copy(), np.array([0.5], "float32")
WEIGHTS = {
    "hidden": {"hidden/kernel:0": KERNEL, "hidden/bias:0": BIAS},
    "slope": {},
    "out": {"out/kernel:0": KERNEL_2, "out/bias:0": BIAS_2},
}
SEQUENTIAL = {
    "class_name": "Sequential",
    "config": {
        "name": "sequential",
        "layers": [
            {
                "class_name": "InputLayer",
                "config": {
                    "batch_input_shape": [None, 4],
                    "dtype": "float32",
                    "sparse": False,
                    "ragged": False,
                    "name": "dense_input",
                },
            },
            dense("hidden", 3),
            {
                "class_name": "LeakyReLU",
                "config": {"name": "slope", "trainable": True, "dtype": "float32", "alpha": 0.25},
            },
            dense("out", 1),
        ],
    },
}
TRAINING = {
    "loss": {
        "class_name": "MeanSquaredError",
        "config": {"reduction": "auto", "name": "mean_squared_error"},
    },
    "metrics": [
        [
            {
                "class_name": "MeanMetricWrapper",
                "config": {"name": "mae", "dtype": "float32", "fn": "mean_absolute_error"},
            }
        ]
    ],
    "weighted_metrics": None,
    "loss_weights": None,
    "sample_weight_mode": None,
    "optimizer_config": {
        "class_name": "Adam",
        "config": {
            "name": "Adam",
            "learning_rate": 0.01,
            "decay": 0.0,
            "beta_1": 0.9,
            "beta_2": 0.999,
            "epsilon": 1e-07,
            "amsgrad": False,
        },
    },
}


def expected():
    hidden = X @ KERNEL + BIAS
    return np.where(hidden > 0, hidden, 0.25 * hidden) @ KERNEL_2 + BIAS_2


def test_a_sequential_model_of_keras_2_opens_with_its_optimizer(tmp_path):
    shapes = {"hidden/kernel": (4, 3), "hidden/bias": (3,), "out/kernel": (3, 1), "out/bias": (1,)}
    slots = {"training/Adam/iter:0": np.int64(7)}
    for number, slot in enumerate("mv", 1):
        for name, shape in shapes.items():
            slots[f"training/Adam/{name}/{slot}:0"] = np.full(shape, number / 4, "float32")
    path = write_keras_2(tmp_path / "old.h5", SEQUENTIAL, WEIGHTS, TRAINING, slots)
    model = lamina.models.load_model(path)
    all_close(model.predict(X, verbose=0), expected())
    assert int(model.optimizer.iterations) == 7
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01)
    first_momentum, first_velocity = model.optimizer.variables[2:4]
    np.testing.assert_array_equal(first_momentum.numpy(), np.full((4, 3), 0.25))
    np.testing.assert_array_equal(first_velocity.numpy(), np.full((4, 3), 0.5))
    assert model.evaluate(X, Y, verbose=0, return_dict=True).keys() == {
        "loss",
        "mean_absolute_error",
    }


def test_the_first_layer_may_carry_the_shape_of_the_input(tmp_path):
    config = json.loads(json.dumps(SEQUENTIAL))
    del config["config"]["layers"][0]
    config["config"]["layers"][0]["config"]["batch_input_shape"] = [None, 4]
    for layers in (config["config"], config["config"]["layers"]):  # the second is that of 2.0
        path = write_keras_2(tmp_path / "old.h5", {**config, "config": layers}, WEIGHTS)
        all_close(lamina.models.load_model(path).predict(X, verbose=0), expected())


def test_a_graph_of_keras_2_with_a_nested_model_opens(tmp_path):
    inside = json.loads(json.dumps(SEQUENTIAL))
    inside["config"]["name"] = "inside"
    entry = {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 4], "name": "x"}}
    config = {
        "class_name": "Functional",
        "config": {
            "name": "model",
            "layers": [
                layer_of_graph(entry),
                # Keras 2 counts the making of the nested model as its call number 0.
                layer_of_graph(inside, [["x", 0, 0, {}]], [["scale", 0, 0, {}]]),
                layer_of_graph(dense("scale", 4), [["x", 0, 0, {}]]),
                layer_of_graph(
                    {"class_name": "Add", "config": {"name": "add", "trainable": True}},
                    [["inside", 1, 0, {}], ["inside", 2, 0, {}]],
                ),
            ],
            "input_layers": [["x", 0, 0]],
            "output_layers": [["add", 0, 0], ["inside", 1, 0]],
        },
    }
    scale = np.eye(4, dtype="float32") * 2
    weights = {
        "x": {},
        "inside": {**WEIGHTS["hidden"], **WEIGHTS["out"]},
        "scale": {"scale/kernel:0": scale, "scale/bias:0": np.zeros(4, "float32")},
        "add": {},
    }
    path = write_keras_2(tmp_path / "old.h5", config, weights)
    both, alone = lamina.models.load_model(path).predict(X, verbose=0)
    all_close(alone, expected())
    hidden = 2 * X @ KERNEL + BIAS
    doubled = np.where(hidden > 0, hidden, 0.25 * hidden) @ KERNEL_2 + BIAS_2
    all_close(both, expected() + doubled)


def test_a_lambda_of_keras_2_is_never_run(tmp_path):
    config = json.loads(json.dumps(SEQUENTIAL))
    code = {"name": "code", "trainable": True, "function": ["4wEAAAA", None, None]}
    config["config"]["layers"].append({"class_name": "Lambda", "config": code})
    path = write_keras_2(tmp_path / "old.h5", config, WEIGHTS)
    with pytest.raises(UnknownClassError, match="holds Python code"):
        lamina.models.load_model(path)


def test_a_loss_that_is_not_understood_does_not_keep_the_model_shut(tmp_path):
    training = {**TRAINING, "loss": "no_such_loss"}
    path = write_keras_2(tmp_path / "old.h5", SEQUENTIAL, WEIGHTS, training)
    with pytest.warns(lamina.LaminaWarning, match="the model is not compiled"):
        model = lamina.models.load_model(path)
    all_close(model.predict(X, verbose=0), expected())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lamina.models.load_model(path, compile=False)


# -- weights alone ---------------------------------------------------------------------------------


def named(*sizes):
    layers = [lamina.layers.Dense(units, name=name) for name, units in sizes]
    return lamina.Sequential([lamina.Input((4,)), *layers])


@pytest.fixture
def old_weights(tmp_path):
    return write_keras_2(tmp_path / "old.h5", None, WEIGHTS)


def test_weights_of_keras_2_are_read_in_order(old_weights):
    model = named(("one", 3), ("two", 1))
    model.load_weights(old_weights)
    all_close(model.get_weights(), [KERNEL, BIAS, KERNEL_2, BIAS_2])


def test_weights_inside_a_model_of_keras_2_are_read(tmp_path):
    path = write_keras_2(tmp_path / "old.h5", SEQUENTIAL, WEIGHTS)
    model = named(("one", 3), ("two", 1))
    model.load_weights(path)
    all_close(model.get_weights(), [KERNEL, BIAS, KERNEL_2, BIAS_2])


def test_weights_are_found_by_name_where_the_layers_differ(old_weights):
    model = named(("new", 4), ("hidden", 3), ("last", 2))
    before = model.get_weights()
    with pytest.raises(WeightsMismatchError, match="2 layers, and model 'sequential' has 3"):
        model.load_weights(old_weights)
    model.load_weights(old_weights, by_name=True)
    after = model.get_weights()
    all_close(after[2:4], [KERNEL, BIAS])
    all_close(after[:2] + after[4:], before[:2] + before[4:])


def test_what_does_not_fit_is_refused_whole_or_skipped_with_a_word(old_weights):
    model = named(("hidden", 3), ("out", 5))
    before = model.get_weights()
    with pytest.raises(WeightsMismatchError, match="'out': weight 'kernel' has shape") as caught:
        model.load_weights(old_weights)
    assert "skip_mismatch=True" in str(caught.value)
    all_close(model.get_weights(), before)
    with pytest.warns(lamina.LaminaWarning, match="not read: 'out'"):
        model.load_weights(old_weights, skip_mismatch=True)
    all_close(model.get_weights()[:2], [KERNEL, BIAS])


def test_by_name_is_for_old_files_alone(tmp_path):
    model = named(("one", 3))
    model.save_weights(tmp_path / "new.weights.h5")
    with pytest.raises(ValueError, match="by_name is for .h5 files of Keras 2"):
        model.load_weights(tmp_path / "new.weights.h5", by_name=True)


def test_some_layers_may_be_left_out_of_a_file_or_alone(tmp_path):
    model, other = named(("one", 3), ("two", 1)), named(("one", 3), ("two", 1))
    path = tmp_path / "part.weights.h5"
    before = other.get_weights()
    lamina.saving.save_weights(model, path)
    lamina.saving.load_weights(other, path, objects_to_skip=[other.layers[1]])
    all_close(other.get_weights(), model.get_weights()[:2] + before[2:])


# -- shards ----------------------------------------------------------------------------------------

SIZE = 64 / 2**30  # 64 bytes


@pytest.mark.parametrize("make", MODELS)
def test_shards_go_both_ways(make, tmp_path):
    ours, theirs = make(lamina), make(keras)
    ours.save_weights(tmp_path / "ours.weights.json", max_shard_size=SIZE)
    theirs.load_weights(tmp_path / "ours.weights.json")
    all_close(ours.predict(X, verbose=0), theirs.predict(X, verbose=0))
    theirs = make(keras)
    theirs.save_weights(tmp_path / "theirs.weights.json", max_shard_size=SIZE)
    ours.load_weights(tmp_path / "theirs.weights.json")
    all_close(ours.predict(X, verbose=0), theirs.predict(X, verbose=0))
    assert len(list(tmp_path.glob("ours_0*.weights.h5"))) > 1


def test_shards_that_cannot_be_are_refused(tmp_path):
    model = named(("one", 30))
    with pytest.raises(ValueError, match="more than a shard may"):
        model.save_weights(tmp_path / "m.weights.json", max_shard_size=SIZE)
    with pytest.raises(ValueError, match="must end in '.weights.json'"):
        model.save_weights(tmp_path / "m.weights.h5", max_shard_size=1)
    with pytest.raises(ValueError, match="needs max_shard_size, in GiB, above 0; received None"):
        model.save_weights(tmp_path / "m.weights.json")


@pytest.mark.parametrize(
    ("listing", "words"),
    [
        ("nonsense", "not a list of the files"),
        ('{"weight_map": 3}', "not a list of the files"),
        ('{"weight_map": {"/a": "gone.weights.h5"}}', "not in the same folder"),
        ('{"weight_map": {"/a": "../secret.h5"}}', "not a file in the same folder"),
        ('{"weight_map": {"/a": "passwd"}}', "not a file in the same folder"),
    ],
)
def test_a_list_of_shards_from_anybody_reads_nothing_else(listing, words, tmp_path):
    path = tmp_path / "m.weights.json"
    path.write_text(listing)
    (tmp_path / "passwd").write_text("secret")
    with pytest.raises(DamagedFileError, match=words):
        named(("one", 3)).load_weights(path)


# -- malicious files -------------------------------------------------------------------------------


def put(group, name, value):
    """What changes an attribute of an old file."""

    def change(file):
        file[group].attrs[name] = value

    return change


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (put("/", "model_config", b"{"), "not JSON"),
        (put("/", "model_config", b"[1, 2]"), "not the config of a model"),
        (put("/", "model_config", np.zeros(3)), "not a list of names"),
        (put("/", "model_config", b"[" * 100_000), "not JSON"),
        (put("model_weights", "layer_names", [b"gone"]), "has no weights of it"),
        (
            lambda f: f["model_weights"].attrs.__setitem__("layer_names", [b"x" * 2000]),
            "longer than",
        ),
        (
            lambda f: f["model_weights"].attrs.__delitem__("layer_names"),
            "list of layers is missing",
        ),
        (
            lambda f: f["model_weights/out"].attrs.__setitem__("weight_names", [b".."]),
            "does not contain",
        ),
        (lambda f: f.__delitem__("model_weights"), "list of layers is missing"),
    ],
)
def test_a_damaged_old_file_is_refused_in_plain_words(damage, words, tmp_path):
    path = write_keras_2(tmp_path / "old.h5", SEQUENTIAL, WEIGHTS)
    with h5py.File(path, "r+") as file:
        damage(file)
    with pytest.raises(DamagedFileError, match=words):
        lamina.models.load_model(path)


def test_an_old_file_cut_off_or_with_a_flipped_bit_is_refused_or_opens(tmp_path):
    path = write_keras_2(tmp_path / "old.h5", SEQUENTIAL, WEIGHTS)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    damaged = [whole[:length] for length in range(0, len(whole), 1500)]
    for place in rng.integers(len(whole), size=25):
        damaged.append(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
    for content in damaged:
        path.write_bytes(content)
        try:
            model = lamina.models.load_model(path)
        except (DamagedFileError, UnknownClassError, WeightsMismatchError):
            continue
        assert len(model.get_weights()) == 4


def test_arrays_of_an_old_file_pass_the_same_gate(tmp_path):
    path = write_keras_2(tmp_path / "old.h5", SEQUENTIAL, WEIGHTS)
    with h5py.File(path, "r+") as file:
        del file["model_weights/out/out/bias:0"]
        file["model_weights/out/out/bias:0"] = h5py.ExternalLink("/etc/passwd", "x")
    with pytest.raises(DamagedFileError, match="links to another object"):
        lamina.models.load_model(path)


def test_an_old_config_that_asks_for_giant_weights_gets_none(tmp_path):
    config = json.loads(json.dumps(SEQUENTIAL))
    config["config"]["layers"][1]["config"]["units"] = 10**10
    path = write_keras_2(tmp_path / "old.h5", config, WEIGHTS)
    with pytest.raises(DamagedFileError, match="needs more memory than is allowed"):
        lamina.models.load_model(path)


@pytest.mark.filterwarnings("ignore:.*is written in the layout of Keras 2")
@pytest.mark.parametrize("kind", ["function", "class"])
@pytest.mark.parametrize("form", [lambda loss: loss, lambda loss: {"out": loss}])
def test_a_registered_loss_of_the_users_own_comes_back(kind, form, tmp_path):
    register = lamina.saving.register_keras_serializable(package="My")

    @register
    def own(y_true, y_pred):
        return lamina.ops.mean(lamina.ops.abs(y_true - y_pred) ** 3, axis=-1)

    @register
    class Own(lamina.losses.Loss):
        def call(self, y_true, y_pred):
            return own(y_true, y_pred)

    loss = own if kind == "function" else Own()
    model = lamina.Sequential([lamina.Input((2,)), lamina.layers.Dense(1, name="out")])
    model.compile("sgd", loss=form(loss), metrics=[own])
    model.save(tmp_path / "model.h5")
    again = lamina.models.load_model(tmp_path / "model.h5")
    x, y = np.ones((4, 2)), np.zeros((4, 1))
    expected = model.evaluate(x, y, verbose=0, return_dict=True)
    assert again.evaluate(x, y, verbose=0, return_dict=True) == pytest.approx(expected)
    assert set(expected) == {"loss", "own"}
