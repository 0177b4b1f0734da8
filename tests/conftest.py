"""Fixtures that every test may use."""

import os
import tempfile
from pathlib import Path

# Before anything imports JAX, Keras or Matplotlib.
os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ["LAMINA_CACHE"] = tempfile.mkdtemp(prefix="lamina-tests-")
os.environ.setdefault("KERAS_HOME", tempfile.mkdtemp(prefix="keras-home-"))

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# Not a test file itself, but its asserts are to be explained as in one.
pytest.register_assert_rewrite("families.promises")

settings.register_profile(
    "lamina",
    deadline=None,  # the first example of a shape compiles, which is slow
    derandomize=bool(os.environ.get("CI")),
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("lamina")


@pytest.fixture(autouse=True)
def _same_start_for_every_test():
    """The same names and the same random numbers, whichever test ran before."""
    from lamina.core import dtypes, naming, seed

    naming.reset_names()
    seed.set_random_seed(20)
    yield
    dtypes.set_dtype_policy(None)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(seed=7)


def _shared_data() -> Path | None:
    for candidate in (os.environ.get("LAMINA_DATASETS"), Path(__file__).parents[2] / "shared/data"):
        if candidate and Path(candidate, "mnist.npz").exists():
            return Path(candidate).resolve()
    return None


@pytest.fixture
def real_data(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder with mnist.npz and other real data; the test is skipped where there is none."""
    folder = _shared_data()
    if folder is None:
        pytest.skip("no real data here: set LAMINA_DATASETS to a folder that holds mnist.npz")
    monkeypatch.setenv("LAMINA_DATASETS", str(folder))
    return folder


class CompilationCounter:
    """Names of the programs that were compiled since the last `reset()`."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def reset(self) -> None:
        self.names.clear()

    def count(self, name: str) -> int:
        """How many programs whose name contains `name` were compiled."""
        return sum(name in compiled for compiled in self.names)


@pytest.fixture
def compilations():
    """Counts what XLA compiles (or loads from the cache) while the test runs."""
    import logging
    import re

    import jax

    counter = CompilationCounter()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found = re.search(r"Compiling (?:module )?(\S+)", record.getMessage())
            if found:
                counter.names.append(found.group(1))

    logger = logging.getLogger("jax._src.interpreters.pxla")
    handler, level, propagate = Handler(logging.DEBUG), logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    jax.config.update("jax_log_compiles", True)
    try:
        yield counter
    finally:
        jax.config.update("jax_log_compiles", False)
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
