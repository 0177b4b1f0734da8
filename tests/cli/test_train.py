import csv
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import lamina
from lamina.jobs import train_job
from lamina.jobs.training_script import script as script_of


def test_everything_is_written_and_the_script_gives_the_same_accuracy(run, tmp_path):
    code, out, _ = run(
        "train", "digits", "--epochs", "4", "--batch-size", "50", "--learning-rate", "0.01",
        "--seed", "3", "--out", "job",
    )  # fmt: skip
    assert code == 0
    assert sorted(p.name for p in Path("job").iterdir()) == [
        "history.csv", "model.keras", "report.html", "train.py",
    ]  # fmt: skip
    with open("job/history.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert [row[0] for row in rows] == ["epoch", "0", "1", "2", "3"]
    assert set(rows[0]) >= {"epoch", "loss", "accuracy"}
    done = subprocess.run(
        [sys.executable, "train.py"], cwd="job", capture_output=True, text=True, check=True
    )
    told = float(re.search(r"(\d+\.\d) % right", out).group(1))
    found = float(re.search(r"(\d+\.\d\d)% right", done.stdout).group(1))
    assert found == pytest.approx(told, abs=0.051)


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_the_script_builds_the_network_that_was_trained(digits, model):
    job = train_job.Job(digits, model, epochs=1)
    script = script_of(job, epochs=1)
    names: dict = {}
    exec(script[: script.index("model.compile")], names)
    lamina.utils.clear_session()  # the layers' names count from the start again
    assert names["model"].get_config() == train_job.build(job).get_config()


def test_machines_get_json_and_the_same_seed_gives_the_same_numbers(run):
    results = []
    for seed in (1, 1, 2):
        code, out, err = run("train", "digits", "--epochs", "1", "--seed", seed, "--json")
        assert (code, err) == (0, "")
        results.append(json.loads(out))
    assert results[0]["test"] == results[1]["test"]
    assert results[0]["test"] != results[2]["test"]
    assert results[0]["test"]["accuracy"] > 0.3
    assert results[0]["verdict"]["sentence"]
    folders = [{str(Path(f).parent) for f in result["files"]} for result in results]
    # An earlier run is not overwritten.
    assert folders == [{"runs/digits-mlp"}, {"runs/digits-mlp-2"}, {"runs/digits-mlp-3"}]
    assert {r["stopped"] for r in results} == {False}


def test_a_learning_rate_that_is_none_is_refused(run):
    code, _, err = run("train", "digits", "--learning-rate", "0")
    assert code == 2
    assert "--learning-rate" in err


def test_a_learning_rate_may_be_called_lr(run):
    code, out, _ = run("train", "digits", "--lr", "0.01", "--epochs", "1", "--no-measure", "--json")
    assert code == 0
    result = json.loads(out)
    assert result["test"] is None
    assert [Path(f).name for f in result["files"]] == ["model.keras", "history.csv", "train.py"]
    assert "Adam(0.01)" in Path(result["files"][2]).read_text()


def _no_training(monkeypatch):
    def fail(*args, **settings):
        raise AssertionError("nothing may be trained before the folder is found fit")

    monkeypatch.setattr("lamina.jobs.train_job.fit", fail)


def test_a_folder_that_cannot_be_written_is_found_before_training(run, monkeypatch, tmp_path):
    _no_training(monkeypatch)
    Path("file").write_text("")
    for out in ("file", "file/below"):
        code, _, err = run("train", "digits", "--out", out)
        assert code == 1
        assert "file is a file" in err


def test_a_read_only_parent_is_found_before_training(run, monkeypatch):
    _no_training(monkeypatch)

    def refuse(*args, **settings):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)  # also for who runs this as root
    code, _, err = run("train", "digits", "--out", "a/b")
    assert code == 1
    assert "cannot be written to: Permission denied" in err


def test_an_earlier_run_is_overwritten_only_when_that_is_asked_for(run, monkeypatch):
    Path("job").mkdir()
    Path("job/model.keras").write_text("earlier")
    with monkeypatch.context() as patch:
        _no_training(patch)
        code, _, err = run("train", "digits", "--out", "job")
    assert code == 1
    assert "--overwrite" in err
    assert Path("job/model.keras").read_text() == "earlier"
    code, _, _ = run(
        "train", "digits", "--out", "job", "--overwrite", "--epochs", "1", "--no-measure"
    )
    assert code == 0
    assert lamina.models.load_model("job/model.keras")


class PressesCtrlC(lamina.callbacks.Callback):
    """Sends what Ctrl-C sends, so many times, in the middle of an epoch."""

    def __init__(self, epoch, times, signal):
        self.wanted, self.times, self.signal = epoch, times, signal

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == (self.wanted, 3):
            for _ in range(self.times):
                signal.raise_signal(self.signal)


@pytest.fixture
def pressed(monkeypatch):
    """Lets Ctrl-C be pressed while a command trains."""

    def press(epoch, times, number=signal.SIGINT):
        fit = lamina.Sequential.fit

        def pressed_fit(self, *args, callbacks, **settings):
            return fit(
                self, *args, callbacks=[*callbacks, PressesCtrlC(epoch, times, number)], **settings
            )

        monkeypatch.setattr(lamina.Sequential, "fit", pressed_fit)

    return press


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_leaves_a_model_and_files_that_tell_the_truth(run, pressed, times):
    pressed(epoch=2, times=times)
    code, out, err = run("train", "digits", "--epochs", "5", "--out", "job")
    assert code == 130
    assert "Trained 2 of 5 epochs, and part of the next: stopped by Ctrl-C." in out
    assert lamina.models.load_model("job/model.keras").optimizer.iterations == 2 * 43 + 4
    with open("job/history.csv", newline="") as file:
        assert [row[0] for row in csv.reader(file)] == ["epoch", "0", "1"]
    script = Path("job/train.py").read_text()
    assert "epochs=2," in script
    assert "stopped after 2 of 5 epochs" in script
    compile(script, "train.py", "exec")
    assert (
        "2 of 5 epochs, and part of the next: stopped by Ctrl-C"
        in Path("job/report.html").read_text()
    )


def test_a_run_stopped_in_its_first_epoch_leaves_a_model_too(run, pressed):
    pressed(epoch=0, times=1)
    code, out, _ = run("train", "digits", "--epochs", "5", "--json")
    result = json.loads(out)
    assert code == 130
    assert (result["epochs"], result["stopped"]) == (0, True)
    assert "Learning curves" not in Path(result["files"][-1]).read_text()
    assert lamina.models.load_model(result["files"][0])


def test_the_third_ctrl_c_leaves_at_once(run, pressed):
    pressed(epoch=1, times=3)
    code, _, err = run("train", "digits", "--epochs", "5", "--out", "job")
    assert code == 130
    assert lamina.models.load_model("job/model.keras")
    assert not Path("job/report.html").exists()


def test_what_a_scheduler_sends_leaves_a_model_and_its_exit_code(run, pressed):
    pressed(epoch=1, times=1, number=signal.SIGTERM)
    code, _, _ = run("train", "digits", "--epochs", "5", "--out", "job")
    assert code == 143
    assert lamina.models.load_model("job/model.keras").optimizer.iterations == 43 + 4
    assert "epochs=1," in Path("job/train.py").read_text()


def test_measuring_is_announced_and_can_be_stopped(run, monkeypatch):
    def stop(*args, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr("lamina.diagnosis.measure", stop)
    code, out, err = run("train", "digits", "--epochs", "1", "--out", "job")
    assert code == 130
    assert out.index("Saved in job") < out.index("Measuring it")
    assert "Measuring was stopped; the model is saved." in err
    assert Path("job/model.keras").exists()


def test_the_rate_counts_what_was_learnt_from(digits):
    job = train_job.Job(digits, "mlp", epochs=5)
    model = train_job.build(job)
    model.optimizer.iterations.assign(2 * 43 + 4)
    run = train_job._make_run(job, model, seconds=1.0)
    assert (run.epochs, run.samples) == (2, 2 * 1350 + 4 * 32)


def test_the_devices_are_those_of_fit_and_of_the_script(run, monkeypatch, tmp_path):
    given = []
    fit = lamina.Model.fit

    def record(self, *args, devices=None, **kwargs):
        given.append(devices)
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(lamina.Model, "fit", record)
    code, out, _ = run("train", "digits", "--epochs", "1", "--devices", "all", "--no-measure")
    assert code == 0
    assert given == ["all"]
    assert "devices='all'" in (tmp_path / "runs/digits-mlp/train.py").read_text()


@pytest.mark.parametrize("devices", ["0", "-1", "gpu"])
def test_devices_are_all_or_a_number(run, devices):
    code, _, err = run("train", "digits", "--devices", devices)
    assert code == 2
    assert f"--devices: it is 'all' or a number from 1; received {devices!r}." in err
