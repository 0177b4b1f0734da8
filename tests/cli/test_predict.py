import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lamina import layers


def test_images_are_read_and_named_with_their_confidence(run, model_file, picture, digits):
    paths = [picture(n, f"{n}.png") for n in range(6)]
    code, out, err = run("predict", model_file, *paths, "--json")
    assert (code, err) == (0, "")
    results = json.loads(out)
    assert [r["image"] for r in results] == [str(p) for p in paths]
    read = [r["class"] for r in results]
    assert sum(a == str(b) for a, b in zip(read, digits.test[1][:6], strict=True)) >= 5
    for result in results:
        assert sum(result["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert result["probabilities"][result["class"]] == result["confidence"]


def test_people_see_the_class_its_confidence_and_bars(run, model_file, picture):
    _, out, _ = run("predict", model_file, picture(0), "--top", "2")
    first, *bars = out.splitlines()
    assert first.startswith("digit.png: 6 (") or "digit.png: 6 (" in first
    assert len(bars) == 2
    assert "█" in bars[0]
    assert bars[0].split()[0] == "6"


@pytest.mark.parametrize(
    "settings",
    [{"mode": "RGB"}, {"mode": "RGBA"}, {"name": "digit.jpg"},
     {"size": (8, 8)}, {"mode": "P"}],
)  # fmt: skip
def test_any_size_colours_and_format_will_do(run, model_file, picture, settings):
    _, out, _ = run("predict", model_file, picture(0, **settings), "--json")
    assert json.loads(out)[0]["class"] == "6"


def test_dark_on_light_is_noticed_and_can_be_left_as_it_is(run, model_file, picture):
    path = picture(0, inverted=True)
    _, out, err = run("predict", model_file, path)
    assert "6 (" in out
    assert "1 of 1 images are dark on light and were inverted" in err
    _, out, err = run("predict", model_file, path, "--no-invert", "--json")
    assert json.loads(out)[0]["inverted"] is False
    assert err == ""
    _, out, err = run("predict", model_file, picture(0), "--invert", "--json")
    assert json.loads(out)[0]["inverted"] is True


def test_classes_of_known_data_sets_have_their_names(run, save, picture):
    path = save(layers.Input((8, 8)), layers.Flatten(), layers.Dense(10, "softmax"),
                name="fashion_mnist_mlp")  # fmt: skip
    _, out, _ = run("predict", path, picture(0), "--json")
    assert "Ankle boot" in json.loads(out)[0]["probabilities"]


def test_a_model_that_does_not_scale_is_answered_with_a_remark(run, save, picture):
    path = save(layers.Input((8, 8)), layers.Flatten(), layers.Dense(10, "softmax"))
    _, _, err = run("predict", path, picture(0))
    assert "pixels were brought to 0…1" in err


@pytest.mark.parametrize(
    ("content", "message"), [(b"hello", "is not an image"), (None, "There is no file")]
)
def test_what_is_no_image_is_named(run, model_file, content, message):
    if content is not None:
        Path("a.png").write_bytes(content)
    code, out, err = run("predict", model_file, "a.png")
    assert (code, out) == (1, "")
    assert "a.png" in err
    assert message in err


def _truncated(picture):
    path = picture(0, name="photo.jpg")
    path.write_bytes(path.read_bytes()[:700])
    return path


def test_one_bad_file_is_named_and_the_others_are_answered(run, model_file, picture):
    good, bad = picture(0), _truncated(picture)
    code, out, err = run("predict", model_file, bad, good, "nowhere.png")
    assert code == 1
    assert "digit.png: 6 (" in out
    assert f"{bad} is damaged or incomplete" in err
    assert "There is no file 'nowhere.png'" in err
    code, out, _ = run("predict", model_file, bad, good, "--json")
    assert code == 1
    told = json.loads(out)
    assert "damaged" in told[0]["error"]
    assert told[1]["class"] == "6"


def test_the_pictures_of_a_folder_are_read(run, model_file, picture):
    Path("scans").mkdir()
    picture(0, name="scans/b.png")
    picture(1, name="scans/a.png")
    Path("scans/notes.txt").write_text("not a picture")
    _, out, _ = run("predict", model_file, "scans", "--json")
    assert [r["image"] for r in json.loads(out)] == ["scans/a.png", "scans/b.png"]


def test_a_folder_without_pictures_is_said(run, model_file):
    Path("empty").mkdir()
    code, _, err = run("predict", model_file, "empty")
    assert (code, "empty has no pictures" in err) == (1, True)


def test_the_folder_of_a_run_stands_for_its_model(run, model_file, picture, tmp_path):
    code, out, _ = run("predict", tmp_path, picture(0))
    assert code == 0
    assert "6 (" in out
    Path("none").mkdir()
    code, _, err = run("predict", "none", picture(0))
    assert (code, "no model.keras in it" in err) == (1, True)


def test_arguments_in_the_wrong_order_are_put_right(run, model_file, picture):
    code, _, err = run("predict", picture(0).name, "model.keras")
    assert code == 1
    assert "Fix: lamina predict model.keras digit.png" in err


def test_a_blank_page_is_said_and_not_read(run, model_file):
    Image.new("L", (50, 60), 255).save("page.png")
    code, out, _ = run("predict", model_file, "page.png")
    assert code == 0
    assert out == "page.png: blank, there is nothing to read\n"
    _, out, _ = run("predict", model_file, "page.png", "--json")
    (told,) = json.loads(out)
    assert (told["blank"], told["class"], told["confidence"]) == (True, None, None)


def test_a_blank_page_for_a_model_of_unknown_images_is_a_remark(run, save):
    path = save(layers.Input((9, 9)), layers.Flatten(), layers.Dense(10, "softmax"))
    Image.new("L", (50, 60), 255).save("page.png")
    _, out, err = run("predict", path, "page.png")
    assert "page.png is of one colour all over" in err
    assert "page.png:" in out


@pytest.mark.parametrize("top", [65_535, 4095])
def test_sixteen_bits_are_scaled_and_said(run, model_file, digits, top):
    pixels = (digits.test[0][0] / 16 * top).astype("uint16")
    Image.fromarray(np.kron(pixels, np.ones((20, 20), "uint16"))).save("deep.png")
    _, out, err = run("predict", model_file, "deep.png")
    assert "deep.png: 6 (" in out
    assert f"deep.png has grey values up to {top}" in err


def test_show_draws_what_the_model_was_shown(run, model_file, picture):
    _, out, _ = run("predict", model_file, picture(0), "--show")
    drawn = out.splitlines()[4:]
    assert len(drawn) == 8
    assert set("".join(drawn)) <= set(" .:-=+*#%@")
    assert "@@" in "".join(drawn)


def test_what_the_model_was_shown_can_be_written(run, model_file, picture):
    run("predict", model_file, picture(0), "--seen", "seen")
    with Image.open("seen/digit.png") as image:
        assert image.size == (280, 280)


def test_another_form_is_taken_where_the_user_says_so(run, save, picture):
    path = save(layers.Input((8, 8)), layers.Flatten(), layers.Dense(10, "softmax"))
    code, _, _ = run("predict", path, picture(0), "--like", "digits")
    assert code == 0
    code, _, err = run("predict", path, picture(0), "--like", "mnist")
    assert code == 1
    assert "takes images of 8×8 in 1 channel, and those of mnist are 28×28" in err


def test_a_model_of_any_name_sees_images_of_8_by_8_as_the_digits_are(run, save, picture):
    path = save(layers.Input((8, 8)), layers.Flatten(), layers.Dense(10, "softmax"))
    run("predict", path, picture(0), "--seen", "alone")
    run("predict", path, picture(0), "--seen", "told", "--like", "digits")
    assert Path("alone/digit.png").read_bytes() == Path("told/digit.png").read_bytes()


def test_a_model_that_may_have_learnt_from_two_sets_asks_which(run, save, picture):
    path = save(layers.Input((28, 28)), layers.Flatten(), layers.Dense(10, "softmax"))
    _, _, err = run("predict", path, picture(0))
    assert "does not say which images it has learnt from" in err
    assert "--like mnist or --like fashion_mnist" in err
    for choice in ("mnist", "fashion_mnist", "none"):
        code, _, err = run("predict", path, picture(0), "--like", choice)
        assert code == 0
        assert "does not say" not in err


def test_a_model_that_takes_no_images_says_what_it_takes(run, save, picture):
    path = save(layers.Input((5, 4, 3, 2)), layers.Flatten(), layers.Dense(2))
    code, _, err = run("predict", path, picture(0))
    assert code == 1
    assert "(5, 4, 3, 2)" in err
