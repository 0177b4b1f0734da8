"""What training costs, in counts that do not depend on the machine: a change for the worse fails.

Times vary by a factor of two on a busy machine. What makes them does not: how often something is
compiled, how large the programs are, what they do in every step, how often one is started and
what is sent to the device.
"""

import re
import time
from types import SimpleNamespace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import lamina
from lamina import layers
from lamina.ops.lowering import compiled_kernels
from lamina.training.learner import Learner
from programs import Program, compiled_as_for_users, counted_compilations
from small_models import classifier

BATCH = 32


def mlp():
    return [
        lamina.Input((784,)),
        layers.Dense(128, activation="relu"),
        layers.Dense(128, activation="relu"),
    ]


def cnn():
    return [
        lamina.Input((28, 28, 1)),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dropout(0.5),
    ]


def residual():
    x = inputs = lamina.Input((16, 16, 16))
    for _ in range(2):
        x = layers.BatchNormalization()(layers.Conv2D(16, 3, padding="same")(x))
        x = layers.Activation("relu")(x)
    outputs = layers.GlobalAveragePooling2D()(layers.add([x, inputs]))
    return [lamina.Model(inputs, outputs)]


def lstm():
    return [lamina.Input((60,), dtype="int32"), layers.Embedding(1000, 64), layers.LSTM(64)]


def transformer():
    tokens = lamina.Input((64,), dtype="int32")
    x = layers.Embedding(1000, 64)(tokens)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(4, 16)(x, x))
    hidden = layers.Dense(128, activation="relu")(x)
    x = layers.LayerNormalization()(x + layers.Dense(64)(hidden))
    return [lamina.Model(tokens, layers.GlobalAveragePooling1D()(x))]


# What the program that trains may have: instructions in all, which take time to compile, kernels
# started inside of its loops, and bytes copied there. A tenth more than it had when last measured.
BOUNDS = {
    mlp: {"size": 815, "kernels": 76, "copied": 79_000},
    cnn: {"size": 1_340, "kernels": 94, "copied": 152_000},
    residual: {"size": 1_840, "kernels": 136, "copied": 1_100},
    lstm: {"size": 1_320, "kernels": 143, "copied": 6_080_000},
    transformer: {"size": 2_450, "kernels": 239, "copied": 148_000},
}

# The same where kernels are installed and used.
BOUNDS_WITH_KERNELS = {
    mlp: {"size": 593, "kernels": 50, "copied": 100},
    cnn: {"size": 869, "kernels": 52, "copied": 100},
    residual: {"size": 1_067, "kernels": 79, "copied": 100},
    lstm: {"size": 671, "kernels": 56, "copied": 100},
    transformer: {"size": 1_586, "kernels": 135, "copied": 100},
}
# How many of the operations in its loops are compiled kernels of Lamina.
COMPILED_KERNELS = {mlp: 6, cnn: 6, residual: 10, lstm: 3, transformer: 21}


def bounds(kind):
    return (BOUNDS if compiled_kernels.package() is None else BOUNDS_WITH_KERNELS)[kind]


class Watched:
    """What models start and send to the device.

    Attributes:
        calls: `(kind, start, stop)` of every call of a program by `fit` and `evaluate`.
        moved: Bytes that went to the device.
        texts: The first program for training, as XLA has compiled it.
        on_call: Is told the number of steps of a call.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.calls: list[tuple] = []
        self.moved = 0
        self.texts: list[str] = []
        self.on_call = lambda steps: None
        self._program, self._put = Learner.program, jax.device_put
        monkeypatch.setattr(Learner, "program", lambda learner, kind: self._watching(learner, kind))
        monkeypatch.setattr(jax, "device_put", self._counting)

    def forget(self) -> None:
        self.calls.clear()
        self.moved = 0

    def _watching(self, learner, kind):
        program, variables = self._program(learner, kind)

        def bind_arguments(read, *arguments, **options):
            with jax.transfer_guard_host_to_device("allow"):
                run = program.bind_arguments(read, *arguments, **options)
            *_, start, stop = arguments

            def call(state):
                if kind == "train" and not self.texts:
                    self.texts.append(program.executable(state, *arguments, **options).as_text())
                self.calls.append((kind, start, stop))
                self.on_call(stop - start)
                self._count((state, arguments))
                with jax.transfer_guard_host_to_device("allow"):
                    return run(state)

            return call

        return SimpleNamespace(bind_arguments=bind_arguments), variables

    def _counting(self, values, *arguments, **options):
        self._count(values)
        return self._put(values, *arguments, **options)

    def _count(self, values) -> None:
        host = (leaf for leaf in jax.tree.leaves(values) if not isinstance(leaf, jax.Array))
        self.moved += sum(np.asarray(leaf, getattr(leaf, "dtype", "int32")).nbytes for leaf in host)


class Trained(NamedTuple):
    """A model after its first epoch, of three steps."""

    model: lamina.Model
    data: tuple
    compiled: list[str]  # names of programs
    program: Program


@pytest.fixture(params=BOUNDS, ids=lambda make: make.__name__, scope="class")
def kind(request):
    return request.param


@pytest.fixture(scope="class")
def trained(kind):
    model = lamina.Sequential([*kind(), layers.Dense(10, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x = np.zeros((3 * BATCH, *model.input_shape[1:]), "uint8")
    y = np.zeros(len(x), "int32")
    with pytest.MonkeyPatch.context() as patch, compiled_as_for_users():
        watched = Watched(patch)
        with counted_compilations() as compilations:
            model.fit(x, y, batch_size=BATCH, verbose=0)
    return Trained(model, (x, y), compilations.names, Program(watched.texts[0]))


class TestModelsOfEveryKind:
    def test_first_epoch_compiles_one_program_for_training(self, trained):
        assert trained.compiled.count("jit(train_program)") == 1
        # Beside it only the first values of the optimizer's state, also as one program.
        assert set(trained.compiled) <= {"jit(train_program)", "jit(init)"}

    def test_more_epochs_at_another_learning_rate_compile_nothing(self, trained, compilations):
        trained.model.optimizer.learning_rate = 0.5
        trained.model.fit(*trained.data, batch_size=BATCH, epochs=2, verbose=0)
        assert compilations.names == []

    def test_measuring_and_predicting_are_one_program_each(self, trained, compilations):
        for _ in range(2):
            trained.model.evaluate(*trained.data, verbose=0)
            trained.model.predict(trained.data[0], verbose=0)
        assert sorted(compilations.names) == ["jit(predict_program)", "jit(test_program)"]

    def test_a_step_has_no_operation_that_is_slow_inside_a_loop(self, trained):
        assert slow_in_loops(trained.program) == set()

    def test_the_state_is_updated_in_place(self, trained):
        state = trained.model._learner.variables()
        assert trained.program.overwritten == len(jax.tree.leaves(state))

    def test_the_program_is_no_larger_than_it_was(self, kind, trained):
        assert trained.program.size <= bounds(kind)["size"]

    def test_a_step_starts_no_more_kernels_than_it_did(self, kind, trained):
        assert len(trained.program.kernels()) <= bounds(kind)["kernels"]

    def test_a_step_calls_as_many_compiled_kernels_as_it_did(self, kind, trained):
        if compiled_kernels.package() is None:
            pytest.skip(f"without kernels: {compiled_kernels.found().reason}")
        calls = [i for i in trained.program.in_loops() if i.target.startswith("lamina_")]
        assert len(calls) >= COMPILED_KERNELS[kind]

    def test_a_step_copies_no_more_than_it_did(self, kind, trained):
        copies = [i.bytes for i in trained.program.kernels() if i.opcode == "copy"]
        assert sum(copies) <= bounds(kind)["copied"]


def slow_in_loops(program):
    """Operations for which XLA on a CPU has no fast kernel inside a loop, if there are any.

    The library convolution was measured at 363–393 ms a step, patches and matrix products at 22.
    The gradient of a library maximum becomes a scatter, which goes from element to element.
    """
    names = {
        name for i in program.in_loops() for name in (i.opcode, i.target.lower(), i.origin) if name
    }
    # Lamina's own functions and kernels
    names = {n for n in names if "jit(" not in n and not n.startswith("lamina_")}
    return {
        name for name in names if re.search("conv(?!ert)", name) or name == "select_and_scatter"
    }


def library_convolution(x):
    return lax.conv(x, jnp.ones((1, 1, 3, 3)), (1, 1), "SAME")


def gradient_of_library_maximum(x):
    def total(x):
        return lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID").sum()

    return jax.grad(total)(x)


@pytest.mark.parametrize("operation", [library_convolution, gradient_of_library_maximum])
def test_operations_that_are_slow_inside_a_loop_are_found_there(operation):
    x = jnp.ones((2, 1, 8, 8))

    def looped(x):
        return lax.fori_loop(0, 3, lambda i, x: operation(x), x)

    program = Program(jax.jit(looped).lower(x).compile().as_text())
    assert slow_in_loops(program) != set()


class TestCallsAndTransfers:
    samples, batch_size = 1_000, 10

    @pytest.fixture
    def data(self, rng):
        x = rng.integers(0, 256, (self.samples, 4), dtype="uint8")
        return x, rng.integers(0, 3, self.samples, dtype="int32")

    @pytest.fixture
    def watched(self, monkeypatch):
        return Watched(monkeypatch)

    @pytest.fixture
    def seconds_a_step(self, monkeypatch, watched):
        """Sets what a step is to take, by a clock that only programs move."""

        def choose(seconds):
            now = [0.0]
            monkeypatch.setattr(time, "perf_counter", lambda: now[0])

            def pass_by(steps):
                now[0] += steps * seconds

            watched.on_call = pass_by

        return choose

    @pytest.mark.parametrize(
        ("seconds", "calls"), [(1e-4, 1), (0.009, 5), (0.09, 50), (1.0, 100)], ids=str
    )
    def test_a_program_is_called_five_times_a_second_and_not_for_every_step(
        self, data, watched, seconds_a_step, seconds, calls
    ):
        seconds_a_step(seconds)
        model = classifier()
        model.fit(*data, batch_size=self.batch_size, verbose=0)
        assert len(watched.calls) <= calls + 8  # as many until it knows how long a step takes
        watched.forget()
        hook = lamina.callbacks.LambdaCallback(on_epoch_begin=lambda *_: watched.forget())
        model.fit(*data, batch_size=self.batch_size, epochs=3, verbose=0, callbacks=[hook])
        assert len(watched.calls) <= calls
        assert sum(stop - start for _, start, stop in watched.calls) == 100

    def test_measuring_a_set_is_one_call(self, data, watched):
        model = classifier()
        model.evaluate(*data, verbose=0)
        assert [kind for kind, *_ in watched.calls] == ["test"]

    def test_a_later_epoch_sends_nothing_to_the_device_but_the_order_of_the_samples(
        self, data, watched, seconds_a_step
    ):
        seconds_a_step(0.01)
        moved = []

        def end_of_epoch(epoch, logs):
            moved.append(watched.moved)
            watched.forget()

        hook = lamina.callbacks.LambdaCallback(on_epoch_end=end_of_epoch)
        # Whatever were sent without being counted would be refused.
        model = classifier()
        model.train_on_batch(*(array[:1] for array in data))
        watched.forget()
        with jax.transfer_guard_host_to_device("disallow"):
            model.fit(*data, batch_size=self.batch_size, epochs=3, verbose=0, callbacks=[hook])
        order = 4 * self.samples  # int32
        first, *later = moved
        few_numbers = 200  # bounds of the calls, metrics set back to 0
        assert first <= sum(array.nbytes for array in data) + order + few_numbers
        assert all(order <= bytes <= order + few_numbers for bytes in later)
