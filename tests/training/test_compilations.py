"""Compiling is the dearest thing that can happen by accident, so it is counted."""

import numpy as np
import pytest

import lamina
from small_models import classifier


@pytest.fixture
def trained(blobs, compilations):
    """A model after its first epoch, and the counter set back to 0."""
    model = classifier()
    model.fit(*blobs, batch_size=25, verbose=0)
    assert compilations.count("train_program") == 1
    compilations.reset()
    return model


def test_three_epochs_are_one_program_and_nothing_small_besides(blobs, compilations):
    model = classifier()
    compilations.reset()
    model.fit(*blobs, batch_size=25, epochs=3, verbose=0)
    assert compilations.count("train_program") == 1
    # Beside it only the first values of the optimizer's state, also as one program.
    assert set(compilations.names) <= {"jit(train_program)", "jit(init)"}, compilations.names


def test_more_epochs_and_another_fit_compile_nothing(trained, blobs, compilations):
    trained.fit(*blobs, batch_size=25, epochs=4, verbose=0)
    assert compilations.names == []


def test_another_learning_rate_compiles_nothing(trained, blobs, compilations):
    before = trained.get_weights()
    trained.optimizer.learning_rate = 0.0
    trained.fit(*blobs, batch_size=25, verbose=0)
    assert compilations.names == []
    assert all(np.array_equal(a, b) for a, b in zip(before, trained.get_weights(), strict=True))


def test_a_learning_rate_that_a_callback_changes_takes_effect_and_compiles_nothing(
    trained, blobs, compilations
):
    rates = lamina.callbacks.LearningRateScheduler(lambda epoch, rate: 0.0)
    before = trained.get_weights()
    trained.fit(*blobs, batch_size=25, epochs=2, verbose=0, callbacks=[rates])
    assert compilations.names == []
    assert all(np.array_equal(a, b) for a, b in zip(before, trained.get_weights(), strict=True))


SETTINGS = [
    {"momentum": 0.5},
    {"momentum": 0.5, "nesterov": True},
    {"clipnorm": 0.01},
    {"global_clipnorm": 0.01},
    {"clipvalue": np.float32(0.001)},
    {"weight_decay": 0.5},
    {"gradient_accumulation_steps": 2},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: ", ".join(settings))
def test_a_setting_of_the_optimizer_that_is_assigned_is_one_more_program_and_takes_effect(
    blobs, compilations, settings
):
    def fit(model):
        model.fit(*blobs, batch_size=25, epochs=2, shuffle=False, verbose=0)
        return model.get_weights()

    model, other = classifier(), classifier()
    model.compile(lamina.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    other.compile(lamina.optimizers.SGD(0.1, **settings), "sparse_categorical_crossentropy")
    other.set_weights(fit(model))
    for name, value in settings.items():
        setattr(model.optimizer, name, value)
    compilations.reset()
    assigned = fit(model)
    assert compilations.count("train_program") == 1
    for one, expected in zip(assigned, fit(other), strict=True):
        np.testing.assert_allclose(one, expected, rtol=1e-5, atol=1e-7)
    compilations.reset()
    fit(model)
    assert compilations.names == []


def test_a_setting_of_an_optimizer_inside_another_takes_effect(blobs):
    model = classifier()
    inner = lamina.optimizers.SGD(0.1)
    model.compile(lamina.optimizers.LossScaleOptimizer(inner), "sparse_categorical_crossentropy")
    model.fit(*blobs, batch_size=25, verbose=0)
    before = model.get_weights()
    inner.clipnorm, inner.momentum = 1e-12, 0.5
    model.fit(*blobs, batch_size=25, verbose=0)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_allclose(old, new, atol=1e-9)


def test_a_setting_that_the_constructor_refuses_is_refused_by_the_next_fit(trained, blobs):
    trained.optimizer.clipnorm = -1.0
    with pytest.raises(ValueError, match="clipnorm must be above 0; received -1"):
        trained.fit(*blobs, batch_size=25, verbose=0)


def test_a_setting_of_a_layer_that_is_assigned_is_one_more_program_and_takes_effect(
    blobs, compilations
):
    model = lamina.Sequential([lamina.layers.Dropout(0.5), lamina.layers.Dense(3, "softmax")])
    model.compile(lamina.optimizers.SGD(0.0), "sparse_categorical_crossentropy")
    model.fit(*blobs, batch_size=25, verbose=0)
    compilations.reset()
    model.layers[0].rate = 0.0
    loss = model.fit(*blobs, batch_size=25, verbose=0).history["loss"][0]
    assert compilations.count("train_program") == 1
    assert loss == pytest.approx(model.evaluate(*blobs, verbose=0))


def test_what_a_layer_assigns_in_its_own_call_compiles_nothing_again(blobs, compilations):
    class Counting(lamina.layers.Layer):
        def __init__(self, calls=0):
            super().__init__()
            self.calls = calls

        def call(self, x):
            self.calls += 1
            return x

    model = lamina.Sequential([Counting(), lamina.layers.Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(*blobs, batch_size=25, verbose=0)
    compilations.reset()
    model.fit(*blobs, batch_size=25, epochs=2, verbose=0)
    assert compilations.names == []


@pytest.mark.parametrize("wrapped", [False, True], ids=["plain", "in a LossScaleOptimizer"])
def test_another_schedule_is_one_more_program_and_takes_effect(blobs, compilations, wrapped):
    def keep_half(step):
        return 0.5

    def stand_still(step):
        return 0.0

    model = classifier()
    optimizer = lamina.optimizers.SGD(keep_half)
    model.compile(
        lamina.optimizers.LossScaleOptimizer(optimizer) if wrapped else optimizer,
        "sparse_categorical_crossentropy",
    )
    model.fit(*blobs, batch_size=25, verbose=0)
    model.optimizer.learning_rate = stand_still
    compilations.reset()
    before = model.get_weights()
    model.fit(*blobs, batch_size=25, epochs=2, verbose=0)
    assert compilations.names == ["jit(train_program)"]
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_another_batch_size_is_one_more_program(trained, blobs, compilations):
    trained.fit(*blobs, batch_size=20, verbose=0)
    assert compilations.count("train_program") == 1


def test_a_short_last_batch_is_one_more_program(blobs, compilations):
    model = classifier()
    model.fit(*blobs, batch_size=32, epochs=3, verbose=0)
    assert compilations.count("train_program") == 2


def test_evaluating_any_number_of_times_is_one_program(trained, blobs, compilations):
    for _ in range(3):
        trained.evaluate(*blobs, verbose=0)
    assert compilations.names.count("jit(test_program)") == 1
    assert len(compilations.names) == 1


def test_validation_is_one_program_over_all_epochs(blobs, compilations):
    model = classifier()
    model.fit(*blobs, batch_size=25, epochs=3, validation_data=blobs, verbose=0)
    assert compilations.count("test_program") == 1


def test_predicting_odd_numbers_of_samples_compiles_a_few_programs_only(trained, rng, compilations):
    for samples in range(1, 301):
        trained.predict(rng.normal(size=(samples, 4)).astype("float32"))
    assert compilations.count("predict_program") <= 5
    assert len(compilations.names) == compilations.count("predict_program")


def test_callbacks_with_batch_hooks_use_the_same_program(trained, blobs, compilations):
    seen = []
    hook = lamina.callbacks.LambdaCallback(on_train_batch_end=lambda b, logs: seen.append(b))
    trained.fit(*blobs, batch_size=25, epochs=2, verbose=0, callbacks=[hook])
    assert seen == [0, 1, 2, 3] * 2
    assert compilations.names == []


def test_freezing_a_layer_is_one_more_program_and_unfreezing_it_none(trained, blobs, compilations):
    trained.layers[0].trainable = False
    trained.fit(*blobs, batch_size=25, verbose=0)
    assert compilations.count("train_program") == 1
    compilations.reset()
    trained.layers[0].trainable = True
    trained.fit(*blobs, batch_size=25, verbose=0)
    assert compilations.count("train_program") == 0


def test_a_second_process_finds_the_programs_of_the_first(tmp_path):
    import os
    import subprocess
    import sys

    script = """
import logging, re, sys
import numpy as np
import lamina
import jax
hits = []
jax.monitoring.register_event_listener(lambda event, **_: hits.append(event))
model = lamina.Sequential([lamina.Input((4,)), lamina.layers.Dense(3, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(np.zeros((32, 4), "float32"), np.zeros(32, "int32"), verbose=0)
print(hits.count("/jax/compilation_cache/cache_hits"),
      hits.count("/jax/compilation_cache/cache_misses"))
"""
    environment = {**os.environ, "LAMINA_CACHE": str(tmp_path)}
    del environment["JAX_COMPILATION_CACHE_DIR"]  # where tests keep theirs
    hits_and_misses = [
        subprocess.run(
            [sys.executable, "-c", script],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for _ in range(2)
    ]
    (_, first_misses), (second_hits, second_misses) = hits_and_misses
    assert int(first_misses) > 0
    assert int(second_misses) == 0
    assert int(second_hits) == int(first_misses)
