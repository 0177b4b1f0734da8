"""The four commands on a person's own data, end to end."""

import ast
import io
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import lamina


@pytest.fixture
def photos(tmp_path):
    rng = np.random.default_rng(0)
    for name, shade in (("day", 200), ("[red]night", 30)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(10):
            pixels = np.clip(rng.normal(shade, 20, (8, 8, 3)), 0, 255).astype("uint8")
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{i}.png")
    return tmp_path / "photos"


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.normal(50, 9, 60), "town": rng.choice(["a", "b"], 60)})
    frame["[/] price"] = frame["size"] * 10
    frame.to_csv(tmp_path / "houses.csv", index=False)
    return tmp_path / "houses.csv"


def test_photos_from_a_folder_to_names(run, photos):
    code, out, err = run("train", photos, "--epochs", "1", "--out", "run")
    assert code == 0, err
    assert "20 pictures of 2 classes" in out
    assert "x = layers.Flatten()(x)" in out
    code, out, _ = run("predict", "run", photos / "day" / "0.png", photos / "gone.png", "--json")
    assert code == 1
    answers = json.loads(out)
    assert set(answers[0]["probabilities"]) == {"day", "[red]night"}
    assert "error" in answers[1]
    code, out, _ = run("evaluate", "run", photos, "--json")
    assert json.loads(out)["samples"] == 20


def test_a_table_from_a_file_to_numbers_and_the_script_gives_the_same(run, table):
    code, out, err = run("train", table, "--target", "[/] price", "--epochs", "2", "--out", "run")
    assert code == 0, err
    assert "[/] price on average" in out
    code, out, _ = run("predict", "run", table)
    assert code == 0
    assert "[/] price" in out
    before = json.loads(run("predict", "run", table, "--json")[1])
    subprocess.run([sys.executable, "run/train.py"], check=True, capture_output=True)
    after = json.loads(run("predict", "model.keras", table, "--json")[1])
    assert [a["value"] for a in after] == pytest.approx([b["value"] for b in before], rel=1e-4)


def test_the_pictures_are_read_once_and_drawn_as_the_model_was_shown(run, photos, monkeypatch):
    from lamina.data.picture_files import read_picture

    run("train", photos, "--epochs", "1", "--out", "run", "--no-measure")
    read = []

    def counted(path, *arguments):
        read.append(path)
        return read_picture(path, *arguments)

    monkeypatch.setattr("lamina.prediction.raw_pictures.read_picture", counted)
    code, out, err = run("predict", "run", photos / "day" / "0.png", "--show")
    assert code == 0, err
    assert len(read) == 1
    assert len(out.splitlines()) > 8


def test_the_test_part_is_measured_once(run, table, monkeypatch):
    measured, evaluate = [], lamina.Model.evaluate

    def counted(self, x, y, **arguments):
        measured.append(len(y))
        return evaluate(self, x, y, **arguments)

    monkeypatch.setattr(lamina.Model, "evaluate", counted)
    code, out, err = run(
        "train", table, "--target", "[/] price", "--epochs", "1", "--out", "run", "--json"
    )
    assert code == 0, err
    assert measured == [9, 42]
    assert set(json.loads(out)["results"]) == {"loss", "mean_absolute_error"}


def test_ctrl_c_saves_what_was_learnt_and_nothing_is_measured(run, table, monkeypatch):
    fit = lamina.Model.fit

    class Presses(lamina.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                signal.raise_signal(signal.SIGINT)

    def pressed(self, *args, callbacks, **settings):
        return fit(self, *args, callbacks=[*callbacks, Presses()], **settings)

    monkeypatch.setattr(lamina.Model, "fit", pressed)
    arguments = ("train", table, "--target", "[/] price", "--epochs", "5", "--out", "run")
    code, out, err = run(*arguments)
    assert code == 130
    assert "Stopping: the steps under way are finished" in err
    assert "on average" not in out
    assert lamina.models.load_model("run/model.keras")
    assert "stopped after 1 of 5 epochs" in Path("run/train.py").read_text()


def test_the_options_are_the_arguments_of_load_and_are_in_the_script(run, table):
    arguments = [
        "train", table, "--target", "[/] price", "--columns", "size", "--columns", "town",
        "--kinds", "size=number", "--task", "number", "--decimal-point", "--split", "tail",
        "--validation", "0.2", "--test", "0.1", "--epochs", "1", "--out", "run",
    ]  # fmt: skip
    code, out, err = run(*arguments, "--json")
    assert code == 0, err
    assert json.loads(out)["samples"] == {"train": 42, "val": 12, "test": 6}
    script = Path("run/train.py").read_text()
    for argument in (
        "columns=['size', 'town']", "kinds={'size': 'number'}", "task='number'",
        "decimal_comma=False", "split='tail'", "validation=0.2", "test=0.1",
    ):  # fmt: skip
        assert argument in script
    for words in ("--columns size --columns town", "--kinds size=number", "--decimal-point"):
        assert words in script
    code, _, err = run(*arguments[:4], "--kinds", "size")
    assert (code, "--kinds postcode=category" in err) == (2, True)


def test_pictures_take_their_own_options(run, photos):
    code, out, err = run(
        "train", photos, "--image-size", "6", "4", "--max-memory", "0", "--drop", "a",
        "--out", "run",
    )  # fmt: skip
    assert (code, "drop=['a'] is for a table" in err) == (1, True)
    code, out, err = run(
        "train", photos, "--image-size", "6", "4", "--max-memory", "0", "--epochs", "1",
        "--no-measure", "--out", "run",
    )  # fmt: skip
    assert code == 0, err
    assert "6×4 in colour" in out
    assert "image_size=(6, 4)" in Path("run/train.py").read_text()


def test_of_a_folder_with_parts_the_test_part_is_measured(run, photos, tmp_path):
    run("train", photos, "--epochs", "1", "--no-measure", "--out", "run")
    for part in ("train", "test"):
        for name in ("day", "[red]night"):
            place = tmp_path / "parts" / part / name
            place.mkdir(parents=True)
            for i in range(4 if part == "train" else 3):
                (place / f"{i}.png").write_bytes((photos / name / f"{i}.png").read_bytes())
    code, out, err = run("evaluate", "run", tmp_path / "parts", "--json")
    assert code == 0, err
    measured = json.loads(out)
    assert measured["samples"] == 6
    assert "test was measured on" in measured["remarks"][0]


def test_each_input_has_an_answer_in_its_place(run, photos):
    run("train", photos, "--epochs", "1", "--no-measure", "--out", "run")
    good, bad = photos / "day" / "0.png", photos / "gone.png"
    code, out, _ = run("predict", "run", bad, good, bad, good, "--json")
    assert code == 1
    assert ["error" in answer for answer in json.loads(out)] == [True, False, True, False]


def given_on_standard_input(monkeypatch, content):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_rows_may_come_from_standard_input(run, table, monkeypatch):
    run("train", table, "--target", "[/] price", "--epochs", "1", "--no-measure", "--out", "run")
    from_file = json.loads(run("predict", "run", table, "--json")[1])
    given_on_standard_input(monkeypatch, table.read_bytes())
    code, out, err = run("predict", "run", "-", "--json")
    assert code == 0, err
    assert [a["value"] for a in json.loads(out)] == [a["value"] for a in from_file]
    code, _, err = run("predict", "run", table, "--show")
    assert (code, "--show is for pictures, but the model takes rows" in err) == (1, True)
    code, _, err = run("predict", "run", table, "--like", "mnist")
    assert (code, "--like is for models that do not remember" in err) == (1, True)


def test_a_picture_may_come_from_standard_input_and_be_written_as_it_was_seen(
    run, photos, tmp_path, monkeypatch
):
    run("train", photos, "--epochs", "1", "--no-measure", "--out", "run")
    path = photos / "day" / "0.png"
    given_on_standard_input(monkeypatch, path.read_bytes())
    code, out, err = run("predict", "run", "-", path, "--json", "--seen", "seen")
    assert code == 0, err
    first, second = json.loads(out)
    assert first["probabilities"] == second["probabilities"]
    written = Image.open(tmp_path / "seen" / "0.png")
    assert np.asarray(written)[0, 0].tolist() == np.asarray(Image.open(path))[0, 0].tolist()


def test_which_number_of_a_date_is_the_day_may_be_said(run, tmp_path):
    path = tmp_path / "days.csv"
    days = [f"0{1 + i % 9}/0{1 + i % 7}/2024" for i in range(60)]
    path.write_text("when,size\n" + "\n".join(f"{day},{i / 7}" for i, day in enumerate(days)))
    arguments = ("train", path, "--target", "size", "--epochs", "1", "--no-measure", "--out", "run")
    _, out, _ = run(*arguments)
    assert "--day-first on the command line" in out
    code, out, err = run(*arguments, "--day-first", "--overwrite")
    assert code == 0, err
    assert "on the command line" not in out
    script = Path("run/train.py").read_text()
    assert "day_first=True" in script
    assert "--target size --day-first --epochs 1" in script
    columns = lamina.models.load_model("run/model.keras").input_contract.columns
    assert [column.day_first for column in columns] == [True]


def test_json_has_null_for_what_is_no_number(capsys):
    from lamina.cli import console

    console.print_json({"loss": float("nan"), "values": [float("inf"), 1.0]})
    assert json.loads(capsys.readouterr().out) == {"loss": None, "values": [None, 1.0]}


def test_a_name_with_a_line_end_puts_nothing_into_the_script(run, tmp_path):
    path = tmp_path / "x\rprint('INJECTED')#.csv"
    path.write_text("a,y\n" + "\n".join(f"{i / 3},{'pq'[i % 2]}" for i in range(40)))
    code, _, err = run("train", path, "--target", "y", "--epochs", "1", "--out", "run")
    assert code == 0, err
    script = ast.parse((tmp_path / "run" / "train.py").read_text())
    texts = [node.value for node in ast.walk(script) if isinstance(node, ast.Constant)]
    assert "INJECTED" not in texts
