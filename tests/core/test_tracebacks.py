"""A traceback shows the user's lines, and internal frames only where it is asked to."""

import subprocess
import sys
import traceback
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import lamina
from lamina.core.messages import tracebacks

X = np.zeros((8, 3), "float32")
LAMINA = Path(lamina.__file__).parent


def net():
    model = lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


class Broken(lamina.layers.Layer):
    def call(self, x):
        return jnp.matmul(x, jnp.ones((9, 2)))


def broken_loss(y_true, y_pred):
    return jnp.mean(jnp.matmul(y_true, y_pred))


WRONG = {
    "a wrong argument": lambda: lamina.layers.Dense("10"),
    "a missing argument": lambda: lamina.layers.Conv2D(3),
    "a misspelt argument": lambda: lamina.layers.Dense(3, activaton="relu"),
    "a misspelt name": lambda: lamina.layers.Dense(3, activation="rleu"),
    "a wrong shape": lambda: lamina.layers.Conv2D(3, 3)(X),
    "a wrong shape, inside": lambda: net()(X[:, :2]),
    "a wrong stack": lambda: lamina.Sequential([lamina.layers.Dense]),
    "a wrong graph": lambda: lamina.Model(lamina.Input((3,)), 3),
    "tensors that do not fit": lambda: lamina.Input((3,)) + lamina.Input((4,)),
    "no shape": lambda: lamina.Input(),
    "no layer of that name": lambda: net().get_layer("none"),
    "a wrong optimizer": lambda: net().compile("adm", "mse"),
    "a wrong rate": lambda: lamina.optimizers.Adam("fast"),
    "lengths that differ": lambda: net().fit(X, X[:7, 0], verbose=0),
    "an unknown argument of fit": lambda: net().fit(X, X[:, 0], epoch=3),
    "lengths in evaluate": lambda: net().evaluate(X, X[:7, 0], verbose=0),
    "columns in predict": lambda: net().predict(X[:, :2], verbose=0),
    "one batch": lambda: net().train_on_batch(X, X[:2, 0]),
    "weights": lambda: net().set_weights([X]),
    "no file": lambda: lamina.models.load_model("no/such.keras"),
    "a loss": lambda: lamina.losses.MeanSquaredError()(X, X[:, :2]),
    "a metric": lambda: lamina.metrics.AUC().update_state(X, X[:, :2]),
    "a callback": lambda: lamina.callbacks.EarlyStopping(mode="best"),
    "a regularizer": lambda: lamina.regularizers.L2("strong"),
    "an initializer": lambda: lamina.initializers.get("none"),
    "an operation": lambda: lamina.ops.matmul(X, X),
    "a folder": lambda: lamina.utils.image_dataset_from_directory("no/such"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_no_frame_of_lamina_or_jax_is_shown(wrong):
    with pytest.raises((ValueError, TypeError, OSError)) as caught:
        wrong()
    assert inner_frames(caught.value) == []


def inner_frames(error):
    """Frames in Lamina and JAX, of an error and of those that are shown with it."""
    found = []
    while error is not None:
        for frame in traceback.extract_tb(error.__traceback__):
            if Path(frame.filename).is_relative_to(LAMINA) or "/jax/" in frame.filename:
                found.append(f"{frame.filename}:{frame.lineno}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return found


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        (lambda: lamina.Sequential([Broken()])(X), "return jnp.matmul(x, jnp.ones((9, 2)))"),
        (
            lambda: lamina.Sequential([lamina.Input((3,)), Broken()]),
            "return jnp.matmul(x, jnp.ones((9, 2)))",
        ),
    ],
    ids=["with arrays", "with an Input"],
)
def test_the_users_own_frames_stay(wrong, line):
    with pytest.raises(TypeError) as caught:
        wrong()
    assert inner_frames(caught.value) == []
    assert traceback.extract_tb(caught.value.__traceback__)[-1].line == line


def test_a_loss_of_ones_own_is_shown_at_its_line():
    model = net()
    model.compile("sgd", broken_loss)
    with pytest.raises(TypeError) as caught:
        model.fit(X, X[:, :2], verbose=0)
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert last.line == "return jnp.mean(jnp.matmul(y_true, y_pred))"


def test_all_frames_are_shown_where_that_is_asked_for():
    lamina.config.disable_traceback_filtering()
    try:
        with pytest.raises(ValueError, match="one row per sample") as caught:
            net().fit(X, X[:7, 0], verbose=0)
    finally:
        lamina.config.enable_traceback_filtering()
    assert len(inner_frames(caught.value)) > 3


def shown_by_a_script():
    code = "import lamina; lamina.layers.Dense('10')"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr


def test_a_script_shows_no_frame_of_lamina():
    shown = shown_by_a_script()
    assert "units" in shown
    assert "lamina/layers" not in shown


@pytest.mark.parametrize("switch", ["LAMINA_TRACEBACK_FILTERING", "JAX_TRACEBACK_FILTERING"])
def test_the_environment_can_ask_for_all_frames(switch, monkeypatch):
    monkeypatch.setenv(switch, "off")
    assert "lamina/layers" in shown_by_a_script()


def test_a_mistake_of_laminas_own_keeps_its_frames(monkeypatch):
    monkeypatch.setattr("lamina.training.engine.Checkpoint", None)
    with pytest.raises(TypeError, match="'NoneType' object is not callable") as caught:
        net().fit(X, X[:, 0], verbose=0)
    assert any("training/engine.py" in frame for frame in inner_frames(caught.value))


def test_the_error_is_the_same_object_and_keeps_its_notes():
    error = ValueError("no")
    error.add_note("a note")

    @tracebacks.filter_traceback
    def fail():
        raise error

    with pytest.raises(ValueError, match="no") as caught:
        fail()
    assert caught.value is error
    assert caught.value.__notes__ == ["a note"]
