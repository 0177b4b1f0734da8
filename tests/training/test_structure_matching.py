"""Targets, weights, losses, metrics and inputs in every form, matched to those of the model.

The model gives 1, 2 and 4, named `a`, `b` and `c`, and the targets are 2, 5 and 10: the squared
errors are 1, 9 and 36, the absolute ones 1, 3 and 6, and whatever is mixed up gives other numbers.
The numbers and names are those of Keras 3.15, where Keras takes the form.
"""

import functools
from collections import OrderedDict, namedtuple
from operator import add

import jax
import keras
import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.training.feeds.conversion import convert
from lamina.training.structure_matching import StructureError, TensorTree, is_array, match

AB = namedtuple("AB", "a b")
BA = namedtuple("BA", "b a")
UV = namedtuple("UV", "u v")
X = np.zeros((4, 2), "float32")
A, B, C = (np.full((4, 1), value, "float32") for value in (2, 5, 10))
HALF, TWICE = np.array([1, 0, 0, 1], "float32"), np.full(4, 2, "float32")

FORMS = {
    "a": lambda a, b, c: a,
    "[a]": lambda a, b, c: [a],
    "{a}": lambda a, b, c: {"a": a},
    "[a, b]": lambda a, b, c: [a, b],
    "[b, a]": lambda a, b, c: [b, a],
    "{a, b}": lambda a, b, c: {"a": a, "b": b},
    "{b, a}": lambda a, b, c: {"b": b, "a": a},
    "{u: b, v: a}": lambda a, b, c: {"u": b, "v": a},
    "ordered {b, a}": lambda a, b, c: OrderedDict(b=b, a=a),
    "AB": lambda a, b, c: AB(a, b),
    "[a, b, c]": lambda a, b, c: [a, b, c],
    "{n: [a, b], m: c}": lambda a, b, c: {"n": [a, b], "m": c},
    "[{a, b}, c]": lambda a, b, c: [{"a": a, "b": b}, c],
}


@functools.cache
def model(form):
    given = lamina.Input((2,))
    outputs = [
        layers.Dense(1, name=name, kernel_initializer="zeros", bias_initializer=bias)(given)
        for name, bias in (("a", "ones"), ("b", constant(2)), ("c", constant(4)))
    ]
    return lamina.Model(given, FORMS[form](*outputs))


def constant(value):
    return lamina.initializers.Constant(value)


def measured(form, y, loss="mse", sample_weight=None, in_order=False, **arguments):
    """The logs of one batch, or the list without their names."""
    net = model(form)
    net.compile("sgd", loss, run_eagerly=True, **arguments)
    return net.test_on_batch(X, y, sample_weight=sample_weight, return_dict=not in_order)


def approx(numbers):
    return pytest.approx(numbers, rel=1e-5)


AC = {"loss": 7, "a_loss": 1, "c_loss": 6}
BOTH = {"loss": 10, "a_loss": 1, "b_loss": 9}


@pytest.mark.parametrize(
    ("form", "y"),
    [
        ("[a, b]", [A, B]),
        ("[a, b]", (A, B)),
        ("[a, b]", {"b": B, "a": A}),
        ("[a, b]", BA(B, A)),
        ("[a, b]", UV(A, B)),
        ("[b, a]", [B, A]),
        ("[b, a]", {"a": A, "b": B}),
        ("[b, a]", AB(A, B)),
        ("{a, b}", {"a": A, "b": B}),
        ("{a, b}", [A, B]),
        ("{a, b}", BA(B, A)),
        ("{b, a}", {"a": A, "b": B}),
        ("{b, a}", AB(A, B)),
        ("ordered {b, a}", [B, A]),
        ("AB", AB(A, B)),
        ("AB", BA(B, A)),
        ("AB", [A, B]),
        ("AB", {"b": B, "a": A}),
    ],
)
def test_targets_go_by_name_where_there_are_names_and_else_by_place(form, y):
    assert measured(form, y) == approx(BOTH)


def test_targets_may_go_by_the_names_of_layers_where_the_outputs_have_other_keys():
    assert measured("{u: b, v: a}", {"a": A, "b": B}) == approx(
        {"loss": 10, "u_loss": 9, "v_loss": 1}
    )


@pytest.mark.parametrize("form", ["a", "[a]", "{a}"])
@pytest.mark.parametrize("y", [A, A[:, 0], [A], (A,), {"a": A}, A.tolist()])
def test_targets_of_one_output_may_stand_alone_or_in_a_structure_of_one(form, y):
    assert measured(form, y) == approx({"loss": 1})


NESTED = {"loss": 46, "m_loss": 36, "n/a_loss": 1, "n/b_loss": 9}


@pytest.mark.parametrize(
    ("form", "y", "expected"),
    [
        ("{n: [a, b], m: c}", {"n": [A, B], "m": C}, NESTED),
        ("{n: [a, b], m: c}", {"m": C, "n": (A, B)}, NESTED),
        ("{n: [a, b], m: c}", {"m": C, "n": {"b": B, "a": A}}, NESTED),
        ("{n: [a, b], m: c}", {"c": C, "b": B, "a": A}, NESTED),
        (
            "[{a, b}, c]",
            [{"b": B, "a": A}, C],
            {"loss": 46, "0/a_loss": 1, "0/b_loss": 9, "c_loss": 36},
        ),
    ],
)
def test_nested_targets_are_those_of_the_nested_outputs(form, y, expected):
    assert measured(form, y) == approx(expected)


@pytest.mark.parametrize(
    ("form", "y", "words"),
    [
        ("{b, a}", [B, A], "Fix: y={'a': …, 'b': …}"),
        ("{b, a}", UV(B, A), "not written in alphabetical order"),
        ("{n: [a, b], m: c}", [A, B, C], "not written in alphabetical order"),
        ("[a, b]", {"a": A, "bb": B}, "has the name 'bb', which the model does not have"),
        ("[a, b]", {"u": A, "v": B}, "Its names: 'a', 'b'"),
        ("[a, b]", {"a": A}, "no targets for the output 'b', which the loss 'mse'"),
        ("[a, b]", [A], "for each of 2 tensors of the model"),
        ("[a, b]", A, "received a single one"),
        ("[a, b]", [A, B, C], "received a tuple of 3"),
        ("[a, b]", [A, None], "no targets for the output 'b'"),
        ("a", {"b": A}, "has the name 'b', which the model does not have"),
    ],
)
def test_targets_that_cannot_be_matched_are_refused_with_the_names_that_would_do(form, y, words):
    with pytest.raises(ValueError) as caught:
        measured(form, y)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("form", "loss", "y", "expected"),
    [
        ("[a, b, c]", ["mse", None, None], A, {"loss": 1}),
        ("[a, b, c]", ["mse", None, None], [A], {"loss": 1}),
        ("[a, b, c]", ["mse", None, None], {"a": A}, {"loss": 1}),
        ("[a, b, c]", [None, "mse", None], B, {"loss": 9}),
        ("[a, b, c]", ["mse", None, "mae"], [A, C], AC),
        ("[a, b, c]", ["mse", None, "mae"], {"c": C, "a": A}, AC),
        ("[a, b, c]", ["mse", None, "mae"], [A, None, C], AC),
        ("[a, b]", {"b": "mse"}, B, {"loss": 9}),
        ("{b, a}", {"b": "mse"}, [B], {"loss": 9}),
        ("{b, a}", {"b": "mse", "a": None}, {"b": B}, {"loss": 9}),
        ("{n: [a, b], m: c}", {"n": [None, "mse"]}, {"n": [None, B]}, {"loss": 9}),
    ],
)
def test_outputs_without_a_loss_need_no_targets(form, loss, y, expected):
    assert measured(form, y, loss) == approx(expected)


@pytest.mark.parametrize(
    ("form", "loss", "expected"),
    [
        ("[a, b]", {"b": "mae", "a": "mse"}, {"loss": 4, "a_loss": 1, "b_loss": 3}),
        ("[a, b]", ("mse", "mae"), {"loss": 4, "a_loss": 1, "b_loss": 3}),
        ("[a, b]", BA("mae", "mse"), {"loss": 4, "a_loss": 1, "b_loss": 3}),
        ("[a, b]", [["mse"], ["mae"]], {"loss": 4, "a_loss": 1, "b_loss": 3}),
        ("[a, b]", ["mse", ("mse", None)], BOTH),
        ("[a, b]", ["mse", ["mse", "mae"]], {"loss": 13, "a_loss": 1, "b_loss": 12}),
        ("[a, b]", {"a": ["mse"], "b": ["mse", "mae"]}, {"loss": 13, "a_loss": 1, "b_loss": 12}),
        ("{a, b}", {"a": ["mse"], "b": ["mse", "mae"]}, {"loss": 13, "a_loss": 1, "b_loss": 12}),
        ("{a, b}", AB("mse", "mae"), {"loss": 4, "a_loss": 1, "b_loss": 3}),
        ("a", ["mse", "mae"], {"loss": 2, "a_loss": 2}),
        ("a", {"a": ["mse"]}, {"loss": 1}),
        ("{n: [a, b], m: c}", "mae", {"loss": 10, "m_loss": 6, "n/a_loss": 1, "n/b_loss": 3}),
        ("{n: [a, b], m: c}", {"n": ["mse", "mae"], "m": "mse"},
         {**NESTED, "loss": 40, "n/b_loss": 3}),
        ("{n: [a, b], m: c}", {"n": ("mse", None), "m": None}, {"loss": 1}),
        ("{n: [a, b], m: c}", {"m": "mse"}, {"loss": 36}),
        ("{n: [a, b], m: c}", {"a": "mse", "c": "mae"}, {"loss": 7, "m_loss": 6, "n/a_loss": 1}),
        # One loss for a group is the mean over it.
        ("{n: [a, b], m: c}", {"n": "mse", "m": "mse"}, {"loss": 41, "m_loss": 36, "n_loss": 5}),
        ("[{a, b}, c]", [{"a": "mse", "b": "mae"}, "mse"],
         {"loss": 40, "0/a_loss": 1, "0/b_loss": 3, "c_loss": 36}),
        ("[{a, b}, c]", ["mae", "mae", "mse"],
         {"loss": 40, "0/a_loss": 1, "0/b_loss": 3, "c_loss": 36}),
    ],
)  # fmt: skip
def test_losses_may_have_any_form_that_the_outputs_have(form, loss, expected):
    y = {"a": A, "b": B, "c": C} if "c" in form else {"a": A, "b": B} if "b" in form else A
    assert measured(form, y, loss) == approx(expected)


def test_a_tensor_that_is_an_output_twice_has_two_losses():
    given = lamina.Input((2,))
    a = layers.Dense(1, name="a", kernel_initializer="zeros", bias_initializer="ones")(given)
    net = lamina.Model(given, [a, a])
    net.compile("sgd", ["mse", "mae"], run_eagerly=True)
    logs = net.test_on_batch(X, [A, C], return_dict=True)
    assert logs == approx({"loss": 10, "a_loss": 1, "a_1_loss": 9})


def test_the_user_s_loss_for_a_group_gets_the_group():
    def gap(y_true, y_pred):
        return abs(y_pred[1] - y_pred[0]) + 0 * y_true[0]

    y = {"n": [A, B], "m": C}
    assert measured("{n: [a, b], m: c}", y, {"n": gap})["loss"] == pytest.approx(1)


def gap_of_all(y_true, y_pred):
    """Sum of the absolute errors of a whole group of outputs, given in the outputs' form."""
    return jax.tree.reduce(add, jax.tree.map(lambda t, p: abs(t - p), y_true, y_pred))


@pytest.mark.parametrize("kind", [list, tuple, dict, AB])
def test_a_loss_of_a_group_gets_targets_and_outputs_in_the_form_of_the_outputs(kind):
    def form(y_true, y_pred):
        assert (type(y_true), type(y_pred)) == (kind, kind)
        return gap_of_all(y_true, y_pred)

    given = lamina.Input((2,))
    a, b = (layers.Dense(1, name=name)(given) for name in "ab")
    group = {"a": a, "b": b} if kind is dict else kind(a, b) if kind is AB else kind([a, b])
    net = lamina.Model(given, {"group": group})
    net.compile("sgd", {"group": form}, run_eagerly=True)
    net.test_on_batch(X, {"group": {"a": A, "b": B} if kind in (dict, AB) else [A, B]})


@pytest.mark.parametrize(
    ("form", "loss", "weights", "expected"),
    [
        ("{a, b}", [gap_of_all, {"a": "mse", "b": "mse"}], None,
         {"loss": 14, "a_b_loss": 4, "a_loss": 1, "b_loss": 9}),
        ("{a, b}", [gap_of_all, {"b": "mse"}], [2.0, {"b": 3.0}],
         {"loss": 35, "a_b_loss": 4, "b_loss": 9}),
        ("[a, b]", (gap_of_all, ["mse", "mse"]), (2.0, [1.0, 3.0]),
         {"loss": 36, "a_b_loss": 4, "a_loss": 1, "b_loss": 9}),
        ("AB", [gap_of_all, AB("mse", None)], None, {"loss": 5, "a_b_loss": 4, "a_loss": 1}),
        ("{n: [a, b], m: c}", {"n": (gap_of_all, [None, "mse"]), "m": "mse"}, None,
         {"loss": 49, "m_loss": 36, "n_loss": 4, "n/b_loss": 9}),
    ],
)  # fmt: skip
def test_a_list_of_another_kind_holds_losses_of_the_whole_group(form, loss, weights, expected):
    y = {"a": A, "b": B, "c": C} if "c" in form else {"a": A, "b": B}
    assert measured(form, y, loss, loss_weights=weights) == approx(expected)


@pytest.mark.parametrize(
    ("form", "loss", "weights", "expected"),
    [
        ("[a, b]", "mse", 0.5, 5),
        ("[a, b]", "mse", [0.5, 2.0], 18.5),
        ("[b, a]", "mse", {"a": 0.5, "b": 2.0}, 18.5),
        ("[a, b]", ["mse", "mae"], {"b": 2.0, "a": 0.5}, 6.5),
        ("[a, b]", {"b": "mae", "a": "mse"}, BA(2.0, 0.5), 6.5),
        ("{a, b}", {"b": "mae", "a": "mse"}, [0.5, 2.0], 6.5),
        ("[a, b]", {"a": ["mse"], "b": ["mse", "mae"]}, {"a": [1.0], "b": [2.0, 3.0]}, 28),
        ("[a, b]", {"b": ["mse", "mae"], "a": ["mse"]}, [1.0, 2.0, 3.0], 28),
        ("[a, b]", {"b": ["mse", "mae"], "a": "mse"}, {"b": [2.0, 3.0], "a": 1.0}, 28),
        ("[a, b]", BA(["mse", "mae"], "mse"), AB(1.0, [2.0, 3.0]), 28),
        ("{a, b}", {"b": ["mse", "mae"], "a": None}, {"b": [2.0, 3.0]}, 27),
        ("[a, b]", ["mse", ["mse", "mae"]], [1.0, [2.0, 3.0]], 28),
        ("{n: [a, b], m: c}", {"n": ["mse", "mae"], "m": "mse"}, {"n": [0.5, 2], "m": 3}, 114.5),
        ("{n: [a, b], m: c}", {"n": "mse", "m": "mse"}, {"n": 2.0, "m": 3.0}, 118),
    ],
)
def test_loss_weights_belong_to_the_outputs_or_to_the_losses(form, loss, weights, expected):
    y = {"a": A, "b": B, "c": C} if "c" in form else {"a": A, "b": B}
    assert measured(form, y, loss, loss_weights=weights)["loss"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("argument", "value", "words"),
    [
        ("loss", {"a": "mse", "bb": "mse"}, "has the name 'bb', which the model does not have"),
        ("loss", ["mse"], "loss must have a part for each of 2 tensors of the model"),
        ("loss", ["mse", "mae", "mse"], "received a list of 3"),
        ("loss_weights", {"aa": 1.0}, "loss_weights has the name 'aa'"),
        ("loss_weights", [1.0, 2.0, 3.0], "loss_weights must have a part for each of 2"),
        ("metrics", {"aa": ["mae"]}, "Did you mean 'a'"),
        ("metrics", [["mae"], ["mae"], ["mae"]], "metrics must have a part"),
        ("weighted_metrics", {"aa": ["mae"]}, "weighted_metrics has the name 'aa'"),
    ],
)
def test_what_is_compiled_for_other_outputs_is_refused(argument, value, words):
    with pytest.raises(ValueError) as caught:
        measured("[a, b]", [A, B], **{argument: value})
    assert words in str(caught.value)


@pytest.mark.parametrize("argument", ["loss", "loss_weights", "metrics"])
def test_lists_for_a_dict_written_in_another_order_are_refused(argument):
    value = [1.0, 2.0] if argument == "loss_weights" else ["mse", "mae"]
    with pytest.raises(StructureError, match=f"Fix: {argument}={{'a': …, 'b': …}}"):
        measured("{b, a}", {"a": A, "b": B}, **{argument: value})


@pytest.mark.parametrize(
    ("form", "metrics", "expected"),
    [
        ("[b, a]", ["mae", "mse"], {"a_mse": 1, "b_mae": 3}),
        ("[b, a]", {"a": "mae"}, {"a_mae": 1}),
        ("[a, b]", [["mae"], None], {"a_mae": 1}),
        ("[a, b]", [[], ["mae"]], {"b_mae": 3}),
        ("[a, b]", {"a": ("mae", "mse")}, {"a_mae": 1, "a_mse": 1}),
        ("[a, b]", ["mae", ["mse"]], {"a_mae": 1, "b_mse": 9}),
        ("[a, b]", ["mae"], {"a_mae": 1, "b_mae": 3}),
        ("[a, b]", BA("mae", "mse"), {"a_mse": 1, "b_mae": 3}),
        ("{a, b}", {"b": ["mae"]}, {"b_mae": 3}),
        ("{u: b, v: a}", {"u": ["mae"]}, {"u_mae": 3}),
        ("{n: [a, b], m: c}", {"n": [["mae"], None], "m": ["mae"]}, {"a_mae": 1, "c_mae": 6}),
        ("{n: [a, b], m: c}", {"n": ["mae", "mse"], "m": "mae"},
         {"a_mae": 1, "b_mse": 9, "c_mae": 6}),
        ("{n: [a, b], m: c}", {"b": "mae"}, {"b_mae": 3}),
    ],
)  # fmt: skip
def test_metrics_may_have_any_form_that_the_outputs_have(form, metrics, expected):
    y = {"a": A, "b": B, "c": C} if "c" in form else {"a": A, "b": B}
    logs = measured(form, y, metrics=metrics)
    assert {k: v for k, v in logs.items() if not k.endswith("loss")} == approx(expected)


@pytest.mark.parametrize(
    ("form", "arguments", "expected"),
    [
        ("a", {"metrics": ["mae"], "weighted_metrics": ["mae"]}, ["mae", "weighted_mae"]),
        ("a", {"metrics": ["mae", "mae"]}, ["mae", "mae_1"]),
        ("a", {"metrics": ["mae"] * 2, "weighted_metrics": ["mae"] * 2},
         ["mae", "mae_1", "weighted_mae", "weighted_mae_1"]),
        ("a", {"weighted_metrics": ["mae"]}, ["mae"]),
        ("[a, b]", {"metrics": {"a": ["mse"]}, "weighted_metrics": {"a": ["mse"]}},
         ["a_mse", "a_weighted_mse"]),
        ("[a, b]", {"metrics": [["mae", "mae"], []], "weighted_metrics": [["mae"], ["mae"]]},
         ["a_mae", "a_mae_1", "a_weighted_mae", "b_mae"]),
    ],
)  # fmt: skip
def test_metrics_of_one_name_are_told_apart_as_by_keras(form, arguments, expected):
    logs = measured(form, A if form == "a" else [A, B], **arguments)
    assert sorted(name for name in logs if not name.endswith("loss")) == expected


def test_a_metric_given_once_measures_every_output_by_itself():
    mean = lamina.metrics.MeanAbsoluteError()
    logs = measured("[a, b]", [A, B], metrics=[mean])
    assert logs["a_mean_absolute_error"] == 1
    assert logs["b_mean_absolute_error"] == 3


@pytest.mark.parametrize(
    ("sample_weight", "a_loss", "b_loss"),
    [
        (HALF, 0.5, 4.5),
        ([HALF, TWICE], 0.5, 18),
        ((HALF, TWICE), 0.5, 18),
        ({"b": TWICE, "a": HALF}, 0.5, 18),
        (BA(TWICE, HALF), 0.5, 18),
        ({"a": HALF}, 0.5, 9),
        ([HALF, None], 0.5, 9),
    ],
)
@pytest.mark.parametrize("form", ["[a, b]", "{a, b}"])
def test_sample_weights_belong_to_the_outputs(form, sample_weight, a_loss, b_loss):
    logs = measured(form, {"a": A, "b": B}, sample_weight=sample_weight)
    assert logs == approx({"loss": a_loss + b_loss, "a_loss": a_loss, "b_loss": b_loss})


def test_sample_weights_for_one_of_two_outputs_in_a_list_are_refused():
    with pytest.raises(ValueError, match="sample_weight must have a part for each of 2"):
        measured("[a, b]", [A, B], sample_weight=[HALF])


def test_the_list_of_results_follows_the_losses_and_then_the_names_of_metrics():
    y = {"n": [A, B], "m": C}
    loss = {"n": ["mse", "mae"], "m": "mse"}
    found = measured("{n: [a, b], m: c}", y, loss, in_order=True, metrics={"m": "mae", "a": "mae"})
    assert found == approx([40, 1, 3, 36, 1, 6])


class Called(lamina.Model):
    """Outputs in a form that is known only when it is called."""

    def __init__(self, form):
        super().__init__()
        self.form = form
        self.a = layers.Dense(1, kernel_initializer="zeros", bias_initializer="ones")
        self.b = layers.Dense(1, kernel_initializer="zeros", bias_initializer=constant(2))

    def call(self, x):
        return self.form(self.a(x), self.b(x))


@pytest.mark.parametrize(
    ("form", "y", "expected"),
    [
        (lambda a, b: {"b": b, "a": a}, {"a": A, "b": B}, BOTH),
        (lambda a, b: [a, b], [A, B], {"loss": 10, "output_0_loss": 1, "output_1_loss": 9}),
        (lambda a, b: AB(a, b), BA(B, A), BOTH),
        (lambda a, b: {"b": [b], "a": a}, {"a": A, "b": [B]},
         {"loss": 10, "a_loss": 1, "b/0_loss": 9}),
        (lambda a, b: {"x": a}, [A], {"loss": 1}),
        (lambda a, b: a, {"any": A}, {"loss": 1}),
    ],
)  # fmt: skip
def test_models_with_a_call_of_their_own_are_matched_alike(form, y, expected):
    net = Called(form)
    net.compile("sgd", "mse", run_eagerly=True)
    assert net.test_on_batch(X, y, return_dict=True) == approx(expected)


def test_outputs_without_names_are_logged_as_in_keras():
    ours, theirs = (
        type("Pair", (K.Model,), {"call": lambda self, x: [x[:, :1], x[:, 1:]]})()
        for K in (lamina, keras)
    )
    for net in (ours, theirs):
        net.compile("sgd", ["mse", "mae"], metrics=[["mae"], ["mae"]], jit_compile=False)
    logs = [net.test_on_batch(X, [A, B], return_dict=True) for net in (ours, theirs)]
    assert logs[0] == approx(logs[1])


def test_a_list_for_a_dict_that_call_wrote_in_another_order_is_refused():
    net = Called(lambda a, b: {"b": b, "a": a})
    net.compile("sgd", "mse", run_eagerly=True)
    with pytest.raises(StructureError, match="alphabetical order"):
        net.test_on_batch(X, [B, A])


# -- every way to give data ------------------------------------------------------------------------

Y = {"b": B, "a": A}


def batches():
    while True:
        yield X, Y


class Batches(lamina.utils.PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        return X, Y


WAYS = {
    "arrays": (lambda: (X, Y), {}),
    "a Dataset": (lambda: (lamina.data.Dataset.from_tensor_slices((X, Y)).batch(2),), {}),
    "a generator": (lambda: (batches(),), {"steps_per_epoch": 1}),
    "a PyDataset": (lambda: (Batches(),), {}),
    "a list of batches": (lambda: (iter([(X, Y)]),), {"steps_per_epoch": 1}),
}


class OwnStep(lamina.Model):
    def train_step(self, data):
        x, y = data

        def loss():
            y_pred = self(x, training=True)
            return self.compute_loss(x, y, y_pred), y_pred

        variables = self.trainable_variables
        (_, y_pred), gradients = lamina.value_and_grad(loss, variables)()
        self.optimizer.apply(gradients, variables)
        return self.compute_metrics(x, y, y_pred)


@pytest.fixture(scope="module")
def learners():
    """Models that learn nothing, so that every way measures the same, compiled once."""

    def make(cls):
        given = lamina.Input((2,))
        zeros = {"kernel_initializer": "zeros"}
        b = layers.Dense(1, name="b", bias_initializer=constant(2), **zeros)(given)
        a = layers.Dense(1, name="a", bias_initializer="ones", **zeros)(given)
        net = cls(given, [b, a])
        net.compile(lamina.optimizers.SGD(0.0), "mse", metrics={"a": ["mae"]})
        return net

    return {cls: make(cls) for cls in (lamina.Model, OwnStep)}


@pytest.mark.parametrize("cls", [lamina.Model, OwnStep])
@pytest.mark.parametrize("way", WAYS)
def test_fit_matches_names_however_the_data_come(learners, cls, way):
    data, arguments = WAYS[way]
    history = learners[cls].fit(*data(), verbose=0, **arguments).history
    assert history["a_mae"] == approx([1])
    if cls is lamina.Model:
        assert history["b_loss"] == approx([9])


@pytest.mark.parametrize("way", ["arrays", "a Dataset", "a PyDataset"])
def test_evaluate_matches_names_however_the_data_come(learners, way):
    logs = learners[lamina.Model].evaluate(*WAYS[way][0](), verbose=0, return_dict=True)
    assert logs == approx({**BOTH, "a_mae": 1})


def test_validation_data_and_single_batches_match_names(learners):
    net = learners[lamina.Model]
    history = net.fit(X, Y, validation_data=(X, Y, {"a": HALF}), verbose=0).history
    assert history["val_b_loss"] == approx([9])
    assert history["val_a_loss"] == approx([0.5])
    assert net.train_on_batch(X, Y, return_dict=True)["b_loss"] == pytest.approx(9)


def test_columns_of_a_table_go_by_the_names_of_outputs_and_inputs(learners):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"a": [2.0] * 4, "other": [0.0] * 4, "b": [5.0] * 4}).iloc[::-1]
    logs = learners[lamina.Model].evaluate(X, table, verbose=0, return_dict=True)
    assert logs == approx({**BOTH, "a_mae": 1})
    net = difference(lambda it, s: {"IT": it, "IS": s})
    net.compile(lamina.optimizers.SGD(0.0), "mse")
    inputs = pandas.DataFrame({"IS": [0.0] * 4, "IT": [1.0] * 4})
    history = net.fit(inputs, np.ones((4, 1)), validation_split=0.5, verbose=0).history
    assert history == {"loss": [0], "val_loss": [0]}


def test_the_compiled_loss_can_be_asked_for_in_a_loop_of_ones_own():
    net = model("[b, a]")
    net.compile("sgd", "mse", metrics={"a": ["mae"]})
    y_pred = net(X)
    assert float(net.compute_loss(X, Y, y_pred)) == pytest.approx(10)
    assert net.compute_metrics(X, Y, y_pred)["a_mae"] == pytest.approx(1)


def test_class_weights_go_with_the_one_output_that_has_a_loss():
    net = model("[a, b, c]")
    net.compile(lamina.optimizers.SGD(0.0), [None, "mse", None], run_eagerly=True)
    labels = np.array([0, 1, 1, 1], "float32")[:, None]
    found = net.train_on_batch(X, labels, class_weight={0: 1.0, 1: 2.0})
    assert found == pytest.approx((4 + 3 * 2 * 1) / 4)


# -- inputs ----------------------------------------------------------------------------------------

ONE, ZERO = np.ones((2, 1), "float32"), np.zeros((2, 1), "float32")
TS = namedtuple("TS", "IT IS")
ST = namedtuple("ST", "IS IT")


def difference(form):
    """IT minus IS."""
    minuend, subtrahend = lamina.Input((1,), name="IT"), lamina.Input((1,), name="IS")
    return lamina.Model(form(minuend, subtrahend), layers.Subtract()([minuend, subtrahend]))


@pytest.mark.parametrize(
    ("form", "x"),
    [
        (lambda it, s: {"IT": it, "IS": s}, {"IS": ZERO, "IT": ONE}),
        (lambda it, s: {"IT": it, "IS": s}, ST(ZERO, ONE)),
        (lambda it, s: {"IT": it, "IS": s}, {"IS": ZERO, "IT": ONE, "other": ZERO}),
        (lambda it, s: {"IS": s, "IT": it}, [ZERO, ONE]),
        (lambda it, s: [it, s], [ONE, ZERO]),
        (lambda it, s: [it, s], {"IS": ZERO, "IT": ONE}),
        (lambda it, s: [it, s], ST(ZERO, ONE)),
        (lambda it, s: TS(it, s), ST(ZERO, ONE)),
        (lambda it, s: TS(it, s), [ONE, ZERO]),
        (lambda it, s: {"x": [it, s]}, {"x": [ONE, ZERO]}),
        (lambda it, s: {"x": [it, s]}, [ONE, ZERO]),
    ],
)
def test_inputs_go_by_name_where_there_are_names_and_else_by_place(form, x):
    net = difference(form)
    np.testing.assert_array_equal(net(x), ONE)
    np.testing.assert_array_equal(net.predict(x, verbose=0), ONE)


def copies():
    net = difference(lambda it, s: {"IT": it, "IS": s})
    yield net
    yield lamina.models.clone_model(net)
    yield lamina.Model.from_config(net.get_config())


@pytest.mark.parametrize("call", ["__call__", "predict", "predict_on_batch", "evaluate", "fit"])
def test_a_list_for_inputs_written_in_another_order_is_refused(call):
    for net in copies():
        net.compile("sgd", "mse")
        more = [ONE] if call in ("evaluate", "fit") else []
        with pytest.raises(StructureError, match="Fix: x={'IS': …, 'IT': …}"):
            getattr(net, call)([ONE, ZERO], *more)


# -- the parts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "shapes"),
    [
        ([1.0, 2.0], (2,)),
        ([np.float32(1), np.float64(2)], (2,)),
        ((1.0, 2.0), (2,)),
        ([[1.0], [2.0]], (2, 1)),
        ([ONE, ZERO], ((2, 1), (2, 1))),
        ([[ONE, ZERO], ONE], (((2, 1), (2, 1)), (2, 1))),
        ([ONE, None], ((2, 1), None)),
        (AB(ONE, ZERO), AB((2, 1), (2, 1))),
    ],
)
def test_a_list_of_numbers_is_one_array_and_a_list_of_arrays_is_several(given, shapes):
    def shape(part):
        if isinstance(part, tuple):
            parts = [shape(p) for p in part]
            return type(part)(*parts) if hasattr(part, "_fields") else tuple(parts)
        return None if part is None else part.shape

    found = shape(convert(given))
    assert found == shapes
    assert type(found) is type(shapes)


def test_a_list_of_numpy_numbers_is_targets():
    net = model("a")
    net.compile("sgd", "mse", run_eagerly=True)
    assert net.test_on_batch(X, [np.float64(2)] * 4) == pytest.approx(1)


def test_places_without_names_are_matched_by_their_form():
    tree = TensorTree({"n": [1, 2], "m": 3})
    m, first, second = np.ones(3), np.zeros(3), np.ones(3)
    found = match(tree, {"n": (first, second), "m": m}, "y", is_array)
    assert [id(part) for part in found] == [id(m), id(first), id(second)]
