"""Fixes for people's own data: folders, tables, texts, series, and models that take them."""

_LOAD = (
    "import pandas as pd\n"
    "from PIL import Image\n"
    "def load(*a, **k): return lamina.data.load(*a, verbose=False, **k)\n"
    "def pictures(*folders):\n"
    "  rng = np.random.default_rng(0)\n"
    "  for folder in folders:\n"
    "    Path(folder).mkdir(parents=True, exist_ok=True)\n"
    "    for i in range(4):\n"
    "      image = Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype='uint8'))\n"
    "      image.save(Path(folder, f'{i}.png'))\n"
    "rows = {'size': [1.5, 2.5, 3.5, 5.5] * 5, 'price': [10.5, 20.5, 30.5, 40.5] * 5,"
    " 'kind': ['a', 'b', 'a', 'b'] * 5}\n"
    "table = pd.DataFrame(rows)\n"
)
_LABELS = (
    "pictures('p')\nPath('p/l.csv').write_text('file,kind,colour\\n' + "
    "'\\n'.join(f'{i}.png,{\"ab\"[i % 2]},{\"rg\"[i // 2]}' for i in range(4)))\n"
)
_TRAINED = (
    "model = net(layers.Flatten(), layers.Dense(2), inputs=(4, 4))\n"
    "x = np.random.default_rng(0).random((16, 4, 4)).astype('float32')\n"
    "model.fit(x, np.ones((16, 2)), verbose=0)\n"
)

# A predictor of rows, texts or a series, without the model.
_ASKED = (
    "import types\n"
    "from lamina.contract import Column, Contract, SeriesInput\n"
    "from lamina.prediction.raw_inputs import read_inputs\n"
    "contracts = {'table': Contract('table', columns=(Column('size', 'number'),)),"
    " 'text': Contract('text', columns=(Column('message', 'text'),)),"
    " 'series': Contract('series', columns=(Column('v', 'number'),), series=SeriesInput(3, 1))}\n"
    "def predictor_of(kind):\n"
    "  return types.SimpleNamespace(answer=lambda sources: read_inputs(contracts[kind], sources))\n"
)

CASES = {
    ("contract/novelty.py", "which does not need it"): (
        "model.predict_labels(x)",
        "«model.predict(x)»",
        "import dataclasses\n"
        "from lamina.contract import Contract, novelty\n"
        "model = net(layers.Dense(2), inputs=(4,))\n"
        "x = np.random.default_rng(0).random((300, 4))\n"
        "known = dataclasses.replace(novelty.compute_statistics({'x': x}), components='')\n"
        "model.input_contract = Contract(class_names=('a', 'b'), novelty=known)",
    ),
    ("data/loading/columns.py", "a value that is not known may be left empty"): (
        "inputs_of([Column('size', 'number')], {'colour': 'red'})",
        "inputs_of([Column('size', 'number')], {'colour': 'red', 'size': ''})"
        "  # «add the column», «left empty»",
        "from lamina.contract import Column\nfrom lamina.data.loading.columns import inputs_of",
    ),
    ("data/loading/columns.py", "rename that column"): (
        "load(table, target='kind')",
        "load(table.rename(columns={'day_days': 'days'}), target='kind')  # «rename that column»",
        _LOAD + "table['day'] = pd.date_range('2024-01-01', periods=20)\ntable['day_days'] = 1.5\n"
        "table.loc[3, 'day_days'] = 2.5",
    ),
    ("data/loading/samples.py", "No sample is left to train on"): (
        "load(table, target='size', task='number', validation=0.5, test=0.495)",
        "load(table, target='size', task='number', «validation=0.15, test=0.15»)",
        _LOAD,
    ),
    ("data/loading/image_source.py", "Nothing says what the"): (
        "load('p')",
        "Path('p/dog').mkdir(); Path('p/0.png').rename('p/dog/0.png')\n"
        "Path('p/cat').mkdir()\n"
        "[f.rename(Path('«p/cat»', f.name)) for f in Path('p').glob('*.png')]\n"
        "load('p')",
        _LOAD + "pictures('p')",
    ),
    ("data/loading/image_source.py", "leave the one that says"): (
        "load('p', target='kind')",
        "Path('p/other.csv').unlink()  # «leave the one that says»\nload('p', target='kind')",
        _LOAD + _LABELS + "Path('p/other.csv').write_text('a,b\\n1,2\\n')",
    ),
    ("data/loading/image_source.py", "is to be predicted"): (
        "load('p')",
        "load('p', «target='kind'»)",
        _LOAD + _LABELS,
    ),
    ("data/loading/load.py", "arrays need no loading"): (
        "lamina.data.load(x)",
        "model = net(); «model.fit(x, y)»",
    ),
    ("data/loading/load.py", "name one of them"): (
        "load('t', target='kind')",
        "load('t/a.csv', target='kind')  # «name one of them»",
        _LOAD + "Path('t').mkdir(exist_ok=True)\n"
        "[table.to_csv(f't/{n}.csv', index=False) for n in 'ab']",
    ),
    ("data/loading/load.py", "unpack the archive first"): (
        "load('z')",
        "import shutil; shutil.unpack_archive('z/photos.zip', 'z')  # «unpack the archive»\n"
        "load('z')",
        _LOAD + "pictures('q/cat', 'q/dog')\nimport shutil; Path('z').mkdir(exist_ok=True)\n"
        "shutil.make_archive('z/photos', 'zip', 'q')",
    ),
    ("data/loading/load.py", "give the folder that has a subfolder"): (
        "load('p/cat/0.png')",
        "load('p')  # «give the folder»",
        _LOAD + "pictures('p/cat', 'p/dog')",
    ),
    ("data/loading/load.py", "unpack it first, and give"): (
        "load('photos.zip')",
        "import shutil; shutil.unpack_archive('photos.zip', 'r')  # «unpack it first»\nload('r')",
        _LOAD + "pictures('q/cat', 'q/dog')\nimport shutil\n"
        "shutil.make_archive('photos', 'zip', 'q')",
    ),
    ("data/loading/load.py", "save the sheet as .csv"): (
        "load('sheet.xlsx', target='kind')",
        "table.to_csv('sheet.csv', index=False); load('sheet.csv', target='kind')"
        "  # «save the sheet as .csv»",
        _LOAD + "Path('sheet.xlsx').write_bytes(b'PK')",
    ),
    ("data/loading/load.py", "give pandas.read_json"): (
        "load('rows.json', target='kind')",
        "load(pd.read_json('rows.json'), target='kind')  # «pandas.read_json(»",
        _LOAD + "table.to_json('rows.json')",
    ),
    ("data/loading/options.py", "keeps rows with one value of a column together"): (
        "load(table, target='size', split='group')",
        "table['patient'] = np.arange(20) // 2\n"
        "load(table, target='size', «split='group', group='patient'»)",
        _LOAD,
    ),
    ("data/loading/samples.py", "keeps the class frequencies"): (
        "load(table, target='price', split='stratified')",
        "load(table, target='price', «split='random'»)",
        _LOAD,
    ),
    ("data/loading/image_source.py", "and the subfolders are the classes"): (
        "load('p', target='animal')",
        "load('p')  # «leave target out»",
        _LOAD + "pictures('p/cat', 'p/dog')",
    ),
    ("data/loading/series.py", "Fix: window=… or less"): (
        "load(table, target='price', forecast=2, window=15)",
        "load(table, target='price', forecast=2, «window=12»)",
        _LOAD,
    ),
    ("data/loading/series.py", "Fix: forecast=…, window=1"): (
        "load(table, target='price', forecast=12)",
        "load(table, target='price', «forecast=6, window=1»)",
        _LOAD,
    ),
    ("data/loading/series.py", "Fix: validation=0.15, test=0.15"): (
        "load(table, target='price', forecast=1, validation=0.49, test=0.49, window=1)",
        "load(table, target='price', forecast=1, «validation=0.15, test=0.15, window=1»)",
        _LOAD,
    ),
    ("data/loading/series.py", "Fix: validation=0, test=0"): (
        "load(table[:3], target='price', forecast=1)",
        "load(table[:3], target='price', forecast=1, «validation=0, test=0, window=1»)",
        _LOAD,
    ),
    ("data/loading/series.py", "nothing can be learnt"): (
        "load(table[:2], target='size', forecast=2)",
        "load(table, target='size', forecast=1)  # «a longer series»",
        _LOAD,
    ),
    ("data/loading/series_source.py", "as in a table of several series"): (
        "load(frame, target='price', time='time', forecast=1)",
        "load(«frame[frame['shop'] == 'a']», target='price', time='time', forecast=1)",
        _LOAD + "frame = pd.DataFrame({'time': pd.date_range('2024-01-01', periods=12).repeat(3), "
        "'shop': ['a', 'b', 'c'] * 12, 'price': np.arange(36.0)})",
    ),
    ("data/loading/options.py", "has no effect on"): (
        "load(table, target='kind', window=3)",
        "load(table, target='kind')  # «leave window out»",
        _LOAD,
    ),
    ("data/loading/options.py", "of … in a folder only classes can be"): (
        "load('p', task='number')",
        "load('p')  # «leave task out»",
        _LOAD + "pictures('p/cat', 'p/dog')",
    ),
    ("data/loading/options.py", "columns and drop both name"): (
        "load(table, target='kind', columns=['size', 'price'], drop=['size'])",
        "load(table, target='kind', columns=['size', 'price'])  # «leave it out of one of them»",
        _LOAD,
    ),
    ("data/loading/options.py", "which is the …."): (
        "load(table, target='kind', drop=['kind'])",
        "load(table, target='kind')  # «leave it out of drop»",
        _LOAD,
    ),
    ("data/loading/table_source.py", "there is no class to learn"): (
        "load(frame, target='name')",
        "load(frame, target='kind')  # «another target»",
        _LOAD + "import string\n"
        "frame = pd.DataFrame({'size': np.random.default_rng(0).random(200), "
        "'kind': ['a', 'b'] * 100, 'name': [f'{a}{b}x' for a in string.ascii_lowercase[:20] "
        "for b in string.ascii_lowercase[:10]]})",
    ),
    ("data/loading/table_source.py", "Likely cause: spaces separate its values"): (
        "load('t.csv', target='kind')",
        "import pandas; load(«pandas.read_csv('t.csv', sep=r'\\s+')», target='kind')",
        _LOAD + "Path('t.csv').write_text('size kind\\n' + '1.5 a\\n1.5 b\\n2.5 b\\n' * 20)",
    ),
    ("data/loading/table_layout.py", "a name for each column in the first line"): (
        "load('t.csv', target='kind')",
        "Path('t.csv').write_text('size,kind,place\\n' + lines); load('t.csv', target='kind')"
        "  # «a name for each column in the first line»",
        _LOAD + "lines = '1.5,a,x\\n2.5,a,y\\n1.5,b,y\\n2.5,b,x\\n' * 20\n"
        "Path('t.csv').write_text('size,kind\\n' + lines)",
    ),
    ("diagnosis/data_checks/duplicates.py", "prepare x_val as x was prepared"): (
        "lamina.diagnosis.find_duplicates(np.ones((4, 3)), np.ones((4, 2)))",
        "lamina.diagnosis.find_duplicates(np.ones((4, 3)), np.ones((4, 3)))"
        "  # «prepare x_val as x was prepared»",
        "",
    ),
    ("diagnosis/data_checks/label_noise.py", "label_noise takes a compiled model"): (
        "label_noise(lamina.Sequential([layers.Dense(2, 'softmax')]), x, y)",
        "model = lamina.Sequential([layers.Dense(2, 'softmax')])\n"
        "«model.compile(optimizer='adam', loss=»'sparse_categorical_crossentropy')\n"
        "label_noise(model, x, y, folds=2, epochs=1)",
        "from lamina.diagnosis import label_noise\nx, y = np.ones((8, 3)), np.arange(8) % 2",
    ),
    ("diagnosis/data_checks/label_noise.py", "fewer folds, or leave this class out"): (
        "label_noise(model, x, y, folds=4, epochs=1)",
        "label_noise(model, x, y, folds=2, epochs=1)  # «fewer folds»",
        "from lamina.diagnosis import label_noise\n"
        "x, y = np.ones((8, 3)), np.array([0, 0, 0, 0, 0, 0, 1, 1])\n"
        "model = lamina.Sequential([layers.Dense(2, 'softmax')])\n"
        "model.compile('adam', 'sparse_categorical_crossentropy')",
    ),
    ("diagnosis/data_checks/label_noise.py", "turn texts into numbers first"): (
        "label_noise(model, np.ones((8, 3)), None, folds=2)",
        "text = layers.TextVectorization(output_mode='multi_hot')  "
        "# «with lamina.layers.TextVectorization»\n"
        "text.adapt(['a b', 'b c'])\n"
        "label_noise(model, np.asarray(text(['a b', 'c b'] * 4)), y, folds=2, epochs=1)",
        "from lamina.diagnosis import label_noise\ny = np.arange(8) % 2\n"
        "model = lamina.Sequential([layers.Dense(2, 'softmax')])\n"
        "model.compile('adam', 'sparse_categorical_crossentropy')",
    ),
    ("training/input_contract.py", "the same classes in both"): (
        "model.evaluate(parts('b', 'a').train, verbose=0)",
        "model.evaluate(parts('a', 'b').train, verbose=0)  # «the same classes in both»",
        _LOAD + "def parts(*kinds):\n"
        "  for kind in kinds: pictures(f'{kinds[0]}/{\"xy\"[kinds.index(kind)]}{kind}')\n"
        "  return load(kinds[0])\n"
        "known = parts('a', 'b')\n"
        "model = net(layers.Flatten(), layers.Dense(2, 'softmax'), inputs=known.train.x.shape[1:], "
        "loss='sparse_categorical_crossentropy')\n"
        "model.fit(known.train, verbose=0)",
    ),
    ("data/loading/table_source.py", "leave task='number' out"): (
        "load(table, target='kind', task='number')",
        "load(table, target='kind')  # «leave task='number' out»",
        _LOAD,
    ),
    ("data/loading/table_source.py", "is to be predicted"): (
        "load(table)",
        "load(table, «target='kind'»)",
        _LOAD,
    ),
    ("data/loading/options.py", "is the height and width of pictures"): (
        "load('p', image_size=6)",
        "load('p', «image_size=(6, 6)»)",
        _LOAD + "pictures('p/cat', 'p/dog')",
    ),
    ("data/loading/options.py", "is a list of names; received"): (
        "load(table, target='kind', columns='size')",
        "load(table, target='kind', «columns=['size']»)",
        _LOAD,
    ),
    ("data/loading/options.py", "leaves nothing to predict from"): (
        "load(table, target='kind', columns=[])",
        "load(table, target='kind')  # «leave it out»",
        _LOAD,
    ),
    ("data/loading/options.py", "more than once"): (
        "load(table, target='kind', columns=['size', 'size'])",
        "load(table, target='kind', «columns=['size']»)",
        _LOAD,
    ),
    ("data/loading/options.py", "kinds is a dict from columns"): (
        "load(table, target='kind', kinds='category')",
        "table['postcode'] = table['size']\n"
        "load(table, target='kind', «kinds={'postcode': 'category'}»)",
        _LOAD,
    ),
    ("data/loading/options.py", "a column cannot be predicted and be"): (
        "load(table, target='kind', text='kind')",
        "load(table, target='price', text='kind')  # «another target»",
        _LOAD,
    ),
    ("data/loading/options.py", "which is the target and known only afterwards"): (
        "load(table, target='kind', columns=['size', 'kind'])",
        "load(table, target='kind', columns=['size'])  # «leave it out of columns»",
        _LOAD,
    ),
    ("data/loading/series_source.py", "gaps could only be guessed"): (
        "load(frame, target='v', forecast=2)",
        "load(«frame.dropna(subset=['v'])», target='v', forecast=2)",
        _LOAD + "frame = pd.DataFrame({'v': [1.5, None, None, 3.5] * 20})\n"
        "frame.loc[40:, 'v'] = None\nframe.loc[::5, 'v'] = 2.5",
    ),
    ("data/loading/table_files.py", "several columns of one name"): (
        "load(frame, target='kind')",
        "load(«frame.loc[:, ~frame.columns.duplicated()]», target='kind')",
        _LOAD + "frame = pd.concat([table, table[['size']]], axis=1)",
    ),
    ("data/loading/table_source.py", "and not one number or text a row"): (
        "load(table, target='both')",
        "table['first'] = table['both'].str[0]  # «a column for each of its values»\n"
        "load(table.drop(columns='both'), target='first')",
        _LOAD + "table['both'] = [[a, b] for a, b in zip(table['kind'], table['size'])]",
    ),
    ("prediction/raw_rows.py", "predictor.answer("): (
        "predictor.answer({'size': [[1]]})",
        "«predictor.answer({'size': 1.0})»",
        _ASKED + "predictor = predictor_of('table')",
    ),
    ("prediction/raw_series.py", "which the model was trained on"): (
        "predictor.answer({'w': [1, 2, 3]})",
        "«predictor.answer({'v': [»1, 2, 3]})",
        _ASKED + "predictor = predictor_of('series')",
    ),
    ("prediction/raw_sources.py", "The model takes"): (
        "predictor.answer(3)",
        "«predictor.answer([1, 2, 3])»",
        _ASKED + "predictor = predictor_of('series')",
    ),
    ("prediction/raw_texts.py", "or the text alone"): (
        "predictor.answer({'words': 'a', 'more': 'b'})",
        "«predictor.answer({'message': 'a text'})»; «predictor.answer('a text')»",
        _ASKED + "predictor = predictor_of('text')",
    ),
    ("prediction/raw_texts.py", "but the model takes one text per row"): (
        "predictor.answer({'message': [['a']]})",
        "«predictor.answer({'message': 'a text'})»",
        _ASKED + "predictor = predictor_of('text')",
    ),
    ("prediction/raw_inputs.py", "has only the ranges of the arrays"): (
        "lamina.Predictor(model).answer('a.png')",
        "«model.predict(x)»",
        _TRAINED,
    ),
    ("jobs/own_data_job.py", "Nothing was kept to measure on"): (
        "measure(validation=0, test=0)",
        "measure(validation=0, test=0.2)  # «test or validation fraction above 0»",
        _LOAD + "from lamina.jobs import own_data_job as jobs, own_network\n"
        "def measure(**parts):\n"
        "  data = load(table, target='kind', **parts)\n"
        "  code = own_network.network_code(data)\n"
        "  job = jobs.OwnDataJob('table.csv', {}, data, code, 1)\n"
        "  model = own_network.build(data, code, 1)\n"
        "  run = jobs.OwnDataRun({}, 0, 1.0, False)\n"
        "  return jobs.measure(job, model, run)\n",
    ),
    ("cli/train_own.py", "is for named data sets"): (
        "command('lamina train t.csv --target kind --model mlp')",
        "command('lamina train t.csv --target kind --epochs 1')  # «leave --model out»",
        _LOAD + "import shlex; from lamina.cli.app import app\n"
        "def command(line): app(shlex.split(line)[1:], standalone_mode=False)\n"
        "table.to_csv('t.csv', index=False)",
    ),
    ("training/input_contract.py", "unless this is intended"): (
        "x = x * 255; model.predict(x, verbose=0)",
        "x = x * 255; model.predict(«x / 255», verbose=0)",
        _TRAINED,
    ),
    ("training/input_contract.py", "returns class indices"): (
        "model.predict_labels(x)",
        "«model.predict(x).argmax(axis=-1)»",
        _TRAINED,
    ),
}
