"""Tables and sparse matrices as data: rows by position, columns that are not numbers by name."""

import copy
import pickle
import re

import numpy as np
import pandas
import pytest
import scipy.sparse

import lamina

# The index runs against the rows: whoever goes by it mixes them up.
TABLE = pandas.DataFrame({"a": [0.0, 1, 2, 3], "b": [10.0, 11, 12, 13]}).iloc[[2, 0, 3, 1]]
Y = TABLE["a"].to_numpy()


@pytest.fixture
def small_budget():
    """Nothing may stay on the device."""
    lamina.config.set_resident_budget(0)
    yield
    lamina.config.set_resident_budget(None)


def weighing(*kernel, loss="mse"):
    """A model whose output is the sum of its inputs, each times a number."""
    dense = lamina.layers.Dense(1, use_bias=False)
    model = lamina.Sequential([lamina.Input((len(kernel),)), dense])
    dense.set_weights([np.array(kernel)[:, None]])
    model.compile(lamina.optimizers.SGD(0.0), loss)
    return model


def difference():
    """`a - b` of two inputs of those names."""
    a, b = lamina.Input((1,), name="a"), lamina.Input((1,), name="b")
    model = lamina.Model([a, b], lamina.layers.Subtract()([a, b]))
    model.compile("sgd", "mse")
    return model


WAYS_TO_MEASURE = {
    "evaluate": lambda m, x, y, w: m.evaluate(x, y, sample_weight=w, verbose=0),
    "fit": lambda m, x, y, w: m.fit(x, y, sample_weight=w, verbose=0).history["loss"][0],
    "validation_data": lambda m, x, y, w: m.fit(x, y, validation_data=(x, y, w), verbose=0).history[
        "val_loss"
    ][0],
    "train_on_batch": lambda m, x, y, w: m.train_on_batch(x, y, w),
    "test_on_batch": lambda m, x, y, w: m.test_on_batch(x, y, w),
    "Dataset": lambda m, x, y, w: m.evaluate(
        lamina.data.Dataset.from_tensor_slices((x, y, w)).batch(3), verbose=0
    ),
    "generator": lambda m, x, y, w: m.evaluate(
        ((x.iloc[i : i + 2], y.iloc[i : i + 2], w.iloc[i : i + 2]) for i in (0, 2)), verbose=0
    ),
}


@pytest.mark.parametrize("measure", WAYS_TO_MEASURE.values(), ids=WAYS_TO_MEASURE)
def test_rows_targets_and_weights_of_tables_go_by_position(measure):
    model = weighing(1.0, 0.5)
    y, w = TABLE["b"].iloc[::-1].reset_index(drop=True), TABLE["a"]
    error = TABLE["a"].to_numpy() + TABLE["b"].to_numpy() / 2 - y.to_numpy()
    assert measure(model, TABLE, y, w) == pytest.approx(np.mean(error**2 * w.to_numpy()))


def test_one_column_is_a_batch_of_one_feature_as_in_keras():
    class Noting(lamina.Model):
        def call(self, x):
            self.shape_seen = x.shape
            return x

    model = Noting()
    assert model.predict(TABLE["a"], verbose=0).tolist() == Y[:, None].tolist()
    assert model.shape_seen[1:] == (1,)
    assert weighing(2.0).predict(TABLE["a"], verbose=0).ravel().tolist() == (2 * Y).tolist()


@pytest.mark.parametrize(
    "given",
    [TABLE, TABLE[["b", "a"]], dict(TABLE), [TABLE["a"], TABLE["b"]]],
    ids=["table", "turned", "dict", "list"],
)
def test_columns_go_to_the_inputs_of_their_names(given):
    assert difference().predict(given, verbose=0).ravel().tolist() == [-10] * 4


def test_nullable_columns_are_numbers_and_a_gap_is_nan():
    table = TABLE.assign(a=pandas.array([2, 0, None, 1], dtype="Int64"))
    predicted = weighing(1.0, 0.0).predict(table, verbose=0).ravel()
    np.testing.assert_array_equal(predicted, [2, 0, np.nan, 1])


ODD_COLUMNS = {
    "text": (["u", "v", "u", "w"], "holds text or objects (for example 'u', row 0)"),
    "categories": (pandas.Categorical(["u", "v", "u", "w"]), "a column of categories"),
    "a word": ([1, 2, "three", 4], "(for example 'three', row 2)"),
    "dates": (pandas.date_range("2024-01-01", periods=4), "holds dates or times"),
    "durations": (pandas.to_timedelta([1, 2, 3, 4], unit="D"), "holds dates or times"),
    "NA": (pandas.array([1, 2, None, 4], dtype="Int64"), "1 missing value (NaN or NA), the first"),
    "unknown": (pandas.array([True, None, None, False], dtype="boolean"), "has 2 missing values"),
    "NaN": ([1.0, 2.0, 3.0, np.nan], "in row 3"),
}


@pytest.mark.parametrize("kind", ODD_COLUMNS)
def test_a_column_that_is_no_number_is_named_and_its_fix_runs(kind):
    values, said = ODD_COLUMNS[kind]
    x, model = TABLE.assign(odd=values), weighing(1.0, 1.0, 0.1)
    with pytest.raises((TypeError, ValueError), match=re.escape("x['odd'] ")) as caught:
        model.fit(x, Y, verbose=0)
    assert said in str(caught.value)
    *_, fix = str(caught.value).partition("Fix: ")
    fix = "\n".join(line.strip() for line in fix.splitlines())
    code = re.split(r" numbers the values| counts days|\.$|, or leave", fix)[0]
    exec(code, {"x": x, "pandas": pandas})
    assert np.isfinite(model.fit(x, Y, verbose=0).history["loss"]).all()


def test_a_column_of_class_names_as_targets_is_told_how_to_be_numbered():
    y = pandas.Series(["u", "v", "u", "v"], index=[3, 2, 1, 0])
    with pytest.raises(TypeError, match=r"y = y\.astype\('category'\)\.cat\.codes"):
        weighing(1.0, 1.0).fit(TABLE, y, verbose=0)


def test_a_series_of_class_weights_is_told_to_go_by_its_index():
    weights = pandas.Series({1: 2.0, 0: 1.0})
    with pytest.raises(TypeError, match=r"class_weight = class_weight\.to_dict\(\)"):
        weighing(1.0, 1.0).fit(TABLE, Y, class_weight=weights, verbose=0)


def sparse(kind=scipy.sparse.csr_matrix):
    dense = np.zeros((10, 3))
    dense[[0, 3, 9], [1, 2, 0]] = [1.0, 2.0, 3.0]
    return kind(dense), dense


@pytest.mark.parametrize("kind", ["csr_matrix", "csc_matrix", "coo_matrix", "csr_array"])
def test_sparse_matrices_are_data_as_their_dense_selves(kind):
    x, dense = sparse(getattr(scipy.sparse, kind))
    model = weighing(1.0, 2.0, 4.0)
    expected = dense @ [1.0, 2.0, 4.0]
    assert model.predict(x, verbose=0).ravel().tolist() == expected.tolist()
    assert model(x).ravel().tolist() == expected.tolist()
    assert model.evaluate(x, expected + 1, verbose=0) == 1
    history = model.fit(x, expected + 1, validation_split=0.2, verbose=0).history
    assert history == {"loss": [1.0], "val_loss": [1.0]}


def test_a_sparse_matrix_beyond_the_budget_is_dense_a_batch_at_a_time(small_budget, monkeypatch):
    x, dense = sparse()
    seen = []
    toarray = scipy.sparse.csr_matrix.toarray
    monkeypatch.setattr(
        scipy.sparse.csr_matrix,
        "toarray",
        lambda self, *args: (seen.append(self.shape[0]), toarray(self, *args))[1],
    )
    model, expected = weighing(1.0, 2.0, 4.0), dense @ [1.0, 2.0, 4.0]
    history = model.fit(x, expected + 1, batch_size=4, validation_split=0.2, verbose=0).history
    assert history == {"loss": [1.0], "val_loss": [1.0]}
    assert max(seen) <= 4
    assert model.predict(x, verbose=0).ravel().tolist() == expected.tolist()


def objects(*rows):
    array = np.empty(len(rows), dtype=object)
    array[:] = rows
    return array


@pytest.mark.parametrize(
    "rows",
    [([1.0, 2.0], [3.0, 4.0]), (np.array([1, 2]), np.array([3, 4]))],
    ids=["lists", "arrays"],
)
def test_an_array_of_rows_is_a_table(rows):
    predicted = weighing(1.0, 10.0).predict(objects(*rows), verbose=0)
    assert predicted.ravel().tolist() == [21, 43]


@pytest.mark.parametrize(
    "rows", [([1.0, 2.0], [3.0]), (np.ones(2), np.ones(3))], ids=["lists", "arrays"]
)
@pytest.mark.parametrize("use", ["predict", "fit"])
def test_rows_of_an_array_that_differ_in_length_are_said_to(rows, use):
    model, x = weighing(1.0), objects(*rows)
    with pytest.raises(ValueError, match="x is a list whose rows differ in length") as caught:
        model.predict(x, verbose=0) if use == "predict" else model.fit(x, [1.0, 2.0], verbose=0)
    scope = {"x": x}
    exec(str(caught.value).rpartition("\n")[2].strip(), scope)
    np.stack(scope["x"])


TURNED = TABLE[["b", "a"]]
OF_A_TURNED_TABLE = {
    "fit": lambda m: m.fit(TURNED, Y, verbose=0),
    "validation_data": lambda m: m.fit(TABLE, Y, validation_data=(TURNED, Y), verbose=0),
    "evaluate": lambda m: m.evaluate(TURNED, Y, verbose=0),
    "predict": lambda m: m.predict(TURNED),
    "predict_on_batch": lambda m: m.predict_on_batch(TURNED),
    "train_on_batch": lambda m: m.train_on_batch(TURNED, Y),
    "test_on_batch": lambda m: m.test_on_batch(TURNED, Y),
    "validation_split": lambda m: m.fit(TURNED, Y, validation_split=0.5, verbose=0),
    "more columns": lambda m: m.predict(TURNED.assign(c=1.0)),
}  # fmt: skip


@pytest.mark.parametrize("call", OF_A_TURNED_TABLE.values(), ids=OF_A_TURNED_TABLE)
def test_columns_in_another_order_than_trained_on_are_refused_by_name(call):
    model = weighing(1.0, 2.0)
    model.fit(TABLE, Y, verbose=0)
    with pytest.raises(ValueError, match=r"x = x\[\['a', 'b'\]\]") as caught:
        call(model)
    assert "has the column 'b' at position 0" in str(caught.value)


def test_targets_in_another_order_than_trained_on_are_refused_by_name():
    model = lamina.Sequential([lamina.Input((2,)), lamina.layers.Dense(2)])
    model.compile("sgd", "mse")
    model.fit(TABLE, TABLE, verbose=0)
    with pytest.raises(ValueError, match=r"y = y\[\['a', 'b'\]\]"):
        model.evaluate(TABLE, TURNED, verbose=0)


def test_a_column_of_another_name_is_said_and_taken_by_place():
    model = weighing(1.0, 2.0)
    model.fit(TABLE, Y, verbose=0)
    with pytest.warns(lamina.LaminaWarning, match="x has no column 'b'.*'c' is used in its place"):
        predicted = model.predict(TABLE.rename(columns={"b": "c"}))
    np.testing.assert_allclose(predicted, model.predict(TABLE))


def test_the_columns_of_a_fit_that_was_refused_are_not_kept():
    model = weighing(1.0, 2.0)
    with pytest.raises(ValueError, match="one row per sample"):
        model.fit(TURNED, Y[:2], verbose=0)
    model.fit(TABLE, Y, verbose=0)
    assert model.predict(TABLE).shape == (4, 1)


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))]
)
def test_a_copy_knows_the_columns_that_the_model_was_trained_on(copied):
    table = pandas.DataFrame(np.ones((4, 2)), columns=["a", "b"])
    model = lamina.Sequential([lamina.Input((2,)), lamina.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(table, np.ones((4, 1)), verbose=0)
    with pytest.raises(ValueError, match="the columns of a table are used by position"):
        copied(model).predict(table[["b", "a"]], verbose=0)


def test_the_only_input_in_a_dict_may_have_another_name_than_its_layer():
    column = lamina.Input((1,), name="size_in_m")
    model = lamina.Model({"size in m": column}, lamina.layers.Dense(1)(column))
    model.compile("sgd", "mse")
    x = {"size in m": np.ones((4, 1), "float32")}
    model.fit(x, np.ones(4), verbose=0)
    assert model.predict(x).shape == (4, 1)
    with pytest.raises(ValueError, match="a dict of 'size'"):
        model.predict({"size": np.ones((4, 1), "float32")})
