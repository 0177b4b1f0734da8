"""Every way in which scripts import TensorFlow and Keras leads to Lamina."""

import importlib
import re
import sys

import pytest
from packaging.version import Version

import lamina
from lamina.compat import missing
from lamina.core.messages.errors import LaminaWarning

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    "statement",
    [
        "import tensorflow as tf; found = tf.keras.utils.to_categorical",
        "import keras; found = keras.utils.to_categorical",
        "import tf_keras; found = tf_keras.utils.to_categorical",
        "import tensorflow.keras as keras; found = keras.utils.to_categorical",
        "from tensorflow import keras; found = keras.utils.to_categorical",
        "from tensorflow.keras import utils; found = utils.to_categorical",
        "from tensorflow.keras.utils import to_categorical as found",
        "import tensorflow.keras.utils as u; found = u.to_categorical",
        "import tensorflow.keras.utils; found = tensorflow.keras.utils.to_categorical",
        "from keras import utils; found = utils.to_categorical",
        "from keras.utils import to_categorical as found",
        "from keras.utils import *; found = to_categorical",
        "from keras.utils.np_utils import to_categorical as found",
        "from keras.src.utils import to_categorical as found",
        "from tf_keras.utils import to_categorical as found",
        "from tensorflow.python.keras.utils.np_utils import to_categorical as found",
        "import tensorflow as tf\ndef f():\n from tensorflow.keras.utils import to_categorical\n"
        " return to_categorical\nfound = f()",
    ],
)  # fmt: skip
def test_every_spelling_of_an_import_leads_to_the_same_function(served, statement):
    names: dict = {}
    exec(statement, names)
    assert names["found"] is lamina.utils.to_categorical


@pytest.mark.parametrize("module", ["keras.layers", "tensorflow.keras.layers",
                                    "keras.layers.core", "keras.layers.experimental.preprocessing",
                                    "tensorflow.python.keras.layers"])  # fmt: skip
def test_layers_are_found_where_older_versions_had_them(served, module):
    assert importlib.import_module(module).Dense is lamina.layers.Dense


def test_modules_below_modules_are_served(served):
    from tensorflow.keras.datasets import mnist
    from tensorflow.keras.optimizers.schedules import ExponentialDecay

    assert mnist.load_data is lamina.datasets.mnist.load_data
    assert ExponentialDecay is lamina.optimizers.schedules.ExponentialDecay


@pytest.mark.parametrize("start", ["keras.", "tensorflow.keras.", "keras.legacy.", "keras_",
                                   "keras.src.legacy.", "tensorflow.keras._legacy."])  # fmt: skip
@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("text", "Tokenizer"),
        ("image", "ImageDataGenerator"),
        ("sequence", "TimeseriesGenerator"),
        ("sequence", "skipgrams"),
        ("sequence", "pad_sequences"),
    ],
)
def test_the_legacy_preprocessing_is_served(served, start, module, name):
    found = importlib.import_module(f"{start}preprocessing.{module}")
    assert getattr(found, name) is getattr(getattr(lamina.preprocessing, module), name)


@pytest.mark.parametrize(("old", "new"), [("CuDNNLSTM", "LSTM"), ("CuDNNGRU", "GRU")])
def test_recurrent_layers_for_one_library_are_the_general_ones_and_say_so(served, old, new):
    from tensorflow.keras import layers

    with pytest.warns(LaminaWarning, match=f"{old} is {new} here"):
        assert getattr(layers, old) is getattr(lamina.layers, new)


def test_short_names_of_losses_are_served(served):
    from tensorflow.keras import losses

    assert losses.mse is losses.MSE is losses.mean_squared_error
    assert losses.mae is losses.MAE is losses.mean_absolute_error
    loss = losses.MeanSquaredError(reduction=losses.Reduction.SUM)
    assert float(loss([[1.0], [2.0]], [[0.0], [0.0]])) == 5
    per_sample = losses.MeanSquaredError(reduction=losses.Reduction.NONE)
    assert per_sample([[1.0], [2.0]], [[0.0], [0.0]]).tolist() == [1, 4]


def test_functions_of_the_backend_are_served(served):
    from keras import backend

    x = backend.random_normal((200, 3), mean=5.0, stddev=0.1, seed=1)
    assert backend.int_shape(x) == (200, 3)
    assert float(backend.mean(x)) == pytest.approx(5, abs=0.05)
    assert backend.int_shape(lamina.Input((3,))) == (None, 3)
    assert backend.int_shape(None) is None
    assert (backend.ndim(x), backend.dtype(x)) == (2, "float32")
    assert 0 <= float(backend.min(backend.random_uniform((9,)))) < 1
    assert set(backend.random_bernoulli((50,), 0.5, seed=0).tolist()) == {0, 1}
    assert abs(float(backend.max(backend.truncated_normal((99,))))) <= 2
    assert backend.permute_dimensions(backend.ones((2, 3)), (1, 0)).shape == (3, 2)
    assert backend.zeros((2,)).tolist() == [0, 0]
    assert bool(backend.any([0, 1])) is True
    assert bool(backend.all([0, 1])) is False
    assert backend.cumsum([1.0, 2.0]).tolist() == [1, 3]


def test_laminas_own_modules_are_not_touched(served):
    before = lamina.layers.__spec__.name, dict(vars(lamina.utils))
    importlib.import_module("keras.layers.core")
    importlib.import_module("keras.utils.np_utils")

    assert lamina.layers.__spec__.name == before[0] == "lamina.layers"
    assert vars(lamina.utils).keys() == before[1].keys()
    assert sys.modules["lamina.layers"] is lamina.layers


def test_versions_tell_that_it_is_lamina_and_can_be_compared(served):
    import keras
    import tensorflow as tf

    assert Version("2.0") <= Version(tf.__version__) < Version("3")
    assert Version(keras.__version__) >= Version("3")
    assert int(tf.__version__.split(".")[0]) == 2
    assert "lamina" in tf.__version__
    assert tf.version.VERSION == tf.__version__
    assert tf.keras.__version__ == keras.__version__ == keras.version()


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("tf.Module", "lamina.Layer or lamina.Model"),
        ("tf.data.TFRecordDataset", "from_tensor_slices"),
        ("tf.compat.v1.Session", "TensorFlow 1"),
        ("tf.Session", "TensorFlow 1"),
        ("tf.xyzzy", "jax.numpy"),
        ("tf.nn.rlu", "Did you mean 'relu'?"),
        ("tf.math.reduce_meen", "Did you mean 'reduce_mean'?"),
        ("tf.keras.utils.to_categoricl", "Did you mean 'to_categorical'?"),
        ("tf.keras.layrs.Dense", "Did you mean 'layers'?"),
    ],
)
def test_a_name_that_lamina_lacks_says_so_and_what_to_use(served, expression, message):
    import tensorflow as tf

    with pytest.raises(AttributeError, match=re.escape(message)) as caught:
        eval(expression, {"tf": tf})
    assert "Lamina runs this script instead of TensorFlow" in str(caught.value)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("from tensorflow import Module", "lamina.Layer or lamina.Model"),
        ("from tensorflow.data import TFRecordDataset", "from_tensor_slices"),
        ("from keras.utils import to_categoricl", "Did you mean 'to_categorical'?"),
        ("from keras.activations import rel", "Did you mean 'relu'?"),
        ("from tensorflow.keras.nowhere import x", "tensorflow.keras.nowhere"),
        ("import keras.core", "keras.core"),
        ("import keras.preprocessing.txt", "Did you mean 'text'?"),
        ("from keras.layers.nothing import Dense", "Fix: its contents may be in keras.layers"),
        ("import keras.wrappers.scikit_learn", "SKLearnClassifier"),
    ],
)
def test_an_import_that_lamina_lacks_says_so_and_what_to_use(served, statement, message):
    with pytest.raises(ImportError, match=re.escape(message)) as caught:
        exec(statement)
    assert "Lamina runs this script instead of TensorFlow" in str(caught.value)


def test_scripts_may_probe_for_names(served):
    import tensorflow as tf

    assert not hasattr(tf, "Module")
    assert getattr(tf, "Session", None) is None
    assert hasattr(tf.keras, "utils")
    assert "Sequential" in dir(tf.keras)


def test_installing_twice_is_installing_once(served):
    from lamina.compat import imports

    count = len(sys.meta_path)
    imports.install()
    assert len(sys.meta_path) == count


def test_names_that_only_begin_alike_are_left_to_python(served):
    with pytest.raises(ModuleNotFoundError, match="No module named 'keras_of_somebody'"):
        importlib.import_module("keras_of_somebody")


def test_every_hint_is_for_something_that_is_really_missing(served):
    import tensorflow as tf

    for name in missing._TENSORFLOW:
        if name not in ("compat", "data", "distribute", "strings"):  # these are there in part
            assert not hasattr(tf, name), name
    for name in missing._KERAS:
        found = tf.keras
        for part in name.split("."):
            found = getattr(found, part, None)
        assert found is None, name
