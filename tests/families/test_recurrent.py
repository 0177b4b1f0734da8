"""Recurrent layers and layers around layers: the promises of all layers, and those of their own."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import lamina
from families.promises import Case, LayerPromises, close
from lamina import layers
from lamina.core.variable.stateless import stateless, value_and_grad

STEPS = (4, 5, 3)
ALL = {"return_sequences": True, "return_state": True}


# Keras cannot make the orthogonal kernels of the default in half precision.
HALF = {"recurrent_initializer": "glorot_uniform"}


def case(layer, id="", random="never", **settings):
    return Case(layer, {"units": 2, **HALF, **settings}, STEPS, id=id, random=random)


def around(layer, inner, id, shapes=STEPS, **settings):
    """A case of a layer around others; `inner` makes them with Lamina's or Keras's layers."""
    return Case(layer, lambda k: {**inner(k), **settings}, shapes, id=id)


CASES = [
    case("SimpleRNN", activation="relu", use_bias=False, **ALL),
    case("LSTM", id="plain"),
    case("LSTM", id="penalties", kernel_regularizer="l2", activity_regularizer="l2", **ALL),
    case("LSTM", id="backwards", go_backwards=True, return_sequences=True,
         zero_output_for_mask=True, bias_constraint="non_neg"),
    case("LSTM", id="dropout", random="training", dropout=0.5, recurrent_dropout=0.5),
    case("GRU", id="reset_before", reset_after=False, recurrent_activation="hard_sigmoid",
         go_backwards=True, **ALL),
    case("GRU", id="dropout", random="training", reset_after=False, use_bias=False,
         recurrent_dropout=0.5),
    around("RNN", lambda k: {"cell": k.GRUCell(2, name="a")}, "GRUCell", return_sequences=True),
    around("RNN", lambda k: {"cell": stack(k)}, "stack_backwards", go_backwards=True,
           return_sequences=True),
    around("Bidirectional", lambda k: {"layer": k.LSTM(2, name="a")}, "LSTM"),
    around("Bidirectional", lambda k: {"layer": k.GRU(2, name="a", **ALL)}, "sum_states",
           merge_mode="sum"),
    around("Bidirectional", lambda k: {"layer": k.LSTM(2, name="a", return_sequences=True)},
           "apart", merge_mode=None),
    around("Bidirectional", lambda k: {"layer": k.GRU(2, name="a"), "backward_layer":
                                       k.GRU(2, name="b", go_backwards=True)}, "ave_of_two",
           merge_mode="ave"),
    around("TimeDistributed", lambda k: {"layer": k.Dense(2, name="a")}, "Dense"),
    around("TimeDistributed", lambda k: {"layer": k.BatchNormalization(name="a")},
           "BatchNormalization"),
]  # fmt: skip


def stack(k):
    cells = [k.LSTMCell(2, name="a"), k.GRUCell(3, name="b"), k.SimpleRNNCell(2, name="c")]
    return k.StackedRNNCells(cells, name="d")


class TestRecurrent(LayerPromises):
    cases = CASES


def rnn_of(units=2, **settings):
    return layers.LSTM(units, **settings)


def small_weights(*models):
    rng = np.random.default_rng(seed=1)
    values = [rng.normal(size=w.shape, scale=0.5) for w in models[0].weights]
    for model in models:
        model.set_weights(values)


@pytest.fixture
def x(rng):
    return rng.normal(size=STEPS).astype("float32")


@pytest.fixture
def mask(rng):
    return rng.random(STEPS[:2]) < 0.6


# -- numbers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU"])
def test_gradients_of_unsaturated_cells_equal_keras_under_a_mask(name, x, mask):
    ours = getattr(layers, name)(3, return_sequences=True)
    theirs = getattr(keras.layers, name)(3, return_sequences=True)
    for layer in (ours, theirs):
        layer.build(x.shape)
    small_weights(ours, theirs)
    _, gradients = value_and_grad(
        lambda: jnp.sum(ours(x, mask=mask) ** 2), ours.trainable_variables
    )()

    def loss(values, fixed):
        return jnp.sum(theirs.stateless_call(values, fixed, x, mask=jnp.asarray(mask))[0] ** 2)

    values = [v.value for v in theirs.trainable_variables]
    expected = jax.jit(jax.grad(loss))(values, [v.value for v in theirs.non_trainable_variables])
    close(gradients, expected, 1e-4)


def test_a_mask_has_the_same_effect_as_leaving_the_steps_out(x):
    layer = rnn_of()
    real = np.array([True, False, True, True, False])
    expected = layer(x[:, real])
    close(layer(x, mask=np.tile(real, (len(x), 1))), expected)


@pytest.mark.parametrize("merge_mode", ["mul", "ave", "sum", "concat", None])
def test_both_directions_are_merged_as_in_keras(merge_mode, x):
    ours, theirs = (
        k.Bidirectional(k.SimpleRNN(2, name="a"), merge_mode=merge_mode)
        for k in (layers, keras.layers)
    )
    for layer in (ours, theirs):
        layer.build(x.shape)
    small_weights(ours, theirs)
    close(ours(x), theirs(x))


@pytest.mark.parametrize("settings", [{"unroll": True}, {"implementation": 1}])
def test_settings_of_speed_change_no_number(settings, x):
    ours, theirs = layers.GRU(2, **settings), keras.layers.GRU(2)
    for layer in (ours, theirs):
        layer.build(x.shape)
    small_weights(ours, theirs)
    close(ours(x), theirs(x))


def test_unrolled_steps_give_the_same_as_the_loop(x, mask):
    loop, unrolled = rnn_of(**ALL), rnn_of(unroll=True, **ALL)
    for layer in (loop, unrolled):
        layer.build(x.shape)
    small_weights(loop, unrolled)
    close(unrolled(x, mask=mask), loop(x, mask=mask))


def test_a_layer_goes_on_from_the_states_it_is_given(x):
    layer = rnn_of(**ALL)
    whole, *last = layer(x)
    first, *states = layer(x[:, :2])
    rest, *end = layer(x[:, 2:], initial_state=states)
    close([np.concatenate([first, rest], axis=1), *end], [whole, *last])


def test_states_pass_between_layers_of_a_functional_model_as_in_keras(x):
    def translator(k):
        source, target = k.Input(STEPS[1:]), k.Input((2, 3))
        _, *states = k.layers.LSTM(2, return_state=True)(source)
        y = k.layers.LSTM(2, return_sequences=True)(target, initial_state=states)
        both = k.layers.Bidirectional(k.layers.GRU(2))(source, initial_state=states)
        return k.Model([source, target], [y, both])

    ours, theirs = translator(lamina), translator(keras)
    small_weights(ours, theirs)
    close(ours([x, x[:, :2]]), theirs([x, x[:, :2]]))
    again = type(ours).from_config(ours.get_config())
    again.set_weights(ours.get_weights())
    close(again([x, x[:, :2]]), ours([x, x[:, :2]]))


def test_masks_of_an_embedding_reach_every_recurrent_layer(rng):
    def tagger(k):
        return k.Sequential(
            [
                k.Input((6,), dtype="int32"),
                k.layers.Embedding(9, 3, mask_zero=True),
                k.layers.Bidirectional(k.layers.LSTM(2, return_sequences=True)),
                k.layers.TimeDistributed(k.layers.Dense(3)),
                k.layers.GRU(2),
                k.layers.Dense(1),
            ]
        )

    ours, theirs = tagger(lamina), tagger(keras)
    small_weights(ours, theirs)
    words = rng.integers(1, 9, size=(3, 6))
    words[:, 4:] = 0
    close(ours(words), theirs(words))


# -- dropout ---------------------------------------------------------------------------------------


def test_dropped_inputs_are_the_same_at_every_step():
    ones = {"kernel_initializer": "ones", "recurrent_initializer": "zeros", "activation": "linear"}
    layer = layers.SimpleRNN(1, dropout=0.5, seed=3, return_sequences=True, **ones)
    sums = np.asarray(layer(np.ones((200, 4, 1), "float32"), training=True))[..., 0]
    assert (sums == sums[:, :1]).all()
    assert set(np.unique(sums)) == {0.0, 2.0}
    assert 0.35 < (sums[:, 0] == 0).mean() < 0.65


@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU"])
def test_dropout_is_new_in_every_call_and_the_same_for_the_same_seed(name, x):
    def layer():
        return getattr(layers, name)(3, dropout=0.3, recurrent_dropout=0.3, seed=5)

    one, other = layer(), layer()
    one.build(x.shape), other.build(x.shape)
    small_weights(one, other)
    first = one(x, training=True)
    assert not np.allclose(first, one(x, training=True))
    close(other(x, training=True), first)
    close(one(x), other(x, training=False))


@pytest.mark.parametrize("rate", [-0.1, 1.5, 30])
def test_a_rate_that_is_no_fraction_is_refused(rate):
    with pytest.raises(ValueError, match=rf"dropout must be between 0 and 1; received {rate}"):
        rnn_of(dropout=rate)


# -- stateful layers -------------------------------------------------------------------------------


def test_a_stateful_layer_goes_on_where_the_last_batch_ended(x):
    whole, stateful = rnn_of(), layers.LSTM(2, stateful=True)
    whole.build(x.shape), stateful.build(x[:, :2].shape)
    small_weights(whole, stateful)
    stateful(x[:, :2])
    close(stateful(x[:, 2:]), whole(x))
    stateful.reset_state()
    close(stateful(x), whole(x))


def test_states_are_carried_through_training_and_are_no_weights(x):
    model = lamina.Sequential([lamina.Input((5, 3), batch_size=4), rnn_of(stateful=True)])
    assert len(model.weights) == 3
    model.compile(optimizer=lamina.optimizers.SGD(0.0), loss="mse")
    data = np.concatenate([x, x])
    model.fit(data, np.zeros((8, 2)), batch_size=4, shuffle=False, verbose=0)
    layer = rnn_of(**ALL)
    layer.build(x.shape)
    layer.set_weights(model.get_weights())
    _, *states = layer(np.concatenate([x, x], axis=1))
    close([v.value for v in model.layers[0].states], states)


def test_a_stateful_layer_says_which_batches_it_takes(x):
    with pytest.raises(ValueError, match=r"must know the size of the batches.*\n.*batch_size=32"):
        lamina.Sequential([lamina.Input((5, 3)), rnn_of(stateful=True)])
    layer = rnn_of(stateful=True)
    layer(x)
    with pytest.raises(ValueError, match="stateful for batches of 4 and received one of 3"):
        layer(x[:3])


# -- cells of users --------------------------------------------------------------------------------


class Counter(layers.Layer):
    """A cell with two states of different sizes and an output of a third."""

    state_size = [3, 1]
    output_size = 4

    def call(self, inputs, states):
        total, steps = states
        total, steps = total + inputs, steps + 1
        return jnp.concatenate([total / steps, steps], axis=-1), [total, steps]


class PlainCell:
    """A cell that is not a layer."""

    state_size = 3

    def call(self, inputs, states):
        return inputs + states[0], [inputs + states[0]]


class Noisy(layers.Layer):
    """A cell with layers inside, random at every step and with a penalty."""

    state_size = 2

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(2, use_bias=False, kernel_initializer="ones")
        self.dropout = layers.Dropout(0.5, seed=1)

    def call(self, inputs, states, training=False):
        self.add_loss(jnp.sum(inputs))
        output = self.dropout(self.dense(inputs), training=training)
        return output, [output]


def test_a_cell_with_several_states_and_an_output_of_its_own(x, mask):
    layer = layers.RNN(Counter(), **ALL)
    outputs, total, steps = layer(x)
    assert layer.compute_output_shape((None, 5, 3)) == ((None, 5, 4), (None, 3), (None, 1))
    close(outputs[:, -1, :3], x.mean(axis=1))
    close(total, x.sum(axis=1))
    masked, total, steps = layer(x, mask=mask)
    np.testing.assert_array_equal(steps[:, 0], mask.sum(axis=1))
    assert (masked[0, 1:][~mask[0, 1:]] == masked[0, :-1][~mask[0, 1:]]).all()


def test_a_cell_need_not_be_a_layer(x):
    close(layers.RNN(PlainCell())(x), x.sum(axis=1))
    close(layers.RNN([PlainCell(), PlainCell()])(x), np.cumsum(x, axis=1).sum(axis=1))


def test_a_cell_of_ones_own_draws_anew_at_every_step_and_may_add_to_the_loss(x):
    layer = layers.RNN(Noisy(), return_sequences=True)
    y = np.asarray(layer(np.ones((50, 4, 3), "float32"), training=True))
    assert {0.0, 6.0} == set(np.unique(y))
    assert not (y[:, 0] == y[:, 1]).all()
    assert [w.path for w in layer.weights] == ["rnn/noisy/dense/kernel"]
    layer(x)
    close(sum(layer.losses), x.sum(), 1e-4)


def test_a_subclass_of_our_cell_runs_its_own_call(x):
    class Doubled(layers.LSTMCell):
        def call(self, inputs, states, training=False):
            output, states = super().call(inputs, states, training)
            return 2 * output, states

    plain, doubled = layers.RNN(layers.LSTMCell(2)), layers.RNN(Doubled(2))
    plain.build(x.shape), doubled.build(x.shape)
    small_weights(plain, doubled)
    close(doubled(x), 2 * plain(x))


@pytest.mark.parametrize("settings", [{}, {"recurrent_dropout": 0.5}])
def test_a_subclass_of_our_cell_drops_the_same_at_every_step(settings):
    class Own(layers.LSTMCell):
        def call(self, inputs, states, training=False):
            mask = self.get_dropout_mask(inputs)
            mask = mask if isinstance(mask, list) else [mask]
            recurrent = self.get_recurrent_dropout_mask(states[0])
            assert len(mask) == (4 if settings else 1)
            assert recurrent is None or len(recurrent) == 4
            return inputs * mask[0], states

    layer = layers.RNN(Own(3, dropout=0.5, **settings), return_sequences=True)
    y = np.asarray(layer(np.ones((20, 4, 3), "float32"), training=True))
    assert set(np.unique(y)) == {0.0, 2.0}
    assert (y == y[:, :1]).all()
    assert not (y == layer(np.ones((20, 4, 3), "float32"), training=True)).all()


@pytest.mark.parametrize("name", ["SimpleRNNCell", "LSTMCell", "GRUCell", "StackedRNNCells"])
def test_a_step_of_a_cell_equals_keras(name, rng):
    def cell(k):
        return stack(k) if name == "StackedRNNCells" else getattr(k, name)(2, name="it")

    ours, theirs = cell(layers), cell(keras.layers)
    for one in (ours, theirs):
        one.build((4, 3))
    small_weights(ours, theirs)
    assert [w.path for w in ours.weights] == [w.path for w in theirs.weights]
    states = ours.get_initial_state(4)
    assert jax.tree.map(jnp.shape, states) == jax.tree.map(jnp.shape, theirs.get_initial_state(4))
    states = jax.tree.map(lambda s: s + 0.5, states)
    step = rng.normal(size=(4, 3)).astype("float32")
    close(ours(step, states), theirs(step, states))
    assert ours.state_size == theirs.state_size
    assert ours.output_size == theirs.output_size


@pytest.mark.parametrize("missing", ["call", "state_size"])
def test_what_is_no_cell_is_refused(missing):
    cell = type("Half", (), {"call": len, "state_size": 2, missing: None})()
    with pytest.raises(ValueError, match=rf"needs a .*{missing}.*Half has none"):
        layers.RNN(cell)
    with pytest.raises(ValueError, match=rf"needs a .*{missing}.*Half has none"):
        layers.StackedRNNCells([cell])


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize("units", [0, -1, 2.5, True, None])
@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU", "LSTMCell"])
def test_units_must_be_a_whole_number_of_one_or_more(name, units):
    with pytest.raises((TypeError, ValueError), match="units must be"):
        getattr(layers, name)(units)


def test_a_misspelt_argument_is_answered_with_the_arguments_there_are():
    with pytest.raises(TypeError, match=r"no argument 'unit'. Did you mean 'units'\?") as error:
        rnn_of(unit=3)
    assert not {"arguments", "settings"} & set(str(error.value).replace(",", "").split())


def test_states_in_a_list_with_the_sequence_are_refused(x):
    with pytest.raises(ValueError, match=r"one sequence.*\n.*initial_state=\[…\]"):
        rnn_of()([x, np.zeros((4, 2)), np.zeros((4, 2))])


def test_inputs_without_time_are_refused_with_a_hint(x):
    with pytest.raises(ValueError, match="expected an input with 3 axes|at least 3 axes"):
        rnn_of()(x[:, 0])
    with pytest.raises(ValueError, match="received no time step: axis 1"):
        rnn_of()(x[:, :0])
    with pytest.raises(ValueError, match="takes one time step"):
        layers.LSTMCell(2).build(x.shape)


@pytest.mark.parametrize("states", [[(4, 2)], [(4, 2), (4, 3)], [(3, 2), (3, 2)]])
def test_initial_states_that_do_not_fit_are_shown_beside_what_is_wanted(x, states):
    with pytest.raises(ValueError, match=r"Expected: 2 of shapes \[\(4, 2\), \(4, 2\)\]"):
        rnn_of()(x, initial_state=[np.zeros(shape) for shape in states])


def test_a_mask_of_another_shape_is_refused(x):
    for layer in (rnn_of(), layers.TimeDistributed(layers.Dense(2))):
        with pytest.raises(ValueError, match=r"a mask of shape \(4, 4\)"):
            layer(x, mask=np.ones((4, 4), bool))


def test_bidirectional_refuses_what_it_cannot_run_both_ways():
    with pytest.raises(ValueError, match="merge_mode must be one of 'sum'.*received 'concatenate'"):
        layers.Bidirectional(rnn_of(), merge_mode="concatenate")
    with pytest.raises(ValueError, match="needs a recurrent layer; Dense has no go_backwards"):
        layers.Bidirectional(layers.Dense(2))
    with pytest.raises(ValueError, match="one layer must run forwards and one backwards"):
        layers.Bidirectional(rnn_of(), backward_layer=rnn_of())
    backward = rnn_of(go_backwards=True, return_sequences=True)
    with pytest.raises(ValueError, match="must have the same return_sequences"):
        layers.Bidirectional(rnn_of(), backward_layer=backward)


@pytest.mark.parametrize("name", ["Bidirectional", "TimeDistributed", "Wrapper"])
def test_wrappers_take_layers_only(name):
    with pytest.raises(TypeError, match=rf"{name}: layer must be a layer; received"):
        getattr(layers, name)(layers.Dense)


# -- layers around layers --------------------------------------------------------------------------


def test_a_bidirectional_layer_copies_a_users_cell_that_is_not_registered(x):
    y, *states = layers.Bidirectional(layers.RNN(Counter(), return_state=True))(x)
    assert (y.shape, len(states)) == ((4, 8), 4)
    close(y[:, :3], x.mean(axis=1))


def test_first_weights_of_a_bidirectional_layer(x):
    values = layers.Bidirectional(layers.GRU(2))
    values(x)
    layer = layers.Bidirectional(layers.GRU(2), weights=values.get_weights())
    close(layer(x), values(x))


def test_a_time_distributed_layer_hands_masks_and_training_on(x, mask):
    class Masked(layers.Layer):
        def call(self, x, mask=None, training=False):
            return jnp.where(mask[:, None], x, 7.0 if training else 0.0)

    layer = layers.TimeDistributed(Masked())
    close(layer(x, mask=mask), np.where(mask[..., None], x, 0).astype("float32"))
    close(layer(x, mask=mask, training=True), np.where(mask[..., None], x, 7).astype("float32"))


def test_pictures_of_a_film_are_convolved_one_by_one(rng):
    film = rng.normal(size=(2, 3, 5, 4, 1)).astype("float32")
    inner = layers.Conv2D(2, 2)
    y = layers.TimeDistributed(inner)(film)
    close(y[:, 1], inner(film[:, 1]))


def test_batch_statistics_in_time_distributed_are_those_of_every_step(x):
    ours = layers.TimeDistributed(layers.BatchNormalization())
    theirs = keras.layers.TimeDistributed(keras.layers.BatchNormalization())
    close(ours(x, training=True), theirs(x, training=True))
    close(ours.get_weights(), theirs.get_weights())


def test_a_wrapper_of_ones_own_is_saved_with_the_layer_inside(tmp_path, x):
    @lamina.saving.register_keras_serializable("tests_of_wrappers")
    class Twice(layers.Wrapper):
        def call(self, x):
            return self.layer(self.layer(x))

    model = lamina.Sequential([lamina.Input(STEPS[1:]), Twice(layers.Dense(3))])
    model.save(tmp_path / "model.keras")
    close(lamina.saving.load_model(tmp_path / "model.keras")(x), model(x))


def test_a_recurrent_classifier_compiles_once(compilations, rng):
    model = lamina.Sequential(
        [
            lamina.Input((None,), dtype="int32"),
            layers.Embedding(9, 4, mask_zero=True),
            layers.LSTM(4, dropout=0.2),
            layers.Dense(1),
        ]
    )
    model.compile(loss="mse")
    words, y = rng.integers(0, 9, size=(8, 5)), np.zeros((8, 1))
    model.fit(words, y, batch_size=4, epochs=1, verbose=0)
    compilations.reset()
    model.fit(words, y, batch_size=4, epochs=2, verbose=0)
    assert compilations.names == []


def test_a_pure_call_leaves_nothing_behind(x):
    layer = layers.RNN(Noisy())
    layer(x)
    before = [v.numpy() for v in layer.variables]
    pure = stateless(lambda: layer(x, training=True), layer.variables)
    jax.jit(pure)([v.value for v in layer.variables])
    close([v.numpy() for v in layer.variables], before)


# -- convolutional cells ---------------------------------------------------------------------------

ROWS, IMAGES, VOLUMES = (4, 3, 5, 2), (4, 3, 5, 4, 2), (4, 2, 3, 4, 3, 2)


def conv(layer, shape, id, random="never", **settings):
    settings = {"filters": 2, "kernel_size": 2, **HALF, **settings}
    return Case(layer, settings, shape, id=id, random=random)


class TestConvLSTM(LayerPromises):
    # Keras spreads a mask over the wrong axes of pictures.
    test_masks_are_those_of_keras = None  # type: ignore[assignment]

    cases = [
        conv("ConvLSTM1D", ROWS, "dropout", random="training", dropout=0.5, recurrent_dropout=0.5),
        conv("ConvLSTM2D", IMAGES, "same", padding="same", strides=2, bias_regularizer="l2", **ALL),
        conv("ConvLSTM2D", (4, 3, 2, 4, 5), "first", data_format="channels_first", use_bias=False,
             unit_forget_bias=False, dilation_rate=2, go_backwards=True, return_sequences=True),
        conv("ConvLSTM3D", VOLUMES, "plain", data_format="channels_first"),
    ]  # fmt: skip


@pytest.mark.parametrize("backwards", [False, True])
def test_masked_pictures_have_no_effect(rng, backwards):
    x = rng.normal(size=IMAGES).astype("float32")
    layer = layers.ConvLSTM2D(2, 2, go_backwards=backwards)
    expected = layer(x[:, [0, 2]])
    close(layer(x, mask=np.tile([True, False, True], (4, 1))), expected)


def test_pictures_of_unknown_size_are_refused():
    with pytest.raises(ValueError, match="must know the size of every axis but batch and time"):
        layers.ConvLSTM2D(2, 2)(lamina.Input((3, None, 5, 2)))
    with pytest.raises(ValueError, match="cannot both be above 1"):
        layers.ConvLSTM2D(2, 2, strides=2, dilation_rate=2)


@pytest.mark.parametrize("use_cudnn", [True, False, "auto"])
def test_bidirectional_keeps_use_cudnn(use_cudnn):
    layer = layers.Bidirectional(layers.LSTM(1, use_cudnn=use_cudnn))
    assert layer.forward_layer.use_cudnn == layer.backward_layer.use_cudnn == use_cudnn
    assert not hasattr(layers.Bidirectional(layers.SimpleRNN(1)).forward_layer, "use_cudnn")
