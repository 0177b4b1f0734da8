"""TensorBoard's logs, read back with the tensorboard package's own reader."""

import io
import json
import logging
import sys

import numpy as np
import pytest
from PIL import Image

import lamina
from lamina.callbacks import TensorBoard
from lamina.findings import Finding, Findings, LayerStatistics, Record
from lamina.training.callbacks.tensorboard_diagnosis import findings_as_text

pytest.importorskip("tensorboard")
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.graph.keras_util import keras_model_to_graph_def

X = np.random.default_rng(0).normal(size=(12, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


@pytest.fixture
def model():
    model = lamina.Sequential(
        [lamina.Input((3,)), lamina.layers.Dense(4, name="hidden"), lamina.layers.Dense(1)]
    )
    model.compile(lamina.optimizers.SGD(0.25), "mse")
    return model


def logs_in(folder):
    logging.getLogger("tensorboard").setLevel(logging.ERROR)
    accumulator = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    accumulator.Reload()
    return accumulator


def scalars(folder):
    accumulator = logs_in(folder)
    found = {}
    for tag in accumulator.Tags()["tensors"]:
        events = accumulator.Tensors(tag)
        if events[0].tensor_proto.dtype == 1:  # float32
            found[tag] = {
                e.step: np.frombuffer(e.tensor_proto.tensor_content, "f4")[0]
                if e.tensor_proto.tensor_content
                else e.tensor_proto.float_val[0]
                for e in events
                if not e.tensor_proto.tensor_shape.dim
            }
    return found


def fit(model, folder, **arguments):
    callback = TensorBoard(folder, **arguments)
    return model.fit(X, Y, 4, 3, verbose=0, validation_data=(X, Y), callbacks=[callback]).history


def test_every_epoch_is_written_under_keras_names(model, tmp_path):
    history = fit(model, tmp_path)
    train, validation = scalars(tmp_path / "train"), scalars(tmp_path / "validation")
    assert train.keys() >= {"epoch_loss", "epoch_learning_rate"}
    assert list(train["epoch_loss"].values()) == pytest.approx(history["loss"])
    assert train["epoch_learning_rate"] == {0: 0.25, 1: 0.25, 2: 0.25}
    assert list(validation["epoch_loss"].values()) == pytest.approx(history["val_loss"])
    assert validation["evaluation_loss_vs_iterations"].keys() == {3, 6, 9}


@pytest.mark.parametrize(("update_freq", "steps"), [("batch", range(1, 10)), (4, [4, 8])])
def test_batches_are_written_as_often_as_asked(model, tmp_path, update_freq, steps):
    fit(model, tmp_path, update_freq=update_freq, write_steps_per_second=True)
    train = scalars(tmp_path / "train")
    assert list(train["batch_loss"]) == list(steps)
    assert list(train["batch_steps_per_second"]) == list(steps)
    assert all(pace > 0 for pace in train["epoch_steps_per_second"].values())


def test_writing_batches_makes_training_no_slower(model):
    assert not TensorBoard(update_freq=100).has_batch_hooks("train")


def test_weights_are_written_as_histograms_and_pictures(model, tmp_path):
    fit(model, tmp_path, histogram_freq=2, write_images=True)
    logs = logs_in(tmp_path / "train")
    kernel = model.layers[0].kernel
    events = logs.Tensors(f"{kernel.path}/histogram")
    assert [event.step for event in events] == [0, 2]
    buckets = np.frombuffer(events[-1].tensor_proto.tensor_content, "f8").reshape(-1, 3)
    assert buckets[:, 2].sum() == kernel.numpy().size
    assert buckets[0, 0] == pytest.approx(kernel.numpy().min())
    width, height, png = logs.Tensors(f"{kernel.path}/image")[-1].tensor_proto.string_val
    assert (int(width), int(height)) == (4, 3)
    grey = np.asarray(Image.open(io.BytesIO(png)))
    assert np.unravel_index(grey.argmax(), (3, 4)) == np.unravel_index(
        kernel.numpy().argmax(), (3, 4)
    )


def test_the_graph_of_layers_can_be_drawn(model, tmp_path):
    fit(model, tmp_path)
    logs = logs_in(tmp_path / "train")
    assert logs.SummaryMetadata("keras").plugin_data.plugin_name == "graph_keras_model"
    graph = json.loads(logs.Tensors("keras")[0].tensor_proto.string_val[0])
    names = {node.name for node in keras_model_to_graph_def(graph).node}
    assert {"sequential/hidden", "sequential/dense"} <= names


def test_embeddings_are_written_for_the_projector(tmp_path):
    words = lamina.layers.Embedding(5, 2, name="words")
    model = lamina.Sequential([lamina.Input((3,)), words, lamina.layers.Flatten()])
    model.add(lamina.layers.Dense(1))
    model.compile("sgd", "mse")
    callback = TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata={"words": "w.tsv"})
    model.fit(np.ones((4, 3), int), np.ones((4, 1)), verbose=0, callbacks=[callback])
    vectors = np.loadtxt(tmp_path / "words.tsv", delimiter="\t")
    np.testing.assert_allclose(vectors, words.embeddings.numpy(), rtol=1e-4)
    config = (tmp_path / "projector_config.pbtxt").read_text()
    assert 'tensor_path: "words.tsv"' in config
    assert 'metadata_path: "w.tsv"' in config
    callback = TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata={"word": "w.tsv"})
    with pytest.raises(ValueError, match="names word; the Embedding layers are words"):
        model.fit(np.ones((4, 3), int), np.ones((4, 1)), verbose=0, callbacks=[callback])


def texts(folder, tag):
    events = logs_in(folder).Tensors(tag)
    return {e.step: e.tensor_proto.string_val[0].decode() for e in events}


def test_what_is_found_while_the_model_trains_is_written_as_text(model, tmp_path):
    fit(model, tmp_path)
    found = texts(tmp_path / "train", "findings")
    assert found[max(found)] == findings_as_text(model.history.findings)
    assert found[0].startswith("**problem hidden-activation-missing**: No activation follows")


@pytest.fixture
def without_diagnosis():
    lamina.config.set_diagnosis("off")
    yield
    lamina.config.set_diagnosis("notes")


def test_nothing_is_written_without_diagnosis(model, tmp_path, without_diagnosis):
    fit(model, tmp_path)
    assert "findings" not in logs_in(tmp_path / "train").Tags()["tensors"]


def test_statistics_of_layers_and_final_findings_are_written(model, tmp_path):
    def record(step, epochs):
        measured = LayerStatistics("hidden", step, gradient=step / 8, dead=0.5, rank=2.5)
        return Record("model", epochs=({"loss": 1.0},) * epochs, statistics=(measured,))

    callback = TensorBoard(tmp_path, write_graph=False)
    callback.set_model(model)
    callback._on_findings(record(2, 1), Findings())
    callback._on_findings(record(2, 2), Findings())  # not measured again
    late = Finding("dead-relu", "problem", "Half are dead.", "leaky_relu.")
    callback._on_findings(record(4, 3), Findings([late]))
    written = scalars(tmp_path / "train")
    assert written == {
        "layers/hidden/gradient": {0: 0.25, 2: 0.5},
        "layers/hidden/dead": {0: 0.5, 2: 0.5},
        "layers/hidden/rank": {0: 2.5, 2: 2.5},
    }
    assert texts(tmp_path / "train", "findings") == {
        2: "**problem dead-relu**: Half are dead.  \nFix: `leaky_relu.`"
    }


def test_batches_are_profiled(model, tmp_path):
    fit(model, tmp_path, profile_batch=(2, 3))
    assert list((tmp_path / "train" / "plugins" / "profile").rglob("*.xplane.pb"))


def test_evaluate_alone_is_written_too(model, tmp_path):
    loss = model.evaluate(X, Y, verbose=0, callbacks=[TensorBoard(tmp_path)])
    found = scalars(tmp_path / "validation")["evaluation_loss_vs_iterations"]
    assert found == pytest.approx({0: loss})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"histogram_freq": -1}, "histogram_freq must be an integer of at least 0"),
        ({"update_freq": "epochs"}, "at least 1, 'epoch' or 'batch'; received 'epochs'"),
        ({"update_freq": 0}, "at least 1"),
        ({"profile_batch": (3, 2)}, "profile_batch must be the number of a batch"),
        ({"profile_batch": "five"}, "received 'five'"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        TensorBoard(**arguments)


def test_a_missing_package_is_one_line_with_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard.summary.writer.event_file_writer", None)
    with pytest.raises(ImportError, match=r"pip install 'lamina\[tensorboard\]'"):
        TensorBoard()
