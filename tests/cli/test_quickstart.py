import csv
import re
import subprocess
import sys

import numpy as np
import pytest

import lamina
from lamina.cli.quickstart import Data, load
from lamina.datasets import DatasetUnavailableError

FILES = ("model.keras", "curves.png", "confusion.png", "mistakes.png", "samples.png",
         "history.csv", "report.html", "quickstart.py")  # fmt: skip


def without_mnist(name, load=lamina.datasets.load):
    if name == "mnist":
        raise DatasetUnavailableError("not here")
    return load(name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the command writes and prints, where MNIST cannot be had."""
    folder = tmp_path_factory.mktemp("quickstart")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lamina.datasets.load", without_mnist)
        patch.chdir(folder)
        printed = []
        patch.setattr("builtins.print", lambda *a, **k: printed.append(" ".join(map(str, a))))
        patch.setattr("lamina.cli.console.say", lambda text="": printed.append(text))
        with pytest.raises(SystemExit) as leaving:
            lamina.cli.main(["quickstart"])
    assert not leaving.value.code
    (folder / "printed.txt").write_text("\n".join(printed))
    return folder


@pytest.fixture(scope="module")
def printed(folder):
    return (folder / "printed.txt").read_text()


def test_everything_is_written(folder):
    assert sorted(p.name for p in (folder / "quickstart").iterdir()) == sorted(FILES)


def test_without_mnist_it_says_so_in_one_line_and_takes_digits(printed):
    assert printed.splitlines()[0] == (
        "MNIST is not on this machine and cannot be downloaded: using the bundled digits instead."
    )
    assert "Digits: 1,350 images for training, 150 for validation, 297 for testing." in printed


def test_the_story_is_told_in_order(printed):
    steps = ["Data", "Network", "Training", "Verdict", "Saved", "Written", "Next:"]
    places = [printed.index(step) for step in steps]
    assert places == sorted(places)
    assert "64 – 128 – 128 – 10, 26,122 parameters" in printed
    assert re.search(r"It generalises: 9\d\.\d % right on 297 images", printed)
    assert re.search(r"the first test image is read as 6 \(\d+\.?\d* %\), and it is 6\.", printed)


def test_it_says_what_to_try_next(printed):
    for suggestion in ("report.html", "quickstart.py", "lamina predict", "lamina train"):
        assert suggestion in printed[printed.index("Next:") :]


def test_the_model_normalises_by_itself(folder, digits):
    model = lamina.models.load_model(folder / "quickstart/model.keras")
    predictions = model.predict(digits.test[0], verbose=0)
    assert np.mean(predictions.argmax(axis=1) == digits.test[1]) > 0.94


def test_the_script_is_about_twenty_lines_and_does_the_same_job(folder, tmp_path, printed):
    script = folder / "quickstart/quickstart.py"
    code = [line for line in script.read_text().splitlines() if line and line[0] not in '"`)R]']
    assert 15 <= len(code) <= 25
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    found = re.search(r"(\d+\.\d\d)% right on 297 images", done.stdout)
    told = re.search(r"(\d+\.\d) % right on 297 images", printed)
    assert float(found.group(1)) == pytest.approx(float(told.group(1)), abs=0.051)
    assert "read as 6 and is 6" in done.stdout
    assert (tmp_path / "model.keras").exists()


def test_the_history_has_a_row_an_epoch(folder):
    with open(folder / "quickstart/history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == [str(n) for n in range(20)]
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])


def test_the_report_shows_the_script(folder):
    assert "lamina.datasets.digits.load_data()" in (folder / "quickstart/report.html").read_text()


def test_a_wrong_file_in_the_chosen_folder_is_an_error_and_no_reason_to_fall_back(
    run, tmp_path, monkeypatch
):
    np.savez(tmp_path / "mnist.npz", x_train=np.zeros(3))
    monkeypatch.setenv("LAMINA_DATASETS", str(tmp_path))
    code, _, err = run("quickstart")
    assert code == 1
    assert "is not MNIST" in err


def test_mnist_is_taken_where_it_can_be_had(real_data, optimized, capsys):
    assert load(Data.auto).title == "MNIST"
    assert capsys.readouterr().out == ""


def test_images_are_drawn_in_a_terminal():
    from rich.console import Console

    from lamina.cli.art import half_blocks

    image = np.array([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]])
    text = half_blocks([image, image], gap=1)
    assert text.plain == "▀▀▀▀▀▀\n▀▀▀▀▀▀\n"
    screen = Console(force_terminal=True, color_system="truecolor", width=20, record=True)
    with screen.capture() as captured:
        screen.print(text)
    assert "38;2;255;255;255;48;2;0;0;0m▀" in captured.get()
