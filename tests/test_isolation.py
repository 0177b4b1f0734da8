"""No test leaves anything behind: what is ambient is put back, whatever was done to it."""

import logging
import os
import random
import signal
import sys

import jax
import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest

import isolation
import lamina
from lamina.core.configuration.context import context
from lamina.utils import archives

pytestmark = pytest.mark.quick


def _register(library):
    @library.saving.register_keras_serializable()
    class Left(library.layers.Layer):
        pass

    return lambda: library.saving.get_custom_objects().get("Custom>Left")


def _enter_a_scope():
    context.custom_objects.append({"left": 1})
    return lambda: list(context.custom_objects)


def _set(change, read):
    def leave():
        change()
        return read

    return leave


def _lower_a_limit():
    archives._BYTES_ALWAYS_ALLOWED = 0
    return lambda: archives._BYTES_ALWAYS_ALLOWED


def _draw():
    plt.figure()
    return plt.get_fignums


def _go_away():
    os.chdir("/")
    return os.getcwd


LEFT_BEHIND = {
    "a class registered in Lamina": lambda: _register(lamina),
    "a class registered in Keras": lambda: _register(keras),
    "an open scope": _enter_a_scope,
    "a limit": _lower_a_limit,
    "an open figure": _draw,
    "the working folder": _go_away,
    "floatx": _set(lambda: lamina.config.set_floatx("float16"), lamina.config.floatx),
    "the policy": _set(
        lambda: lamina.config.set_dtype_policy("mixed_bfloat16"),
        lambda: lamina.config.dtype_policy().name,
    ),
    "the seed": _set(lambda: lamina.utils.set_random_seed(1), lambda: random.getstate()),
    "NumPy's generator": _set(lambda: np.random.rand(), lambda: np.random.get_state()[1].tolist()),
    "a name": _set(lambda: lamina.layers.Dense(1), lambda: lamina.layers.Dense(1).name),
    "the environment": _set(
        lambda: os.environ.update(LEFT="1"), lambda: os.environ.get("LEFT")
    ),
    "a path": _set(lambda: sys.path.append("left"), lambda: list(sys.path)),
    "x64": _set(
        lambda: jax.config.update("jax_enable_x64", True), lambda: jax.config.jax_enable_x64
    ),
    "NumPy's errors": _set(lambda: np.seterr(all="ignore"), np.geterr),
    "a signal's handler": _set(
        lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN),
        lambda: signal.getsignal(signal.SIGTERM),
    ),
    "a log level": _set(
        lambda: logging.getLogger().setLevel("DEBUG"), lambda: logging.getLogger().level
    ),
}  # fmt: skip


@pytest.mark.parametrize("leave", LEFT_BEHIND.values(), ids=LEFT_BEHIND)
def test_what_a_test_leaves_is_gone_after_it(leave):
    with isolation.put_back():
        read = leave()
        left = read()
    assert read() != left


def test_a_fixture_that_several_tests_share_starts_as_every_test_does():
    isolation.same_start()
    first = lamina.layers.Dense(1).name, random.random(), np.random.rand()
    lamina.layers.Dense(1)
    isolation.same_start()
    assert (lamina.layers.Dense(1).name, random.random(), np.random.rand()) == first
