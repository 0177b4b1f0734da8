"""Data of other libraries: polars, pyarrow, Hugging Face's datasets, PyTorch, TensorFlow, grain.

Those that are not installed are skipped; small objects with the same methods stand for them, too.
"""

import datetime
import re
import subprocess
import sys

import numpy as np
import pytest

import lamina
from lamina.layers import Dense, Flatten, Input, Subtract

COLUMNS = {"a": [1.0, 2.0, 3.0, 4.0], "b": [10, 20, 30, 40]}
X = np.array([COLUMNS["a"], COLUMNS["b"]], "float32").T
Y = np.array([1.0, 0.0, 2.0, 5.0], "float32")
OUTPUTS = X @ [1.0, 10.0]
LOSS = float(np.mean((OUTPUTS - Y) ** 2))


@pytest.fixture(scope="module")
def model():
    """Gives `a + 10 b`, and never learns."""
    dense = Dense(1, use_bias=False)
    model = lamina.Sequential([Input((2,)), dense])
    dense.set_weights([np.array([[1.0], [10.0]])])
    model.compile(lamina.optimizers.SGD(0.0), "mse")
    return model


@pytest.fixture(scope="module")
def difference():
    """`a - b` of two inputs of those names."""
    a, b = Input((1,), name="a"), Input((1,), name="b")
    model = lamina.Model([a, b], Subtract()([a, b]))
    model.compile("sgd", "mse")
    return model


# Small objects with the methods of other libraries.


class ArrowColumn:
    """As a ChunkedArray of pyarrow."""

    null_count, type = 0, "double"

    def __init__(self, values):
        self.values = np.asarray(values)

    def to_numpy(self, zero_copy_only=True):
        assert not zero_copy_only, "pyarrow refuses gaps, truth values and texts otherwise"
        return self.values

    def __array__(self, dtype=None, copy=None):
        return self.values if dtype is None else self.values.astype(dtype)


class ArrowTable:
    def __init__(self, columns):
        self.column_names = list(columns)
        self.columns = [ArrowColumn(column) for column in columns.values()]
        self.num_rows, self.schema = len(self.columns[0].values), "a: double"

    def column(self, number):
        return self.columns[number]

    def __getitem__(self, name):
        return self.columns[self.column_names.index(name)]


class Rows:
    """As a `datasets.Dataset`: values are Python's, or NumPy's for who asks for that format."""

    def __init__(self, columns, kind=None):
        self.columns_, self.kind = columns, kind
        self.column_names, self.features = list(columns), dict.fromkeys(columns)
        self.num_rows = len(next(iter(columns.values())))

    @property
    def format(self):
        return {"type": self.kind, "columns": self.column_names}

    def with_format(self, kind):
        return Rows(self.columns_, kind)

    def select_columns(self, names):
        return Rows({name: self.columns_[name] for name in names}, self.kind)

    def __len__(self):
        return self.num_rows

    def __iter__(self):
        raise AssertionError("row by row is slow")

    def __getitem__(self, name):
        values = self.columns_[name]
        return np.asarray(values) if self.kind == "numpy" else values


class Tensor:
    """As a tensor of PyTorch."""

    def __init__(self, values):
        self.values = np.asarray(values)
        self.shape, self.dtype = self.values.shape, f"torch.{self.values.dtype}"

    def detach(self):
        return self

    def cpu(self):
        return self

    def numpy(self):
        return self.values

    def __len__(self):
        return len(self.values)

    def __getitem__(self, rows):
        return Tensor(self.values[rows])


class TensorDataset:
    def __init__(self, *tensors):
        self.tensors = tensors

    def __len__(self):
        return len(self.tensors[0])

    def __getitem__(self, number):
        raise AssertionError("the tensors are at hand")


class Subset:
    def __init__(self, dataset, indices):
        self.dataset, self.indices = dataset, indices

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, number):
        return self.dataset[self.indices[number]]


TensorDataset.__module__ = Subset.__module__ = "torch.utils.data.dataset"


class Samples:
    """As a data set of PyTorch that reads a sample when it is asked for it."""

    def __init__(self, wrap=np.asarray):
        self.wrap, self.read = wrap, []

    def __len__(self):
        return len(X)

    def __getitem__(self, number):
        assert type(number) is int
        self.read.append(number)
        if number >= len(X):
            raise IndexError(number)
        return self.wrap(X[number]), float(Y[number])


class Loader:
    """As a DataLoader: lists of tensors."""

    def __init__(self, wrap=Tensor):
        self.wrap = wrap

    def __len__(self):
        return 2

    def __iter__(self):
        return ([self.wrap(X[i : i + 2]), self.wrap(Y[i : i + 2])] for i in (0, 2))


class Eager:
    """As a tensor of TensorFlow."""

    def __init__(self, values):
        self.values = values

    def numpy(self):
        return self.values

    def __array__(self, dtype=None, copy=None):
        return self.values if dtype is None else self.values.astype(dtype)


# The real ones.


def library(name):
    """The library; the folder `tests/datasets` is no library."""
    module = pytest.importorskip(name)
    if not hasattr(module, "__version__"):
        pytest.skip(f"{name} is not installed")
    return module


def polars_table():
    polars = library("polars")
    return polars.DataFrame(COLUMNS), polars.Series("y", Y)


def arrow_table():
    pyarrow = library("pyarrow")
    return pyarrow.table(COLUMNS), pyarrow.array(Y)


def arrow_batch():
    pyarrow = library("pyarrow")
    return pyarrow.RecordBatch.from_pydict(COLUMNS), pyarrow.table({"y": Y})["y"]


def hugging_face(kind=None):
    datasets = library("datasets")
    rows = datasets.Dataset.from_dict({**COLUMNS, "label": Y}).with_format(kind)
    return rows.select_columns(["a", "b"]), rows["label"]


def tensors():
    torch = library("torch")
    return torch.tensor(X), torch.tensor(Y)


def tensor_dataset():
    return library("torch").utils.data.TensorDataset(*tensors())


def data_loader(**how):
    torch = library("torch")
    x, y = tensors()
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), 2, **how)


def part_of_twice_as_many():
    torch = library("torch")
    x, y = torch.tensor(np.tile(X, (2, 1))), torch.tensor(np.tile(Y, 2))
    return torch.utils.data.Subset(torch.utils.data.TensorDataset(x, y), [4, 1, 2, 7])


def grain_batches():
    grain = library("grain")
    return grain.MapDataset.source(list(zip(X, Y, strict=True))).batch(2)


def grain_loader(epochs=1):
    grain = library("grain")
    return grain.DataLoader(
        data_source=list(zip(X, Y, strict=True)),
        sampler=grain.samplers.IndexSampler(4, num_epochs=epochs),
        operations=[grain.transforms.Batch(2)],
        worker_count=0,
    )


def tf_data():
    tensorflow = library("tensorflow")
    return tensorflow.data.Dataset.from_tensor_slices((X, Y)).batch(2)


TABLES = {
    "polars": polars_table,
    "pyarrow": arrow_table,
    "pyarrow, a batch": arrow_batch,
    "datasets": hugging_face,
    "datasets as tensors": lambda: hugging_face("torch"),
    "like pyarrow": lambda: (ArrowTable(COLUMNS), ArrowColumn(Y)),
    "like datasets": lambda: (Rows(COLUMNS), Y.tolist()),
}
SOURCES = {
    "TensorDataset": tensor_dataset,
    "a part of one": part_of_twice_as_many,
    "DataLoader": data_loader,
    "DataLoader, shuffled": lambda: data_loader(shuffle=True),
    "grain.MapDataset": grain_batches,
    "grain.IterDataset": lambda: grain_batches().to_iter_dataset(),
    "grain.DataLoader": grain_loader,
    "tf.data": tf_data,
    "like a TensorDataset": lambda: TensorDataset(Tensor(X), Tensor(Y)),
    "like a part of one": lambda: Subset(
        TensorDataset(Tensor(np.tile(X, (2, 1))), Tensor(np.tile(Y, 2))), [4, 1, 2, 7]
    ),
    "samples by number": Samples,
    "samples as tensors": lambda: Samples(Tensor),
    "like a DataLoader": Loader,
    "like tf.data": lambda: Loader(Eager),
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_is_data_for_one_input_and_for_one_a_column(model, difference, kind):
    x, y = TABLES[kind]()
    np.testing.assert_allclose(model.predict(x, verbose=0).ravel(), OUTPUTS)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(LOSS)
    history = model.fit(x, y, validation_split=0.5, split="tail", verbose=0).history
    assert (history["loss"][0] + history["val_loss"][0]) / 2 == pytest.approx(LOSS)
    assert difference.predict(x, verbose=0).ravel().tolist() == [-9, -18, -27, -36]
    columns = {"b": x["b"], "a": x["a"]} if hasattr(x, "__getitem__") else x
    assert difference.predict(columns, verbose=0).ravel().tolist() == [-9, -18, -27, -36]


@pytest.mark.parametrize("kind", SOURCES)
def test_a_source_of_samples_or_batches_is_data(model, kind):
    predicted = model.predict(SOURCES[kind](), verbose=0).ravel()
    np.testing.assert_allclose(np.sort(predicted), OUTPUTS)
    assert model.evaluate(SOURCES[kind](), verbose=0) == pytest.approx(LOSS)
    history = model.fit(SOURCES[kind](), validation_data=SOURCES[kind](), epochs=2, verbose=0)
    assert history.history["loss"] == pytest.approx([LOSS] * 2)
    assert history.history["val_loss"] == pytest.approx([LOSS] * 2)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_tensors_of_torch_are_arrays(model, dtype):
    x, y = tensors()
    x = x.to(getattr(library("torch"), dtype)).requires_grad_()
    np.testing.assert_allclose(model.predict(x, verbose=0).ravel(), OUTPUTS)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(LOSS)


def test_none_of_the_libraries_is_imported_by_lamina():
    code = (
        "import sys, lamina, lamina.training.trainer\n"
        "others = {'polars', 'pyarrow', 'datasets', 'torch', 'tensorflow', 'grain', 'pandas'}\n"
        "print(others & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"


def test_samples_come_in_a_new_order_in_every_epoch_and_the_same_after_a_seed(model):
    def orders():
        lamina.utils.set_random_seed(3)
        samples = Samples()
        model.fit(samples, batch_size=3, epochs=3, verbose=0)
        return [samples.read[i : i + 4] for i in range(0, 12, 4)]

    first = orders()
    assert all(sorted(order) == [0, 1, 2, 3] for order in first)
    assert len({tuple(order) for order in first}) > 1
    assert orders() == first
    samples = Samples()
    model.fit(samples, shuffle=False, epochs=2, verbose=0)
    assert samples.read == [0, 1, 2, 3] * 2


def test_samples_are_split_for_validation(model):
    history = model.fit(Samples(), validation_split=0.25, verbose=0)
    assert history.history["val_loss"] == pytest.approx([(OUTPUTS[3] - Y[3]) ** 2])
    assert list(history.split.validation) == [3]


def test_a_run_over_samples_is_resumed_with_the_same_batches(tmp_path):
    def run(folder, stop=None):
        lamina.utils.set_random_seed(0)
        model = lamina.Sequential([Input((2,)), Dense(1)])
        model.compile(lamina.optimizers.SGD(1e-4), "mse")
        backup = lamina.callbacks.BackupAndRestore(folder, save_freq=1)
        halt = lamina.callbacks.LambdaCallback(on_train_batch_end=stop)
        try:
            callbacks = [backup] if stop is None else [backup, halt]
            model.fit(Samples(), batch_size=1, epochs=3, verbose=0, callbacks=callbacks)
        except KeyError:
            return None
        return model.get_weights()[0]

    seen = []

    def power_cut(batch, logs):
        seen.append(batch)
        if len(seen) == 7:
            raise KeyError("power cut")

    expected = run(tmp_path / "whole")
    assert run(tmp_path / "cut", power_cut) is None
    np.testing.assert_array_equal(run(tmp_path / "cut"), expected)


def test_pictures_of_a_column_and_names_of_its_classes_come_along():
    class Label:
        """As `dataset["label"]` of `datasets`."""

        column_name = "label"

        def __init__(self, rows):
            self.source = rows
            self.features = type("ClassLabel", (), {"names": ["no", "yes"]})()

    pictures = [np.full((4, 4), i, "uint8") for i in range(6)]
    rows = Rows({"image": pictures, "label": [0, 1] * 3})
    model = lamina.Sequential([Input((4, 4)), Flatten(), Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(rows.select_columns(["image"]), Label(rows), verbose=0)
    assert model.input_contract.class_names == ("no", "yes")
    assert model.input_contract.inputs[0].high == 5
    assert set(model.predict_labels(np.stack(pictures)).tolist()) <= {"no", "yes"}


class Endless(Loader):
    def __len__(self):
        return sys.maxsize


class EndlessOfTensorFlow(Loader):
    __len__ = None

    def cardinality(self):
        return -1


class EndlessSampler(Loader):
    __len__ = None
    _sampler = type("IndexSampler", (), {"_num_epochs": None})()


@pytest.mark.parametrize("kind", [Endless, EndlessOfTensorFlow, EndlessSampler])
def test_data_without_an_end_need_a_number_of_steps(model, kind):
    with pytest.raises(ValueError, match="an epoch would not end"):
        model.fit(kind(), verbose=0)
    with pytest.raises(ValueError, match="there would be no last prediction"):
        model.predict(kind(), verbose=0)
    model.fit(kind(), steps_per_epoch=2, verbose=0)
    assert model.predict(kind(), steps=1, verbose=0).shape == (2, 1)


GAP = [1.0, None, 2.0, 3.0]
DAYS = [datetime.date(2020, 1, day) for day in (1, 2, 3, 4)]
ODD = {
    "words": (["u", "v", "u", "w"], "holds text or objects (for example 'u', row 0)"),
    "a gap": (GAP, "1 missing value (NaN or NA), the first in row 1"),
    "truth values with a gap": ([True, None, True, False], "1 missing value"),
    "dates": (DAYS, "holds dates or times"),
    "durations": ([day - DAYS[0] for day in DAYS], "holds dates or times"),
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("name", ["polars", "pyarrow", "datasets"])
def test_a_column_that_is_no_number_is_named_and_its_fix_runs(name, kind):
    module = library(name)
    if (name, kind) == ("datasets", "durations"):
        pytest.skip("datasets gives microseconds, which are numbers")
    values, said = ODD[kind]
    make = {"polars": "DataFrame", "pyarrow": "table"}.get(name)
    make = getattr(module, make) if make else module.Dataset.from_dict
    x = make({**COLUMNS, "odd": values})

    def fit(x, size):
        model = lamina.Sequential([Input((size,)), Dense(1)])
        model.compile(lamina.optimizers.SGD(0.0), "mse")
        return model.fit(x, Y, verbose=0).history["loss"]

    with pytest.raises((TypeError, ValueError), match=re.escape("x['odd'] ")) as caught:
        fit(x, 3)
    assert said in str(caught.value)
    *_, fix = str(caught.value).partition("Fix: ")
    fix = "\n".join(line.strip() for line in fix.splitlines())
    scope = {"x": x, "pandas": library("pandas"), name: module}
    exec(
        re.split(r" numbers the values| counts days| makes a column|\.$|, or leave", fix)[0], scope
    )
    assert np.isfinite(fit(scope["x"], scope["x"].shape[1])).all()


def test_a_column_of_a_polars_table_is_mended_there_for_a_model_of_several_inputs(difference):
    polars = library("polars")
    x = polars.DataFrame({**COLUMNS, "a": GAP})
    with pytest.raises(ValueError, match=r"x = x\.with_columns\(x\['a'\]\.cast") as caught:
        difference.fit(x, Y, verbose=0)
    scope = {"x": x, "polars": polars}
    exec(str(caught.value).partition("Fix: ")[2].partition(", or leave")[0], scope)
    difference.evaluate(scope["x"], Y, verbose=0)


@pytest.mark.parametrize("kind", ["polars", "pyarrow", "datasets", "like pyarrow"])
def test_columns_in_another_order_are_refused_with_the_line_of_the_library(kind):
    x, y = TABLES[kind]()
    model = lamina.Sequential([Input((2,)), Dense(1)])
    model.compile("sgd", "mse")
    model.fit(x, y, verbose=0)
    if kind == "like pyarrow":
        turned = ArrowTable({name: COLUMNS[name] for name in "ba"})
        with pytest.raises(ValueError, match=r"x = x\.select\(\['a', 'b'\]\)"):
            model.predict(turned)
        return
    turned = x.select_columns(["b", "a"]) if kind == "datasets" else x.select(["b", "a"])
    with pytest.raises(ValueError, match="the columns of a table are used by position") as caught:
        model.predict(turned)
    scope = {"x": turned}
    exec(str(caught.value).partition("Fix: ")[2].rstrip("."), scope)
    np.testing.assert_allclose(model.predict(scope["x"]), model.predict(x))


def test_pictures_beside_other_columns_need_a_name_each():
    rows = Rows({"image": [np.zeros((2, 2))] * 4, "age": COLUMNS["a"]})
    flat = lamina.Sequential([Input((2, 2)), Flatten(), Dense(1)])
    flat.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"x\['image'\] holds an array of shape \(2, 2\)"):
        flat.fit(rows, Y, verbose=0)


def test_texts_of_a_table_are_texts():
    read = lamina.layers.TextVectorization(output_sequence_length=2, vocabulary=["a", "b"])
    model = lamina.Sequential(
        [Input((), dtype="string"), read, lamina.layers.Embedding(5, 1), Flatten()]
    )
    expected = model.predict(["a b", "b"], verbose=0)
    texts = np.array(["a b", "b"], dtype=object)
    for x in (ArrowColumn(texts), ArrowTable({"t": texts}), Rows({"t": ["a b", "b"]})):
        np.testing.assert_array_equal(model.predict(x, verbose=0), expected)
