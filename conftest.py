"""Fixtures that every test may use, the examples in docstrings included."""

import atexit
import gc
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path


def _own_folder(prefix: str) -> str:
    """A folder that goes when the process that asked for it goes."""
    folder = tempfile.mkdtemp(prefix=prefix)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


# Before anything imports JAX, Keras or Matplotlib.
os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ["LAMINA_CACHE"] = _own_folder("lamina-tests-")
# What one worker has compiled, the others need not: it is half of the time of all tests.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _own_folder("lamina-programs-")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "0")
# Most of the rest is compiling tiny programs, which need not be fast; see `optimized`.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
# XLA's older code generator compiles small programs in 0.3 to 0.5 of the time of the present one.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false")
os.environ.setdefault("KERAS_HOME", _own_folder("keras-home-"))

# A shell that starts the tests in the background has them ignore Ctrl-C, which some send.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import isolation

# How many tests have run since programs were let go.
_RUN = pytest.StashKey[int]()

# Not a test file itself, but its asserts are to be explained as in one.
pytest.register_assert_rewrite("families.promises")

settings.register_profile(
    "lamina",
    deadline=None,  # the first example of a shape compiles, which is slow
    derandomize=bool(os.environ.get("CI")),
    max_examples=10,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("lamina")


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    """Every test finds the same state, whichever ran before."""
    with isolation.put_back():
        isolation.same_start()
        yield


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Let go of programs that no test will use again, before they fill the memory."""
    item.session.stash[_RUN] = item.session.stash.get(_RUN, 0) + 1
    if (nextitem is None or nextitem.path != item.path) and item.session.stash[_RUN] > 500:
        item.session.stash[_RUN] = 0
        jax.clear_caches()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef) -> Iterator[None]:
    """What several tests share is the same, too, whichever of them asks for it first."""
    if fixturedef.scope != "function":
        isolation.same_start()
    return (yield)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse names that differ from process to process: workers could not share the tests out."""
    unstable = [item.nodeid for item in items if re.search(r" at 0x[0-9a-f]+>", item.nodeid)]
    if unstable:
        raise pytest.UsageError("give these tests ids without addresses:\n" + "\n".join(unstable))


def pytest_collection_finish() -> None:
    """Tests and modules stay to the end: looking through them for garbage would only take time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


@pytest.fixture
def optimized() -> Iterator[None]:
    """Programs are compiled as users have them, for tests that train for seconds."""
    from programs import compiled_as_for_users

    with compiled_as_for_users():
        yield


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(seed=7)


def _shared_data() -> Path | None:
    for candidate in (os.environ.get("LAMINA_DATASETS"), Path(__file__).parents[1] / "shared/data"):
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


@pytest.fixture
def compilations():
    """Counts what XLA compiles (or loads from the cache) while the test runs."""
    from programs import counted_compilations

    with counted_compilations() as counter:
        yield counter
