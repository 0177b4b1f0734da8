"""Functions of the `tensorflow` namespace against NumPy and Keras."""

import jax.numpy as jnp
import keras
import numpy as np
import pytest

import lamina
from lamina.compat import tensorflow as served, tensorflow_types
from lamina.core.messages.errors import LaminaWarning


def namespace(name="tensorflow"):
    return served.module(name)


tf = namespace()
X = np.array([[1.0, 5.0, 2.0], [7.0, 1.0, 3.0]], dtype="float32")


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (lambda: tf.argmax(X), [1, 0, 1]),  # over axis 0, unlike NumPy's
        (lambda: tf.argmax(X, axis=1), [1, 0]),
        (lambda: tf.argmax(input=[1, 9, 3], output_type=tf.int32), 1),
        (lambda: tf.argmin(X, 1), [0, 1]),
        (lambda: tf.reduce_mean(X), X.mean()),
        (lambda: tf.reduce_sum(X, axis=[0, 1]), X.sum()),
        (lambda: tf.reduce_max(input_tensor=X, axis=1, keepdims=True), [[5.0], [7.0]]),
        (lambda: tf.math.reduce_std(X, 0), X.std(0)),
        (lambda: tf.math.reduce_logsumexp(X), np.log(np.exp(X).sum())),
        (lambda: tf.cast([1.7, -1.7], tf.int32), [1, -1]),
        (lambda: tf.constant([1, 2], dtype=tf.float32, name="c"), [1.0, 2.0]),
        (lambda: tf.constant(3, shape=(2,)), [3, 3]),
        (lambda: tf.zeros((2, 1)), [[0.0], [0.0]]),
        (lambda: tf.ones(2, dtype="int32"), [1, 1]),
        (lambda: tf.fill([2], 7), [7, 7]),
        (lambda: tf.eye(2), np.eye(2)),
        (lambda: tf.range(3), [0, 1, 2]),
        (lambda: tf.range(2, 8, 3), [2, 5]),
        (lambda: tf.one_hot([0, 2], 3), [[1, 0, 0], [0, 0, 1]]),
        (lambda: tf.one_hot([1], 2, on_value=5.0, off_value=-1.0), [[-1, 5]]),
        (lambda: tf.shape(X), [2, 3]),
        (lambda: tf.size(X), 6),
        (lambda: tf.rank(X), 2),
        (lambda: tf.reshape(X, [-1]), X.reshape(-1)),
        (lambda: tf.transpose(X), X.T),
        (lambda: tf.transpose(X, perm=[1, 0]), X.T),
        (lambda: tf.expand_dims(X, 0), X[None]),
        (lambda: tf.squeeze([[[1]]], axis=[0, 1]), [1]),
        (lambda: tf.concat([X, X], axis=0), np.concatenate([X, X])),
        (lambda: tf.stack([X, X], axis=1), np.stack([X, X], 1)),
        (lambda: tf.unstack(X)[1], X[1]),
        (lambda: tf.split(X, 3, axis=1)[2], X[:, 2:]),
        (lambda: tf.split(X, [1, 2], axis=1)[1], X[:, 1:]),
        (lambda: tf.tile([1, 2], [2]), [1, 2, 1, 2]),
        (lambda: tf.repeat([1, 2], 2), [1, 1, 2, 2]),
        (lambda: tf.reverse([1, 2, 3], [0]), [3, 2, 1]),
        (lambda: tf.pad([1], [[1, 2]]), [0, 1, 0, 0]),
        (lambda: tf.pad([1, 2, 3], [[1, 0]], mode="REFLECT"), [2, 1, 2, 3]),
        (lambda: tf.gather([10, 20, 30], [2, 0]), [30, 10]),
        (lambda: tf.where([True, False], 1, 2), [1, 2]),
        (lambda: tf.where([False, True]), [[1]]),
        (lambda: tf.boolean_mask([1, 2, 3], [True, False, True]), [1, 3]),
        (lambda: tf.sort([3, 1, 2], direction="DESCENDING"), [3, 2, 1]),
        (lambda: tf.argsort([3, 1, 2]), [1, 2, 0]),
        (lambda: tf.math.top_k([1, 9, 3], k=2)[1], [1, 2]),
        (lambda: tf.math.in_top_k([0, 0], [[1.0, 2.0], [2.0, 1.0]], 1), [False, True]),
        (lambda: tf.unique([4, 2, 4])[0], [4, 2]),
        (lambda: tf.unique([4, 2, 4])[1], [0, 1, 0]),
        (lambda: tf.math.confusion_matrix([0, 1, 1], [0, 1, 0]), [[1, 0], [1, 1]]),
        (lambda: tf.matmul(X, X, transpose_b=True), X @ X.T),
        (lambda: tf.linalg.norm(X), np.linalg.norm(X)),
        (lambda: tf.einsum("ij->j", X), X.sum(0)),
        (lambda: tf.tensordot(X, X, [[1], [1]]), X @ X.T),
        (lambda: tf.clip_by_value(X, 2, 4), X.clip(2, 4)),
        (lambda: tf.math.divide_no_nan([1.0, 2.0], [0.0, 4.0]), [0.0, 0.5]),
        (lambda: tf.math.squared_difference(3.0, 1.0), 4.0),
        (lambda: tf.square([1, 2], name="s"), [1, 4]),
        (lambda: tf.equal([1, 2], [1, 3]), [True, False]),
        (lambda: tf.add([1, 2], [3, 4]), [4, 6]),
        (lambda: tf.nn.l2_normalize(X, axis=1), X / np.linalg.norm(X, axis=1, keepdims=True)),
        (lambda: tf.nn.leaky_relu([-1.0, 1.0]), [-0.2, 1.0]),
        (lambda: tf.nn.moments(X, axes=[0])[1], X.var(0)),
        (lambda: tf.nn.embedding_lookup(X, [1]), X[1:]),
        (lambda: tf.nn.max_pool2d(X[None, :, :, None], 2, 1, "VALID")[0, :, :, 0], [[7, 5]]),
        (lambda: tf.nn.conv2d(X[None, :, :, None], np.ones((2, 1, 1, 1), "f4"), [1, 1, 1, 1],
                              "VALID")[0, 0, :, 0], X.sum(0)),
    ],
)  # fmt: skip
def test_functions_mean_what_tensorflow_means_by_them(actual, expected):
    np.testing.assert_allclose(actual(), expected, rtol=1e-6)


@pytest.fixture(autouse=True)
def _namespaces(served):
    """`tf.nn`, `tf.math` … are imported when they are first used."""


def test_losses_on_logits_are_kerass(rng):
    logits = rng.normal(size=(4, 3)).astype("float32")
    labels = np.array([0, 2, 1, 1])
    expected = keras.ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    actual = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    np.testing.assert_allclose(actual, expected, rtol=1e-5)
    one_hot = np.eye(3, dtype="float32")[labels]
    actual = tf.nn.softmax_cross_entropy_with_logits(one_hot, logits)
    np.testing.assert_allclose(actual, expected, rtol=1e-5)
    expected = keras.ops.binary_crossentropy(one_hot, logits, from_logits=True)
    actual = tf.nn.sigmoid_cross_entropy_with_logits(labels=one_hot, logits=logits)
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["relu", "softmax", "sigmoid", "tanh", "elu", "gelu", "swish"])
def test_activations_are_laminas_own_so_that_models_can_be_saved(name):
    assert getattr(tf.nn, name) is getattr(lamina.activations, name)


def test_results_answer_numpy():
    value = tf.reduce_mean([1.0, 2.0]).numpy()
    assert isinstance(value, np.ndarray)
    assert value == 1.5
    assert str(tf.argmax([1, 5, 2])) == "1"


def test_64_bit_types_become_what_jax_computes_in_and_say_so_once(monkeypatch):
    monkeypatch.setattr(tensorflow_types, "_warned", set())
    with pytest.warns(LaminaWarning, match="float64 is computed in float32.*\n.*JAX_ENABLE_X64=1"):
        assert tf.constant([1.0], dtype=tf.float64).dtype == "float32"
    assert tf.zeros((1,), tf.float64).dtype == "float32"
    with pytest.warns(LaminaWarning, match="int64 is computed in int32"):
        assert tf.cast([1], "int64").dtype == "int32"
    assert tf.reduce_mean(np.array([1.0, 2.0])) == 1.5


MEANS = {
    "whole": ([1, 2], 1),
    "cut towards 0": ([-1, 0, -2], -1),
    "floats": ([1.0, 2.0], 1.5),
}


@pytest.mark.parametrize("kind", MEANS)
def test_the_mean_of_whole_numbers_is_one(kind):
    numbers, expected = MEANS[kind]
    mean = tf.reduce_mean(tf.constant(numbers))
    assert (mean.item(), mean.dtype) == (expected, tf.constant(numbers).dtype)
    by_rows = tf.reduce_mean(tf.constant([numbers, numbers]), axis=1)
    assert by_rows.tolist() == [expected, expected]


@pytest.mark.parametrize("name", ["reduce_std", "reduce_variance"])
def test_whole_numbers_have_no_spread(name):
    with pytest.raises(TypeError, match=r"received int32.*\n.*tf\.cast"):
        getattr(tf.math, name)(tf.constant([1, 2]))


MIXED = {
    "add": lambda: tf.add(tf.constant([1]), tf.constant([1.0])),
    "maximum": lambda: tf.maximum(tf.constant([1]), tf.constant([1.0])),
    "matmul": lambda: tf.matmul(tf.constant([[1]]), tf.constant([[1.0]])),
    "concat": lambda: tf.concat([tf.constant([1]), tf.constant([1.0])], 0),
    "stack": lambda: tf.stack([tf.constant([1]), tf.constant([1.0])]),
    "less": lambda: tf.less(tf.constant(1), tf.constant(1.0)),
    "variable": lambda: tf.add(tf.Variable([1]), tf.Variable([1.0])),
    "half": lambda: tf.multiply(tf.constant([1.0]), tf.constant([1.0], tf.float16)),
}


@pytest.mark.parametrize("compute", MIXED.values(), ids=MIXED)
def test_types_are_not_mixed(compute):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"does not mix types.*\n.*tf\.cast"):
        compute()


def test_a_fraction_beside_whole_numbers_is_refused_and_the_other_way_round_is_not():
    with pytest.raises(TypeError, match=r"Cannot convert 1\.5"):
        tf.add(tf.constant([1]), 1.5)
    assert tf.add(tf.constant([1.0]), 1).tolist() == [2.0]
    assert tf.add([1], 2).tolist() == [3]


@pytest.mark.parametrize("name", ["sqrt", "exp", "sin", "tanh"])
def test_whole_numbers_have_no_roots(name):
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=f"{name} does not support tensors of type int32"
    ):
        getattr(tf, name)(tf.constant([4]))


def test_operators_follow_the_rules_in_the_script_and_nowhere_else():
    scope = {"tf": tf, "__name__": "__main__"}
    for line in ("a + b", "b * a", "a < b", "a @ b", "v - b"):
        code = f"a, b, v = tf.constant([1]), tf.constant([1.0]), tf.Variable([1])\n{line}"
        with pytest.raises(tf.errors.InvalidArgumentError, match="int32"):
            exec(code, dict(scope))
    exec("assert (tf.constant([1.0]) * 2 + tf.Variable([1.0])).item() == 3", dict(scope))
    assert (tf.constant([1]) + tf.constant([1.0])).item() == 2  # JAX's rules, for a library


def test_what_fit_compiles_may_mix_types():
    model = lamina.Sequential([lamina.Input((1,)), lamina.layers.Dense(1)])

    def error(y_true, y_pred):
        return tf.reduce_mean(tf.abs(tf.subtract(y_true, y_pred)))

    model.compile("sgd", "mse", metrics=[error])
    model.fit(np.ones((4, 1)), np.ones((4, 1), "int32"), verbose=0)


def test_whole_numbers_that_do_not_fit_are_refused():
    with pytest.raises(OverflowError, match="JAX_ENABLE_X64=1"):
        tf.constant(np.array([2**40]))


def test_dtypes_are_dtypes():
    assert tf.float32 == np.float32
    assert tf.float32.name == "float32"
    assert tf.constant(1.0).dtype == tf.float32


def test_variables_can_be_assigned():
    v = tf.Variable(initial_value=[1.0, 2.0], name="v")
    v.assign_add([1.0, 1.0])
    assert v.numpy().tolist() == [2.0, 3.0]
    assert isinstance(v, lamina.Variable)
    assert tf.is_tensor(v)
    assert tf.square(v).tolist() == [4.0, 9.0]
    assert not tf.Variable(1.0, trainable=False).trainable


def test_a_seed_makes_random_numbers_reproducible():
    draws = []
    for _ in range(2):
        tf.random.set_seed(3)
        draws.append([tf.random.normal((3,)), tf.random.uniform((3,), 0, 9, tf.int32),
                      tf.random.shuffle(np.arange(9))])  # fmt: skip
    for first, second in zip(*draws, strict=True):
        np.testing.assert_array_equal(first, second)


def test_shuffle_keeps_rows_whole():
    rows = tf.random.shuffle(np.arange(20).reshape(10, 2))
    assert (rows[:, 1] - rows[:, 0]).tolist() == [1] * 10


def test_tf_function_leaves_a_function_as_it_is():
    @tf.function
    def double(x):
        return 2 * x

    @tf.function(reduce_retracing=True)
    def triple(x):
        return 3 * x

    assert (double(2), triple(2)) == (4, 6)


def test_settings_and_questions_about_the_machine_are_answered():
    cpus = tf.config.list_physical_devices("CPU")
    assert cpus[0].device_type == "CPU"
    assert cpus[0].name == "/physical_device:CPU:0"
    assert tf.config.list_physical_devices("TPU") == []
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    assert tf.executing_eagerly()
    tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)
    tf.get_logger().setLevel("ERROR")
    with tf.device("/CPU:0"):
        assert tf.constant(1).tolist() == 1


def test_functions_may_stand_in_the_graph_of_a_model():
    x = lamina.Input((3,))
    total = tf.reduce_sum(tf.square(x), axis=1, keepdims=True)
    assert total.shape == (None, 1)
    assert tf.concat([x, x], axis=1).shape == (None, 6)


def test_a_loss_written_with_the_old_backend_functions_works():
    import tensorflow.keras.backend as K

    loss = K.mean(K.square(jnp.array([1.0, 3.0]) - 1.0), axis=-1)
    assert float(loss) == 2.0
    assert K.epsilon() == 1e-7


def test_a_pipeline_of_tf_data_trains_a_model(served):
    import tensorflow as tf

    x, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    dataset = tf.data.Dataset.from_tensor_slices((x.astype("float32"), y))
    dataset = dataset.shuffle(40, seed=1).batch(8).cache().prefetch(tf.data.AUTOTUNE)
    assert tf.data.experimental.cardinality(dataset) == 5
    for features, labels in dataset.take(1):
        assert features.numpy().shape == (8, 3)
        assert labels.shape == (8,)
    model = tf.keras.Sequential([tf.keras.layers.Dense(2, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    assert len(model.fit(dataset, epochs=2, verbose=0).epoch) == 2


def test_the_usual_way_from_a_folder_of_pictures_to_a_prediction(served, tmp_path, rng):
    import tensorflow as tf
    from PIL import Image

    for name in ("daisy", "rose"):
        (tmp_path / name).mkdir()
        for number in range(5):
            pixels = rng.integers(0, 256, (20, 24, 3), dtype="uint8")
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    how = {"validation_split": 0.2, "seed": 123, "image_size": (16, 16), "batch_size": 4}
    train, val = (
        tf.keras.utils.image_dataset_from_directory(str(tmp_path), subset=subset, **how)
        for subset in ("training", "validation")
    )
    class_names = train.class_names
    for images, labels in train.take(1):
        assert images[0].numpy().astype("uint8").shape == (16, 16, 3)
        assert class_names[labels[0]] in ("daisy", "rose")
    rescale = tf.keras.layers.Rescaling(1.0 / 255)
    scaled, _ = next(iter(train.map(lambda x, y: (rescale(x), y))))
    assert np.max(scaled[0]) <= 1.0

    train = train.cache().shuffle(1000).prefetch(buffer_size=tf.data.AUTOTUNE)
    model = tf.keras.Sequential([rescale, tf.keras.layers.Flatten(), tf.keras.layers.Dense(2)])
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
    model.fit(train, validation_data=val.cache(), epochs=2, verbose=0)
    image = tf.keras.utils.load_img(tmp_path / "rose" / "1.png", target_size=(16, 16))
    batch = tf.expand_dims(tf.keras.utils.img_to_array(image), 0)
    score = tf.nn.softmax(model.predict(batch, verbose=0)[0])
    assert np.sum(score) == pytest.approx(1, abs=1e-5)


def test_tensors_of_text_are_arrays_that_text_layers_take():
    words = tf.constant([["a"], ["b"]])
    assert words.numpy().tolist() == [["a"], ["b"]]
    lookup = lamina.layers.StringLookup(vocabulary=["a", "b"])
    assert lookup(words).tolist() == [[1], [2]]
    assert tf.convert_to_tensor("a", dtype=tf.string).item() == "a"
    assert tf.constant("a", shape=(2,)).tolist() == ["a", "a"]
