"""What all optimizers share: the learning rate, who is updated, averages, files, errors."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from lamina import optimizers
from lamina.core.messages.errors import LaminaWarning
from lamina.core.variable.stateless import stateless, values_of
from lamina.core.variable.variable import Variable
from lamina.optimizers import SGD, Adam, AdamW, Optimizer, schedules
from lamina.optimizers.clipping import clip_by_global_norm, clip_by_norm

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")


def weight(*values, name="kernel", **settings):
    return Variable(np.array(values, "float32"), name=name, **settings)


# The learning rate


def test_the_learning_rate_is_a_variable_that_scripts_read_and_assign():
    optimizer = SGD(learning_rate=0.5)
    assert float(optimizer.learning_rate) == 0.5
    assert optimizer.learning_rate.numpy() == 0.5
    optimizer.learning_rate.assign(0.25)
    optimizer.learning_rate = float(optimizer.learning_rate) / 2
    assert optimizer.get_config()["learning_rate"] == 0.125


@pytest.mark.parametrize("value", [1, 0.5, np.float64(0.5), np.array(0.5), jnp.array(0.5)])
def test_any_number_is_a_learning_rate(value):
    optimizer = SGD(learning_rate=value)
    assert float(optimizer.learning_rate) == float(value)
    optimizer.learning_rate = value
    assert float(optimizer.learning_rate) == float(value)


@pytest.mark.parametrize("value", ["0.1", None, True, float("nan"), [0.1], jnp.array([0.1])])
def test_what_is_no_number_is_refused_as_a_learning_rate(value):
    with pytest.raises(ValueError, match=r"learning_rate must be a number, such as 0\.001"):
        SGD(learning_rate=value)
    with pytest.raises(ValueError, match="learning_rate must be a number"):
        SGD().learning_rate = value


def test_a_schedule_that_was_not_made_yet_is_refused():
    with pytest.raises(TypeError, match=r"Fix: learning_rate=CosineDecay\(…\)"):
        SGD(learning_rate=schedules.CosineDecay)


def test_a_schedule_is_followed_and_cannot_be_overwritten_by_a_number():
    w = weight(0.0)
    optimizer = SGD(learning_rate=schedules.PiecewiseConstantDecay([0, 1], [1.0, 10.0, 100.0]))
    for _ in range(3):
        optimizer.apply([np.ones(1)], [w])
    assert float(w[0]) == -111
    assert float(optimizer.learning_rate) == 100
    with pytest.raises(TypeError, match="follows a schedule and cannot be set to 0.1"):
        optimizer.learning_rate = 0.1


def test_a_schedule_may_take_the_place_of_a_number():
    w = weight(0.0)
    optimizer = Adam(learning_rate=0.5)
    theirs = keras.optimizers.Adam(learning_rate=0.5)
    optimizer.build([w])
    theirs.build([keras.Variable(w.numpy())])
    optimizer.learning_rate = schedules.ExponentialDecay(0.1, 1, 0.5)
    theirs.learning_rate = keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    assert len(optimizer.variables) == len(theirs.variables) == 3
    assert float(optimizer.learning_rate) == pytest.approx(0.1)


@pytest.mark.parametrize(
    "function", [lambda: 0.5, lambda step: 0.5 + step, lambda step, scale=1: 0.5 + step]
)
def test_a_function_of_the_step_or_of_nothing_is_a_learning_rate(function):
    w = weight(0.0)
    optimizer = SGD(learning_rate=function)
    optimizer.apply([np.ones(1)], [w])
    assert float(w[0]) == -0.5


# Which weights move


def test_gradients_without_weights_need_a_built_optimizer():
    with pytest.raises(ValueError, match=r"Fix: optimizer.apply\(grads, model.trainable_variables"):
        SGD().apply([np.ones(1)])


def test_apply_gradients_takes_pairs_and_counts_steps():
    w = weight(1.0)
    optimizer = SGD(1.0)
    steps = optimizer.apply_gradients(zip([np.ones(1)], [w], strict=True))
    assert (float(w[0]), int(steps), int(optimizer.iterations)) == (0, 1, 1)


def test_accumulated_steps_count_once():
    optimizer = SGD(1.0, gradient_accumulation_steps=2)
    w = weight(0.0)
    seen = []
    for gradient in (1.0, 3.0, 5.0):
        optimizer.apply([np.array([gradient])], [w])
        seen.append((float(w[0]), int(optimizer.iterations)))
    assert seen == [(0, 0), (-2, 1), (-2, 1)]


def test_a_weight_without_gradient_is_named_and_left_alone():
    one, two = weight(1.0, name="one"), weight(1.0, name="two")
    with pytest.warns(LaminaWarning, match="for the weights two; they are not changed"):
        SGD(1.0).apply([np.ones(1), None], [one, two])
    assert (float(one[0]), float(two[0])) == (0, 1)


def test_no_gradient_at_all_is_an_error_that_names_the_weights():
    with pytest.raises(ValueError, match="No gradients for any of the weights one, two"):
        SGD().apply([None, None], [weight(1.0, name="one"), weight(1.0, name="two")])


def test_an_unknown_weight_is_an_error_that_says_how_to_add_it():
    optimizer = SGD()
    optimizer.build([weight(1.0)])
    with pytest.raises(ValueError, match="was not built for 'new'") as caught:
        optimizer.apply([np.ones(1)], [weight(1.0, name="new")])
    assert "Fix: optimizer.build(model.trainable_variables)" in str(caught.value)


def test_gradients_that_do_not_fit_are_refused():
    w = weight(1.0, 2.0)
    with pytest.raises(ValueError, match="received 2 gradients for 1 weights"):
        SGD().apply([np.ones(2), np.ones(2)], [w])
    with pytest.raises(ValueError, match=r"for 'kernel' has shape \(3,\), expected \(2,\)"):
        SGD().apply([np.ones(3)], [w])


def test_no_gradients_are_no_step():
    optimizer = SGD()
    optimizer.apply([], [])
    assert int(optimizer.iterations) == 0


def test_a_constraint_holds_after_the_step():
    w = weight(1.0, constraint=lambda value: jnp.maximum(value, 0))
    SGD(1.0).apply([np.full(1, 5.0)], [w])
    assert float(w[0]) == 0


def test_changed_settings_act_at_the_next_step():
    w = weight(0.0)
    optimizer = SGD(1.0, momentum=0.5)
    optimizer.apply([np.ones(1)], [w])
    optimizer.momentum = 0.25
    optimizer.apply([np.zeros(1)], [w])
    assert float(w[0]) == -1.25


# Weight decay


def test_schedule_free_adamw_starts_from_weights_that_were_read_after_it_was_built():
    late, early = weight(0.0, 0.0), weight(1.0, -2.0)
    for v in (late, early):
        optimizer = optimizers.ScheduleFreeAdamW(0.1, weight_decay=0.1)
        optimizer.build([v])
        v.assign([1.0, -2.0])
        for _ in range(3):
            optimizer.apply([jnp.array([0.5, 1.0])], [v])
    np.testing.assert_array_equal(late.value, early.value)


@pytest.mark.parametrize("how", [{"var_names": ["bias", "gamma"]}, {"var_list": "the bias"}])
def test_excluded_weights_do_not_decay(how):
    kernel, bias = weight(1.0), weight(1.0, name="bias")
    if "var_list" in how:
        how = {"var_list": [bias]}
    optimizer = AdamW(learning_rate=0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(**how)
    optimizer.apply([np.zeros(1), np.zeros(1)], [kernel, bias])
    assert (float(kernel[0]), float(bias[0])) == (pytest.approx(0.95), 1)


# Moving averages


def test_training_ends_with_the_averages_in_place():
    w, other = weight(0.0), weight(7.0, name="other")
    optimizer = SGD(1.0, use_ema=True, ema_momentum=0.5)
    for _ in range(2):
        optimizer.apply([np.full(1, -4.0)], [w])
    optimizer.finalize_variable_values([w, other])
    assert (float(w[0]), float(other[0])) == (0.5 * 4 + 0.5 * 8, 7)


def test_without_a_step_there_is_nothing_to_put_in_place():
    w = weight(3.0)
    SGD(use_ema=True).finalize_variable_values([w])
    assert float(w[0]) == 3


def test_the_loss_is_scaled_for_small_gradients():
    assert SGD(loss_scale_factor=8.0).scale_loss(2.0) == 16
    assert SGD().scale_loss(2.0) == 2


# Clipping


def test_a_gradient_of_zero_is_clipped_to_zero():
    zero = [jnp.zeros(3)]
    assert clip_by_norm(zero, 1.0)[0].tolist() == clip_by_global_norm(zero, 1.0)[0].tolist()
    assert clip_by_norm(zero, 1.0)[0].tolist() == [0, 0, 0]


def test_an_infinite_gradient_is_seen_in_all_of_them():
    first, second = clip_by_global_norm([jnp.array([jnp.inf]), jnp.array([1.0])], 1.0)
    assert np.isnan(first).all()
    assert np.isnan(second).all()


# Files


def test_a_saved_state_that_does_not_fit_is_left_alone_with_a_warning():
    first, second = Adam(), Adam()
    first.build([weight(1.0, 2.0)])
    first.apply([np.ones(2)])
    second.build([weight(1.0, 2.0, 3.0)])
    store = {}
    first.save_own_variables(store)
    with pytest.warns(LaminaWarning, match=r"has shape \(3,\) and \(2,\) is saved"):
        second.load_own_variables(store)
    assert int(second.iterations) == 0
    with pytest.warns(LaminaWarning, match="4 variables are saved and it has 2"):
        SGD().load_own_variables(store)


def test_the_state_may_be_set_from_arrays():
    w, optimizer = weight(1.0, 2.0), Adam()
    with pytest.raises(ValueError, match=r"Fix: optimizer\.build"):
        optimizer.set_weights([3, 0.5])
    optimizer.build([w])
    optimizer.set_weights([3, 0.5, [1.0, 2.0], [3.0, 4.0]])
    assert int(optimizer.iterations) == 3
    assert optimizer.variables[-1].numpy().tolist() == [3.0, 4.0]
    with pytest.raises(ValueError, match="4 variables and received 1 arrays"):
        optimizer.set_weights([3])


def test_a_file_needs_only_to_be_a_mapping(tmp_path):
    h5py = pytest.importorskip("h5py")
    optimizer = Adam()
    optimizer.build([weight(1.0, 2.0)])
    optimizer.apply([np.ones(2)])
    with h5py.File(tmp_path / "state.h5", "w") as file:
        optimizer.save_own_variables(file)
    again = Adam()
    again.build([weight(1.0, 2.0)])
    with h5py.File(tmp_path / "state.h5") as file:
        again.load_own_variables(file)
    for a, b in zip(optimizer.variables, again.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


# Optimizers of one's own


class KerasStyle(Optimizer):
    """As Keras's guide writes one: slots in `build`, assignments in `update_step`."""

    def build(self, variables):
        super().build(variables)
        self.momentums = self.add_optimizer_variables(variables, "momentum")

    def update_step(self, gradient, variable, learning_rate):
        m = self.momentums[self._get_variable_index(variable)]
        self.assign(m, m * 0.9 - gradient * learning_rate)
        self.assign_add(variable, m.value)


def test_an_optimizer_in_keras_style_is_the_one_it_describes(rng):
    w, twin = weight(1.0, 2.0), weight(1.0, 2.0)
    own, reference = KerasStyle(0.1, clipnorm=1.0), SGD(0.1, momentum=0.9, clipnorm=1.0)
    for _ in range(3):
        gradient = rng.normal(size=2)
        own.apply([gradient], [w])
        reference.apply([gradient], [twin])
    np.testing.assert_allclose(w.numpy(), twin.numpy(), rtol=1e-6)
    names = [[v.name for v in optimizer.variables] for optimizer in (own, reference)]
    assert names[0] == names[1]


def test_an_optimizer_in_keras_style_compiles():
    w = weight(1.0, 2.0)
    optimizer = KerasStyle(0.1)
    optimizer.build([w])
    boxes = ([w], optimizer.variables)
    step = jax.jit(stateless(lambda: optimizer.apply([np.ones(2)], [w]), boxes))
    np.testing.assert_allclose(step(values_of(boxes))[1][0][0], [0.9, 1.9], rtol=1e-6)


def test_several_slots_and_their_initial_values():
    optimizer = Optimizer(0.1)
    ones, zeros = optimizer.add_optimizer_variables([weight(5.0)], ["a", "b"], ["ones", "zeros"])
    assert [v.name for v in optimizer.variables[2:]] == ["kernel_a", "kernel_b"]
    assert (float(ones[0][0]), float(zeros[0][0])) == (1, 0)


def test_an_optimizer_without_a_rule_says_what_to_write():
    class Empty(Optimizer):
        pass

    with pytest.raises(NotImplementedError, match=r"Empty has no rule: write transformation"):
        Empty().build([weight(1.0)])


# Wrong arguments


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"clipnorm": 1.0, "clipvalue": 1.0}, "Only one of clipnorm and clipvalue"),
        ({"clipnorm": 0}, "clipnorm must be above 0; received 0"),
        ({"global_clipnorm": -1.0}, "global_clipnorm must be above 0"),
        ({"use_ema": True, "ema_momentum": 1.5}, "ema_momentum must be from 0 to 1"),
        ({"use_ema": True, "ema_overwrite_frequency": 0}, "ema_overwrite_frequency must be"),
        ({"gradient_accumulation_steps": 1}, "gradient_accumulation_steps must be .* at least 2"),
        ({"gradient_accumulation_steps": 2.5}, "gradient_accumulation_steps must be an integer"),
        ({"momentum": 9}, "SGD needs a momentum from 0 to 1; received 9"),
        ({"momentun": 0.9}, "SGD has no argument 'momentun'. Did you mean 'momentum'"),
        ({"learningrate": 0.9}, "Did you mean 'learning_rate'"),
        ({"lr": 0.9}, "has no argument 'lr'; it is called learning_rate"),
    ],
)
def test_wrong_arguments_are_refused_by_name(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        SGD(**arguments)


def test_adamw_needs_its_weight_decay():
    with pytest.raises(ValueError, match="AdamW needs a weight_decay; without one it is Adam"):
        AdamW(weight_decay=None)


def test_other_ranges_are_checked_too():
    with pytest.raises(ValueError, match="RMSprop needs a momentum from 0 to 1"):
        optimizers.RMSprop(momentum=-0.5)
    with pytest.raises(ValueError, match="initial_accumulator_value of 0 or more"):
        optimizers.Adagrad(initial_accumulator_value=-1.0)


def test_the_old_decay_does_nothing_and_says_so():
    with pytest.warns(LaminaWarning, match=r"Fix: learning_rate=.*InverseTimeDecay"):
        SGD(decay=0.1)
    SGD(decay=None)


# Looking one up


@pytest.mark.parametrize("name", ["adam", "Adam", "ADAM"])
def test_a_name_is_found_in_any_case(name):
    assert type(optimizers.get(name)) is Adam


def test_an_optimizer_is_returned_as_it_is():
    optimizer = SGD()
    assert optimizers.get(optimizer) is optimizer
    assert optimizers.get(None) is None


def test_a_config_makes_an_optimizer():
    record = optimizers.serialize(SGD(schedules.CosineDecay(0.5, 10), momentum=0.5))
    found = optimizers.get(record)
    assert (type(found), found.momentum) == (SGD, 0.5)
    assert float(found.learning_rate) == 0.5


def test_a_users_optimizer_is_found_by_its_name():
    record = optimizers.serialize(KerasStyle(0.25))
    found = optimizers.deserialize(record, custom_objects={"KerasStyle": KerasStyle})
    assert (type(found), float(found.learning_rate)) == (KerasStyle, 0.25)


@pytest.mark.parametrize(
    ("identifier", "message"),
    [
        ("adamm", "Unknown optimizer 'adamm'. Did you mean 'Adam'"),
        (Adam, r"received 'Adam' itself.*\n  Fix: Adam\(…\)"),
        (3, "optimizer must be a name such as 'adam'"),
    ],
)
def test_what_is_no_optimizer_is_refused(identifier, message):
    with pytest.raises((TypeError, ValueError), match=message):
        optimizers.get(identifier)


# The compiled program


def test_a_compiled_step_is_a_few_fusions_for_each_weight(rng):
    weights = [Variable(np.zeros(s, "float32")) for s in [(8, 4), (4,), (4, 4), (4,), (4, 2), (2,)]]
    optimizer = Adam()
    optimizer.build(weights)
    boxes = (weights, optimizer.variables)
    gradients = [jnp.asarray(rng.normal(size=(100, *w.shape)), jnp.float32) for w in weights]

    def loop(values, gradients, stop):
        def step(i, values):
            grads = [g[i] for g in gradients]
            return stateless(lambda: optimizer.apply(grads, weights), boxes)(values)[1]

        return jax.lax.fori_loop(0, stop, step, values)

    program = jax.jit(loop).lower(values_of(boxes), gradients, 100).compile().as_text()
    # Both slots and the weight itself, and the scalars: the step's size, two counters.
    assert program.count(" fusion(") <= 3 * len(weights) + 6
