"""Fixes about data of other libraries and about the argument `split` of `fit`.

Small objects stand for the libraries; `tests/training/test_other_libraries.py` has the real ones.
"""

_FIT = "model = net(); y = y[:, None].astype('float32')\n"
_ROWS = (
    _FIT + "class Rows:\n"
    "  def __init__(self, columns):\n"
    "    self.all, self.column_names = columns, list(columns)\n"
    "    self.features, self.num_rows, self.format = columns, 4, {}\n"
    "  def with_format(self, kind): return self\n"
    "  def select_columns(self, names): return Rows({name: self.all[name] for name in names})\n"
    "  def __getitem__(self, name): return np.asarray(self.all[name])\n"
    "rows = Rows({'a': x[:, 0], 'b': x[:, 1], 'c': x[:, 2], 'label': y[:, 0]})\n"
)
_SORTED = (
    "y = np.repeat([0, 1], 40); x = np.arange(240).reshape(80, 3) / 240\n"
    "model = net(layers.Dense(2, 'softmax'), loss='sparse_categorical_crossentropy')\n"
)
_SPLIT = "model.fit(x, y, validation_split=0.2, split={}, verbose=0)"
_WITHOUT_BUDGET = (
    "lamina.config.set_resident_budget(0)\ntry: {}\n"
    "finally: lamina.config.set_resident_budget(None)"
)

CASES = {
    ("core/user_data/columnar.py", "whose rows are not computed yet"): (
        "model.fit(x, y, verbose=0)",
        "«x = x.collect()»; model.fit(x, y, verbose=0)",
        _FIT + "rows = x\nclass LazyFrame:\n"
        "  def collect(self): return rows\n"
        "  def collect_schema(self): return {}\n"
        "x = LazyFrame()",
    ),
    ("core/user_data/columnar.py", "which holds a data set for each of"): (
        "model.fit(x, y, verbose=0)",
        "«x = x['train']»; model.fit(x.select_columns(['a', 'b', 'c']), y, verbose=0)",
        _ROWS + "x = {'train': rows, 'test': rows}",
    ),
    ("training/feeds/user_data.py", "contains the targets"): (
        "x = rows; model.fit(x, verbose=0)",
        "x = rows; «model.fit(x.select_columns(['a', 'b', 'c']), x['label']»)",
        _ROWS,
    ),
    ("training/feeds/tables.py", "which one array cannot hold"): (
        "model.fit(x, y, verbose=0)",
        "«x = x['image']»; net(layers.Flatten(), layers.Dense(1), inputs=(2, 2))"
        ".fit(x, y, verbose=0)",
        _ROWS + "x = Rows({'image': np.ones((4, 2, 2)), 'age': np.ones(4)})",
    ),
    ("training/feeds/tables.py", "holds lists of words or objects"): (
        "model.fit(x, y, verbose=0)",
        "«texts = [' '.join(map(str, row)) for row in x['b']]»; text.predict(texts, verbose=0)",
        _FIT + "import pandas; x = pandas.DataFrame({'a': [1.0] * 4, 'b': [['a', 'b']] * 4})\n"
        "read = layers.TextVectorization(vocabulary=['a', 'b'], output_sequence_length=2)\n"
        "text = lamina.Sequential([Input((), dtype='string'), read])",
    ),
    ("training/feeds/unsupported_data.py", "and a network takes dense arrays"): (
        "model.fit(x, y, verbose=0)",
        "«x = tensorflow.sparse.to_dense(x)»; model.fit(x, y, verbose=0)",
        _FIT + "class SparseTensor: indices, dense_shape = [[0, 0]], (4, 3)\n"
        "class tensorflow:\n  class sparse:\n"
        "    to_dense = staticmethod(lambda x: np.ones((4, 3)))\n"
        "x = SparseTensor()",
    ),
    ("training/feeds/unsupported_data.py", "of TensorFlow, whose rows differ in length"): (
        "model.fit(x, y, verbose=0)",
        "«x = x.to_tensor()»; model.fit(x, y, verbose=0)",
        _FIT + "class RaggedTensor:\n  row_splits = [0, 1]\n"
        "  def to_tensor(self): return np.ones((4, 3))\n"
        "  def numpy(self): return np.array([[1], [1, 2]], object)\n"
        "x = RaggedTensor()",
    ),
    ("training/feeds/stream_feed.py", "single samples instead of batches: a dict of"): (
        "model.fit(dataset, verbose=0)",
        "«batches = lamina.data.Dataset.from_generator(lambda: ((row['image'], row['label']) for "
        "row in dataset)).batch(32)»; «model.fit(batches»)",
        _FIT + "class Streamed:\n"
        "  def __iter__(self): return iter([{'image': x[0], 'label': 1.0}] * 3)\n"
        "dataset = Streamed()",
    ),
    ("training/feeds/samples_feed.py", "so they do not"): (
        "model.fit(Samples(), verbose=0)",
        "class Mended(Samples):\n"
        "  # «return one shape from __getitem__»\n"
        "  def __getitem__(self, i): return x[i], y[i]\n"
        "model.fit(Mended(), verbose=0)",
        _FIT + "class Samples:\n"
        "  def __len__(self): return 3\n"
        "  def __getitem__(self, i): return x[i, : i + 1], y[i]\n",
    ),
    ("training/requests.py", "so there would be no last prediction"): (
        "model.predict(batches.repeat())",
        "model.predict(batches.repeat(), «steps=»2)\n"
        "model.predict(batches)  # «leave out .repeat()»",
        _FIT + "batches = lamina.data.Dataset.from_tensor_slices(x).batch(2)",
    ),
    ("training/requests.py", "selects the samples for"): (
        "model.fit(x, y, split='random')",
        "model.fit(x, y, split='random', «validation_split=0.2», verbose=0)",
        _FIT,
    ),
    ("training/feeds/tail_check.py", "and they differ from those before"): (
        "model.fit(x, y, validation_split=0.2, verbose=0)",
        "«model.fit(x, y, validation_split=0.2, split='stratified'»)",
        _SORTED,
    ),
    ("training/feeds/validation_split.py", "and needs the group of every"): (
        _SPLIT.format("'group'"),
        "groups = list('abcde') * 16; " + _SPLIT.format("«('group', groups)»"),
        _SORTED,
    ),
    ("training/feeds/validation_split.py", "needs one group for each of"): (
        _SPLIT.format("('group', [1, 2])"),
        "groups = list('abcde') * 16  # «with a name or number for each row of x»\n"
        + _SPLIT.format("('group', groups)"),
        _SORTED,
    ),
    ("training/feeds/validation_split.py", "needs at least two groups"): (
        _SPLIT.format("('group', [1] * 80)"),
        _SPLIT.replace("split={}", "«split='random'»"),
        _SORTED,
    ),
    ("training/feeds/validation_split.py", "and y is not one class per"): (
        _SPLIT.format("'stratified'"),
        _SPLIT.replace("split={}", "«split='random'»"),
        "x = np.arange(120).reshape(40, 3) / 120; y = x[:, 0]; model = net()",
    ),
    ("training/feeds/user_data.py", "at random positions cannot be selected"): (
        _WITHOUT_BUDGET.format(_SPLIT.format("'random'")),
        _WITHOUT_BUDGET.format(_SPLIT.replace("split={}", "«split='tail'»")),
        _SORTED + "rows = np.memmap('rows', 'float32', 'w+', shape=x.shape); rows[:] = x; x = rows",
    ),
}
