"""ModelCheckpoint, side by side with Keras's over the same logs."""

import json

import keras
import pytest

from lamina.callbacks import CallbackList, ModelCheckpoint

pytestmark = pytest.mark.quick

NUMBERS = [3.0, 1.0, 2.0, 0.5, 0.5]
EPOCHS = [{"val_loss": n, "val_accuracy": n, "loss": n} for n in NUMBERS]


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"save_best_only": True},
        {"save_best_only": True, "monitor": "val_accuracy", "mode": "max"},
        {"save_best_only": True, "initial_value_threshold": 0.75},
        {"save_freq": 2},
        {"save_freq": 5},
        {"save_freq": 3, "save_best_only": True, "monitor": "loss"},
    ],
)
@pytest.mark.parametrize("weights_only", [False, True])
def test_it_saves_when_keras_saves(model, train, tmp_path, arguments, weights_only):
    name = "{epoch:02d}-{val_loss:.2f}" + (".weights.h5" if weights_only else ".keras")
    results = []
    for library in (ModelCheckpoint, keras.callbacks.ModelCheckpoint):
        callback = library(tmp_path / name, save_weights_only=weights_only, **arguments)
        train([callback], model, EPOCHS, batches=3)
        results.append((list(model.saved), callback.best))
        model.saved.clear()
    assert results[0] == results[1]
    assert results[0][0]


def test_batches_have_their_number(model, train, tmp_path):
    callback = ModelCheckpoint(tmp_path / "{epoch}-{batch}.keras", save_freq=2)
    train([callback], model, EPOCHS[:2], batches=3)
    assert [path.rsplit("/", 1)[1] for path in model.saved] == [
        "1-2.keras",
        "2-1.keras",
        "2-3.keras",
    ]


def test_one_call_may_stand_for_several_batches(model):
    callback = ModelCheckpoint("m.keras", save_freq=10)
    callback.set_model(model)
    for batch in (3, 7, 11, 3, 9):  # the last batch of each call, then a new epoch
        callback.on_train_batch_end(batch, {})
    assert len(model.saved) == 2


@pytest.mark.parametrize("name", ["epic_num_reader.model", "model", "folder/deep/model.keras"])
def test_any_file_name_is_accepted_and_folders_are_made(model, train, tmp_path, name):
    train([ModelCheckpoint(tmp_path / name)], model, EPOCHS[:1])
    assert model.saved == [str(tmp_path / name)]
    assert (tmp_path / name).parent.is_dir()


def test_only_saving_by_batches_needs_the_batch_hook():
    class Counts(ModelCheckpoint):
        def on_train_batch_begin(self, batch, logs=None):
            pass

    assert not CallbackList([ModelCheckpoint("m")]).has_batch_hooks("train")
    assert CallbackList([ModelCheckpoint("m", save_freq=5)]).has_batch_hooks("train")
    assert not CallbackList([ModelCheckpoint("m", save_freq=5)]).has_batch_hooks("test")
    assert CallbackList([Counts("m")]).has_batch_hooks("train")


def test_saving_is_told(model, train, capsys):
    train([ModelCheckpoint("m.keras", save_best_only=True, verbose=1)], model, EPOCHS[:3])
    assert capsys.readouterr().out.splitlines() == [
        "Epoch 1: saved m.keras (val_loss 3).",
        "Epoch 2: saved m.keras (val_loss 1, before 3).",
        "Epoch 3: val_loss is 2, the best is 1.",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"filepath": "{epoch:02d"}, "an unmatched brace"),
        ({"filepath": "{}.keras"}, "has an empty {}"),
        ({"filepath": ""}, "needs the name of a file"),
        ({"filepath": "."}, r"received the folder '\.'\.\n  Fix: filepath='{epoch:02d}.keras'"),
        ({"filepath": "m", "save_freq": 0}, "save_freq must be 'epoch' or a number of batches"),
        ({"filepath": "m", "save_freq": "batch"}, "received 'batch'"),
        ({"filepath": "m", "save_freq": True}, "received True"),
        ({"filepath": "m", "mode": "best"}, "mode must be 'auto', 'min' or 'max'"),
        (
            {"filepath": "m", "save_best_only": True, "save_freq": 5},
            r"measured at the end of an epoch\.\n  Fix: save_freq='epoch', or monitor='loss'",
        ),
    ],
)
def test_wrong_arguments_are_refused_at_construction(arguments, message):
    with pytest.raises(ValueError, match=message):
        ModelCheckpoint(**arguments)


def test_a_name_that_is_not_in_the_logs_is_an_error_that_names_the_others(model, train):
    with pytest.raises(ValueError, match=r"fill in 'val_auc' .* known are val_loss, val_acc"):
        train([ModelCheckpoint("{val_auc:.2f}.keras")], model, EPOCHS)


def test_the_best_of_what_is_not_measured_is_an_error(model, train):
    with pytest.raises(ValueError, match="ModelCheckpoint monitors 'val_loss', but the logs have"):
        train([ModelCheckpoint("m", save_best_only=True)], model, [{"loss": 1.0}])


def test_without_save_best_only_the_monitor_does_not_matter(model, train):
    assert train([ModelCheckpoint("m", monitor="whatever")], model, [{"loss": 1.0}]) == 1


def test_it_goes_on_from_its_stored_state(model, train):
    first, second = (ModelCheckpoint("m", save_best_only=True) for _ in range(2))
    train([first], model, EPOCHS[:2])
    second.set_model(model)
    second.on_train_begin()
    second.set_state(json.loads(json.dumps(first.get_state())))
    model.saved.clear()
    second.on_epoch_end(2, EPOCHS[2])
    assert (model.saved, second.best) == ([], 1.0)
