"""A fresh process that has the model file alone answers files, rows, texts and series."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import lamina
from lamina import Predictor
from lamina.data import load
from lamina.layers import Dense, Flatten


def trained(data):
    """A tiny model, trained for a moment."""
    lamina.utils.set_random_seed(0)
    inputs, x = data.encoded()
    if data.kind in ("images", "series"):
        x = Flatten()(x)
    if data.class_names is None:
        units = data.train.y.shape[1] if data.train.y.ndim == 2 else 1
        model = lamina.Model(inputs, data.decoded(Dense(units)(x), inputs))
        model.compile(lamina.optimizers.Adam(0.01), "mse")
    else:
        model = lamina.Model(inputs, Dense(len(data.class_names), activation="softmax")(x))
        model.compile(lamina.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(data.train, epochs=3, verbose=0)
    return model


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    rng = np.random.default_rng(0)
    root = tmp_path_factory.mktemp("photos")
    for name, shade in (("day", 200), ("night", 30)):
        (root / name).mkdir()
        for i in range(8):
            pixels = np.clip(rng.normal(shade, 20, (10, 10, 3)), 0, 255).astype("uint8")
            Image.fromarray(pixels).save(root / name / f"{i}.png")
    data = load(root, verbose=False)
    return root, data, trained(data)


@pytest.fixture(scope="module")
def houses():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.normal(50, 9, 60), "place": rng.choice(["a", "b"], 60)})
    frame["price"] = frame["size"] * 10
    return frame, trained(load(frame, target="price", verbose=False))


def test_files_give_what_the_arrays_of_training_gave(photos):
    root, data, model = photos
    answers = Predictor(model).answer([root / name for name in data.train.names])
    expected = model.predict(data.train.x, verbose=0)
    found = [list(answer.probabilities.values()) for answer in answers]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert list(answers[0].probabilities) == ["day", "night"]


def test_a_picture_may_be_a_path_bytes_an_image_or_an_array(photos):
    root, _, model = photos
    path = root / "night" / "3.png"
    image = Image.open(path)
    forms = [path, str(path), path.read_bytes(), image, np.asarray(image), np.asarray(image) / 255]
    answers = [Predictor(model).answer(form)[0] for form in forms]
    for answer in answers[1:]:
        assert answer.confidence == pytest.approx(answers[0].confidence, abs=1e-6)
    (from_folder, *others) = Predictor(model).answer(root / "night")
    assert len(others) == 7
    assert from_folder.label in ("day", "night")


def test_what_cannot_be_read_is_named_and_the_rest_answered(photos, tmp_path):
    root, _, model = photos
    (tmp_path / "broken.png").write_bytes(b"no picture")
    answers = Predictor(model).answer([tmp_path / "broken.png", root / "day" / "0.png"])
    assert [answer.error is None for answer in answers] == [False, True]
    assert "not an image" in answers[0].error
    assert "label" not in answers[0].to_json()


def test_rows_may_be_dicts_frames_or_files_in_any_order_of_columns(houses, tmp_path):
    frame, model = houses
    row = frame.iloc[[0]]
    row[["price", "place", "size"]].to_csv(tmp_path / "rows.csv", index=False)
    forms = [row, row.iloc[0].to_dict(), [row.iloc[0].to_dict()], tmp_path / "rows.csv"]
    values = [Predictor(model).answer(form)[0].value for form in forms]
    assert values == pytest.approx([values[0]] * 4, rel=1e-5)
    assert values[0] == pytest.approx(
        float(model.predict({"size": np.float32(row["size"]), "place": row["place"].to_numpy("O")},
                            verbose=0)[0, 0]), rel=1e-5,
    )  # fmt: skip


def test_values_that_are_missing_or_new_are_answered_and_a_missing_column_is_named(houses):
    _, model = houses
    predictor = Predictor(model)
    answers, remarks = predictor.answer_with_remarks(
        [{"size": None, "place": "nowhere", "colour": "red"}]
    )
    assert np.isfinite(answers[0].value)
    assert remarks == [
        "Columns that were not used: colour.",
        "place: 'nowhere' in row 1 was not in training and counts as missing.",
    ]
    with pytest.raises(ValueError, match="no column 'place'.*Did you mean 'plaec'"):
        predictor.answer([{"size": 3, "plaec": "a"}])


def test_a_series_is_forecast_from_its_last_steps(tmp_path):
    frame = pd.DataFrame({"v": np.arange(60.0)})
    data = load(frame, target="v", forecast=3, window=6, verbose=False)
    model = trained(data)
    frame.to_csv(tmp_path / "v.csv", index=False)
    expected = model.predict(np.arange(54, 60, dtype="float32").reshape(1, 6, 1), verbose=0)[0]
    for form in (frame, tmp_path / "v.csv", np.arange(60.0)):
        np.testing.assert_allclose(Predictor(model).answer([form])[0].value, expected, rtol=1e-5)
    short = Predictor(model).answer([np.arange(3.0)])[0]
    assert "3 steps, but the model needs 6" in short.error


def test_arrays_alone_make_no_contract_for_files():
    model = lamina.Sequential([lamina.Input((2,)), Dense(1)])
    with pytest.raises(ValueError, match="has only the ranges of the arrays"):
        Predictor(model).answer("photo.jpg")


def test_words_that_were_not_seen_in_training_decide_nothing():
    texts = ["win a prize now", "see you at home"] * 20
    frame = pd.DataFrame({"message": texts, "label": ["spam", "ham"] * 20})
    model = trained(load(frame, target="label", text="message", verbose=False))
    one, other = Predictor(model).answer(["nothing known", "quite another unknown text of words"])
    assert one.confidence == pytest.approx(other.confidence, abs=1e-6)


def test_a_fresh_process_answers_texts_from_the_file_alone(tmp_path):
    texts = ["win a prize now", "see you at home", "claim your free prize", "home at six"] * 12
    frame = pd.DataFrame({"message": texts, "label": ["spam", "ham"] * 24})
    data = load(frame, target="label", text="message", verbose=False)
    model = trained(data)
    model.save(tmp_path / "model.keras")
    code = (
        "import json, sys, lamina\n"
        "model = lamina.models.load_model(sys.argv[1])\n"
        "answers = lamina.Predictor(model).answer(['a prize', 'home'])\n"
        "assert 'tensorflow' not in sys.modules\n"
        "print(json.dumps([a.to_json() for a in answers]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "model.keras"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    told = json.loads(done.stdout)
    here = [a.to_json() for a in Predictor(model).answer(["a prize", "home"])]
    for one, other in zip(told, here, strict=True):
        assert one["input"] == other["input"]
        assert one["label"] == other["label"]
        assert one["confidence"] == pytest.approx(other["confidence"], abs=1e-5)


def test_every_row_must_have_every_column(houses):
    _, model = houses
    with pytest.raises(ValueError, match="no column 'place'"):
        Predictor(model).answer([{"size": 3, "place": "a"}, {"size": 4}])


def test_a_bad_file_does_not_lose_the_answers_to_others(houses, tmp_path):
    frame, model = houses
    frame[:2].to_csv(tmp_path / "rows.csv", index=False)
    answers = Predictor(model).answer([tmp_path / "rows.csv", tmp_path / "gone.csv"])
    assert [answer.error is None for answer in answers] == [True, True, False]


def test_names_that_do_not_fit_the_outputs_are_refused(houses):
    from lamina.contract import Contract
    from lamina.prediction.answers import make_answers

    with pytest.raises(ValueError, match="predicts 2 classes, but its file has 3 names"):
        make_answers(Contract(class_names=("a", "b", "c")), ["x"], np.array([[0.5, 0.5]]))
