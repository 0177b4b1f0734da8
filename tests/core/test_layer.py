"""A layer of one's own: built when first called, told of training, answered when it errs."""

import inspect

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import lamina
from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.messages.errors import LaminaWarning

X = np.arange(6, dtype="float32").reshape(2, 3)


def scale(K):
    class Scale(K.layers.Layer):
        def build(self, input_shape):
            self.factor = self.add_weight(
                shape=(input_shape[-1],), initializer="ones", name="factor"
            )

        def call(self, x):
            return x * self.factor

    return Scale


Scale = scale(lamina)


def test_the_shortest_layer_works_everywhere():
    layer = Scale()
    assert not layer.built
    assert layer.weights == []
    np.testing.assert_array_equal(layer(X), X)
    assert layer.built
    assert [v.path for v in layer.weights] == ["scale/factor"]
    model = lamina.Sequential([lamina.Input((3,)), layer, Scale(), lamina.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, X[:, :1], verbose=0)
    assert model.predict(X, verbose=0).shape == (2, 1)
    assert not np.allclose(layer.factor, 1)


# Weights


@pytest.mark.parametrize(
    "arguments",
    [
        {"shape": (2, 3), "initializer": "zeros", "name": "w"},
        {"shape": (2,), "initializer": "ones", "name": "w", "trainable": False},
        {"shape": (), "initializer": "zeros", "name": "w", "dtype": "int32"},
        {"initializer": "zeros", "name": "w"},
        {"shape": [2, 2], "name": "w", "initializer": "ones", "dtype": "float16"},
    ],
    ids=str,
)
def test_add_weight_makes_what_keras_makes(arguments):
    ours = lamina.layers.Layer(name="own").add_weight(**arguments)
    theirs = keras.layers.Layer(name="own").add_weight(**arguments)
    for aspect in ("name", "path", "dtype", "trainable"):
        assert getattr(ours, aspect) == getattr(theirs, aspect)
    assert ours.shape == tuple(theirs.shape)
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_the_default_initializer_suits_the_dtype():
    layer = lamina.Layer()
    floats = layer.add_weight(shape=(300, 200))
    limit = np.sqrt(6 / 500)
    assert limit * 0.9 < np.abs(floats).max() <= limit
    assert not layer.add_weight(shape=(3,), dtype="int32").numpy().any()


def test_weights_carry_their_regularizer_and_constraint():
    layer = lamina.Layer()
    weight = layer.add_weight(
        shape=(2,), initializer="ones", regularizer="l2", constraint="non_neg", name="w"
    )
    assert [float(loss) for loss in layer.losses] == pytest.approx([2 * 0.01])
    assert weight.constraint(jnp.array([-1.0, 1.0])).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (((2,), "onees"), ValueError, "Unknown initializer 'onees'. Did you mean 'ones'"),
        (((None,), "ones"), ValueError, "every size must be known"),
        (((2,), "ones", "flaot32"), ValueError, "Unknown dtype 'flaot32'"),
    ],
)
def test_add_weight_refuses_what_it_cannot_make(arguments, error, message):
    with pytest.raises(error, match=message):
        lamina.Layer().add_weight(*arguments)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([np.zeros(2)], r"has 2 weights and received a list of 1\."),
        ([np.zeros((3, 3)), np.zeros(2)], r"'dense/kernel' has shape \(3, 2\) and cannot take"),
    ],
)
def test_wrong_weights_change_nothing(weights, message):
    layer = lamina.layers.Dense(2)
    layer.build((None, 3))
    before = layer.get_weights()
    with pytest.raises(ValueError, match=message):
        layer.set_weights(weights)
    for old, new in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_weights_cannot_be_set_or_counted_before_the_layer_is_built():
    layer = lamina.layers.Dense(2)
    with pytest.raises(ValueError, match="not built yet, so it has no weights"):
        layer.set_weights([np.zeros((3, 2)), np.zeros(2)])
    with pytest.raises(ValueError, match="no weights yet, so they cannot be counted"):
        layer.count_params()
    layer.build((None, 3))
    assert layer.count_params() == 8


# Building


def inner_in_init(K):
    class Block(K.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.first = K.layers.Dense(4)
            self.more = [K.layers.Dense(3), scale(K)()]

        def call(self, x):
            x = self.first(x)
            for layer in self.more:
                x = layer(x)
            return x

    return Block


def inner_in_build(K):
    class Block(K.layers.Layer):
        def build(self, input_shape):
            self.bias = self.add_weight(shape=(4,), name="bias")
            self.dense = K.layers.Dense(4)
            self.dense.build(input_shape)

        def call(self, x):
            return self.dense(x) + self.bias

    return Block


def weights_in_init(K):
    class Block(K.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.bias = self.add_weight(shape=(3,), name="bias")

        def call(self, x):
            return x + self.bias

    return Block


def nested(K):
    class Outer(K.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.block = inner_in_init(K)()
            self.other = inner_in_build(K)(name="other")

        def call(self, x):
            return self.other(self.block(x))

    return Outer


OWN = [scale, inner_in_init, inner_in_build, weights_in_init, nested]


@pytest.mark.parametrize("how", ["called", "in a functional model", "in a Sequential"])
@pytest.mark.parametrize("make", OWN, ids=lambda make: make.__name__)
def test_weights_get_the_paths_and_numbers_of_keras(make, how):
    def used(K):
        layer = make(K)(name="own")
        if how == "called":
            layer(X)
            return layer
        if how == "in a Sequential":
            return K.Sequential([K.Input((3,)), layer], name="model")
        inputs = K.Input((3,))
        return K.Model(inputs, layer(inputs), name="model")

    ours, theirs = used(lamina), used(keras)
    assert [v.path for v in ours.weights] == [v.path for v in theirs.weights]
    values = [np.random.default_rng(seed=2).normal(size=v.shape) for v in ours.weights]
    ours.set_weights(values)
    theirs.set_weights(values)
    np.testing.assert_allclose(ours(X), theirs(X), atol=1e-5)


def test_a_layer_of_layers_is_built_without_running_it():
    layer = inner_in_init(lamina)()
    layer.build((None, 3))
    assert len(layer.weights) == 5
    assert layer.more[1].built
    assert layer.compute_output_shape((7, 3)) == (7, 3)


def test_build_may_ask_for_the_shape_of_each_input():
    class Attend(lamina.Layer):
        def build(self, query_shape, value_shape):
            self.kernel = self.add_weight(shape=(query_shape[-1], value_shape[-1]))

        def call(self, query, value, temperature=1.0):
            return query @ self.kernel @ value.T / temperature

    for call in (
        lambda layer: layer(X, np.ones((5, 4), "float32")),
        lambda layer: layer(query=X, value=np.ones((5, 4), "float32")),
        lambda layer: layer(X, value=np.ones((5, 4), "float32"), temperature=2.0),
    ):
        layer = Attend()
        assert call(layer).shape == (2, 5)
        assert layer.kernel.shape == (3, 4)
        assert layer.get_build_config() == {
            "shapes_dict": {"query_shape": (2, 3), "value_shape": (5, 4)}
        }
    twin = Attend()
    twin.build_from_config({"shapes_dict": {"query_shape": [2, 3], "value_shape": [5, 4]}})
    assert twin.kernel.shape == (3, 4)


def test_build_with_one_argument_gets_the_shape_of_the_first_input():
    class Mix(lamina.Layer):
        def build(self, shape):
            self.seen = shape

        def call(self, x, other=None):
            return x

    layer = Mix()
    layer(x=X, other=np.zeros((4, 4)))
    assert layer.seen == (2, 3)


def test_build_gets_the_structure_of_a_structured_input():
    class Merge(lamina.Layer):
        def build(self, input_shape):
            self.seen = input_shape

        def call(self, inputs):
            return inputs["a"] + inputs["b"][0]

    layer = Merge()
    layer({"a": X, "b": [X]})
    assert layer.seen == {"a": (2, 3), "b": [(2, 3)]}


class NoSuchArgument(lamina.Layer):
    def build(self, query_shape, key_shape):
        pass

    def call(self, query, value):
        return query


class NoSuffix(lamina.Layer):
    def build(self, query_shape, value):
        pass

    def call(self, query, value):
        return query


@pytest.mark.parametrize(("kind", "name"), [(NoSuchArgument, "key_shape"), (NoSuffix, "value")])
def test_arguments_of_build_that_are_no_shapes_of_inputs_are_explained(kind, name):
    words = rf"'{name}', which is not the shape of an argument of call\(\)"
    with pytest.raises(TypeError, match=words) as caught:
        kind()(X, X)
    assert "e.g. query_shape, value_shape" in str(caught.value)


def test_build_runs_once_and_may_call_the_build_of_its_parent():
    class Twice(Scale):
        def build(self, input_shape):
            super().build(input_shape)
            self.count = getattr(self, "count", 0) + 1

    layer = Twice()
    layer(X)
    layer(X)
    assert layer.count == 1
    assert [v.path for v in layer.weights] == ["twice/factor"]


def test_weights_first_made_inside_a_compiled_function_are_real_arrays():
    layer = Scale()
    jax.jit(layer)(X)
    assert layer.factor.numpy().tolist() == [1, 1, 1]


def test_what_call_makes_would_be_made_anew_every_time_and_is_refused():
    class Lazy(lamina.Layer):
        def call(self, x):
            self.dense = lamina.layers.Dense(2)
            return self.dense(x)

    class LazyWeight(lamina.Layer):
        def call(self, x):
            return x * self.add_weight(shape=())

    with pytest.raises(RuntimeError, match=r"Lazy 'lazy' makes <Dense .* inside call\(\)"):
        Lazy()(X)
    with pytest.raises(ValueError, match=r"'lazy_weight' makes <Variable .* inside call\(\)"):
        LazyWeight()(X)


def test_a_layer_that_its_user_does_not_hold_is_pointed_out():
    class Forgetful(lamina.Layer):
        def call(self, x):
            return lamina.layers.Dense(2, name="lost")(x)

    with pytest.warns(LaminaWarning, match="Dense 'lost' is used inside Forgetful 'forgetful'"):
        Forgetful()(X)


# Calling


def modes(K):
    seen = []

    class Inner(K.layers.Layer):
        def __init__(self, name):
            super().__init__(name=name)

        def call(self, x, training=None):
            seen.append((self.name, bool(training)))
            return x

    class Outer(K.layers.Layer):
        def __init__(self):
            super().__init__()
            self.first, self.last = Inner("first"), Inner("last")

        def call(self, x):
            return self.last(self.first(x))

    class Model(K.Model):
        def __init__(self):
            super().__init__()
            self.outer, self.inner = Outer(), Inner("inner")

        def call(self, x, training=False):
            return self.inner(self.outer(x))

    return Model(), seen


@pytest.mark.parametrize("mode", [None, True, False])
def test_the_mode_is_handed_down_as_in_keras(mode):
    results = []
    for K in (lamina, keras):
        model, seen = modes(K)
        model(X)
        seen.clear()
        model(X, **({} if mode is None else {"training": mode}))
        results.append(list(seen))
    assert results[0] == results[1]


def test_a_mode_that_is_given_holds_inside_that_layer_alone():
    seen = []

    class Inner(lamina.Layer):
        def call(self, x, training=False):
            seen.append((self.name, training))
            return x

    class Outer(lamina.Layer):
        def __init__(self):
            super().__init__()
            self.told, self.untold = Inner(name="told"), Inner(name="untold")

        def call(self, x):
            return self.untold(self.told(x, training=not seen))

    Outer()(X)
    Outer()(X, training=True)
    assert seen == [("told", True), ("untold", False), ("told", False), ("untold", True)]


def test_the_mode_of_fit_and_predict_reaches_layers_inside_layers():
    model, seen = modes(lamina)
    model.compile("sgd", "mse")
    model.add_weight(shape=(), name="something_to_train")
    model.fit(X, X, verbose=0)
    assert ("inner", True) in seen
    seen.clear()
    model.predict(X, verbose=0)
    assert ("inner", False) in seen
    assert ("inner", True) not in seen


def test_a_default_mode_of_its_own_holds_where_nothing_else_is_said():
    class Noisy(lamina.Layer):
        def call(self, x, training=True):
            return x + (1 if training else 0)

    layer = Noisy()
    assert float(layer(np.float32(0))) == 1
    assert float(layer(np.float32(0), training=False)) == 0
    with pytest.raises(ValueError, match="Fix: training=False"):
        layer(np.float32(0), False)
    model = lamina.Sequential([lamina.Input(()), layer])
    assert float(model(np.zeros(1))[0]) == 1
    assert model.predict(np.zeros(1), verbose=0).tolist() == [0]


def test_a_layer_that_knows_no_mode_may_be_given_one():
    np.testing.assert_array_equal(Scale()(X, training=True), X)


@pytest.mark.parametrize(
    "x",
    [X, X.astype("float64"), X.astype("float16"), jnp.asarray(X), lamina.Variable(X)],
    ids=lambda x: type(x).__name__ + str(x.dtype),
)
def test_floats_of_any_kind_are_computed_in_float32(x):
    assert Scale()(x).dtype == "float32"
    assert lamina.Layer.__call__(lamina.layers.Identity(), np.array([1, 2])).dtype == "int32"


def test_data_frames_are_arrays():
    pandas = pytest.importorskip("pandas")
    np.testing.assert_array_equal(Scale()(pandas.DataFrame(X)), X)


def test_lists_of_numbers_are_explained():
    with pytest.raises(ValueError, match=r"a list of Python numbers.*\n.*np\.array"):
        Scale()([[1.0, 2.0]])


@pytest.mark.parametrize(
    ("policy", "dtype"), [("mixed_bfloat16", "bfloat16"), ("float16", "float16")]
)
def test_a_policy_says_in_which_type_to_compute(policy, dtype):
    ours, theirs = inner_in_init(lamina)(dtype=policy), inner_in_init(keras)(dtype=policy)
    # The layers inside have the global policy, as they were made without one.
    assert ours(X).dtype == theirs(X).dtype
    assert [v.dtype for v in ours.weights] == [v.dtype for v in theirs.weights]
    scale = Scale(dtype=policy)
    assert scale(X).dtype == dtype
    assert scale.compute_dtype == dtype


def test_layers_of_mixed_policies_read_each_their_own_type():
    seen = {}

    class Peek(lamina.Layer):
        def build(self, input_shape):
            self.weight = self.add_weight(shape=())

        def call(self, x):
            seen[self.name] = (str(x.dtype), str(self.weight.value.dtype))
            return x

    class Outer(Peek):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.full = Peek(name="full", dtype="float32")
            self.half = Peek(name="half", dtype="mixed_float16")
            self.uncast = Peek(name="uncast", dtype="mixed_float16", autocast=False)

        def call(self, x):
            super().call(x)
            self.full(x)
            self.half(x)
            self.uncast(np.ones(2, "float32"))
            return super().call(x)

    Outer(name="outer", dtype="mixed_bfloat16")(X)
    assert seen == {
        "outer": ("bfloat16", "bfloat16"),
        "full": ("float32", "float32"),
        "half": ("float16", "float16"),
        "uncast": ("float32", "float32"),
    }


# Losses


def test_activity_penalties_and_added_losses_are_those_of_the_last_call():
    def penalised(K):
        class Penalised(K.layers.Layer):
            def __init__(self):
                super().__init__(activity_regularizer="l1")
                self.dense = K.layers.Dense(2, kernel_initializer="ones", kernel_regularizer="l2")

            def call(self, x):
                self.add_loss(x.sum())
                return self.dense(x)

        return Penalised()

    losses = []
    for K in (lamina, keras):
        layer = penalised(K)
        layer(X)
        layer(X)
        losses.append(sorted(float(loss) for loss in layer.losses))
    assert losses[0] == pytest.approx(losses[1])
    assert len(losses[0]) == 3


def test_added_losses_are_minimised():
    class Towards(lamina.Layer):
        def build(self, input_shape):
            self.value = self.add_weight(shape=(), initializer="zeros")

        def call(self, x):
            self.add_loss((self.value - 3.0) ** 2)
            return x

    layer = Towards()
    model = lamina.Sequential([lamina.Input((3,)), layer])
    model.compile(lamina.optimizers.SGD(0.25))
    history = model.fit(X, epochs=20, verbose=0)
    assert float(layer.value) == pytest.approx(3, abs=1e-4)
    assert history.history["loss"][0] == pytest.approx(9)


def test_add_loss_takes_no_symbolic_tensor():
    with pytest.raises(TypeError, match=r"add_loss\(\) takes a number computed from arrays"):
        lamina.Layer().add_loss(KerasTensor((None,)))


# Errors


def test_weights_without_a_name_get_names_of_their_own_as_in_keras():
    ours, theirs = lamina.Layer(name="own"), keras.Layer(name="own")
    for library, layer in ((lamina, ours), (keras, theirs)):
        library.backend.clear_session()
        layer.add_weight(shape=(1,))
        layer.add_weight(shape=(2,))
    assert [w.path for w in ours.weights] == [w.path for w in theirs.weights]


def test_a_forgotten_super_init_is_said():
    class Forgot(lamina.Layer):
        def __init__(self):
            self.units = 3

    with pytest.raises(RuntimeError, match=r"Forgot.__init__\(\) does not call super"):
        Forgot()(X)
    with pytest.raises(RuntimeError, match=r"Forgot.__init__\(\) does not call super"):
        Forgot().add_weight(shape=())
    with pytest.raises(RuntimeError, match=r"Forgot.__init__\(\) does not call super"):
        lamina.Sequential([Forgot()])


def test_a_misspelt_argument_is_answered_with_the_right_one():
    class Own(lamina.Layer):
        def __init__(self, units=1, **kwargs):
            super().__init__(**kwargs)

    with pytest.raises(TypeError, match=r"Own has no argument 'unit'. Did you mean 'units'\?"):
        Own(unit=3)


def test_a_layer_without_call_says_what_to_write():
    class Empty(lamina.Layer):
        pass

    with pytest.raises(NotImplementedError, match=r"Empty has no call\(\) method"):
        Empty()(X)


@pytest.mark.parametrize("name", ["a/b", 3])
def test_a_name_must_fit_into_a_path(name):
    with pytest.raises(ValueError, match=r"Dense needs a name that is a string without '/'"):
        lamina.layers.Dense(1, name=name)


def test_an_error_in_call_names_every_layer_around_it():
    class Bad(lamina.Layer):
        def call(self, x):
            return x.reshape(7)

    class Outer(lamina.Layer):
        def __init__(self):
            super().__init__()
            self.bad = Bad()

        def call(self, x):
            return self.bad(x)

    with pytest.raises(TypeError) as caught:
        Outer()(X)
    notes = [n for n in caught.value.__notes__ if "In " in n]
    assert notes == [
        "  In Bad 'bad', called on shape (2, 3).",
        "  In Outer 'outer', called on shape (2, 3).",
    ]


def test_a_jax_function_given_a_variable_is_explained():
    class Bad(Scale):
        def call(self, x):
            return jnp.multiply(x, self.factor)

    with pytest.raises(ValueError, match="__jax_array__") as caught:
        Bad()(X)
    assert "Fix: pass the Variable's array" in "\n".join(caught.value.__notes__)


def test_input_spec_is_checked_before_call():
    class Strict(lamina.Layer):
        def __init__(self):
            super().__init__()
            self.input_spec = lamina.InputSpec(ndim=3)

        def call(self, x):
            raise AssertionError("never reached")

    for x in (X, KerasTensor((None, 3))):
        with pytest.raises(ValueError, match="Strict .*: expected an input with 3 axes"):
            Strict()(x)
        with pytest.raises(ValueError, match="expected an input with 3 axes"):
            Strict()(x=x)


def test_repr_names_the_layer():
    assert repr(Scale(name="s")) == "<Scale name=s, built=False>"


def test_a_build_that_fails_leaves_no_weights_behind():
    class Picky(lamina.layers.Layer):
        def build(self, input_shape):
            self.add_weight((2,), name="extra")
            if input_shape[-1] != 4:
                raise ValueError("four features, please")

        def call(self, x):
            return x

    layer = Picky()
    with pytest.raises(ValueError, match="four features"):
        layer(np.zeros((2, 5)))
    assert layer.weights == []
    layer(np.zeros((2, 4)))
    assert [weight.name for weight in layer.weights] == ["extra"]


@pytest.mark.parametrize(
    "add",
    [
        lambda layer: layer.add_weight("kernel", shape=(3, 2)),
        lambda layer: layer.add_weight("kernel", (3, 2), initializer="ones"),
        lambda layer: layer.add_weight("kernel", (3, 2), "float32", "ones"),
        lambda layer: layer.add_weight((3, 2), name="kernel"),
    ],
)
def test_the_name_of_a_weight_may_come_first_as_in_keras_2(add):
    weight = add(lamina.Layer())
    assert (weight.name, weight.shape, weight.dtype) == ("kernel", (3, 2), "float32")


@pytest.mark.parametrize("value", [True, 2, 0.5, "fast"])
def test_a_setting_without_its_name_is_refused_as_in_keras(value):
    with pytest.raises(ValueError, match=f"Fix: training={value!r}"):
        lamina.layers.Dropout(0.5)(np.ones((1, 2)), value)


@pytest.mark.parametrize("name", ["Layer", "Dense", "MaxPooling1D"])
def test_a_signature_names_the_arguments_of_init(name):
    cls = getattr(lamina.layers, name)
    told, own = inspect.signature(cls), inspect.signature(cls.__init__)
    assert list(told.parameters) == list(own.parameters)[1:]


def test_a_layer_without_a_call_can_be_built():
    class Inner(lamina.Layer):
        def __init__(self):
            super().__init__()
            self.factor = self.add_weight(shape=(1,), name="factor")

    class Holder(lamina.Layer):
        def __init__(self):
            super().__init__()
            self.inner = Inner()

    layer = Holder()
    layer.build(None)
    assert layer.built
    assert len(layer.weights) == 1


@pytest.mark.parametrize("name", ["_on_host", "_signature", "_clear_losses", "_as_list"])
def test_attributes_named_as_methods_of_laminas_are_refused(name):
    with pytest.raises(
        AttributeError, match=f"{name} is reserved by Lamina and cannot be assigned"
    ):
        setattr(lamina.Sequential(), name, 3)
