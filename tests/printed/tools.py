"""Fixes of the command line, of scripts for TensorFlow, and of tools around a model."""

_TF = "from lamina.compat import tensorflow; tf = tensorflow.module('tensorflow')"
_COMMAND = (
    "import shlex; from lamina.cli.app import app\n"
    "def command(line): app(shlex.split(line)[1:], standalone_mode=False)\n"
    "net(layers.Flatten(), layers.Dense(10, 'softmax'), inputs=(8, 8, 1), "
    "loss='sparse_categorical_crossentropy', metrics=['accuracy']).save('model.keras')\n"
)
_TAPE = (
    "import jax.numpy as jnp\nfrom lamina.compat import tensorflow\n"
    "tf = tensorflow.module('tensorflow')\n"
    "x, z = jnp.array([1, 2]), tf.constant(3.0)\n"
    "with tf.GradientTape() as tape: tape.watch(z); y = z * z\n"
)
_ARCHIVE = (
    "import io, tarfile, zipfile\n"
    "def get(name, **settings): return lamina.utils.get_file(name, "
    "Path(name).absolute().as_uri(), cache_dir='cache', **settings)\n"
)

_TABLE = (
    "Path('t.csv').write_text('size,kind\\n' + '1.5,a\\n2.5,a\\n1.5,b\\n2.5,b\\n' * 20)\n"
    "command('lamina train t.csv --target kind --epochs 1 --out o')\n"
)

CASES = {
    ("distribution/launchers.py", "…\n  Fix: …."): (
        "detect(environ)",
        "name, value = '«KERAS_DISTRIBUTION_PROCESS_ID=0»'.split('='); "
        "detect({**environ, name: value})",
        "from lamina.distribution.cluster import detect\n"
        "environ = {'KERAS_DISTRIBUTION_JOB_ADDRESSES': 'a:1', "
        "'KERAS_DISTRIBUTION_NUM_PROCESSES': '2'}",
    ),
    ("compat/distribution_strategies.py", "runs no function on each replica"): (
        "Strategy().run(print)",
        "class Own(lamina.Model):\n"
        "  def call(self, x): return x\n"
        "  def «train_step»(self, data): return {'loss': 0.0}\n"
        "model = Own(); model.compile('sgd'); model.«fit»(x, y, verbose=0)",
        "from lamina.compat.distribution_strategies import Strategy",
    ),
    ("training/callbacks/diagnose.py", "finds nothing, because diagnosis is switched off"): (
        "fit()",
        '«lamina.config.set_diagnosis("notes")»; fit()',
        "from lamina.callbacks import Diagnose\n"
        "lamina.config.set_diagnosis('off')\n"
        "def fit(): net().fit(np.ones((8, 3)), np.zeros((8, 1)), verbose=0, "
        "callbacks=[Diagnose()])",
    ),
    ("compat/gradient_tape.py", "its gradient will be None"): (
        "tape.watch(jnp.array([1, 2]))",
        "«tf.cast(x, tf.float32)»; tape.watch(tf.cast(x, tf.float32))",
        _TAPE,
    ),
    ("compat/gradient_tape.py", "one set of gradients"): (
        "tape.gradient(y, z), tape.gradient(y, z)",
        "tape = «tf.GradientTape(persistent=True)»\n"
        "with tape: tape.watch(z); y = z * z\n"
        "tape.gradient(y, z), tape.gradient(y, z)",
        _TAPE,
    ),
    ("compat/gradient_tape.py", "Unknown value for unconnected_gradients"): (
        "tape.gradient(y, z, unconnected_gradients='all')",
        "tape.gradient(y, z, unconnected_gradients=«tf.UnconnectedGradients.ZERO»)",
        _TAPE,
    ),
    ("compat/gradient_tape.py", "Passed in object"): (
        "tape.watch(3.0)",
        "x = 3.0; «x = tf.constant(x)»; tape.watch(x)",
        _TAPE,
    ),
    ("compat/gradient_tape.py", "tf.gradients is not supported"): (
        "tf.gradients(y, z)",
        "ys, xs = y, z; «tape.gradient(ys, xs)»",
        _TAPE,
    ),
    ("diagnosis/diagnose.py", "diagnose takes a compiled model"): (
        "lamina.diagnosis.diagnose(model, x, y)",
        "«model.compile(optimizer='adam', loss=»'mse'); examination._SECONDS = 0.0; "
        "lamina.diagnosis.diagnose(model, x, y)",
        "from lamina.diagnosis import examination\n"
        "x, y = np.ones((60, 3)), np.zeros((60, 1))\n"
        "model = lamina.Sequential([layers.Dense(1)])",
    ),
    ("findings/finding.py", "was not recorded"): (
        "finding.apply(model)",
        "findings = «lamina.diagnosis.diagnose(model, x, y)»; examination._SECONDS = 0.0; "
        "findings«.apply(finding.change)»",
        "from lamina.diagnosis import examination\n"
        "from lamina.findings import Change, Finding\n"
        "examination._SECONDS = 0.0\n"
        "x, y = np.ones((60, 3)), np.zeros((60, 1))\n"
        "model = lamina.Sequential([layers.Dense(1)]); model.compile('adam', 'mse')\n"
        "finding = Finding('a', 'hint', 'A.', 'B.', change=Change('fit', 'epochs', 2))",
    ),
    ("compat/diagnosed_run.py", "cannot be written: there is no folder"): (
        "diagnosed_run.begin(Path('a.py'), Path('gone/f.json'))",
        "subprocess.run('«mkdir -p gone»'.split(), check=True); "
        "diagnosed_run.begin(Path('a.py'), Path('gone/f.json')); "
        "lamina.config.set_diagnosis('notes')",
        "import subprocess\nfrom lamina.compat import diagnosed_run",
    ),
    ("cli/diagnose.py", "a folder that exists with --report"): (
        "command('lamina diagnose model.keras digits --report gone/why.html')",
        "command('lamina diagnose model.keras digits --report why.html')  "
        "# «name a file in a folder that exists»",
        _COMMAND + "from lamina.diagnosis import examination\nexamination._SECONDS = 0.0",
    ),
    ("cli/explain.py", "that exists with --out"): (
        "command('lamina explain model.keras digit.png --out gone/why.png')",
        "command('lamina explain model.keras digit.png --out why.png')  "
        "# «name a file in a folder that exists»",
        _COMMAND + "lamina.utils.save_img('digit.png', np.eye(8)[..., None])",
    ),
    ("explanation/sample.py", "has no weights yet, so"): (
        "model.explain(x[0])",
        "model.build((None, 3)); model.explain(x[0])  # «model.build(input_shape)»",
        "model = lamina.Sequential([layers.Dense(2)])",
    ),
    ("explanation/sample.py", "explain() takes one sample; received ….\n"): (
        "model.explain(x)",
        "«model.explain(x[0])»",
        "model = net()",
    ),
    ("explanation/features.py", "are integers, which have no gradient"): (
        "model = whole('int32'); model.explain(x[0].astype('int32'))",
        "model = whole('float32'); model.explain(«x.astype('float32')»[0])",
        "def whole(dtype):\n"
        "  a = Input((3,), dtype=dtype); return lamina.Model(a, ops.cast(a, 'float32') * 2.0)",
    ),
    ("explanation/grad_cam.py", "has no convolution, whose"): (
        "lamina.explanation.grad_cam(model, x[0])",
        "x = x[0]; «lamina.explanation.integrated_gradients(model, x)»",
        "model = net()",
    ),
    ("explanation/receptive_fields.py", "do not form a graph"): (
        "lamina.explanation.receptive_field(Own(), 'c')",
        "model = lamina.Sequential([«lamina.Input(»(6, 6, 1)), layers.Conv2D(1, 3, name='c')]); "
        "lamina.explanation.receptive_field(model, 'c')",
        "class Own(lamina.Model):\n"
        "  def __init__(self):\n"
        "    super().__init__(); self.c = layers.Conv2D(1, 3, name='c')\n"
        "  def call(self, x): return self.c(x)",
    ),
    ("explanation/receptive_fields.py", "has an axis of any size."): (
        "lamina.explanation.receptive_field(sized((None, None, 1)), 'c')",
        "lamina.explanation.receptive_field(sized((6, 6, 1)), 'c')  # «lamina.Input(shape)»",
        "def sized(shape): return lamina.Sequential([Input(shape), "
        "layers.Conv2D(1, 3, 2, padding='same', name='c')])",
    ),
    ("explanation/explanation.py", "is saved as a picture or a page"): (
        "explanation.save('why.doc')",
        "«explanation.save('why.png')»",
        "explanation = net().explain(x[0])",
    ),
    ("cli/evaluate.py", "is a file or folder, but evaluate measures"): (
        "command('lamina evaluate model.keras data.csv')",
        "x, y = np.zeros((4, 8, 8, 1)), np.zeros(4); "
        "«lamina.models.load_model('model.keras').evaluate(x, y)»",
        _COMMAND + "Path('data.csv').write_text('1')",
    ),
    ("cli/output_folder.py", "holds an earlier run, which"): (
        "output_folder.prepare(Path('run'), Path('x'), overwrite=False)",
        "output_folder.prepare(Path('run'), Path('x'), overwrite=True)  # «--overwrite»\n"
        "output_folder.prepare(Path('other'), Path('x'), overwrite=False) "
        " # «name another folder with --out»",
        "from lamina.cli import output_folder; Path('run').mkdir(exist_ok=True); [Path('run', "
        "name).write_text('') for name in output_folder._RUN_FILES]",
    ),
    ("cli/output_folder.py", "is a file.\n"): (
        "output_folder.prepare(Path('file/run'), Path('x'), overwrite=False)",
        "output_folder.prepare(Path('folder'), Path('x'), overwrite=False) "
        " # «name a folder with --out»",
        "from lamina.cli import output_folder; Path('file').write_text('')",
    ),
    ("cli/output_folder.py", "Nothing was trained"): (
        "output_folder.prepare(Path('/proc/run'), Path('x'), overwrite=False)",
        "output_folder.prepare(Path('other'), Path('x'), overwrite=False) "
        " # «name another folder with --out»",
        "from lamina.cli import output_folder",
    ),
    ("cli/predict.py", "is for models that do not remember"): (
        "command('lamina predict o/model.keras t.csv --like mnist')",
        "command('lamina predict o/model.keras t.csv')  # «leave --like out»",
        _COMMAND + _TABLE,
    ),
    ("cli/answer.py", "is for pictures, but the model takes"): (
        "command('lamina predict o/model.keras t.csv --show')",
        "command('lamina predict o/model.keras t.csv')  # «leave --show out»",
        _COMMAND + _TABLE,
    ),
    ("cli/predict.py", "leave --like out, or"): (
        "command('lamina predict model.keras digit.png --like mnist')",
        "command('lamina predict model.keras digit.png')  # «leave --like out»",
        _COMMAND + "lamina.utils.save_img('digit.png', np.eye(8)[..., None])",
    ),
    ("cli/options.py", "The model comes first, then its"): (
        "command('lamina predict digit.png model.keras')",
        "command('«lamina predict model.keras digit.png»')",
        _COMMAND + "lamina.utils.save_img('digit.png', np.eye(8)[..., None])",
    ),
    ("cli/options.py", "has no model.keras in it"): (
        "command('lamina summary folder')",
        "command('«lamina summary folder/other.keras»')",
        _COMMAND
        + "Path('folder').mkdir(exist_ok=True); Path('model.keras').rename('folder/other.keras')",
    ),
    ("cli/train.py", "is a network, but the data set"): (
        "command('lamina train mlp')",
        "from lamina.jobs import architectures; "
        "assert 'mlp' in architectures.MODELS  # «lamina train mnist --model mlp»",
        _COMMAND,
    ),
    ("prediction/predictor.py", "has an axis of any size"): (
        "predictor.warm_up()",
        "x = np.ones((4, 5, 3), 'float32'); «predictor.warm_up([1], x[:1])»",
        "predictor = lamina.Predictor(net(layers.GlobalMaxPooling1D(), inputs=(None, 3)))",
    ),
    ("compat/legacy_layers.py", "the same layer on every device"): (
        "from lamina.compat import legacy_layers; legacy_layers.find('CuDNNLSTM')",
        "layers.LSTM(2)  # «from keras.layers import LSTM»",
    ),
    ("compat/missing.py", "its contents may be in"): (
        "raise ImportError(missing.explain_module('keras.layers.core', ['Dense']))",
        "layers.Dense(2)  # «from keras.layers import»",
        "from lamina.compat import missing",
    ),
    ("compat/tensorflow_types.py", "of tensors of types"): (
        "tf.add(tf.constant([1]), tf.constant([1.0]))",
        "x = tf.constant([1]); tf.add(«tf.cast(x, tf.float32)», tf.constant([1.0]))",
        _TF,
    ),
    ("compat/tensorflow_types.py", "Cannot convert"): (
        "tf.multiply(tf.constant([1]), 0.5)",
        "x = tf.constant([1]); tf.multiply(«tf.cast(x, tf.float32)», 0.5)",
        _TF,
    ),
    ("compat/tensorflow_types.py", "only floats and complex"): (
        "tf.sqrt(tf.constant([1]))",
        "x = tf.constant([1]); tf.sqrt(«tf.cast(x, tf.float32)»)",
        _TF,
    ),
    ("compat/tensorflow_types.py", "takes real or complex numbers"): (
        "math.reduce_std(tf.constant([1]))",
        "x = tf.constant([1]); math.reduce_std(«tf.cast(x, tf.float32)»)",
        _TF + "; math = tensorflow.module('tensorflow.math')",
    ),
    ("utils/archives.py", "it was made to fill a disk"): (
        "get('bomb.zip', extract=True)",
        "from lamina.utils import get_file; get('bomb.zip', «extract=False»)",
        _ARCHIVE + "with zipfile.ZipFile('bomb.zip', 'w', zipfile.ZIP_DEFLATED) "
        "as z: z.writestr('zeros', bytes(2**20))\n"
        "from lamina.utils import archives; archives._BYTES_ALWAYS_ALLOWED, "
        "archives._MAX_EXPANSION = 0, 1\n",
    ),
    ("utils/archives.py", "is damaged or incomplete"): (
        "get('d.zip', extract=True)",
        "with zipfile.ZipFile('d.zip', 'w') as z: z.writestr('a', 'b')\n"
        "get('d.zip', extract=True, «force_download=True»)",
        _ARCHIVE + "with zipfile.ZipFile('d.zip', 'w') as z: z.writestr('a', b'b' * 500)\n"
        "content = bytearray(Path('d.zip').read_bytes()); content[60] ^= 255; "
        "Path('d.zip').write_bytes(content)\n",
    ),
    ("utils/archives.py", "it is malicious, or installs"): (
        "get('l.tar', extract=True)",
        "get('l.tar', «extract=False»)",
        _ARCHIVE + "with tarfile.open('l.tar', 'w') as t:\n"
        "  i = tarfile.TarInfo('link'); i.type = tarfile.SYMTYPE; i.linkname = '/etc'; "
        "t.addfile(i)\n",
    ),
    ("utils/experiment_config.py", "is a method of Config"): (
        "config.update = 3",
        "«config['update'] = »3",
        "config = lamina.utils.Config()",
    ),
    ("utils/files.py", "fname must be a bare file name"): (
        "lamina.utils.get_file('a/b.txt', Path('b.txt').absolute().as_uri())",
        "lamina.utils.get_file('b.txt', Path('b.txt').absolute().as_uri(), «cache_dir»='c', "
        "«cache_subdir»='a')",
        "Path('b.txt').write_text('b')",
    ),
    ("utils/image.py", "is not a picture that Pillow can read"): (
        "lamina.utils.load_img('a.png')",
        "lamina.utils.save_img('a.png', images[0]); lamina.utils.load_img('a.png') "
        " # «save it again as PNG»",
        "Path('a.png').write_text('no picture')",
    ),
    ("utils/image.py", "The picture … cannot be read"): (
        "Path('a.png').write_bytes(content[: len(content) // 2]); lamina.utils.load_img('a.png')",
        "lamina.utils.load_img('a.png')  # «fetch it again»",
        "lamina.utils.save_img('a.png', np.random.default_rng(1).normal(size=(40, 40, 3))); "
        "content = Path('a.png').read_bytes()",
    ),
    ("utils/image.py", "array_to_img needs one picture"): (
        "lamina.utils.array_to_img(x)",
        "lamina.utils.array_to_img(«x[0]»); x = images[0, ..., 0]; "
        "lamina.utils.array_to_img(«x[..., None]»)",
        "x = images",
    ),
    ("utils/image.py", "has no suffix, so the file format"): (
        "lamina.utils.save_img('a', images[0])",
        "lamina.utils.save_img('a.png', images[0]); lamina.utils.save_img('a', images[0], "
        "«file_format='png'»)",
    ),
    ("utils/model_diagram.py", "so nothing is known of its shapes"): (
        "lamina.utils.model_to_dot(model)",
        "«model.build((None, »3)); lamina.utils.model_to_dot(model)",
        "model = lamina.Sequential([layers.Dense(1)])",
    ),
    ("utils/numerical.py", "needs integer class indices"): (
        "lamina.utils.to_categorical(x)",
        "«names, x = numpy.unique(x, return_inverse=True)»; lamina.utils.to_categorical(x)",
        "x = np.array([0.5, 1.5])",
    ),
    ("utils/sequences.py", "cannot fill an array of"): (
        "lamina.utils.pad_sequences([['a', 'b'], ['a']], value='-')",
        "lamina.utils.pad_sequences([['a', 'b'], ['a']], value='-', «dtype=object»)",
    ),
    ("utils/sequences.py", "takes a list of sequences; element"): (
        "pad_sequences(sequence)",
        "«pad_sequences([sequence])»",
        "from lamina.utils import pad_sequences; sequence = [1, 2]",
    ),
    ("utils/split.py", "split_dataset needs an array, or"): (
        "split._number_of_samples([1, 2])",
        "split._number_of_samples(«numpy.array(»[1, 2]))",
        "from lamina.utils import split",
    ),
    ("visualization/gallery.py", "need label_map, from class index"): (
        "lamina.visualization.plot_image_gallery(images, y_true=[0, 1], path='g.png')",
        "class_names = ['a', 'b']; lamina.visualization.plot_image_gallery(images, "
        "y_true=[0, 1], path='g.png', «label_map=dict(enumerate(class_names))»)",
    ),
    ("visualization/pixels.py", "images must be a batch"): (
        "lamina.visualization.plot_image_gallery(images, path='g.png')",
        "lamina.visualization.plot_image_gallery(«images[None]», path='g.png')",
        "images = images[0]",
    ),
    ("wrappers/estimators.py", "needs a compiled model, with"): (
        "lamina.wrappers.SKLearnRegressor(net(compiled=False)).fit(x, y)",
        "model = net(compiled=False); «model.compile(optimizer='adam', loss=»'mse'); "
        "lamina.wrappers.SKLearnRegressor(model, fit_kwargs={'verbose': 0}).fit(x, y)",
    ),
    ("wrappers/estimators.py", "Metadata routing is not enabled"): (
        "lamina.wrappers.SKLearnRegressor(net()).set_fit_request(sample_weight=True)",
        "import sklearn\ntry:\n  «sklearn.set_config(enable_metadata_routing=True)»\n"
        "  lamina.wrappers.SKLearnRegressor(net()).set_fit_request(sample_weight=True)\n"
        "finally: sklearn.set_config(enable_metadata_routing=False)",
    ),
}
