"""The same script through Ray; what needs Ray is skipped without it."""

import importlib.util
import os
import subprocess
import sys
import textwrap

import pytest

from lamina.distribution import ray as lamina_ray

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason='needs Ray: pip install "lamina[ray]"'
)


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="Ray is installed")
def test_without_ray_the_line_to_type_is_told():
    with pytest.raises(ImportError, match=r'Fix: pip install "lamina\[ray\]"'):
        lamina_ray.run("train.py")


def test_machines_whose_names_lead_back_to_themselves_are_refused_if_there_are_several():
    here, there = ("10.0.0.1", "a", True), ("10.0.0.2", "b", False)
    lamina_ray._check_names([here, here])
    with pytest.raises(ValueError, match=r"replace the line of a by: 10\.0\.0\.1 a"):
        lamina_ray._check_names([there, here])


@needs_ray
@pytest.mark.extra
def test_a_plain_script_and_a_function_train_in_two_workers(tmp_path):
    (tmp_path / "train.py").write_text(
        textwrap.dedent(
            """
            import sys
            import numpy as np
            import keras
            keras.utils.set_random_seed(1)
            model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
            model.compile("sgd", "mse")
            loss = model.fit(np.ones((6, 2)), np.ones((6, 1)), verbose=0).history["loss"]
            used = keras.distribution.distribution()
            if used.num_processes != 2: sys.exit(9)
            open(sys.argv[1] + str(used.data_shard_id), "w").write("ok")
            """
        )
    )
    (tmp_path / "start.py").write_text(
        textwrap.dedent(
            """
            import os, sys
            from lamina.distribution import ray

            def count(factor):
                import jax
                return factor * jax.process_count(), jax.process_index()

            def fail():
                import jax
                if jax.process_index() == 1: raise ValueError("only here")
                import time; time.sleep(600)

            print(ray.run("train.py", ["done"], workers=2))
            print(ray.run(count, [10], workers=2))
            try:
                ray.run(fail, workers=2)
            except RuntimeError as error:
                print("failed:", str(error).splitlines()[0])
            """
        )
    )
    done = subprocess.run(
        [sys.executable, "start.py"],
        cwd=tmp_path,
        env={
            **os.environ,
            "HOME": str(tmp_path),  # where Ray writes a token
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_raylet_start_wait_time_s": "300",
        },
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line[0] in "[f" and "pid=" not in line]
    assert lines[:2] == ["[None, None]", "[(20, 0), (20, 1)]"]
    assert lines[2] == "failed: Worker 1 of 2 failed, and all were ended: ValueError: only here"
    assert {"done0", "done1"} <= {path.name for path in tmp_path.iterdir()}
