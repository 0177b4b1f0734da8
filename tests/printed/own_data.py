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

CASES = {
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
    ("data/loading/options.py", "No sample is left to train on"): (
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
    ("data/loading/options.py", "keeps the mix of classes"): (
        "load(table, target='price', split='stratified')",
        "load(table, target='price', «split='random'»)",
        _LOAD,
    ),
    ("data/loading/options.py", "needs a table"): (
        "load('p', split='group', group='patient')",
        "load('p', split='random')  # «another split»",
        _LOAD + "pictures('p/cat', 'p/dog')",
    ),
    ("data/loading/series.py", "or a shorter window"): (
        "load(table, target='price', forecast=12)",
        "load(table, target='price', «forecast=1»)",
        _LOAD,
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
    ("prediction/raw_inputs.py", "does not say what it was trained on"): (
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
    ("training/input_contract.py", "if that is not meant"): (
        "x = x * 255; model.predict(x, verbose=0)",
        "x = x * 255; model.predict(«x / 255», verbose=0)",
        _TRAINED,
    ),
    ("training/input_contract.py", "gives their numbers"): (
        "model.predict_labels(x)",
        "«model.predict(x).argmax(axis=-1)»",
        _TRAINED,
    ),
}
