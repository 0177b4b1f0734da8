"""Models that take text: what concerns text runs on the host, the rest is one program."""

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lamina
from lamina import layers
from lamina.training.feeds.host_feed import HostFeed
from lamina.training.feeds.resident_feed import ResidentFeed
from small_models import feed_of

FILES = Path(__file__).parents[1] / "families" / "files"
TEXTS = ["good great fine", "bad awful poor", "great good", "poor bad bad", "fine great good"] * 4
LABELS = np.array([1, 0, 1, 0, 1] * 4, "float32")
FIT = {"epochs": 2, "batch_size": 8, "shuffle": False, "verbose": 0}


def vectorizer(**settings):
    layer = layers.TextVectorization(output_sequence_length=4, **settings)
    layer.adapt(TEXTS)
    return layer


def classifier(kind="sequential", text=None):
    lamina.utils.set_random_seed(1)
    stack = [
        text or vectorizer(),
        layers.Embedding(9, 4),
        layers.GlobalAveragePooling1D(),
        layers.Dense(1, activation="sigmoid"),
    ]
    if kind == "functional":
        x = start = lamina.Input((), dtype="string", name="text")
        for layer in stack:
            x = layer(x)
        model = lamina.Model(start, x)
    else:
        start = [lamina.Input((1,), dtype="string")] if kind == "sequential" else []
        model = lamina.Sequential([*start, *stack])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


@pytest.fixture
def no_room():
    """Nothing may stay on the device."""
    lamina.config.set_resident_budget(0)
    yield
    lamina.config.set_resident_budget(None)


@pytest.mark.parametrize("kind", ["sequential", "functional", "sequential-without-input"])
def test_text_trains_as_its_numbers_do(kind):
    model = classifier(kind)
    losses = model.fit(TEXTS, LABELS, **FIT).history["loss"]
    numbers = vectorizer()(TEXTS)
    plain = lamina.Sequential([lamina.Input((4,), dtype="int32"), *classifier().layers[1:]])
    plain.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    assert plain.fit(numbers, LABELS, **FIT).history["loss"] == losses
    expected = plain.predict(numbers, verbose=0)
    np.testing.assert_array_equal(model.predict(TEXTS, verbose=0), expected)
    np.testing.assert_allclose(model(TEXTS), expected, rtol=1e-5)
    assert model.evaluate(TEXTS, LABELS, verbose=0) == plain.evaluate(numbers, LABELS, verbose=0)


@pytest.mark.parametrize(
    "given",
    [TEXTS, tuple(TEXTS), np.array(TEXTS), np.array(TEXTS)[:, None], np.array(TEXTS, dtype=object),
     [[text] for text in TEXTS], pd.Series(TEXTS), np.array([t.encode() for t in TEXTS])],
    ids=["list", "tuple", "array", "column", "objects", "rows", "pandas", "bytes"],
)  # fmt: skip
def test_text_may_come_in_any_container(given):
    model = classifier()
    expected = model.predict(np.array(TEXTS), verbose=0)
    np.testing.assert_array_equal(model.predict(given, verbose=0), expected)
    first = float(model.train_on_batch(given, LABELS)[0])
    assert first == pytest.approx(float(classifier().train_on_batch(TEXTS, LABELS)[0]))


def test_a_single_text_is_a_batch_of_one():
    model = classifier()
    expected = model.predict(["good"], verbose=0)
    np.testing.assert_array_equal(model.predict("good", verbose=0), expected)
    np.testing.assert_array_equal(model.predict_on_batch(np.array([["good"]])), expected)


def test_a_stream_gives_the_weights_of_arrays():
    resident, streamed = classifier(), classifier()
    resident.fit(TEXTS, LABELS, **FIT)
    batches = [(TEXTS[i : i + 8], LABELS[i : i + 8]) for i in range(0, 20, 8)]
    streamed.fit(iter(batches * 2), steps_per_epoch=3, epochs=2, verbose=0)
    for one, other in zip(resident.get_weights(), streamed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    parts = streamed.predict(iter(np.array(TEXTS[i : i + 8]) for i in range(0, 20, 8)), verbose=0)
    np.testing.assert_allclose(parts, resident.predict(TEXTS, verbose=0), rtol=1e-6)


def test_text_whose_numbers_would_not_fit_is_sent_in_batches(no_room):
    model, resident = classifier(), classifier()
    feed = feed_of(TEXTS, LABELS, 8, model=model)
    assert isinstance(feed, HostFeed)
    shuffled = {**FIT, "shuffle": True}
    lamina.utils.set_random_seed(3)
    model.fit(TEXTS, LABELS, **shuffled)
    lamina.config.set_resident_budget(None)
    feed = feed_of(TEXTS, LABELS, 8, model=model)
    assert type(feed) is ResidentFeed
    lamina.utils.set_random_seed(3)
    resident.fit(TEXTS, LABELS, **shuffled)
    for one, other in zip(model.get_weights(), resident.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_validation_takes_text_too():
    model = classifier()
    history = model.fit(TEXTS, LABELS, validation_split=0.25, **FIT).history
    again = classifier()
    kept = TEXTS[:15], LABELS[:15]
    given = again.fit(*kept, validation_data=(TEXTS[15:], LABELS[15:]), **FIT).history
    assert history == given


def test_a_second_call_compiles_nothing(compilations):
    model = classifier()
    model.fit(TEXTS, LABELS, **FIT)
    model.predict(TEXTS, verbose=0)
    compilations.reset()
    model.fit(TEXTS[::-1], LABELS[::-1], **FIT)
    model.predict(TEXTS[::-1], verbose=0)
    assert compilations.names == []


def test_a_training_step_of_the_users_own_sees_what_the_host_made():
    class Own(lamina.Model):
        def train_step(self, data):
            x, y = data
            weights = self.trainable_variables
            loss, gradients = lamina.value_and_grad(lambda: error(y, self(x)), weights)()
            self.optimizer.apply(gradients, weights)
            return {"loss": loss}

    def error(y, y_pred):
        return ((y - y_pred[:, 0]) ** 2).mean()

    text = lamina.Input((1,), dtype="string")
    model = Own(text, layers.Dense(1)(layers.Flatten()(layers.Embedding(9, 2)(vectorizer()(text)))))
    model.compile("sgd")
    losses = model.fit(TEXTS, LABELS, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_a_model_with_text_may_be_a_part_of_another():
    inner = classifier()
    text, numbers = lamina.Input((1,), dtype="string"), lamina.Input((2,))
    outputs = layers.Dense(1)(layers.Concatenate()([inner(text), numbers]))
    model = lamina.Model([text, numbers], outputs)
    model.compile("sgd", "mse")
    before = inner.get_weights()
    x = [np.array(TEXTS), np.ones((20, 2))]
    model.fit(x, LABELS, verbose=0)
    assert all((one != other).any() for one, other in zip(before, inner.get_weights(), strict=True))
    np.testing.assert_allclose(model.predict(x, verbose=0), model(x), rtol=1e-5)


def test_a_model_of_numbers_behind_a_vectorizer_takes_text():
    numbers = lamina.Sequential([layers.Embedding(9, 3), layers.Flatten(), layers.Dense(1)])
    numbers.build((None, 4))
    end_to_end = lamina.Sequential([lamina.Input((1,), dtype="string"), vectorizer(), numbers])
    expected = numbers.predict(vectorizer()(TEXTS), verbose=0)
    np.testing.assert_allclose(end_to_end.predict(TEXTS, verbose=0), expected, rtol=1e-6)


def test_text_may_be_hashed_and_crossed_with_numbers():
    city, day = lamina.Input((1,), dtype="string"), lamina.Input((1,), dtype="int64")
    crossed = layers.HashedCrossing(8, output_mode="one_hot")([city, day])
    model = lamina.Model([city, day], layers.Dense(1, kernel_initializer="ones")(crossed))
    x = [np.array(["A", "B"]), np.array([1, 2])]
    np.testing.assert_array_equal(model.predict(x, verbose=0), [[1.0], [1.0]])


def test_a_vocabulary_learned_anew_is_used():
    numbers = lamina.Input((1,), dtype="int64")
    layer = layers.IntegerLookup(max_tokens=3)
    layer.adapt([5, 5, 6])
    model = lamina.Model(numbers, layers.Embedding(3, 1)(layer(numbers)))
    table = model.get_weights()[0]
    assert model.predict(np.array([5]), verbose=0).ravel() == table[1]
    layer.adapt([6, 6, 5])
    assert model.predict(np.array([5]), verbose=0).ravel() == table[2]


def test_a_copy_of_a_model_knows_the_words():
    model = classifier()
    copy = lamina.models.clone_model(model)
    copy.set_weights(model.get_weights())
    np.testing.assert_array_equal(copy.predict(TEXTS, verbose=0), model.predict(TEXTS, verbose=0))


# -- files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sequential", "functional"])
def test_the_file_keeps_the_vocabulary(kind, tmp_path):
    model = classifier(kind)
    model.save(tmp_path / "model.keras")
    names = zipfile.ZipFile(tmp_path / "model.keras").namelist()
    assert "assets/layers/text_vectorization/vocabulary.txt" in names
    assert "assets/layers/text_vectorization/_lookup_layer/vocabulary.txt" in names
    again = lamina.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(TEXTS, verbose=0), model.predict(TEXTS, verbose=0))


def test_words_with_line_breaks_survive_the_file(tmp_path):
    layer = layers.StringLookup(output_mode="tf_idf")
    layer.adapt([["a\nb", "c"], ["c\x85", "c"]])
    model = lamina.Sequential([lamina.Input((2,), dtype="string"), layer, layers.Dense(1)])
    model.save(tmp_path / "model.keras")
    again = lamina.models.load_model(tmp_path / "model.keras")
    assert again.layers[0].get_vocabulary() == layer.get_vocabulary()
    x = [["a\nb", "c\x85"]]
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


# Made by Keras 3.15 on TensorFlow: TextVectorization, StringLookup with tf_idf and with a given
# vocabulary, and IntegerLookup with multi_hot, joined before a Dense.
KERAS_INPUTS = [
    np.array([["the cat"], ["it zzz"]]),
    np.array([["a", "b"], ["c", "c"]]),
    np.array([[1, 2], [3, 9]]),
    np.array([["x"], ["q"]]),
]
KERAS_OUTPUTS = [
    [0.5993462800979614, 0.5122295022010803],
    [-0.7764031887054443, -0.34983137249946594],
]


def test_a_model_of_text_made_by_keras_gives_its_numbers(tmp_path):
    model = lamina.models.load_model(FILES / "text_model_of_keras.keras")
    np.testing.assert_allclose(model.predict(KERAS_INPUTS, verbose=0), KERAS_OUTPUTS, atol=1e-6)
    model.save(tmp_path / "ours.keras")
    ours, theirs = (
        zipfile.ZipFile(path)
        for path in (tmp_path / "ours.keras", FILES / "text_model_of_keras.keras")
    )
    files = [name for name in theirs.namelist() if name.startswith("assets/")]
    assert sorted(name for name in ours.namelist() if name.startswith("assets/")) == sorted(files)
    assert all(ours.read(name) == theirs.read(name) for name in files)


def rewritten(path, changes):
    """A copy of a model file with other contents for some members; None leaves one out."""
    copy = path.with_name("changed.keras")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w") as new:
        for name in old.namelist():
            content = changes.get(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
        for name in set(changes) - set(old.namelist()):
            new.writestr(name, changes[name])
    return copy


VOCABULARY = "assets/layers/string_lookup/vocabulary.txt"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({VOCABULARY: None}, "missing or has no tokens"),
        ({VOCABULARY: b"[UNK]\na\na"}, "'a' more than once"),
        ({VOCABULARY: b"\xff\xfe\x00"}, "cannot be used"),
    ],
    ids=["missing", "twice", "no-text"],
)
def test_a_damaged_vocabulary_is_said_to_be_one(changes, words, tmp_path):
    layer = layers.StringLookup()
    layer.adapt(["a", "b"])
    model = lamina.Sequential([lamina.Input((1,), dtype="string"), layer, layers.Embedding(3, 1)])
    model.save(tmp_path / "model.keras")
    with pytest.raises(lamina.saving.DamagedFileError, match=words):
        lamina.models.load_model(rewritten(tmp_path / "model.keras", changes))


def test_assets_cannot_leave_their_folder(tmp_path):
    layer = layers.StringLookup()
    layer.adapt(["a", "b"])
    model = lamina.Sequential([lamina.Input((1,), dtype="string"), layer, layers.Embedding(3, 1)])
    model.save(tmp_path / "model.keras")
    hostile = {"assets/layers/string_lookup/../../../../escaped.txt": b"x", "assets/../up": b"x"}
    changed = rewritten(tmp_path / "model.keras", hostile)
    assert lamina.models.load_model(changed).layers[0].get_vocabulary() == ["[UNK]", "b", "a"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["changed.keras", "model.keras"]


@pytest.mark.parametrize("name", ["..", ".", "n" * 300, "\u00fc" * 200])
def test_an_asset_with_a_name_that_no_file_can_have_is_refused(name, tmp_path):
    layer = layers.StringLookup()
    layer.adapt(["a", "b"])
    model = lamina.Sequential([lamina.Input((1,), dtype="string"), layer])
    model.save(tmp_path / "model.keras")
    changed = rewritten(tmp_path / "model.keras", {f"assets/layers/string_lookup/{name}": b"x"})
    with pytest.raises(lamina.saving.DamagedFileError, match="an invalid file name"):
        lamina.models.load_model(changed)


# -- unhappy paths ---------------------------------------------------------------------------------


def test_numbers_for_a_model_of_text_are_refused():
    with pytest.raises(TypeError, match=r"takes text as its input .* and received numbers"):
        classifier().predict(np.ones((3, 1)), verbose=0)


def test_text_for_a_model_of_numbers_is_refused():
    model = lamina.Sequential([lamina.Input((2,)), layers.Dense(1)])
    with pytest.raises(TypeError, match="x holds text"):
        model.predict(np.array([["a", "b"]]), verbose=0)
    with pytest.raises(TypeError, match="takes numbers as its input .* and received text"):
        model(np.array([["a", "b"]]))


def test_text_inside_a_call_of_the_users_own_is_refused_by_name():
    class Own(lamina.Model):
        def __init__(self):
            super().__init__()
            self.text = vectorizer()

        def call(self, x):
            return self.text(x)

    assert Own()(TEXTS).shape == (20, 4)  # uncompiled it works
    with pytest.raises(
        TypeError, match=r"text to numbers inside its own call\(\), which is compiled"
    ):
        Own().predict(TEXTS, verbose=0)


def test_missing_texts_are_refused_by_their_place():
    with pytest.raises(TypeError, match=r"element 1 is None.*\n.*Fix: x = numpy.vectorize"):
        classifier().predict(np.array(["a", None], dtype=object), verbose=0)


def test_what_learns_cannot_come_before_text():
    numbers, text = lamina.Input((1,)), lamina.Input((1,), dtype="string")
    learned = layers.Dense(1)(numbers)
    crossed = layers.HashedCrossing(4, output_mode="one_hot")([text, learned])
    model = lamina.Model([numbers, text], crossed)
    with pytest.raises(
        ValueError, match="'dense' has trainable weights and comes before a layer that takes text"
    ):
        model.predict([np.ones((2, 1)), np.array(["a", "b"])], verbose=0)


def test_text_cannot_come_out_of_a_program():
    numbers = lamina.Input((1,), dtype="int64")
    model = lamina.Model(numbers, layers.StringLookup(vocabulary=["a"], invert=True)(numbers))
    assert model(np.array([[1]])).tolist() == [["a"]]
    with pytest.raises(TypeError, match="which a compiled program cannot"):
        model.predict(np.array([[1]]), verbose=0)


def test_spam_is_told_from_ham(real_data):
    lines = (real_data / "sms_spam.tsv").read_text(encoding="utf-8").splitlines()[:2000]
    labels, texts = zip(*(line.split("\t", 1) for line in lines), strict=True)
    y = np.array([label == "spam" for label in labels], "float32")
    text = layers.TextVectorization(max_tokens=1000, output_mode="multi_hot")
    text.adapt(texts[:1500])
    model = lamina.Sequential(
        [lamina.Input((1,), dtype="string"), text, layers.Dense(1, activation="sigmoid")]
    )
    model.compile(lamina.optimizers.Adam(0.01), "binary_crossentropy", metrics=["accuracy"])
    model.fit(texts[:1500], y[:1500], epochs=5, verbose=0)
    assert model.evaluate(texts[1500:], y[1500:], verbose=0)[1] > 0.95


# -- text inside the call of a model ---------------------------------------------------------------


class InCall(lamina.Model):
    """Makes numbers of text itself, which only a model that runs in Python can."""

    def __init__(self):
        super().__init__()
        self.words = lamina.layers.TextVectorization(
            vocabulary=["a", "b", "c"], output_sequence_length=4
        )
        self.embed = lamina.layers.Embedding(5, 3)
        self.pool = lamina.layers.GlobalAveragePooling1D()
        self.dense = lamina.layers.Dense(1)

    def call(self, x):
        return self.dense(self.pool(self.embed(self.words(x))))


SENTENCES, SCORES = np.array(["a b", "c", "b b a", "a", "c c"]), np.ones((5, 1), "float32")


def test_a_model_that_makes_numbers_of_text_in_its_call_runs_eagerly():
    model = InCall()
    model.compile("sgd", "mse", metrics=["mae"], run_eagerly=True)
    data = {"validation_data": (SENTENCES, SCORES), "batch_size": 2, "verbose": 0}
    history = model.fit(SENTENCES, SCORES, epochs=2, **data).history
    assert history["loss"][1] < history["loss"][0]
    assert model.evaluate(SENTENCES, SCORES, verbose=0)[0] == pytest.approx(history["val_loss"][1])
    outputs = model.predict(SENTENCES, batch_size=2, verbose=0)
    np.testing.assert_allclose(outputs, np.asarray(model(SENTENCES)), atol=1e-6)
    model.fit(((SENTENCES, SCORES) for _ in range(2)), verbose=0)
    assert np.isfinite(model.train_on_batch(SENTENCES, SCORES)[0])


def test_compiled_it_is_told_that_it_can_run_eagerly():
    model = InCall()
    model.compile("sgd", "mse")
    with pytest.raises(TypeError, match="run_eagerly=True"):
        model.fit(SENTENCES, SCORES, verbose=0)
