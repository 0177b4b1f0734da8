"""What every layer promises: Keras's numbers, shapes, masks, names, configs and files.

A table of a family is a list of cases and a class that inherits the promises:

    class TestPooling(LayerPromises):
        cases = [Case("MaxPooling1D", {}, (2, 6, 3)), …]

Most promises are kept case by case. Training and files are tested on one model that holds every
case as a branch, because it is compiled once.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import keras
import numpy as np
import pytest

import lamina
from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.layer import masking
from lamina.core.serialization import naming, registry
from lamina.core.variable.stateless import stateless, values_of

# In Keras it takes no dtype and does not know the shape of its output.
OF_KERAS_TOO_LITTLE = {"Pipeline"}
HALF_AND_MIXED = ("float16", "bfloat16", "mixed_float16", "mixed_bfloat16")


@dataclass(eq=False)
class Case:
    """A layer with settings, and the shapes (with batch axis) of the arrays it is called on."""

    layer: str
    # As keywords; or, where layers are among them, a function of Lamina's or Keras's `layers`.
    settings: Any
    shapes: Any  # one shape, or a list of shapes for a layer with several inputs
    dtype: str = "float32"
    id: str = ""
    # "training" or "always" if its numbers can't be compared then.
    random: str = field(default="never", kw_only=True)
    # How many axes a mask has, the batch first; inputs of two axes get none.
    mask_axes: int = field(default=2, kw_only=True)
    # False where training differs on purpose, and is tested elsewhere.
    trains_like_keras: bool = field(default=True, kw_only=True)
    # False for a layer that can't be a branch of a model that is trained: it works on text.
    in_model: bool = field(default=True, kw_only=True)
    # True for a layer that takes its inputs one by one, `layer(query, value)`, not as a list.
    spread: bool = field(default=False, kw_only=True)
    # True where the shape of the output, or of its mask, is only known by tracing.
    traced: bool = field(default=False, kw_only=True)

    def __post_init__(self):
        if callable(self.settings):
            assert self.id, "settings that are a function need an id of their own"
        else:
            shown = self.id or "-".join(f"{k}={v}" for k, v in self.settings.items())
            self.id = f"{self.layer}-{shown}" if shown else self.layer

    @property
    def several(self) -> bool:
        return isinstance(self.shapes, list)

    def ours(self, **kwargs) -> Any:
        return self._made(lamina.layers, kwargs)

    def theirs(self, **kwargs) -> Any:
        return self._made(keras.layers, kwargs)

    def call(self, layer: Any, inputs: Any, **kwargs) -> Any:
        """Call a layer, or one of its methods, on inputs or their shapes."""
        return layer(*inputs, **kwargs) if self.spread else layer(inputs, **kwargs)

    def inputs(self, batch: int | None = None) -> Any:
        rng = np.random.default_rng(seed=3)
        arrays = [
            rng.integers(0, 5, size=shape)
            if self.dtype == "int32"
            else rng.normal(size=shape).astype(self.dtype)
            for shape in self._with_batch(batch)
        ]
        return arrays if self.several else arrays[0]

    def symbols(self, k: Any = None) -> Any:
        """Symbolic inputs with an unknown batch: Keras's if `k` is Keras, else ours."""
        make = k.KerasTensor if k else KerasTensor
        symbols = [make((None, *shape[1:]), self.dtype) for shape in self._with_batch()]
        return symbols if self.several else symbols[0]

    def unknown_batch(self) -> Any:
        shapes = [(None, *shape[1:]) for shape in self._with_batch()]
        return shapes if self.several else shapes[0]

    def entries(self, k: Any) -> list:
        """Inputs of a functional model."""
        return [k.Input(shape[1:], dtype=self.dtype) for shape in self._with_batch()]

    def _with_batch(self, batch: int | None = None) -> list:
        shapes = self.shapes if self.several else [self.shapes]
        return [shape if batch is None else (batch, *shape[1:]) for shape in shapes]

    def _made(self, layers: Any, kwargs: dict) -> Any:
        settings = self.settings(layers) if callable(self.settings) else self.settings
        return getattr(layers, self.layer)(**{"name": "it", **settings, **kwargs})


def only(wanted: Callable[[Case], bool]) -> Callable:
    """Decorator: a promise of some cases."""

    def decorate(test: Callable) -> Callable:
        test.wanted = wanted
        return test

    return decorate


def both_built(case: Case) -> tuple[Any, Any]:
    """Our layer and Keras's, with the same random weights."""
    ours, theirs = case.ours(), case.theirs()
    for layer in (ours, theirs):
        built(case, layer)
    same_weights(ours, theirs)
    return ours, theirs


def built(case: Case, layer: Any) -> None:
    """Build the layer of a case."""
    if case.traced:
        case.call(layer, case.inputs())
    elif not layer.built:
        case.call(layer.build, case.shapes if case.several else tuple(case.shapes))


def same_weights(ours: Any, theirs: Any) -> None:
    """Give two layers the same random weights."""
    rng = np.random.default_rng(seed=8)
    values = [(rng.random(size=w.shape) + 0.5).astype(w.dtype) for w in ours.weights]
    ours.set_weights(values)
    theirs.set_weights(values)
    if hasattr(theirs, "finalize_state"):
        theirs.finalize_state()


def plain(config: Any) -> Any:
    """A config as it comes back from a file: tuples have become lists."""
    return json.loads(json.dumps(config))


def close(actual: Any, expected: Any, tolerance: float = 1e-5) -> None:
    """Compare arrays, or structures of them."""
    actual, expected = jax.tree.leaves(actual), jax.tree.leaves(expected)
    assert len(actual) == len(expected)
    for one, other in zip(actual, expected, strict=True):
        assert one.dtype == other.dtype
        wide = [np.asarray(x).astype("float64") for x in (one, other)]
        np.testing.assert_allclose(*wide, atol=tolerance, rtol=tolerance)


def found(case: Case, layer: Any) -> list:
    """Shapes and dtypes of what a call on arrays gives, without computing it where that will do."""
    if not case.in_model:
        return jax.tree.leaves(case.call(layer, case.inputs()))
    pure = stateless(lambda x: case.call(layer, x), layer.variables)
    outputs, _ = jax.eval_shape(pure, values_of(layer.variables), case.inputs())
    return jax.tree.leaves(outputs)


class LayerPromises:
    """Inherited by the test class of every family's table."""

    cases: list[Case] = []

    def pytest_generate_tests(self, metafunc):
        if "case" in metafunc.fixturenames:
            wanted = getattr(metafunc.function, "wanted", lambda case: True)
            cases = [case for case in self.cases if wanted(case)]
            metafunc.parametrize("case", cases, ids=[case.id for case in cases])

    def test_weights_have_the_names_and_order_of_keras(self, case):
        ours, theirs = both_built(case)
        assert [w.path for w in ours.weights] == [w.path for w in theirs.weights]
        assert [w.shape for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]
        assert [w.dtype for w in ours.weights] == [w.dtype for w in theirs.weights]
        trainable = [w.path for w in ours.trainable_weights]
        assert trainable == [w.path for w in theirs.trainable_weights]

    @only(lambda case: case.random != "always")
    def test_output_and_losses_equal_keras(self, case):
        ours, theirs = both_built(case)
        x = case.inputs()
        close(case.call(ours, x), case.call(theirs, x))
        np.testing.assert_allclose(sum(ours.losses), sum(theirs.losses), rtol=1e-5)

    @only(lambda case: case.in_model)
    def test_masks_are_those_of_keras(self, case):
        ours, theirs = both_built(case)
        assert ours.supports_masking == theirs.supports_masking
        x, rng = case.inputs(), np.random.default_rng(seed=6)
        arrays = x if case.several else [x]
        if not ours.supports_masking or min(array.ndim for array in arrays) < 3:
            return
        masks = [rng.random(array.shape[: case.mask_axes]) < 0.7 for array in arrays]
        if case.random == "never":
            close(*(case.call(layer, masked(x, masks)) for layer in (ours, theirs)))
        mask, expected = (
            masking.get_masks(case.call(layer, masked(x, masks))) for layer in (ours, theirs)
        )
        assert (mask is None) == (expected is None)
        for one, other in zip(jax.tree.leaves(mask), jax.tree.leaves(expected), strict=True):
            np.testing.assert_array_equal(one, other)

    @only(lambda case: case.layer not in OF_KERAS_TOO_LITTLE)
    def test_output_shape_is_known_without_running(self, case):
        ours, theirs = both_built(case)
        shapes = case.unknown_batch()
        shape = plain(case.call(ours.compute_output_shape, shapes))
        assert shape == plain(case.call(theirs.compute_output_shape, shapes))
        actual = found(case, ours)
        shape = shape if isinstance(shape[0], list) else [shape]
        assert [s[1:] for s in shape] == [list(array.shape[1:]) for array in actual]

    @only(lambda case: not case.traced)
    def test_a_symbolic_call_traces_nothing(self, case, monkeypatch):
        from lamina.core.graph import operation, output_specs
        from lamina.core.layer import layer

        for module in (output_specs, layer, operation):
            monkeypatch.setattr(module, "trace_spec", None)
        ours = case.ours()
        symbols = jax.tree.leaves(case.call(ours, case.symbols()))
        actual = found(case, ours)
        assert [s.shape[1:] for s in symbols] == [array.shape[1:] for array in actual]
        assert [s.dtype for s in symbols] == [array.dtype for array in actual]

    def test_config_equals_keras_and_makes_the_same_layer(self, case):
        ours, theirs = case.ours(), case.theirs()
        for _ in ("before it is built", "after"):
            config = plain(registry.serialize(ours)["config"])
            assert config == plain(keras.saving.serialize_keras_object(theirs)["config"])
            again = type(ours).from_config(plain(ours.get_config()))
            assert plain(again.get_config()) == plain(ours.get_config())
            from_keras = registry.deserialize(plain(keras.saving.serialize_keras_object(theirs)))
            assert type(from_keras) is type(ours)
            ours, theirs = both_built(case)

    @only(
        lambda case: (
            case.dtype == "float32" and case.in_model and case.layer not in OF_KERAS_TOO_LITTLE
        )
    )
    def test_half_and_mixed_precision_have_the_types_of_keras(self, case):
        first = next(other for other in self.cases if other.layer == case.layer) is case
        for policy in HALF_AND_MIXED if first else HALF_AND_MIXED[::3]:
            ours, theirs = case.ours(dtype=policy), case.theirs(dtype=policy)
            expected = [t.dtype for t in jax.tree.leaves(case.call(theirs, case.symbols(keras)))]
            assert [t.dtype for t in jax.tree.leaves(case.call(ours, case.symbols()))] == expected
            assert [w.dtype for w in ours.weights] == [w.dtype for w in theirs.weights]
            pure = stateless(
                lambda x, layer=ours: case.call(layer, x, training=True), ours.variables
            )
            outputs, _ = jax.eval_shape(pure, values_of(ours.variables), case.inputs())
            assert [t.dtype for t in jax.tree.leaves(outputs)] == expected

    @only(lambda case: case.in_model and case.random == "never" and case.trains_like_keras)
    def test_a_step_of_training_gives_the_weights_of_keras(self, case, together):
        ours, theirs = together.layers(case)
        assert len(ours.weights) == len(theirs.weights)
        for one, other in zip(ours.weights, theirs.weights, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-4, rtol=1e-4, err_msg=one.path)

    @only(lambda case: case.in_model and case.random != "always")
    def test_a_file_of_either_opens_in_the_other(self, case, together):
        """And a model drawn for any batch, trained on one size, takes another."""
        ours, theirs = together.layers(case, "read")
        for layer in (ours, theirs):
            for one, other in zip(layer.weights, together.saved[case], strict=True):
                np.testing.assert_array_equal(one, other)
        x = case.inputs()
        close(case.call(ours, x), case.call(theirs, x))

    def test_a_second_step_compiles_nothing(self, together, compilations):
        if together.cases:
            weights = together.ours.get_weights()
            together.ours.train_on_batch(together.x, together.y)
            together.ours.set_weights(weights)
            assert compilations.names == []

    @pytest.fixture(scope="class")
    @classmethod
    def together(cls, tmp_path_factory) -> "Together":
        cases = [case for case in cls.cases if case.in_model]
        return Together(cases, tmp_path_factory.mktemp("together"))


def masked(x: Any, masks: list) -> Any:
    """Arrays that carry masks, as a masking layer gives them; ours and Keras's do it alike."""
    arrays = [jax.numpy.array(array) for array in (x if isinstance(x, list) else [x])]
    for array, mask in zip(arrays, masks, strict=True):
        masking.set_mask(array, jax.numpy.asarray(mask))
    return arrays if isinstance(x, list) else arrays[0]


class Together:
    """All cases of a family as branches of one model, of ours and of Keras, trained and saved."""

    batch = 4

    def __init__(self, cases: list[Case], folder: Path):
        self.cases = cases
        self.names = {case: f"branch_{i}" for i, case in enumerate(cases)}
        if not cases:
            return
        self.ours, self.theirs = self._model(lamina), self._model(keras)
        for case in cases:
            same_weights(*self.layers(case))
        self.saved = {case: self.layers(case)[0].get_weights() for case in cases}
        self.ours.save(folder / "ours.keras")
        self.theirs.save(folder / "theirs.keras")
        self.read = (
            lamina.saving.load_model(folder / "theirs.keras"),
            keras.saving.load_model(folder / "ours.keras"),
        )
        rng = np.random.default_rng(seed=9)
        shapes = [(self.batch, *output.shape[1:]) for output in self.ours.outputs]
        self.x = jax.tree.leaves([case.inputs(self.batch) for case in cases])
        self.y = [rng.normal(size=shape).astype("float32") for shape in shapes]
        for model, k in ((self.ours, lamina), (self.theirs, keras)):
            model.compile(optimizer=k.optimizers.SGD(1.0), loss=["mse"] * len(self.y))
            model.train_on_batch(self.x, self.y)

    def layers(self, case: Case, which: str = "trained") -> tuple[Any, Any]:
        """The branch of a case, in our model and in that of Keras; or as read from files."""
        models = self.read if which == "read" else (self.ours, self.theirs)
        return tuple(model.get_layer(self.names[case]) for model in models)

    def _model(self, k: Any) -> Any:
        """Inputs, layers and outputs of all cases; integers are made floats to be trained."""
        naming.reset_names()
        keras.utils.clear_session()
        inputs, outputs = [], []
        for case in self.cases:
            entries = case.entries(k)
            make = case.ours if k is lamina else case.theirs
            layer = make(name=self.names[case])
            found = case.call(layer, entries if case.several else entries[0])
            found = list(found) if isinstance(found, (list, tuple)) else [found]
            inputs += entries
            outputs += [t if "float" in t.dtype else k.layers.Rescaling(1.0)(t) for t in found]
        return k.Model(inputs, outputs)
