"""The shape check: what is reconciled, what is refused, and in which words."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st

from lamina import losses
from lamina.core.messages.errors import LaminaWarning
from lamina.core.variable.variable import Variable
from lamina.losses.shapes import align, align_labels, check_labels, match_weight, to_array

pytestmark = pytest.mark.quick

shapes = st.lists(st.integers(1, 3), min_size=0, max_size=3).map(tuple)

ELEMENTWISE = [
    losses.mean_squared_error,
    losses.mean_absolute_error,
    losses.mean_absolute_percentage_error,
    losses.mean_squared_logarithmic_error,
    losses.huber,
    losses.log_cosh,
    losses.cosine_similarity,
    losses.poisson,
    losses.binary_crossentropy,
    losses.binary_focal_crossentropy,
    losses.categorical_crossentropy,
    losses.categorical_focal_crossentropy,
    losses.kl_divergence,
    losses.hinge,
    losses.squared_hinge,
    losses.categorical_hinge,
]
every_function = pytest.mark.parametrize("loss", ELEMENTWISE, ids=lambda f: f.__name__)


def _or_error(function, *args):
    """What a function returns, or the text of its ValueError."""
    try:
        return function(*args)
    except ValueError as error:
        return str(error)


@given(shapes, shapes)
def test_aligned_arrays_have_one_shape_and_no_more_numbers(true_shape, pred_shape):
    y_true, y_pred = np.ones(true_shape), np.ones(pred_shape)
    found = _or_error(align, y_true, y_pred, "demo")
    if isinstance(found, str):
        assert true_shape != pred_shape
        assert f"y_true of shape {true_shape}, y_pred of shape {pred_shape}" in found
    else:
        assert found[0].shape == found[1].shape
        assert found[0].size == y_true.size == y_pred.size


@given(shapes, shapes)
def test_labels_come_out_without_the_class_axis_or_not_at_all(true_shape, pred_shape):
    labels, scores = np.zeros(true_shape, int), np.ones(pred_shape)
    found = _or_error(align_labels, labels, scores, "sparse_categorical_crossentropy")
    if isinstance(found, str):
        assert true_shape != pred_shape[:-1] or not pred_shape
        assert "Fix:" in found
    else:
        assert found[0].shape == pred_shape[:-1]
        assert found[0].size == labels.size


@given(shapes, shapes)
def test_weights_never_enlarge_values(weight_shape, shape):
    found = _or_error(match_weight, jnp.ones(weight_shape), shape, "demo")
    if isinstance(found, str):
        assert weight_shape not in (shape, shape[:1], ())
        assert "does not fit" in found
    else:
        assert np.broadcast_shapes(found.shape, shape) == shape


@every_function
@pytest.mark.parametrize(("true_shape", "pred_shape"), [((5,), (5, 1)), ((5, 1), (5,))])
def test_a_missing_last_axis_of_one_changes_nothing(loss, true_shape, pred_shape):
    if "categorical" in loss.__name__:
        pytest.skip("one class is no choice")
    y_true, y_pred = np.linspace(0, 1, 5), np.linspace(0.2, 0.7, 5)
    expected = loss(y_true.reshape(5, 1), y_pred.reshape(5, 1))
    found = loss(y_true.reshape(true_shape), y_pred.reshape(pred_shape))
    np.testing.assert_array_equal(found, expected)


@every_function
@pytest.mark.parametrize(
    ("true_shape", "pred_shape"),
    [((5, 3), (5, 1)), ((5,), (5, 3)), ((3,), (5, 3)), ((5, 3), (3, 5)), ((1, 3), (5, 3))],
)
def test_whatever_numpy_would_broadcast_is_refused(loss, true_shape, pred_shape):
    with pytest.raises(ValueError, match="shapes differ") as caught:
        loss(np.ones(true_shape), np.ones(pred_shape))
    assert str(true_shape) in str(caught.value)
    assert str(pred_shape) in str(caught.value)
    assert loss.__name__ in str(caught.value)


DISTANCES = ELEMENTWISE[:6]


@pytest.mark.parametrize("loss", DISTANCES, ids=lambda f: f.__name__)
@pytest.mark.parametrize("shape", [(5, 3), (5, 4, 3)])
def test_a_distance_compares_all_outputs_with_a_target_that_was_given_an_axis(loss, shape):
    y_true, y_pred = np.ones((*shape[:-1], 1)), np.linspace(0, 2, np.prod(shape)).reshape(shape)
    with pytest.warns(LaminaWarning, match="compares each of the 3 outputs") as said:
        found = loss(y_true, y_pred)
    np.testing.assert_allclose(found, loss(np.repeat(y_true, 3, axis=-1), y_pred), rtol=1e-6)
    assert "y = numpy.repeat(y, 3, axis=-1)" in str(said[0].message)


@pytest.mark.parametrize("loss", ELEMENTWISE[6:], ids=lambda f: f.__name__)
def test_one_target_for_many_outputs_is_refused_where_it_means_a_class_or_a_direction(loss):
    with pytest.raises(ValueError, match="shapes differ"):
        loss(np.ones((5, 1)), np.ones((5, 3)))


@pytest.mark.parametrize(
    ("loss", "true_shape", "pred_shape", "fix"),
    [
        ("categorical_crossentropy", (8,), (8, 10), "sparse_categorical_crossentropy"),
        ("categorical_crossentropy", (8, 1), (8, 10), "sparse_categorical_crossentropy"),
        ("binary_crossentropy", (8,), (8, 10), "sparse_categorical_crossentropy"),
        ("sparse_categorical_crossentropy", (8, 10), (8, 10), "'categorical_crossentropy'"),
        ("sparse_categorical_crossentropy", (8, 3), (8, 10), r"Dense\(3\)"),
        ("sparse_categorical_crossentropy", (7,), (8, 10), "cut, shuffled and batched alike"),
        ("sparse_categorical_crossentropy", (8,), (8, 5, 10), r"Flatten\(\)"),
        ("sparse_categorical_crossentropy", (8,), (), r"axis=-1"),
        ("mean_squared_error", (8,), (8, 10), r"Dense\(1\)"),
        ("mean_squared_error", (8, 10), (8, 1), r"Dense\(10\)"),
        ("mean_squared_error", (8, 2), (8, 3), r"end the model with Dense\(2\)"),
        ("mean_squared_error", (8, 1), (7, 1), "cut, shuffled and batched alike"),
        ("mean_squared_error", (8, 2), (8, 5, 2), r"Flatten\(\)"),
    ],
)
def test_the_error_names_what_to_do(loss, true_shape, pred_shape, fix):
    with pytest.raises(ValueError, match=fix):
        getattr(losses, loss)(np.zeros(true_shape), np.ones(pred_shape))


@pytest.mark.parametrize(
    ("labels", "fix"),
    [([1, 2, 3], "y = y - 1"), ([0, 5], r"Dense\(6\)"), ([-1, 0], r"ignore_class=-1")],
)
def test_labels_out_of_range_are_refused(labels, fix):
    scores = np.full((len(labels), 3), 1 / 3)
    with pytest.raises(ValueError, match=fix) as caught:
        losses.sparse_categorical_crossentropy(labels, scores)
    assert f"labels from {min(labels)} to {max(labels)}" in str(caught.value)


def test_ignored_labels_may_be_out_of_range():
    check_labels(np.array([0, 255, 1]), classes=2, caller="demo", ignore_class=255)


def test_labels_are_not_looked_at_while_tracing():
    losses_of = jax.jit(losses.sparse_categorical_crossentropy)
    assert np.isfinite(losses_of(jnp.array([7]), jnp.full((1, 2), 0.5))).all()


@pytest.mark.parametrize(
    "form",
    [list, np.asarray, jnp.asarray, Variable, lambda x: [jnp.asarray(row) for row in x]],
    ids=["list", "numpy", "jax", "variable", "list of jax arrays"],
)
def test_every_form_of_array_is_accepted(form):
    y_true, y_pred = [[0.0, 1.0], [1.0, 0.0]], [[0.5, 1.0], [2.0, 0.0]]
    loss = losses.MeanSquaredError()
    assert float(loss(np.asarray(y_true), form(y_pred))) == 0.3125
    assert float(loss(form(y_true), np.asarray(y_pred))) == 0.3125


@pytest.mark.parametrize("value", [["cat", "dog"], None, [object()]])
def test_what_holds_no_numbers_is_refused(value):
    with pytest.raises(TypeError, match="demo needs numbers as y_true"):
        to_array(value, "y_true", "demo")


def test_rows_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="rows differ in length"):
        losses.mean_squared_error([[1.0], [1.0, 2.0]], [[1.0], [2.0]])


def test_doubles_become_floats_without_a_warning():
    y_true, y_pred = np.ones((2, 1), "float64"), np.zeros((2, 1), "float64")
    assert losses.MeanSquaredError()(y_true, y_pred).dtype == "float32"


@pytest.mark.parametrize(
    "loss", [losses.mean_squared_error, losses.binary_crossentropy, losses.categorical_hinge]
)
def test_an_empty_batch_gives_no_values(loss):
    assert loss(np.ones((0, 2)), np.ones((0, 2))).shape == (0,)
