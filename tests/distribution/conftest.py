"""Float64, so that rounding is small; one device after each test."""

import jax
import pytest

import lamina
from lamina.distribution import set_distribution


@pytest.fixture(autouse=True)
def one_device_afterwards():
    yield
    set_distribution(None)


@pytest.fixture
def in_float64():
    if not jax.config.jax_enable_x64:
        pytest.skip("needs JAX_ENABLE_X64=1, as in `make test-extra`")
    floatx = lamina.config.floatx()
    lamina.config.set_floatx("float64")
    yield
    lamina.config.set_floatx(floatx)


@pytest.fixture
def eight_devices():
    if jax.device_count() < 8:
        pytest.skip("needs 8 devices, which `make test-extra` simulates on the CPU")
