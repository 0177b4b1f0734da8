"""Fixes of models in files, data in files, and data sets."""

_MODEL = (
    "model = net(); model.save('model.keras'); model.save_weights('model.weights.h5'); "
    "content = Path('model.keras').read_bytes()\n"
)
_H5 = "import h5py\n"
_LEGACY = "import os; os.environ['LAMINA_DATASETS'] = ''\n"
_PICTURES = (
    "load = lamina.utils.image_dataset_from_directory\n"
    "for place in ('p', 'p/a', 'p/b'): Path(place).mkdir(exist_ok=True)\n"
    "for name in ('p/a/1.png', 'p/b/1.png'): lamina.utils.save_img(name, images[0])\n"
)
_TABLE = (
    "import pandas; table = pandas.DataFrame({'a': [1, 2], 'b': ['u', 'v']}); "
    "Dataset = lamina.data.Dataset\n"
)
_DATA = "Dataset = lamina.data.Dataset\n"
_TEACHER = (
    "from lamina.distillation import *\nteacher, student = net(), net()\n"
    "def distil(loss, teacher=teacher, student=student):\n"
    "  made = Distiller(teacher=teacher, student=student, distillation_losses=loss)\n"
    "  made.compile('sgd', 'mse'); made.fit(x, y[:, None], verbose=0)\n"
)

CASES = {
    ("saving/atomic.py", "is a folder, and a model is saved as one file"): (
        "net().save('there.keras')",
        "net().save(str(Path('there.keras').absolute() / 'model.keras')) "
        " # «/there.keras/model.keras'»",
        "Path('there.keras').mkdir(exist_ok=True)",
    ),
    ("saving/atomic.py", "a file must not replace"): (
        "import os; os.path.exists('pipe.keras') or os.mkfifo('pipe.keras'); "
        "net().save('pipe.keras')",
        "net().save('other.keras')  # «another path»",
    ),
    ("saving/atomic.py", "no permission ("): (
        "Path('locked.keras').write_bytes(b''); os.chmod('locked.keras', 0o400)\n"
        "os.access = lambda *a: False\n"
        "try: net().save('locked.keras')\nfinally: os.access = access",
        "net().save('own/model.keras')  # «a folder of your own»",
        "import os; access = os.access",
    ),
    ("saving/atomic.py", "a part of the path is a file"): (
        "net().save('file/model.keras')",
        "net().save('folder/model.keras')  # «another path»",
        "Path('file').write_text('')",
    ),
    ("saving/file_editor.py", "Several objects are named"): (
        "editor.delete_object('dense')",
        "editor.delete_object('layers/sequential/layers/dense') "
        " # «layers/sequential/layers/dense»",
        "net(net(compiled=False), layers.Dense(1, name='dense')).save_weights('m.weights.h5')\n"
        "editor = lamina.saving.KerasFileEditor('m.weights.h5')",
    ),
    ("saving/hdf5.py", "damaged and cannot be read"): (
        "for at in range(len(content_of_weights) - 1, 100, -9):\n"
        "  damaged = bytearray(content_of_weights); damaged[at] ^= 255; "
        "Path('w.weights.h5').write_bytes(damaged); model.load_weights('w.weights.h5')",
        "Path('w.weights.h5').write_bytes(content_of_weights); "
        "model.load_weights('w.weights.h5')  # «copy the file again»",
        _MODEL + "content_of_weights = Path('model.weights.h5').read_bytes()",
    ),
    ("saving/legacy_file.py", "layers with weights."): (
        "net(layers.Dense(2), layers.Dense(1, name='last')).load_weights('old.h5')",
        "net(layers.Dense(2), layers.Dense(1, name='last')).«load_weights(»'old.h5', "
        "«by_name=True»)",
        "old = net(layers.Dense(2, name='first')); old.save('old.h5')",
    ),
    ("saving/model_file.py", "Only a model can be saved"): (
        "lamina.models.save_model('m.keras', model)",
        "from lamina.models import save_model; path = 'm.keras'; «save_model(model, path)»",
        "model = net()",
    ),
    ("saving/model_file.py", "the file will hold its layers alone"): (
        "model.save('m.keras')",
        "shape = (3,); model(x); model.save('m.keras'); "
        "lamina.Sequential([«lamina.Input(shape)», layers.Dense(1)]).save('m.keras')",
        "model = lamina.Sequential([layers.Dense(1)])",
    ),
    ("saving/model_file.py", "makes other weights than when it was saved"): (
        "Own.size = 5; lamina.models.load_model('own.keras', custom_objects={'Own': Own})",
        "lamina.models.load_model('own.keras', custom_objects={'Own': Own}) "
        " # «the class that was used then»",
        "class Own(lamina.layers.Layer):\n  size = 2\n"
        "  def build(self, shape): self.w = self.add_weight((self.size,))\n"
        "  def call(self, x): return x\n"
        "net(Own(), compiled=False).save('own.keras')",
    ),
    ("saving/model_file.py", "so there is nothing to save"): (
        "lamina.Sequential([layers.Dense(1)]).save_weights('m.weights.h5')",
        "shape = (3,); lamina.Sequential([«lamina.Input(shape)», layers.Dense(1)"
        "]).save_weights('m.weights.h5')",
    ),
    ("saving/model_file.py", "so none can be loaded"): (
        "fresh.load_weights('model.weights.h5')",
        "fresh.«build((None, »3)); fresh.load_weights('model.weights.h5')",
        _MODEL + "fresh = lamina.Sequential([layers.Dense(1)])",
    ),
    ("saving/model_file.py", "by_name is for .h5 files of Keras 2"): (
        "model.load_weights('model.weights.h5', by_name=True)",
        "model.«load_weights(»'model.weights.h5', «skip_mismatch=True»)",
        _MODEL,
    ),
    ("saving/model_file.py", "objects_to_skip is not for .h5 files"): (
        "old.load_weights('old.h5', objects_to_skip=[old.layers[0]])",
        "old.load_weights('old.h5', «by_name=True»)",
        "old = net(); old.save('old.h5')",
    ),
    ("saving/model_file.py", "Fix: make the model with the same layers"): (
        "wider.load_weights('model.weights.h5')",
        "import warnings; warnings.simplefilter('ignore'); "
        "wider.«load_weights(»'model.weights.h5', «skip_mismatch=True»)\n"
        "net().load_weights('model.weights.h5') "
        " # «make the model with the same layers as the saved one»",
        _MODEL + "wider = net(layers.Dense(2))",
    ),
    ("saving/model_file.py", "Fix: give the path of the file in it"): (
        "lamina.models.load_model('.')",
        "lamina.models.load_model(«'model.keras'»)",
        _MODEL,
    ),
    ("saving/model_file.py", "there is none in this folder"): (
        "lamina.models.load_model('empty')",
        "lamina.models.load_model('model.keras')  # «name the .keras file»",
        _MODEL + "Path('empty').mkdir(exist_ok=True)",
    ),
    ("saving/model_file.py", "exists, and overwrite=False"): (
        "model.save('model.keras', overwrite=False)",
        "model.save('model.keras', «overwrite=True»); model.save('other.keras', "
        "overwrite=False)  # «another name»",
        _MODEL,
    ),
    ("saving/model_file.py", "is written in the layout of Keras 2"): (
        "net().save('model.h5')",
        "model = net(); «model.save('model.keras')»",
    ),
    ("saving/model_file.py", "the model is not compiled:"): (
        "lamina.models.load_model('old.h5')",
        "import warnings; warnings.simplefilter('ignore'); "
        "model = lamina.models.load_model('old.h5'); warnings.simplefilter('error')\n"
        "«model.compile(»'sgd', 'mse'); model.fit(x, y, verbose=0)",
        _H5 + "import json, warnings\n"
        "with warnings.catch_warnings():\n"
        "  warnings.simplefilter('ignore'); net().save('old.h5')\n"
        "with h5py.File('old.h5', 'r+') as file:\n"
        "  given = file.attrs['training_config']; "
        "file.attrs['training_config'] = given.replace('\"metrics\": null', "
        "'\"metrics\": 5')\n"
        "  del file.attrs['training_config_crc32']\n",
    ),
    ("saving/model_file.py", "its list of contents is damaged"): (
        "at = content.rindex(b'assets' if b'assets' in content else b'metadata.json'); "
        "Path('d.keras').write_bytes(content[:at] + b'M' + content[at + 1:]); "
        "lamina.models.load_model('d.keras')",
        "Path('d.keras').write_bytes(content); lamina.models.load_model('d.keras') "
        " # «copy it again»",
        _MODEL,
    ),
    ("saving/model_file.py", "inside it is damaged: it does not"): (
        "at = content.index(b'\"module\"') "
        "if b'\"module\"' in content else content.index(b'config.json') + 20; "
        "Path('d.keras').write_bytes(content[:at] + b'Q' + content[at + 1:]); "
        "lamina.models.load_model('d.keras')",
        "Path('d.keras').write_bytes(content); lamina.models.load_model('d.keras') "
        " # «copy it again»",
        _MODEL,
    ),
    ("saving/model_file.py", "is empty."): (
        "Path('d.keras').write_bytes(b''); lamina.models.load_model('d.keras')",
        "Path('d.keras').write_bytes(content); lamina.models.load_model('d.keras') "
        " # «copy it again»",
        _MODEL,
    ),
    ("saving/model_file.py", "is incomplete or damaged"): (
        "Path('d.keras').write_bytes(content[:-50]); lamina.models.load_model('d.keras')",
        "Path('d.keras').write_bytes(content); lamina.models.load_model('d.keras') "
        " # «copy it again»",
        _MODEL,
    ),
    ("saving/model_file.py", "without the description of a model"): (
        "lamina.models.load_model('model.weights.h5')",
        "path = 'model.weights.h5'; model = net(); «model.load_weights(path)»",
        _MODEL,
    ),
    ("saving/shards.py", "the name must end in"): (
        "model.save_weights('m.weights.h5', max_shard_size=1)",
        "model.«save_weights('m.weights.json', »max_shard_size=1)",
        _MODEL,
    ),
    ("saving/shards.py", "more than a shard may"): (
        "big.save_weights('m.weights.json', max_shard_size=1e-7)",
        "big.save_weights('m.weights.json', «max_shard_size=1.13e-06»)",
        "big = net(layers.Dense(100))",
    ),
    ("saving/shards.py", "which is not in the same folder"): (
        "[p.unlink() for p in Path('.').glob('m_*.h5')]; model.load_weights('m.weights.json')",
        "model.load_weights('m.weights.json')  # «copy all files of the weights to one folder»",
        _MODEL + "model.save_weights('m.weights.json', max_shard_size=1)",
    ),
    ("saving/shards.py", "was not saved together with it"): (
        "keep = Path('m.weights.json').read_bytes(); model.save_weights('m.weights.json', "
        "max_shard_size=1)\n"
        "Path('m.weights.json').write_bytes(keep); model.load_weights('m.weights.json')",
        "model.save_weights('m.weights.json', max_shard_size=1); "
        "model.load_weights('m.weights.json')  # «save again»",
        _MODEL + "model.save_weights('m.weights.json', max_shard_size=1)",
    ),
    ("saving/weights_file.py", "if you trust it, lamina.config.set_loading_budget"): (
        "lamina.config.set_loading_budget(10); model.load_weights('model.weights.h5')",
        "«lamina.config.set_loading_budget(float('inf'))»; model.load_weights('model.weights.h5')\n"
        "import os; os.environ['LAMINA_LOADING_BYTES'] = 'inf'  # «LAMINA_LOADING_BYTES=inf»",
        _MODEL,
    ),
    # -- data ------------------------------------------------------------------------------------
    ("data/audio_dataset.py", "brings every file to the same rate"): (
        "list(lamina.utils.audio_dataset_from_directory('s', labels=None))",
        "list(lamina.utils.audio_dataset_from_directory('s', labels=None, «sampling_rate=16000»))",
        "import wave\nPath('s').mkdir(exist_ok=True)\nfor rate in (8000, 16000):\n"
        "  with wave.open(f's/{rate:05}.wav', 'wb') as file:\n"
        "    file.setnchannels(1); file.setsampwidth(2); file.setframerate(rate); "
        "file.writeframes(b'00' * 100)\n",
    ),
    ("data/dataset.py", "from_generator needs a function that makes"): (
        "Dataset.from_generator(count())",
        "list(Dataset.from_generator(count))  # «leave out the ()»",
        _DATA + "def count(): yield from range(3)",
    ),
    ("data/dataset.py", "pads to the longest element"): (
        "rows.padded_batch(2, padded_shapes=(5,))",
        "list(rows.map(lambda row: np.pad(row, (0, 5 - len(row)))).padded_batch(2)) "
        " # «pad in map(…) before it»",
        _DATA + "rows = Dataset.from_generator(lambda: iter([np.ones(2), np.ones(3)]))",
    ),
    ("data/dataset.py", "keeps elements in memory"): (
        "rows.cache('file')",
        "list(rows«.cache()»); «numpy.save»('a.npy', x); numpy.load('a.npy', «mmap_mode='r'»)",
        _DATA + "rows = Dataset.range(3)",
    ),
    ("data/dataset.py", "flat_map needs a function that gives a Dataset"): (
        "list(rows.flat_map(lambda n: n + 1))",
        "list(rows.«map(»lambda n: n + 1))",
        _DATA + "rows = Dataset.range(3)",
    ),
    ("data/dataset.py", "cannot stack elements of different shapes"): (
        "list(rows.batch(2))",
        "list(rows.«padded_batch(»2))",
        _DATA + "rows = Dataset.from_generator(lambda: iter([np.ones(2), np.ones(3)]))",
    ),
    ("data/dataset.py", "makes a vector of every row of a table"): (
        "Dataset.from_tensor_slices(table)",
        "list(Dataset.from_tensor_slices(«dict(table)»))",
        _TABLE,
    ),
    ("data/labelled_folder.py", "leaves none to validate on"): (
        "load('p', validation_split=0.1, subset='both')",
        "load('p', validation_split=0.5, subset='both')  # «a larger fraction»",
        _PICTURES,
    ),
    ("data/labelled_folder.py", "needs labels from 0 to"): (
        "load('p', labels=labels, label_mode='categorical')",
        "load('p', labels=list(«numpy.unique(labels, return_inverse=True)[1]»), "
        "label_mode='categorical')",
        _PICTURES + "labels = [3, 7]",
    ),
    ("data/labelled_folder.py", "was given alone"): (
        "load('p', validation_split=0.5)",
        "load('p', validation_split=0.5, «subset='both'»)",
        _PICTURES,
    ),
    ("data/labelled_folder.py", "validation_split with shuffle=True needs a seed"): (
        "load('p', validation_split=0.5, subset='training')",
        "load('p', validation_split=0.5, subset='training', «seed=1»); load('p', "
        "validation_split=0.5, «subset='both'»)",
        _PICTURES,
    ),
    ("data/labelled_folder.py", "files lie beside each other"): (
        "load('p/a')",
        "load('p/a', «labels=None»); load('p')  # «a subfolder for every class»",
        _PICTURES,
    ),
    ("data/text_dataset.py", "is not UTF-8: byte"): (
        "list(lamina.utils.text_dataset_from_directory('t', labels=None))",
        "«Path('t/1.txt').write_text(Path('t/1.txt').read_text('latin-1'), 'utf-8')»\n"
        "list(lamina.utils.text_dataset_from_directory('t', labels=None))",
        "Path('t').mkdir(exist_ok=True); Path('t/1.txt').write_bytes(b'caf\\xe9')",
    ),
    ("datasets/word_indices.py", "leaves no text: the shortest has"): (
        "words(3).select_short(texts, labels)",
        "words(5).select_short(texts, labels)  # «maxlen=5 or more»",
        "from lamina.datasets.word_indices import Words\n"
        "texts, labels = [[1, 2, 3, 4]], np.array([0])\n"
        "def words(n): return Words(None, 0, n, 1, 2, 3)",
    ),
    # -- distillation ----------------------------------------------------------------------------
    ("distillation/distiller.py", "compute_loss must give one number"): (
        "class Own(DistillationLoss):\n"
        "  def compute_loss(self, t, s, **kw): return (t - s) ** 2\n"
        "distil(Own())",
        "class Own(DistillationLoss):\n"
        "  def compute_loss(self, t, s, **kw): return «lamina.ops.mean(»(t - s) ** 2)\n"
        "distil(Own())",
        _TEACHER,
    ),
    ("distillation/losses.py", "with names of layers needs"): (
        "distil(FeatureDistillation(teacher_layer_name='a', student_layer_name='dense'), "
        "Own(), net())",
        "distil(FeatureDistillation(), net(), net())  # «leave the names out»",
        _TEACHER + "class Own(lamina.Model):\n  def call(self, x): return x[:, :1]\n",
    ),
    ("distillation/losses.py", "for its loss, and the outputs are"): (
        "distil(LogitsDistillation(loss=['mse', 'mse']))",
        "distil(LogitsDistillation(loss='mse'))  # «give one loss for each output»",
        _TEACHER,
    ),
    ("data/picture_files.py", "and cannot be read as a picture"): (
        "Path('a.png').write_bytes(content[: len(content) // 2]); read_picture('a.png')",
        "read_picture('a.png')  # «fetch the file again»",
        "from lamina.data.picture_files import read_picture\n"
        "lamina.utils.save_img('a.png', np.random.default_rng(1).normal(size=(40, 40, 3))); "
        "content = Path('a.png').read_bytes()",
    ),
    ("datasets/locate.py", "to read arrays of your own, use"): (
        "lamina.datasets.mnist.load_data(path=Path('own.npz').absolute())",
        "numpy.load(str(Path('own.npz').absolute()))  # «numpy.load('»",
        "np.savez('own.npz', a=x)",
    ),
}
