import json

import pytest

from lamina import layers
from lamina.diagnosis import examination


@pytest.fixture(autouse=True)
def no_trials(monkeypatch):
    monkeypatch.setattr(examination, "_SECONDS", 0.0)


def test_findings_of_a_saved_model_are_shown(run, save):
    path = save(
        layers.Input((8, 8)),
        layers.Flatten(),
        layers.Dense(10, "sigmoid"),
        compiled=True,
    )
    code, out, err = run("diagnose", path, "digits", "--epochs", "1")
    assert code == 0
    assert "output-activation" in out
    assert "Fix: activation='softmax' on the last layer" in out
    assert "Copies of the model are trained" in err


def test_findings_are_written_as_json(run, model_file):
    code, out, _ = run("diagnose", model_file, "digits", "--epochs", "1", "--json")
    assert code == 0
    assert {"findings", "unchecked", "remarks"} <= set(json.loads(out))


def test_a_report_with_the_findings_is_written(run, save, tmp_path):
    path = save(layers.Input((8, 8)), layers.Flatten(), layers.Dense(10, "sigmoid"), compiled=True)
    page = tmp_path / "report.html"
    code, _, err = run("diagnose", path, "digits", "--epochs", "1", "--report", page)
    assert code == 0
    assert str(page) in err
    text = page.read_text(encoding="utf-8")
    assert "output-activation" in text
    assert "images it has never seen" in text


def test_a_report_on_data_of_the_training_does_not_call_them_unseen(run, tmp_path):
    table = tmp_path / "table.csv"
    rows = [f"{i % 7},{i % 5},{'yes' if i % 7 > 3 else 'no'}" for i in range(120)]
    table.write_text("\n".join(["a,b,answer", *rows]))
    folder, page = tmp_path / "run", tmp_path / "report.html"
    assert run("train", table, "--target", "answer", "--epochs", "1", "--out", folder)[0] == 0
    code, _, _ = run("diagnose", folder / "model.keras", table, "--epochs", "1", "--report", page)
    assert code == 0
    text = page.read_text(encoding="utf-8")
    assert "samples that it may have been trained on" in text
    assert "never seen" not in text


def test_a_folder_for_the_report_that_is_not_there_is_named(run, model_file):
    code, _, err = run("diagnose", model_file, "digits", "--report", "no/such/report.html")
    assert code == 1
    assert "no folder 'no/such'" in err


def test_data_that_are_not_there_are_named(run, model_file):
    code, _, err = run("diagnose", model_file, "digit")
    assert code == 1
    assert "digits" in err


def test_a_table_with_words_is_checked_as_far_as_that_goes(run, tmp_path):
    table = tmp_path / "table.csv"
    rows = [
        f"{i % 7},{'red' if i % 2 else 'blue'},{'yes' if i % 7 > 3 else 'no'}" for i in range(90)
    ]
    table.write_text("\n".join(["a,colour,answer", *rows]))
    folder = tmp_path / "run"
    assert run("train", table, "--target", "answer", "--epochs", "1", "--out", folder)[0] == 0
    code, out, _ = run("diagnose", folder / "model.keras", table, "--epochs", "1")
    assert code == 0
    assert "the inputs are text" in out
