"""`lamina run` behaves like `python`, but for what TensorFlow's names mean."""

import pytest

from lamina.compat.run_script import run_script as run_here


def test_the_script_sees_what_python_would_show_it(run_script, tmp_path):
    (tmp_path / "neighbour.py").write_text("value = 42")
    done = run_script(
        """
        import sys
        import neighbour
        print(__name__, sys.argv, neighbour.value, __file__)
        """,
        "--epochs", "3", "-v",
    )  # fmt: skip
    assert done.stdout.strip() == "__main__ ['job.py', '--epochs', '3', '-v'] 42 job.py"
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("leave", "code", "message"),
    [("sys.exit()", 0, ""), ("sys.exit(7)", 7, ""), ("sys.exit('no data')", 1, "no data\n")],
)
def test_exit_codes_pass_through(run_script, leave, code, message):
    done = run_script(f"import sys; {leave}")
    assert (done.returncode, done.stderr) == (code, message)


def test_an_exception_is_shown_as_python_shows_it(run_script, tmp_path):
    source = "def divide(x):\n    return 1 / x\n\ndivide(0)\n"
    done = run_script(source)
    assert done.returncode == 1
    assert done.stderr.startswith(
        'Traceback (most recent call last):\n  File "job.py", line 4, in <module>\n    divide(0)\n'
        '  File "job.py", line 2, in divide\n'
    )
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")
    assert "runpy" not in done.stderr


def test_a_script_that_does_not_parse_is_shown_without_any_frames(run_script):
    done = run_script("x = (\n")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.rstrip().endswith("SyntaxError: '(' was never closed")


def test_the_scripts_own_exception_hook_is_used(run_script):
    done = run_script("import sys; sys.excepthook = lambda *a: print('mine'); 1 / 0")
    assert (done.stdout, done.returncode) == ("mine\n", 1)


def test_an_interrupt_ends_like_an_interrupt(run_script):
    assert run_script("raise KeyboardInterrupt").returncode == 130


def test_a_missing_name_ends_at_the_scripts_own_line(run_script):
    done = run_script(
        """
        import tensorflow as tf
        module = tf.Module()
        """
    )
    assert done.returncode == 1
    assert done.stderr.count("File ") == 1
    assert "AttributeError: Lamina runs this script instead of TensorFlow" in done.stderr
    assert "lamina.Layer or lamina.Model" in done.stderr


def test_an_installed_keras_is_not_imported(run_script):
    done = run_script(
        """
        import sys
        import keras
        from keras.utils import to_categorical
        print(keras.__version__, to_categorical.__module__)
        print([n for n in sys.modules if n.startswith("keras") and "lamina" not in
               repr(sys.modules[n])])
        print("jax" in sys.modules)
        """
    )
    version, real, jax = done.stdout.splitlines()
    assert version.endswith("+lamina.0.1.0 lamina.utils.numerical")
    assert real == "[]"
    assert jax == "False"  # nothing heavy before something needs it


def test_a_notebook_is_refused_with_the_way_to_convert_it(tmp_path):
    with pytest.raises(ValueError, match="jupyter nbconvert --to script"):
        run_here(tmp_path / "a.ipynb")


def test_a_script_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.py"):
        run_here(tmp_path / "nothing.py")


def test_tensorboard_writes_its_files_although_lamina_stands_in_tensorflows_place(run_script):
    done = run_script(
        """
        import os
        import numpy as np
        from tensorflow import keras
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0,
                  callbacks=[keras.callbacks.TensorBoard("logs")])
        print(sorted(os.listdir("logs")))
        """
    )
    assert (done.stdout.strip(), done.stderr) == ("['train']", "")
