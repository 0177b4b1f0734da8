"""`lamina run` as a user types it, with the tutorial that many learnt from."""

import os
import re
import subprocess
import sys

import pytest

from lamina.cli.run import own_and_script_arguments

TUTORIAL = """
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

print(tf.__version__)

mnist = tf.keras.datasets.mnist
(x_train, y_train), (x_test, y_test) = mnist.load_data()
plt.imshow(x_train[0], cmap=plt.cm.binary)
plt.show()

x_train = tf.keras.utils.normalize(x_train, axis=1)
x_test = tf.keras.utils.normalize(x_test, axis=1)

model = tf.keras.models.Sequential()
model.add(tf.keras.layers.Flatten())
model.add(tf.keras.layers.Dense(128, activation=tf.nn.relu))
model.add(tf.keras.layers.Dense(128, activation=tf.nn.relu))
model.add(tf.keras.layers.Dense(10, activation=tf.nn.softmax))

model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, epochs=3)
val_loss, val_acc = model.evaluate(x_test, y_test)
print("accuracy:", val_acc)

model.save("epic_num_reader.model")
new_model = tf.keras.models.load_model("epic_num_reader.model")
predictions = new_model.predict([x_test])
print("numpy says", np.argmax(predictions[0]), "and tensorflow", tf.argmax(predictions[0]))

plt.imshow(x_test[0], cmap=plt.cm.binary)
plt.show()
"""


def lamina(*arguments, cwd, **environment):
    inherited = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "MPLBACKEND")}
    return subprocess.run(
        [sys.executable, "-m", "lamina", *arguments],
        cwd=cwd, env={**inherited, **environment}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def test_the_tutorial_runs_unchanged(real_data, optimized, tmp_path):
    (tmp_path / "first_network.py").write_text(TUTORIAL)
    done = lamina("run", "first_network.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    # The script sets no seed: from run to run it reaches 0.962 to 0.974.
    assert float(re.search(r"accuracy: (\S+)", done.stdout).group(1)) >= 0.955
    assert "numpy says 7 and tensorflow 7" in done.stdout
    assert done.stdout.startswith("2.16.1+lamina.")
    assert done.stderr.splitlines() == [
        "Figure saved as first_network-figure-1.png",
        "Figure saved as first_network-figure-2.png",
    ]
    assert (tmp_path / "epic_num_reader.model").exists()


def test_arguments_after_the_script_are_the_scripts(tmp_path):
    (tmp_path / "show.py").write_text("import sys; print(sys.argv[1:])")
    done = lamina("run", "show.py", "--help", "--debug", "-x", "1", cwd=tmp_path)
    assert done.stdout.strip() == "['--help', '--debug', '-x', '1']"


@pytest.mark.parametrize("code", [0, 3])
def test_the_scripts_exit_code_is_ours(tmp_path, code):
    (tmp_path / "leave.py").write_text(f"import sys; sys.exit({code})")
    assert lamina("run", "leave.py", cwd=tmp_path).returncode == code


def test_a_script_that_is_not_there_is_named(tmp_path):
    done = lamina("run", "nothing.py", cwd=tmp_path)
    assert done.returncode == 1
    assert "nothing.py" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--processes", "0", "show.py"), 2, "--processes: it must be 1 or more."),
        (("--processes", "2", "nothing.py"), 1, "There is no file 'nothing.py'"),
        (("--processes", "2", "--distributed", "show.py"), 2, "leave --processes out"),
    ],
)
def test_wrong_numbers_and_files_are_refused_before_a_process_starts(
    run, tmp_path, arguments, code, words
):
    (tmp_path / "show.py").write_text("")
    status, out, err = run("run", *arguments)
    assert (status, out) == (code, "")
    assert words in err


def test_a_process_without_a_job_is_told_how_to_start_one(tmp_path):
    # In a process of its own: `lamina run` replaces Keras for the rest of the process.
    (tmp_path / "show.py").write_text("")
    done = lamina("run", "--distributed", "show.py", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "lamina run --processes 2 SCRIPT" in done.stderr


def test_options_before_the_script_are_laminas_and_others_the_scripts():
    typed = ["run", "--processes", "2", "--restarts", "1", "train.py", "--processes", "3"]
    assert own_and_script_arguments(typed) == (typed[:6], ["--processes", "3"])


@pytest.mark.extra
def test_one_process_is_started_again_after_a_failure(tmp_path):
    (tmp_path / "flaky.py").write_text(
        "import pathlib, sys\npath = pathlib.Path('tries'); path.open('a').write('.')\n"
        "print(len(path.read_text()), sys.argv[1:]); sys.exit(len(path.read_text()) < 2)"
    )
    done = lamina("run", "--restarts", "2", "flaky.py", "-x", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout == "1 ['-x']\n2 ['-x']\n"
    assert "Process 0 of 1" in done.stderr
    assert "again (1 of 2)" in done.stderr
