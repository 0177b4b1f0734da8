import json
from pathlib import Path

import pytest

import lamina
from lamina import layers


def test_the_numbers_are_those_of_evaluate(run, model_file, digits):
    code, out, _ = run("evaluate", model_file, "digits", "--json")
    assert code == 0
    result = json.loads(out)
    expected = lamina.models.load_model(model_file).evaluate(
        *digits.test, return_dict=True, verbose=0
    )
    assert result == pytest.approx({"samples": 297, **expected}, rel=1e-5)


def test_people_get_a_percentage_and_how_sure_it_is(run, model_file):
    _, out, err = run("evaluate", model_file, "digits")
    assert "on 297 test images of Digits" in out
    assert "95 % sure" in out
    assert err == ""


def test_a_model_that_does_not_scale_gets_small_pixels_and_a_remark(run, save, digits):
    path = save(layers.Input((8, 8)), layers.Flatten(), layers.Dense(10, "softmax"), compiled=True)
    _, out, err = run("evaluate", path, "digits", "--json")
    model = lamina.models.load_model(path)
    loss, _ = model.evaluate(digits.test[0] / 16, digits.test[1], verbose=0)
    assert json.loads(out)["loss"] == pytest.approx(loss, rel=1e-4)
    assert "pixels were brought to 0…1" in err
    _, out, err = run("evaluate", path, "digits", "--json", "--pixel-max", "16")
    loss, _ = model.evaluate(*digits.test, verbose=0)
    assert json.loads(out)["loss"] == pytest.approx(loss, rel=1e-4)
    assert err == ""


def test_a_model_without_a_loss_is_measured_all_the_same(run, save):
    path = save(layers.Input((8, 8)), layers.Flatten(), layers.Dense(10, "softmax"))
    code, out, err = run("evaluate", path, "digits", "--pixel-max", "16")
    assert code == 0
    assert "accuracy" in out
    assert "saved without a loss" in err


def test_another_data_set_than_the_models_own_is_said(run, save):
    path = save(layers.Input((8, 8)), layers.Flatten(), layers.Dense(10, "softmax"),
                name="fashion_mnist_mlp", compiled=True)  # fmt: skip
    code, _, err = run("evaluate", path, "digits")
    assert code == 0
    assert "was trained on fashion_mnist" in err


def test_a_table_in_the_place_of_a_data_set_is_said_to_be_one(run, model_file):
    Path("data.csv").write_text("a,b\n1,2\n")
    code, _, err = run("evaluate", model_file, "data.csv")
    assert code == 1
    assert "data.csv is a file or folder, but evaluate measures on the named sets" in err


def test_arguments_in_the_wrong_order_are_put_right(run, model_file):
    code, _, err = run("evaluate", "digits", "model.keras")
    assert code == 1
    assert "Fix: lamina evaluate model.keras digits" in err


@pytest.mark.parametrize("arguments", [("nothing.keras", "digits"), ("model.keras", "digit")])
def test_what_is_not_there_is_named(run, model_file, arguments):
    code, out, err = run("evaluate", *arguments)
    assert (code, out) == (1, "")
    assert "nothing.keras" in err or "Did you mean 'digits'" in err


def test_a_file_that_is_no_model_is_named(run, tmp_path):
    (tmp_path / "text.keras").write_text("hello")
    code, _, err = run("evaluate", "text.keras", "digits")
    assert code == 1
    assert "text.keras" in err


def test_a_model_for_other_images_is_an_error_without_frames(run, save):
    path = save(layers.Input((28, 28)), layers.Flatten(), layers.Dense(10, "softmax"))
    code, _, err = run("evaluate", path, "digits")
    assert code == 1
    assert "28, 28)" in err
    assert "JAX" not in err
