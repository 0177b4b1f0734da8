"""Fixes of `fit`, `evaluate` and `predict`, of callbacks and of data that comes in batches.

Those about labels and shapes are in `tests/training/test_printed_fixes.py`.
"""

_FIT = "model = net(); y = y[:, None].astype('float32')\n"
_BATCHES = (
    _FIT + "Dataset = lamina.data.Dataset; batches = Dataset.from_tensor_slices((x, y)).batch(2)\n"
)
_SOURCE = (
    _FIT + "class Source(lamina.utils.PyDataset):\n"
    "  def __len__(self): return 2\n"
    "  def __getitem__(self, i): return x[:2], y[:2]\n"
)
_BACKUP = (
    "from lamina.callbacks import *\n"
    "def fit(model=None, data=None, batch=2, folder='backup'):\n"
    "  model = model or net()\n"
    "  model.fit(x, y, batch_size=batch, epochs=2, verbose=0, "
    "callbacks=[BackupAndRestore(folder), *([stopping] if data else [])])\n"
    "class Stop(lamina.callbacks.Callback):\n"
    "  def on_epoch_begin(self, epoch, logs=None):\n"
    "    if epoch: raise KeyError('power cut')\n"
    "stopping = Stop()\n"
    "try: fit(data=True)\nexcept KeyError: pass\n"
)
_TWO = (
    "a, b = Input((1,), name='a'), Input((1,), name='b')\n"
    "model = lamina.Model([a, b], {'u': layers.Dense(1, name='u')(a), "
    "'o': layers.Dense(1, name='o')(b)}); model.compile('sgd', 'mse')\n"
    "one = np.ones((4, 1), 'float32')\n"
)
_CALLBACKS = "from lamina.callbacks import *\n" + _FIT

CASES = {
    ("training/sanity_checks/batches.py", "run_eagerly=True.\n  Fix:"): (
        "model.find_learning_rate(x, y, steps=10)",
        "model.compile('sgd', 'mse', «run_eagerly=False»); "
        "model.find_learning_rate(x, y, steps=10)",
        _FIT + "model.compile('sgd', 'mse', run_eagerly=True)",
    ),
    ("training/sanity_checks/learning_rate_range.py", "to set: …"): (
        "model.find_learning_rate(x, y, steps=10)",
        "«model.compile('adam', »'mse'); model.find_learning_rate(x, y, steps=10)",
        _FIT + "import optax; model.compile(optax.sgd(0.1), 'mse')",
    ),
    ("training/sanity_checks/measured_steps.py", "returns no 'loss'"): (
        "model = Own(); model.compile('sgd'); model.overfit_one_batch(x, y, steps=2)",
        "class Told(Own):\n"
        "  def train_step(self, data):\n"
        "    super().train_step(data); loss = self.loss_now; «return {'loss': loss}»\n"
        "model = Told(); model.compile('sgd'); model.overfit_one_batch(x, y, steps=2)",
        "y = y[:, None].astype('float32')\n"
        "class Own(lamina.Model):\n"
        "  def __init__(self):\n"
        "    super().__init__(); self.dense = layers.Dense(1)\n"
        "  def call(self, x): return self.dense(x)\n"
        "  def train_step(self, data):\n"
        "    self.loss_now = ((self(data[0]) - data[1]) ** 2).mean(); return {}",
    ),
    ("training/feeds/conversion.py", "holds dates or times ("): (
        "model.fit(x, y, verbose=0)",
        "«x = x.astype('datetime64[D]').astype('float32')»; x /= 1e5; model.fit(x, y, verbose=0)",
        _FIT + "x = np.full((4, 3), np.datetime64('2020-01-01'))",
    ),
    ("training/feeds/unsupported_data.py", "is a list whose rows differ in length"): (
        "model.fit(x, y, verbose=0)",
        "«x = [row[:min(map(len, x))] for row in x]»; model.fit(x, y, verbose=0)",
        _FIT + "x = [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0, 4.0]] * 2",
    ),
    ("training/feeds/conversion.py", "beyond the 32 bits that devices"): (
        "model.fit(x, y, verbose=0)",
        "«x = x.astype('float32')»; x /= x.max(); model.fit(x, y, verbose=0)",
        _FIT + "x = np.full((4, 3), 2**40)",
    ),
    ("training/feeds/conversion.py", "There is no data: x is None"): (
        "model.fit(None, y)",
        "«model.fit(x, y»)",
        _FIT,
    ),
    ("training/feeds/conversion.py", "is a single number; expected one row"): (
        "model.fit(x, y, verbose=0)",
        "«y = numpy.array([y])»; model.fit(x[:1], y, verbose=0)",
        _FIT + "y = 3.0",
    ),
    ("training/feeds/conversion.py", "expected an array with one row per sample, as for"): (
        "model.fit(x[:1], y, verbose=0)",
        "«y['a'] = numpy.array([y['a']])»; model.fit(x[:1], y['a'], verbose=0)",
        _FIT + "y = {'a': 1.0}",
    ),
    ("training/feeds/py_dataset.py", "is the number of batches"): (
        "model.fit(Half(), verbose=0)",
        "import math; samples, batch_size = 4, 2\n"
        "class Mended(Half):\n  def __len__(self): «return math.ceil(samples / batch_size)»\n"
        "model.fit(Mended(), verbose=0)",
        _SOURCE + "class Half(Source):\n  def __len__(self): return 4 / 2",
    ),
    ("training/feeds/conversion.py", "which means a model with"): (
        "model.fit(x, y, verbose=0)",
        "«x = numpy.stack(x)»; model.fit(x, y, verbose=0)",
        _FIT + "x = list(x)",
    ),
    ("training/feeds/conversion.py", "must have one row per sample each"): (
        "model.fit(x, y[:3], verbose=0)",
        "model.fit(x, y, verbose=0)  # «x[i] belongs to y[i]»",
        _FIT,
    ),
    ("training/feeds/conversion.py", "x is empty: it has 0 samples"): (
        "model.fit(x[x[:, 0] > 5], y[x[:, 0] > 5], verbose=0)",
        "x[x[:, 0] > 0].shape; model.fit(x[x[:, 0] > 0], y, verbose=0) "
        " # «look at x.shape after each step»",
        _FIT,
    ),
    ("training/feeds/table_columns.py", "columns of a table are used by position"): (
        "model.predict(x[['c', 'b', 'a']])",
        "x = x[['c', 'b', 'a']]; «x = x[['a', 'b', 'c']]»; model.predict(x)",
        "import pandas\n" + _FIT + "x = pandas.DataFrame(x, columns=['a', 'b', 'c'])\n"
        "model.fit(x, y, verbose=0)",
    ),
    ("training/feeds/table_columns.py", "one row of a table"): (
        "net().predict(table.iloc[0])",
        "net().predict(«table.iloc[[0]]»)",
        "import pandas; table = pandas.DataFrame(x)",
    ),
    ("training/checkpoint.py", "The backup is of another model"): (
        "fit(net(layers.Dense(2), layers.Dense(1)))",
        "fit(net(layers.Dense(2), layers.Dense(1)), folder='other'); fit() "
        " # «create the same model as before, or use another backup_dir»",
        _BACKUP,
    ),
    ("training/checkpoint.py", "steps per epoch, and now there are"): (
        "fit(batch=4)",
        "import shutil; shutil.rmtree('backup'); fit(batch=4)  # «delete the backup to start over»",
        _BACKUP,
    ),
    ("training/checkpoint.py", "or of other shapes"): (
        "fit(net(optimizer='adam'))",
        "fit()  # «compile the model as before»",
        _BACKUP,
    ),
    ("training/callbacks/backup_and_restore.py", "keeps a second backup next time"): (
        "[p.write_bytes(b'no backup') for p in Path('backup').iterdir()]; fit()",
        "import shutil; shutil.rmtree('backup'); fit()  # «delete the folder backup»\n"
        "BackupAndRestore('second', «double_checkpoint=True»)",
        _BACKUP,
    ),
    ("training/callbacks/callback_list.py", "resume with the same list of"): (
        "CallbackList([EarlyStopping('loss')], model=net()).set_state({})",
        "made = CallbackList([EarlyStopping('loss')], model=net()); "
        "made.set_state(made.get_state())  # «the same list of callbacks»",
        "from lamina.callbacks import *",
    ),
    ("training/callbacks/callback_list.py", "callbacks has the class"): (
        "model.fit(x, y, verbose=0, callbacks=EarlyStopping)",
        "model.fit(x, y, verbose=0, «callbacks=[EarlyStopping(»'loss')])",
        _CALLBACKS,
    ),
    ("training/callbacks/model_checkpoint.py", "cannot find the best"): (
        "ModelCheckpoint('m.keras', save_best_only=True, save_freq=2)",
        "ModelCheckpoint('m.keras', save_best_only=True, «save_freq='epoch'»); "
        "ModelCheckpoint('m.keras', save_best_only=True, save_freq=2, «monitor='loss'»)",
        _CALLBACKS,
    ),
    ("training/callbacks/model_checkpoint.py", "has an unmatched brace"): (
        "ModelCheckpoint('{epoch.keras')",
        "ModelCheckpoint(«'{epoch:02d}.keras'»)",
        _CALLBACKS,
    ),
    ("training/callbacks/model_checkpoint.py", "has an empty"): (
        "ModelCheckpoint('{}.keras')",
        "ModelCheckpoint('«{epoch:02d}».keras')",
        _CALLBACKS,
    ),
    ("training/callbacks/model_checkpoint.py", "needs the name of a file; received"): (
        "ModelCheckpoint('folder')",
        "ModelCheckpoint(«filepath='folder/{epoch:02d}.keras'»)",
        _CALLBACKS + "Path('folder').mkdir(exist_ok=True)",
    ),
    ("training/callbacks/csv_logger.py", "pass CSVLogger a file that can be written"): (
        "model.fit(x, y, verbose=0, callbacks=[CSVLogger('/dev/full')])",
        "model.fit(x, y, verbose=0, callbacks=[CSVLogger('log.csv')]) "
        " # «a file that can be written»",
        _CALLBACKS,
    ),
    ("training/callbacks/monitor.py", "whether a higher or a lower"): (
        "model.fit(x, y, verbose=0, callbacks=[EarlyStopping('own')])",
        "EarlyStopping('own', «mode='max'»); EarlyStopping('own', «mode='min'»)",
        "from lamina.callbacks import *; y = y[:, None]\n"
        "@lamina.saving.register_keras_serializable()\n"
        "def own(y_true, y_pred): return y_pred\nmodel = net(metrics=[own])\n",
    ),
    ("training/callbacks/monitor.py", "fit() has no validation data"): (
        "model.fit(x, y, verbose=0, callbacks=[EarlyStopping()])",
        "model.«fit(»x, y, verbose=0, callbacks=[EarlyStopping()], validation_split=0.25)\n"
        "model.fit(x, y, verbose=0, callbacks=[EarlyStopping(«monitor='loss'»)])",
        _CALLBACKS,
    ),
    ("training/callbacks/monitor.py", "or add the metric to compile()"): (
        "model.fit(x, y, verbose=0, validation_split=0.5, callbacks=[EarlyStopping('val_mae')])",
        "model.fit(x, y, verbose=0, validation_split=0.5, "
        "callbacks=[EarlyStopping('val_loss')])  # «set monitor= to one of these»",
        _CALLBACKS,
    ),
    ("training/callbacks/monitor.py", "or compile(metrics=["): (
        "model.fit(x, y, verbose=0, callbacks=[EarlyStopping('mae')])",
        "model.compile('sgd', 'mse', «metrics=['mae']»); model.fit(x, y, verbose=0, "
        "callbacks=[EarlyStopping('mae')])",
        _CALLBACKS,
    ),
    ("training/callbacks/swap_ema_weights.py", "computes no moving averages"): (
        "model.fit(x, y, verbose=0, callbacks=[SwapEMAWeights()])",
        "from lamina.optimizers import Adam; net(«optimizer=Adam(use_ema=True)»).fit(x, y, "
        "verbose=0, callbacks=[SwapEMAWeights()])",
        _CALLBACKS,
    ),
    ("training/checks.py", "must be compiled before"): (
        "net(compiled=False).fit(x, y)",
        "model = net(layers.Dense(2, 'softmax'), compiled=False)\n"
        "«model.compile(optimizer='adam', loss='sparse_categorical_crossentropy', "
        "metrics=['accuracy'])»; model.fit(x, y, verbose=0)",
    ),
    ("training/checks.py", "may stay on the device"): (
        "lamina.config.set_resident_budget(20); net().fit(x, y, verbose=0)",
        "«lamina.config.set_resident_budget(64)»; net().fit(x, y, verbose=0)",
    ),
    ("training/checks.py", "are frozen, so training does not change it"): (
        "model.trainable = False; model.fit(x, y, verbose=0)",
        "model.trainable = False; «model.trainable = True»; model.fit(x, y, verbose=0)",
        _FIT,
    ),
    ("training/checks.py", "and x …"): (
        "model.fit(x, y, verbose=0)",
        "«x = x['a']»; model.fit(x, y, verbose=0)",
        _FIT + "x = {'a': x, 'b': x}",
    ),
    ("training/checks.py", "holds complex numbers"): (
        "model.fit(x, y, verbose=0)",
        "«x = numpy.abs(x)»; model.fit(x, y, verbose=0)",
        _FIT + "x = x + 1j",
    ),
    ("training/checks.py", "is not the largest index plus one"): (
        "net(layers.Embedding(input_dim=3, output_dim=2), layers.Flatten()).fit(x, y, verbose=0)",
        "from lamina.layers import Embedding; net(«Embedding(input_dim=5, »output_dim=2), "
        "layers.Flatten(), layers.Dense(1)).fit(x, y, verbose=0)",
        "x = np.full((4, 3), 4)",
    ),
    ("training/checks.py", "and y is None"): (
        "model.fit(x)",
        "x_val, y_val = x, y; «model.fit(x, y, validation_data=(x_val, y_val)»)",
        _FIT,
    ),
    ("training/checks.py", "validation_freq is a number of epochs"): (
        "model.fit(x, y, validation_split=0.5, validation_freq=0)",
        "model.fit(x, y, validation_split=0.5, «validation_freq=1», verbose=0)",
        _FIT,
    ),
    ("training/checks.py", "class_weight has a weight for class"): (
        "model.fit(x, y, class_weight={1: 1.0, 2: 2.0}, verbose=0)",
        "model.fit(x, y, «class_weight» = {0: 1.0, 1: 1.0}, verbose=0)",
        "model = net(layers.Dense(2, 'softmax'), loss='sparse_categorical_crossentropy')",
    ),
    ("training/checks.py", "so it would be applied twice"): (
        "net(layers.Dense(1, 'sigmoid'), "
        "loss=lamina.losses.BinaryCrossentropy(from_logits=True)).fit(x, y, verbose=0)",
        "net(layers.Dense(1, 'sigmoid'), «loss='binary_crossentropy'»).fit(x, y, verbose=0)\n"
        "net(layers.Dense(1), "
        "loss=lamina.losses.BinaryCrossentropy(from_logits=True)).fit(x, y, verbose=0) "
        " # «remove the activation»",
    ),
    ("training/requests.py", "takes either class_weight or"): (
        "model.fit(x, y, sample_weight=sample_weight, class_weight=class_weight)",
        "model.fit(x, y, "
        "sample_weight=«sample_weight * [class_weight[label] for label in y]», verbose=0)",
        "model = net(layers.Dense(2, 'softmax'), loss='sparse_categorical_crossentropy'); "
        "sample_weight = np.ones(4); class_weight = {0: 1.0, 1: 2.0}",
    ),
    ("training/feeds/user_data.py", "which yields batches of (x, y)"): (
        "model.fit(batches, y)",
        "x = batches; «model.fit(x», verbose=0)",
        _BATCHES,
    ),
    ("training/feeds/user_data.py", "so an epoch would not"): (
        "model.fit(batches.repeat())",
        "model.fit(batches.repeat(), «steps_per_epoch=»2, verbose=0); model.fit(batches, "
        "verbose=0)  # «leave out .repeat()»",
        _BATCHES,
    ),
    ("training/feeds/user_data.py", "validation_split is a fraction between"): (
        "model.fit(x, y, validation_split=20)",
        "model.fit(x, y, «validation_split=0.2», verbose=0)",
        _FIT,
    ),
    ("training/feeds/user_data.py", "validation_split needs arrays, and x is"): (
        "model.fit(batches, validation_split=0.2)",
        "model.fit(batches, «validation_data=»batches, verbose=0)",
        _BATCHES,
    ),
    ("training/feeds/validation_split.py", " samples leaves "): (
        "model.fit(x[:1], y[:1], validation_split=0.1)",
        "model.fit(x, y, validation_split=0.25, verbose=0)  # «another fraction, or more data»",
        _FIT,
    ),
    ("training/feeds/user_data.py", "without its batch axis"): (
        "model.fit(x, y[:1])",
        "«x = x[None]»; model.fit(x, y[:1], verbose=0)",
        _FIT + "x = x[0]",
    ),
    ("training/inference.py", "are not known, because it is not a graph"): (
        "model.inference_function()",
        "x = np.ones((4, 3), 'float32'); «model.inference_function(x[:1])»",
        "class Own(lamina.Model):\n  def call(self, x): return 2 * x\nmodel = Own()",
    ),
    ("training/label_checks.py", "and received fractions such as"): (
        "net(layers.Dense(2, 'softmax'), loss='sparse_categorical_crossentropy').fit(x, "
        "y + 0.5, verbose=0)",
        "from lamina.layers import Dense; net(«Dense(1)», "
        "«loss='mean_squared_error'»).fit(x, y + 0.5, verbose=0)",
    ),
    ("training/engine.py", "No loss scale keeps the gradients finite"): (
        "made = net(optimizer=lamina.optimizers.LossScaleOptimizer(lamina.optimizers.SGD(), "
        "initial_scale=2.0, dynamic_growth_steps=1), layers_dtype=None) if False else None\n"
        "lamina.config.set_dtype_policy('mixed_float16'); net().fit(x * 1e30, y, epochs=60, "
        "batch_size=1, verbose=0)",
        "lamina.config.set_dtype_policy(«'mixed_bfloat16'»); net().fit(x, y, verbose=0)",
    ),
    ("training/engine.py", "An epoch ends with the data"): (
        "model.fit(batches, steps_per_epoch=3, verbose=0)",
        "model.fit(batches, verbose=0); model.fit(batches«.repeat()», steps_per_epoch=3, "
        "verbose=0)",
        _BATCHES,
    ),
    ("training/engine.py", "which can be iterated only once"): (
        "model.fit(two(), epochs=3, steps_per_epoch=2, verbose=0)",
        "model.fit(x, y, epochs=3, verbose=0)  # «arrays»",
        _FIT + "def two():\n  for _ in range(3): yield x, y\n",
    ),
    ("training/engine.py", "The data for the evaluation ended"): (
        "model.evaluate(batches, steps=5, verbose=0)",
        "model.evaluate(batches, steps=2, verbose=0); model.evaluate(batches, verbose=0) "
        " # «leave out the number of steps»",
        _BATCHES,
    ),
    ("training/objectives.py", "compares with them"): (
        "model.fit([one, one], {'u': one}, verbose=0)",
        "model.fit([one, one], {'u': one, 'o': one}, verbose=0); model.compile('sgd', "
        "{'u': 'mse'})\n"
        "model.fit([one, one], {'u': one}, verbose=0)  # «leave the output out of compile()»",
        _TWO,
    ),
    ("training/overrides.py", "as many values in each list"): (
        "made(3).fit(x, y, verbose=0)",
        "class Own(lamina.Sequential):\n"
        "  def «train_step(self, data)»: return super().train_step(data)\n"
        "model = Own([Input((3,)), layers.Dense(1)]); model.compile('sgd', 'mse'); "
        "model.fit(x, y, verbose=0)",
        "def made(value):\n"
        "  class Own(lamina.Sequential):\n    def train_step(self, state, data): return value\n"
        "  model = Own([Input((3,)), layers.Dense(1)]); model.compile('sgd', 'mse'); "
        "return model\n",
    ),
    ("training/precision.py", "is not known."): (
        "net(precision='bf16x')",
        "net(precision=«'float32'»)",
    ),
    ("training/predicting.py", "steps of predict(); the outputs"): (
        "model.predict(batches, steps=5, verbose=0)",
        "model.predict(batches, verbose=0); model.predict(batches, steps=2, verbose=0) "
        " # «leave out steps»",
        _BATCHES,
    ),
    ("training/collected_outputs.py", "cannot join its outputs"): (
        "model.predict(Dataset.from_generator(lambda: iter([np.ones((1, 2)), np.ones((1, 3))"
        "])), verbose=0)",
        "x = np.ones((1, 2)); «model.predict_on_batch(x)»",
        _BATCHES + "x = Input((None,)); model = lamina.Model(x, layers.Identity()(x))",
    ),
    ("training/feeds/replayed.py", "  Fix: pass validation_data as arrays"): (
        "model.fit(x, y, validation_data=three(), validation_steps=2, epochs=3, verbose=0)",
        "model.fit(x, y, validation_data=(x, y), epochs=2, verbose=0) "
        " # «validation_data as arrays»",
        _FIT + "def three():\n  for _ in range(2): yield x, y\n",
    ),
    ("training/feeds/stream_feed.py", "yielded no batch."): (
        "model.fit(iter([]))",
        "model.fit(iter([(x, y)]), verbose=0)  # «create a new one»",
        _FIT,
    ),
    ("training/feeds/stream_feed.py", "the first batch had"): (
        "model.fit(iter([(x, y), (x, y, np.ones(4))]), verbose=0)",
        "model.fit(iter([(x, y), (x, y)]), verbose=0)  # «the same for every batch»",
        _FIT,
    ),
    ("training/structure_matching.py", "must have a part for each of"): (
        "model.fit([one, one], one)",
        "model.fit([one, one], «{'o': »one, 'u': one}, verbose=0)",
        _TWO,
    ),
    ("training/structure_matching.py", "so that a list could mean either order"): (
        "model.fit([one, one], [one, one])",
        "model.fit([one, one], «{'o': »one, 'u': one}, verbose=0)",
        _TWO,
    ),
    ("training/feeds/tables.py", "holds text or objects (for"): (
        "model.fit(x, y, verbose=0)",
        "«x['a'] = x['a'].astype('category').cat.codes»; model.fit(x, y, verbose=0)",
        _FIT + "import pandas; x = pandas.DataFrame({'a': ['u', 'v'] * 2, 'b': 1.0, 'c': 2.0})",
    ),
    ("training/feeds/tables.py", "holds dates or times ("): (
        "model.fit(x, y, verbose=0)",
        "«x['a'] = (x['a'] - x['a'].min()).dt.days»; model.fit(x, y, verbose=0)",
        _FIT + "import pandas; x = pandas.DataFrame({'a': pandas.date_range('2020', periods=4), "
        "'b': 1.0, 'c': 2.0})",
    ),
    ("training/feeds/tables.py", "one is enough to make every weight NaN"): (
        "model.fit(x, y, verbose=0)",
        "«x['a'] = x['a'].fillna(x['a'].median())»; model.fit(x, y, verbose=0)",
        _FIT + "import pandas; x = pandas.DataFrame({'a': [1.0, None] * 2, 'b': 1.0, 'c': 2.0})",
    ),
    ("training/trainer.py", "has no loss to minimise"): (
        "model = net(compiled=False); model.compile('sgd'); model.fit(x, y)",
        "model = net(layers.Dense(2, 'softmax'), compiled=False); "
        "«model.compile(loss='sparse_categorical_crossentropy')»; model.fit(x, y, verbose=0)",
    ),
    ("training/feeds/user_data.py", "leave class_weight='balanced' out"): (
        "model.fit(x, y, class_weight='balanced', sample_weight=np.ones(4), verbose=0)",
        "model.fit(x, y, sample_weight=np.ones(4), verbose=0)"
        "  # «leave class_weight='balanced' out»",
        _FIT,
    ),
    ("training/feeds/user_data.py", "counts the classes of all labels"): (
        "model.fit(iter([(x, y)]), class_weight='balanced', verbose=0)",
        "model.fit(iter([(x, y)]), «class_weight={0: 1.0, 1: 2.0}», verbose=0)",
        _FIT,
    ),
    ("training/feeds/class_weights.py", "class_weight needs one array of labels"): (
        "model.fit([one, one], {'u': one, 'o': one}, class_weight={0: 1.0, 1: 1.0})",
        "model.fit([one, one], {'u': one, 'o': one}, «sample_weight=»{'u': np.ones(4), "
        "'o': np.ones(4)}, verbose=0)",
        _TWO,
    ),
    ("training/feeds/class_weights.py", "to weights; received …."): (
        "model.fit(x, y, class_weight=class_weight)",
        "«class_weight = dict(enumerate(class_weight))»; model.fit(x, y, "
        "class_weight=class_weight, verbose=0)",
        _FIT + "class_weight = [1.0, 2.0]",
    ),
    ("training/feeds/class_weights.py", "0 and up, to weights; received the key"): (
        "model.fit(x, y, class_weight={'cat': 1.0})",
        "model.fit(x, y, «class_weight={0: 1.0, 1: 2.0}», verbose=0)",
        _FIT,
    ),
    ("training/feeds/class_weights.py", "a weight is a number, 0 or"): (
        "model.fit(x, y, class_weight={1: -2.0})",
        "model.fit(x, y, «class_weight={1: 1.0}», verbose=0)",
        _FIT,
    ),
    ("training/feeds/workers.py", "cannot be sent to other processes"): (
        "source = Source(workers=1, use_multiprocessing=True); import threading; "
        "source.lock = threading.Lock(); model.fit(source, verbose=0)",
        "source = Source(workers=1, «use_multiprocessing=False»); import threading; "
        "source.lock = threading.Lock(); model.fit(source, verbose=0)",
        _SOURCE,
    ),
    ("training/checks.py", "so that the weights diverged"): (
        "net(optimizer=lamina.optimizers.SGD(1e19)).fit(x * 10, y, epochs=9, verbose=0)",
        "net(«optimizer=lamina.optimizers.SGD(0.01, clipnorm=1.0)»).fit(x * 10, y, epochs=9, "
        "verbose=0)\n"
        "net(optimizer=lamina.optimizers.SGD(0.1)).fit(x, y, epochs=9, verbose=0) "
        " # «inputs between 0 and 1»",
    ),
    ("training/engine.py", "so there are no val_ metrics"): (
        "model.fit(x, y, validation_data=Once(), epochs=2, verbose=0)",
        "model.fit(x, y, validation_data=(x, y), epochs=2, verbose=0) "
        " # «validation_data as arrays»",
        _FIT + "class Once:\n"
        "  batches = [(x, y)]\n"
        "  def __iter__(self):\n"
        "    while self.batches: yield self.batches.pop()\n",
    ),
    ("training/likely_mistakes.py", "every step increases the loss"): (
        "net(optimizer=lamina.optimizers.SGD(-0.1)).fit(x, y[:, None], verbose=0)",
        "net(«optimizer=lamina.optimizers.SGD(0.1)»).fit(x, y[:, None], verbose=0)",
    ),
    ("training/likely_mistakes.py", "nothing can be learned"): (
        "model.fit(x, y[:20], verbose=0)",
        "np.random.shuffle(y); model.fit(x, y[:20], verbose=0) "
        " # «shuffle before the data are sliced»",
        "model = net(layers.Dense(2, 'softmax'), loss='sparse_categorical_crossentropy'); "
        "x = np.arange(60).reshape(20, 3) / 60; y = np.repeat([0, 1], 20)",
    ),
    ("training/likely_mistakes.py", "validation labels are of classes"): (
        "model.fit(x, y, validation_split=0.5, split='tail', verbose=0)",
        "«order = numpy.random.permutation(len(x)); x, y = x[order], y[order]»; model.fit(x, "
        "y, validation_split=0.5, split='tail', verbose=0)",
        "numpy.random.seed(1); model = net(layers.Dense(2, 'softmax'), "
        "loss='sparse_categorical_crossentropy'); x = np.arange(120).reshape(40, 3) / 120; "
        "y = np.repeat([0, 1], 20)",
    ),
    ("training/checkpoint.py", "optimizers, and this one has"): (
        "fit(two(1))",
        "fit(two(0))  # «compile the model as before»",
        "from lamina.callbacks import *\n"
        "class Two(lamina.Sequential): pass\n"
        "def two(more):\n"
        "  model = Two([Input((3,)), layers.Dense(1)]); model.compile('sgd', 'mse')\n"
        "  if more: model.other = lamina.optimizers.SGD()\n"
        "  return model\n"
        "class Stop(lamina.callbacks.Callback):\n"
        "  def on_epoch_begin(self, epoch, logs=None):\n    if epoch: raise KeyError('power cut')\n"
        "def fit(model, *callbacks): model.fit(x, y, epochs=2, verbose=0, "
        "callbacks=[BackupAndRestore('backup'), *callbacks])\n"
        "try: fit(two(0), Stop())\nexcept KeyError: pass\n",
    ),
    # -- what is no data -------------------------------------------------------------------------
    ("training/feeds/unsupported_data.py", "itself, not its result"): (
        "model.fit(x, y, verbose=0)",
        "«x = x()»; model.fit(x, y, verbose=0)",
        _FIT + "def x(): return np.ones((4, 3))",
    ),
    ("training/feeds/unsupported_data.py", "is text or a path"): (
        "model.fit(x, y, verbose=0)",
        "import pandas; «x = pandas.read_csv(x)»; model.fit(x, y, verbose=0)",
        _FIT + "x = 'x.csv'; Path(x).write_text('a,b,c\\n' + '1,2,3\\n' * 4)",
    ),
    ("training/feeds/unsupported_data.py", "whose items have no order"): (
        "model.fit(x, y, verbose=0)",
        "«x = sorted(x)»; model.fit(x, y, verbose=0)",
        "model = net(inputs=(1,)); x = {1.0, 2.0, 3.0, 4.0}",
    ),
    ("training/feeds/unsupported_data.py", "which is an iterable and not an array"): (
        "model.fit(x, y, verbose=0)",
        "«y = numpy.array(list(y))»; model.fit(x, y, verbose=0)",
        "model = net(); y = map(float, range(4))",
    ),
    ("core/user_data/masked_arrays.py", "and a network needs a number everywhere"): (
        "model.fit(x, y, verbose=0)",
        "«keep = ~numpy.ma.getmaskarray(x).reshape(len(x), -1).any(axis=1)»\n"
        "«x, y = x[keep], y[keep]»; model.fit(x, y, verbose=0)",
        _FIT + "x = np.ma.masked_greater(np.arange(12.0).reshape(4, 3), 10)",
    ),
    ("training/feeds/unsupported_data.py", "is a record array with the fields"): (
        "model.fit(x, y, verbose=0)",
        "«x = numpy.stack([x[name] for name in x.dtype.names], axis=-1)»; model.fit(x, y, "
        "verbose=0)",
        _FIT + "x = np.ones(4, [('a', 'f4'), ('b', 'f4'), ('c', 'f4')])",
    ),
    ("training/feeds/unsupported_data.py", "a table with columns of words"): (
        "model.fit(x, y, verbose=0)",
        "import pandas; «x = pandas.get_dummies(pandas.DataFrame(x).infer_objects())»; "
        "net(inputs=(4,)).fit(x, y, verbose=0)",
        _FIT + "x = [['cat', 1.0, 2.0], ['dog', 2.0, 3.0]] * 2",
    ),
    ("training/feeds/unsupported_data.py", "numbers that were read from a file as text"): (
        "model.fit(x, y, verbose=0)",
        "«x = numpy.asarray(x, 'int32')»; model.fit(x, y, verbose=0)",
        _FIT + "x = np.array([['1', '2', '3']] * 4)",
    ),
    ("training/feeds/unsupported_data.py", "class names instead of class indices"): (
        "model.fit(x, y, verbose=0)",
        "«names, y = numpy.unique(y, return_inverse=True)»; model.fit(x, y, verbose=0)",
        _FIT + "y = np.array(['cat', 'dog'] * 2)",
    ),
    ("training/feeds/conversion.py", "its samples hold no numbers"): (
        "model.fit(x[:, 3:], y, verbose=0)",
        "model.fit(x, y, verbose=0)  # «look at x.»",
        _FIT,
    ),
    ("training/feeds/user_data.py", "pairs, but a model needs an array"): (
        "model.fit(x)",
        "«x, y = map(numpy.stack, zip(*x))»; model.fit(x, y, verbose=0)",
        _FIT + "x = [(row, 1.0) for row in x]",
    ),
    ("training/checks.py", "is loaded uncompiled"): (
        "lamina.models.load_model('own.keras', custom_objects={'Own': Own})",
        "import warnings; warnings.simplefilter('ignore')\n"
        "model = lamina.models.load_model('own.keras', custom_objects={'Own': Own})\n"
        "model.compile(3)  # «call compile after loading»",
        "class Own(lamina.Sequential):\n"
        "  def compile(self, power): super().compile('sgd', 'mse')\n"
        "model = Own([Input((3,)), layers.Dense(1)]); model.compile(2); model.save('own.keras')",
    ),
    ("training/checks.py", "x and y in one argument"): (
        "model.fit(x)",
        "«model.fit(*x», verbose=0)",
        "model = lamina.Sequential([layers.Dense(1)]); model.compile('sgd', 'mse'); x = (x, "
        "y[:, None])",
    ),
    ("training/state_tree.py", "Two variables have the same path"): (
        "net(Two(), compiled=False).get_state_tree()",
        "from lamina.layers import Dense; net(«Dense(8, name='hidden')»).get_state_tree()",
        "class Two(lamina.layers.Layer):\n"
        "  def build(self, shape):\n"
        "    self.a, self.b = self.add_weight((), name='w'), self.add_weight((), name='w')\n"
        "  def call(self, x): return x\n",
    ),
    ("training/feeds/unsupported_data.py", "not an object of it"): (
        "model.fit(x, y, verbose=0)",
        "«x = Rows(»2); model.fit(x, verbose=0)",
        "model = net()\n"
        "class Rows(lamina.utils.PyDataset):\n"
        "  def __init__(self, n): super().__init__(); self.n = n\n"
        "  def __len__(self): return self.n\n"
        "  def __getitem__(self, i): return np.ones((2, 3)), np.ones((2, 1))\n"
        "x = Rows",
    ),
    ("training/feeds/stream_feed.py", "single samples instead of batches: x of shape"): (
        "model.fit(dataset, verbose=0)",
        "«dataset = dataset.batch(32)»; model.fit(dataset, verbose=0)",
        _FIT + "dataset = lamina.data.Dataset.from_tensor_slices((x, y[:, 0]))",
    ),
}
