"""Models built alike are compiled once, and one that differs never gets the program of another."""

import gc
import weakref

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.training import compiled_function
from lamina.training.compiled_function import clear_programs
from small_models import classifier


def trained(blobs, **arguments):
    model = classifier(**arguments)
    model.fit(*blobs, batch_size=25, verbose=0, shuffle=False)
    return model


def test_rounds_of_build_fit_and_delete_compile_each_program_once(blobs, compilations):
    for _ in range(5):
        model = trained(blobs)
        model.evaluate(*blobs, verbose=0)
        model.predict(blobs[0], verbose=0)
        del model
    programs = ("jit(train_program)", "jit(test_program)", "jit(predict_program)")
    assert [compilations.names.count(name) for name in programs] == [1, 1, 1]


def test_a_program_of_another_model_gives_the_same_weights_as_one_of_its_own(blobs):
    def weights():
        lamina.utils.set_random_seed(5)
        return trained(blobs).get_weights()

    clear_programs()
    own = weights()
    trained(blobs)
    for one, other in zip(own, weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_program_does_not_keep_the_model_that_it_was_made_for(blobs):
    model = trained(blobs)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


def with_loss(loss):
    model = lamina.Sequential([lamina.Input((2,)), layers.Dense(1, kernel_initializer="zeros")])
    model.compile("sgd", loss)
    return model


def measured(model):
    return model.evaluate(np.zeros((4, 2), "float32"), np.zeros((4, 1), "float32"), verbose=0)


@pytest.mark.parametrize("kind", ["number", "array", "large array", "function in Python"])
def test_losses_that_differ_in_what_they_refer_to_are_not_mixed_up(kind):
    def loss_of(value):
        if kind == "function in Python":
            result = jax.ShapeDtypeStruct((), "float32")

            def loss(y_true, y_pred):
                called = jax.pure_callback(lambda: np.float32(value), result)
                return called + 0 * jnp.mean(y_pred, axis=-1)

            return loss
        size = {"number": (), "array": (1,), "large array": (10_000,)}[kind]
        held = jnp.full(size, value) if size else value
        return lambda y_true, y_pred: jnp.mean(held) + 0 * jnp.mean(y_pred, axis=-1)

    models = [with_loss(loss_of(value)) for value in (1.0, 2.0)]
    assert [measured(model) for model in models] == [1.0, 2.0]


def test_a_setting_of_jax_that_changes_after_the_first_call_takes_effect(blobs):
    model = trained(blobs)
    program, variables = model._learner.program("predict")
    values = jax.tree.map(lambda v: v.numpy(), variables)
    plain = program.executable(values, blobs[0][:1], batch_size=1)
    with jax.default_matmul_precision("highest"):
        precise = program.executable(values, blobs[0][:1], batch_size=1)
    assert plain is program.executable(values, blobs[0][:1], batch_size=1)
    assert precise is not plain


def test_programs_that_pad_images_are_optimised_in_full(optimized, monkeypatch):
    if jax.default_backend() != "cpu":
        pytest.skip("elsewhere the level is XLA's own")
    monkeypatch.delenv("XLA_FLAGS", raising=False)

    def options(function, *shape):
        return compiled_function._compiler_options(
            jax.jit(function).lower(jnp.ones(shape)).as_text(), "cpu"
        )

    assert options(lambda x: jnp.pad(x, 1), 1, 4, 4, 1) == {"xla_cpu_use_fusion_emitters": False}
    assert options(lambda x: jnp.pad(x, 1), 3) is None
    assert options(jnp.sin, 3) == {"xla_backend_optimization_level": 1}


def test_options_of_xla_that_the_user_has_set_are_left_alone(optimized, monkeypatch):
    lowered = jax.jit(jnp.sin).lower(jnp.ones(3)).as_text()
    for option in ("xla_backend_optimization_level=2", "xla_cpu_use_fusion_emitters=true"):
        monkeypatch.setenv("XLA_FLAGS", f"--{option}")
        assert compiled_function._compiler_options(lowered, "cpu") is None


@pytest.mark.parametrize("on", [True, False])
def test_garbage_is_collected_after_tracing_as_before_it(on):
    states = []
    program = compiled_function.CompiledFunction(
        lambda x, batch_size: states.append(gc.isenabled()) or x, "cpu"
    )
    try:
        gc.enable() if on else gc.disable()
        program(jnp.ones(3), batch_size=1)
        assert states == [False]
        assert gc.isenabled() is on
    finally:
        gc.enable()


def test_memory_of_a_long_compilation_is_given_back_once(blobs, monkeypatch):
    given_back = []
    really = compiled_function._trim_memory
    monkeypatch.setattr(compiled_function, "_MIN_TRIM_SECONDS", 0.0)
    monkeypatch.setattr(compiled_function, "_trim_memory", lambda: given_back.append(1) or really())
    clear_programs()
    model = classifier()
    model.fit(*blobs, batch_size=25, epochs=2, verbose=0)
    assert len(given_back) == 1
