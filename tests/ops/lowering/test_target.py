"""What a program is lowered for: said by whoever traces it, else the default device."""

import threading

import jax
import jax.numpy as jnp
import pytest

from lamina.ops import conv
from lamina.ops.lowering import Target, current_target, lowering_for

IMAGES, KERNEL = jnp.ones((1, 4, 4, 1)), jnp.ones((2, 2, 1, 1))


def text(function, *arrays):
    return jax.jit(function).lower(*arrays).as_text()


def test_outside_of_any_program_it_is_the_default_device_without_kernels():
    with jax.default_device(jax.devices("cpu")[0]):
        assert current_target() == Target("cpu", kernels=False)


def test_a_program_is_lowered_for_its_target_and_not_for_the_process():
    convolve = lowering_for("portable")(lambda x, kernel: conv(x, kernel))
    assert "stablehlo.convolution" in text(convolve, IMAGES, KERNEL)


def test_the_scope_ends_with_the_program_and_with_an_error():
    before = current_target()
    with lowering_for("gpu"):
        with lowering_for("portable"):
            assert current_target() == Target("portable")
        with pytest.raises(KeyError), lowering_for("tpu"):
            raise KeyError
        assert current_target() == Target("gpu")
    assert current_target() == before


def test_other_threads_trace_for_their_own_targets():
    found = []
    with lowering_for("portable"):
        thread = threading.Thread(target=lambda: found.append(current_target().platform))
        thread.start()
        thread.join()
    assert found == [jax.default_backend()]


def test_an_inner_function_that_was_traced_for_one_target_is_traced_anew_for_another():
    inner = jax.jit(lambda x, kernel: conv(x, kernel))
    programs = {}
    for platform in ("cpu", "portable", "cpu"):
        with lowering_for(platform):
            programs[platform] = text(lambda x, kernel: inner(x, kernel) + 1, IMAGES, KERNEL)
    assert "stablehlo.convolution" not in programs["cpu"]
    assert "stablehlo.convolution" in programs["portable"]


def test_kernels_are_for_cpus_only():
    with lowering_for("portable", kernels=True):
        assert current_target() == Target("portable", kernels=False)


def test_a_platform_that_is_none_is_named():
    with pytest.raises(ValueError, match="among cpu, gpu, tpu, portable; received 'cup'"):
        lowering_for("cup").__enter__()
