"""`validation_split` with `split`: which rows are validated on, and what is said of the last."""

import warnings

import numpy as np
import pytest

import lamina
from lamina.core.messages.errors import LaminaWarning
from lamina.layers import Dense, Input
from lamina.training.feeds.tail_check import unrepresentative_tail_warning
from lamina.training.feeds.validation_split import row_split

SORTED = np.repeat([0, 1, 2], 20)
GROUPS = np.repeat(list("abcdef"), 10)


@pytest.fixture(scope="module")
def model():
    """Always gives 0, so the loss is the mean of the squares of y."""
    dense = Dense(1, kernel_initializer="zeros", use_bias=False)
    model = lamina.Sequential([Input((1,)), dense])
    model.compile(lamina.optimizers.SGD(0.0), "mse")
    return model


def fit(model, y=SORTED, split="tail", x=None, **more):
    """The history of one epoch, where a warning is an error."""
    x = np.arange(len(y))[:, None] / 60 if x is None else x
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return model.fit(x, y, validation_split=0.2, split=split, verbose=0, **more)


@pytest.mark.parametrize("method", ["tail", "random", "stratified", "group"])
def test_the_rows_of_a_split_are_those_that_are_trained_and_validated_on(model, method):
    history = fit(model, split=method if method != "group" else ("group", GROUPS))
    split = history.split
    assert split.method == method
    together = np.concatenate([split.train, split.validation])
    assert sorted(together.tolist()) == list(range(60))
    assert np.all(np.diff(split.train) > 0)
    assert history.history["loss"][0] == pytest.approx(np.mean(SORTED[list(split.train)] ** 2))
    validated = np.mean(SORTED[list(split.validation)] ** 2)
    assert history.history["val_loss"][0] == pytest.approx(validated)
    assert model.input_contract.split == method


def test_the_tail_is_that_of_keras():
    split = row_split(10, 0.25, None, None)
    assert (list(split.train), list(split.validation)) == ([*range(7)], [7, 8, 9])


@pytest.mark.parametrize(
    "y",
    [SORTED, SORTED[:, None], SORTED.astype("float32"), np.eye(3)[SORTED]],
    ids=["numbers", "a column", "floats", "one-hot"],
)
def test_a_stratified_split_keeps_the_mix_of_classes(y):
    split = row_split(60, 0.2, "stratified", y)
    assert np.bincount(SORTED[split.validation]).tolist() == [4, 4, 4]


@pytest.mark.parametrize("fraction", [0.1, 0.34, 0.5])
def test_a_stratified_split_has_as_many_rows_as_any_and_trains_on_every_class(rng, fraction):
    y = np.array([0] * 40 + [1] * 7 + [2] * 2 + [3])
    split = row_split(50, fraction, "stratified", rng.permutation(y))
    assert len(split.validation) == 50 - int(50 * (1 - fraction))
    split = row_split(50, fraction, "stratified", y)
    assert set(y[split.train]) == {0, 1, 2, 3}
    of_first = np.mean(y[split.validation] == 0)
    assert of_first == pytest.approx(0.8, abs=1 / len(split.validation))


def test_groups_stay_together():
    split = row_split(60, 0.3, ("group", GROUPS), None)
    assert not set(GROUPS[split.train]) & set(GROUPS[split.validation])
    assert len(split.validation) == 20


@pytest.mark.parametrize("method", ["random", "stratified"])
def test_a_split_is_the_same_in_every_call_and_another_for_another_seed(method):
    def rows():
        return row_split(60, 0.2, method, SORTED).validation.tolist()

    first = rows()
    assert rows() == first
    lamina.utils.set_random_seed(5)
    assert rows() != first
    assert rows() == rows()


@pytest.mark.parametrize("kind", ["jax", "sparse", "text", "dict"])
def test_other_arrays_are_split_by_row_as_well(kind):
    import scipy.sparse

    y = np.arange(10.0)
    x = {
        "jax": lambda: lamina.ops.reshape(lamina.ops.arange(10.0), (10, 1)),
        "sparse": lambda: scipy.sparse.csr_matrix(y[:, None]),
        "dict": lambda: {"a": y},
        "text": lambda: [str(i) for i in range(10)],
    }[kind]()
    inputs = Input((1,), name="a")
    outputs = inputs
    if kind == "text":
        inputs = Input((), dtype="string")
        table = lamina.layers.StringLookup(vocabulary=[str(i) for i in range(10)])
        outputs = lamina.ops.cast(lamina.ops.expand_dims(table(inputs), -1), "float32") - 1.0
    net = lamina.Model(inputs, Dense(1, kernel_initializer="ones", trainable=False)(outputs))
    net.compile("sgd", "mse")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # all weights are frozen
        history = net.fit(x, y, validation_split=0.3, split="random", verbose=0)
    # Every x is its own y, wherever it went.
    assert history.history["loss"] == history.history["val_loss"] == [0.0]


def test_a_resumed_run_has_the_same_rows(tmp_path, model):
    backup = lamina.callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
    first = fit(model, split="random", epochs=1, callbacks=[backup]).split
    again = fit(model, split="random", epochs=2, callbacks=[backup])
    np.testing.assert_array_equal(again.split.validation, first.validation)


def test_the_split_is_printed(model, capsys):
    y = np.tile([0, 1, 2], 20)
    model.fit(y[:, None], y, validation_split=0.2, split="stratified", verbose=2)
    first = capsys.readouterr().out.splitlines()[0]
    assert first == (
        "Validation on 12 of 60 samples, drawn at random with the class proportions of all samples "
        "(split='stratified')."
    )


def test_sorted_data_are_said_unless_the_tail_is_asked_for(model):
    model = lamina.models.clone_model(model)
    model.compile("sgd", "mse")
    with pytest.raises(LaminaWarning, match="class 2 is 100% of them and 17% of the others"):
        fit(model, split=None)
    fit(model, split="tail")
    assert fit(model, y=np.tile([0, 1, 2], 20), split=None).split.method == "tail"


DIFFERENT = {
    "classes": np.repeat([0, 1, 2], 50),
    "one-hot": np.eye(3, dtype="float32")[np.repeat([0, 1, 2], 50)],
    "truth values": np.arange(100) > 60,
    "binary floats": np.repeat([0.0, 1.0], 50)[:, None],
    "a class that is missing at the end": np.r_[np.arange(8000) % 25, np.arange(2000) % 24],
    "amounts": np.sort(np.random.default_rng(0).normal(size=100)),
    "large integers": np.arange(5000, 5100),
}


@pytest.mark.parametrize("kind", DIFFERENT)
def test_a_tail_unlike_the_rest_is_found(kind):
    y = DIFFERENT[kind]
    assert "they differ from those before" in unrepresentative_tail_warning(
        y, int(len(y) * 0.8), 0.2
    )


ALIKE = {
    "three classes": lambda rng: rng.permutation(SORTED),
    "ten classes": lambda rng: rng.integers(0, 10, 1000),
    "a rare class": lambda rng: (rng.random(1000) < 0.02).astype(int),
    "many rare classes": lambda rng: np.minimum(rng.zipf(1.3, 2000), 200) - 1,
    "one-hot": lambda rng: np.eye(4)[rng.integers(0, 4, 100)],
    "amounts": lambda rng: rng.normal(size=100),
    "amounts with extremes": lambda rng: rng.standard_cauchy(100),
    "counts": lambda rng: rng.poisson(200, 100),
}


@pytest.mark.parametrize("kind", ALIKE)
def test_shuffled_data_raise_at_most_one_alarm_in_a_hundred(rng, kind):
    alarms = 0
    for _ in range(300):
        y = ALIKE[kind](rng)
        alarms += unrepresentative_tail_warning(y, int(len(y) * 0.8), 0.2) is not None
    assert alarms <= 3


@pytest.mark.parametrize(
    "y", [None, np.array(["a", "b"] * 10), np.zeros((20, 4, 4)), [np.ones(3)], np.full(40, np.nan)]
)
def test_what_has_no_mix_raises_no_alarm(y):
    assert unrepresentative_tail_warning(y, 2, 0.2) is None


WRONG = {
    "stratify": ("stratify", "Did you mean 'stratified'?"),
    "7": (7, "received 'int'"),
    "group": ("group", r"split=\('group', groups\)"),
    "short groups": (("group", [1, 2]), r"groups of shape \(2,\)"),
    "one group": (("group", [1] * 60), "needs at least two groups"),
}


@pytest.mark.parametrize(("split", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_split_is_refused(split, said):
    with pytest.raises(ValueError, match=said):
        row_split(60, 0.2, split, SORTED)


def test_a_split_needs_a_fraction(model):
    with pytest.raises(ValueError, match=r"Fix: validation_split=0\.2, and no validation_data"):
        model.fit(np.ones((4, 1)), np.ones(4), split="random", verbose=0)


def test_amounts_cannot_be_stratified():
    with pytest.raises(ValueError, match="split='random'"):
        row_split(10, 0.2, "stratified", np.linspace(0, 1, 10))


def test_a_large_file_is_split_at_its_end_alone(tmp_path, model):
    rows = np.memmap(tmp_path / "x", "float32", "w+", shape=(60, 1))
    lamina.config.set_resident_budget(0)
    try:
        with pytest.raises(ValueError, match="Fix: split='tail'"):
            fit(model, split="random", x=rows)
        fit(model, split="tail", x=rows)
    finally:
        lamina.config.set_resident_budget(None)
