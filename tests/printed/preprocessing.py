"""Fixes of the layers that make numbers of data, and of `lamina.preprocessing`."""

_NAMES = (
    "from lamina.layers import *; from lamina.utils import FeatureSpace; "
    "from lamina.preprocessing.image import ImageDataGenerator\n"
)

CASES = {
    ("layers/preprocessing/audio.py", "needs at least frame_length"): (
        "STFTSpectrogram(frame_length=8, frame_step=2)(np.ones((1, 5, 1)))",
        "STFTSpectrogram(frame_length=8, frame_step=2, «padding='same'»)(np.ones((1, 5, 1)))\n"
        "STFTSpectrogram(frame_length=4, frame_step=2)(np.ones((1, 5, 1)))  # «a shorter frame»",
        _NAMES,
    ),
    ("layers/preprocessing/audio.py", "takes sounds (time,)"): (
        "MelSpectrogram(fft_length=16)(sound)",
        "MelSpectrogram(fft_length=16)(«sound[..., 0]»)",
        _NAMES + "sound = np.ones((1, 64, 1), 'float32')",
    ),
    ("layers/preprocessing/categorical.py", "needs num_tokens, the number of"): (
        "CategoryEncoding()",
        "«CategoryEncoding(num_tokens=»3); «IntegerLookup»()",
        _NAMES,
    ),
    ("layers/preprocessing/categorical.py", "takes numbers from 0 to"): (
        "CategoryEncoding(3)([0, 4])",
        "CategoryEncoding(«num_tokens=5»)([0, 4])",
        _NAMES,
    ),
    ("layers/preprocessing/categorical.py", "takes either bin_boundaries or"): (
        "Discretization()",
        "Discretization(«bin_boundaries=[»1.0]); layer = Discretization(«num_bins=»2); "
        "layer.«adapt(data)»",
        _NAMES + "data = np.arange(5.0)",
    ),
    ("layers/preprocessing/categorical.py", "was given its bin_boundaries"): (
        "Discretization([1.0]).adapt(np.arange(5.0))",
        "Discretization(«num_bins=»2).adapt(np.arange(5.0))",
        _NAMES,
    ),
    ("layers/preprocessing/categorical.py", "contain NaN or infinite"): (
        "Discretization(num_bins=2).adapt(x)",
        "«x = x[numpy.isfinite(x)]»; Discretization(num_bins=2).adapt(x)",
        _NAMES + "x = np.array([1, 2, 3, np.nan])",
    ),
    ("layers/preprocessing/categorical.py", "has no boundaries yet"): (
        "layer(data)",
        "«layer.adapt(data)»; layer(data); Discretization(«bin_boundaries=[»1.0])(data)",
        _NAMES + "layer = Discretization(num_bins=2); data = np.arange(5.0)",
    ),
    ("layers/preprocessing/categorical.py", "must be a list of ascending numbers"): (
        "Discretization(bin_boundaries)",
        "Discretization(«sorted(bin_boundaries)»)",
        _NAMES + "bin_boundaries = [2.0, 1.0]",
    ),
    ("layers/preprocessing/feature_space.py", "needs features, a dict from"): (
        "FeatureSpace([])",
        "«FeatureSpace({'age': 'float_normalized', 'sex': 'string_categorical'})»",
        _NAMES,
    ),
    ("layers/preprocessing/feature_space.py", "crossing_dim=32"): (
        "FeatureSpace({'a': 'float'}, crosses=[('a', 'a')], crossing_dim=None)",
        "FeatureSpace({'a': 'float'}, crosses=[('a', 'a')], «crossing_dim=32»)",
        _NAMES,
    ),
    ("layers/preprocessing/feature_space.py", "must contain"): (
        "FeatureSpace({'a': 'float'})(data)",
        "data['a'] = «data['a'].astype(»'float32'); FeatureSpace({'a': 'float'})(data)",
        _NAMES + "data = {'a': np.array(['1', '2'])}",
    ),
    ("layers/preprocessing/feature_space.py", "not integers"): (
        "made = FeatureSpace({'a': FeatureSpace.feature('float32', Rescaling(2.0), "
        "output_mode='one_hot')})\n"
        "made.adapt({'a': x[:, :1]}); made({'a': x[:, :1]})",
        "made = FeatureSpace({'a': FeatureSpace.feature('float32', Rescaling(2.0), "
        "«output_mode='float'»)})\n"
        "made.adapt({'a': x[:, :1]}); made({'a': x[:, :1]})",
        _NAMES,
    ),
    ("layers/preprocessing/feature_space.py", "cannot be concatenated with the others"): (
        "made = FeatureSpace({'a': FeatureSpace.integer_categorical(output_mode='int'), "
        "'b': 'float'}); made.adapt(data); made(data)",
        "made = FeatureSpace({'a': FeatureSpace.integer_categorical(«output_mode='one_hot'»), "
        "'b': 'float'}); made.adapt(data); made(data)\n"
        "made = «FeatureSpace(»{'a': FeatureSpace.integer_categorical(output_mode='int'), "
        "'b': 'float'}, «output_mode='dict'»); made.adapt(data); made(data)",
        _NAMES + "data = {'a': np.arange(4), 'b': x[:, 0]}",
    ),
    ("layers/preprocessing/feature_space.py", "has not seen data yet"): (
        "feature_space(data)",
        "«feature_space.adapt(data)»; feature_space(data)",
        _NAMES + "feature_space = FeatureSpace({'a': 'float_normalized'}); data = {'a': x[:, 0]}",
    ),
    ("layers/preprocessing/feature_space.py", "the number of categories of its layer"): (
        "made = FeatureSpace({'a': FeatureSpace.feature('int32', Same(dtype='int32'), "
        "'one_hot')})\n"
        "made.adapt(data); made(data)",
        "made = FeatureSpace({'a': FeatureSpace.feature('int32', Same(dtype='int32'), "
        "«output_mode='int'»)}, output_mode='dict')\n"
        "made.adapt(data); made(data)",
        _NAMES + "data = {'a': np.arange(4)}\nclass Same(Layer):\n  def call(self, x): return x",
    ),
    ("layers/preprocessing/hashing.py", "is called on a list of two or more"): (
        "layer(first_column)",
        "«layer([first_column, second_column])»",
        _NAMES + "layer = HashedCrossing(5); first_column = second_column = np.arange(3)",
    ),
    ("layers/preprocessing/host_layer.py", "takes numbers and received text"): (
        "CategoryEncoding(3)(words)",
        "layer = «StringLookup»(); layer.adapt(words); CategoryEncoding(3)(layer(words))",
        _NAMES,
    ),
    ("layers/preprocessing/host_layer.py", "takes integers and received …"): (
        "IntegerLookup(vocabulary=[1, 2])(x)",
        "«x = numpy.round(x)»; IntegerLookup(vocabulary=[1, 2])(x)",
        _NAMES + "x = np.array([1.5, 2.0])",
    ),
    ("layers/preprocessing/host_layer.py", "has no sparse output"): (
        "IntegerLookup(vocabulary=[1, 2], sparse=True, output_mode='one_hot')",
        "«Embedding»(4, 2)(IntegerLookup(vocabulary=[1, 2], «output_mode='int'»)"
        "(np.array([1, 2])))",
        _NAMES,
    ),
    ("layers/preprocessing/host_layer.py", "takes an array or an iterable of"): (
        "Normalization(axis=None).adapt(3.0)",
        "Normalization(axis=None).«adapt(np.asarray(»[3.0]))",
        _NAMES,
    ),
    ("layers/preprocessing/images/base.py", "cannot change bounding boxes along"): (
        "CutMix(bounding_box_format='xyxy')({'images': images, 'labels': labels, "
        "'bounding_boxes': boxes})",
        "CutMix()({'images': images, 'labels': labels}) "
        ' # «leave "bounding_boxes" out of its input»',
        _NAMES
        + "labels = np.eye(2); boxes = {'boxes': np.zeros((2, 1, 4)), 'labels': np.zeros((2, 1))}",
    ),
    ("layers/preprocessing/images/base.py", "has no bounding_box_format"): (
        "RandomFlip()({'images': images, 'bounding_boxes': boxes})",
        "«RandomFlip(»«bounding_box_format='xyxy'»)({'images': images, 'bounding_boxes': boxes})",
        _NAMES + "boxes = {'boxes': np.zeros((2, 1, 4)), 'labels': np.zeros((2, 1))}",
    ),
    ("layers/preprocessing/images/base.py", "takes images ("): (
        "Resizing(3, 3)(x)",
        "Resizing(3, 3)(«x[..., None]»)",
        _NAMES + "x = images[0, ..., 0]",
    ),
    ("layers/preprocessing/images/mixing.py", "mixes labels and received class indices"): (
        "MixUp()({'images': images, 'labels': labels})",
        "num_classes = 2; MixUp()({'images': images[:, :2, :2], "
        "'labels': «lamina.ops.one_hot(labels, num_classes)»})",
        _NAMES + "labels = np.array([0, 1])",
    ),
    ("layers/preprocessing/index_lookup.py", "was given its vocabulary"): (
        "StringLookup(vocabulary=['a']).adapt(words)",
        "StringLookup().adapt(words)  # «leave out vocabulary=»",
        _NAMES,
    ),
    ("layers/preprocessing/index_lookup.py", "is part of a model built for"): (
        "layer = StringLookup(vocabulary=['a'], output_mode='multi_hot'); Dense(1)"
        "(layer(Input((1,), dtype='string'))); layer.set_vocabulary(['a', 'b'])",
        "layer = StringLookup(vocabulary=['a'], output_mode='multi_hot', «max_tokens=»9, "
        "«pad_to_max_tokens=True»)\n"
        "Dense(1)(layer(Input((1,), dtype='string'))); layer.set_vocabulary(['a', 'b'])",
        _NAMES,
    ),
    ("layers/preprocessing/index_lookup.py", "with a given vocabulary needs"): (
        "StringLookup(vocabulary=['a'], output_mode='tf_idf')",
        "StringLookup(vocabulary=['a'], output_mode='tf_idf', «idf_weights=[»1.0])\n"
        "StringLookup(output_mode='tf_idf').adapt(words)  # «adapt(data) instead»",
        _NAMES,
    ),
    ("layers/preprocessing/index_lookup.py", "more than once"): (
        "StringLookup(vocabulary=vocabulary)",
        "«vocabulary = list(dict.fromkeys(vocabulary))»; StringLookup(vocabulary=vocabulary)",
        _NAMES + "vocabulary = ['a', 'a']",
    ),
    ("layers/preprocessing/index_lookup.py", "has the reserved token"): (
        "StringLookup(vocabulary=['a', 'm'], mask_token='m')",
        "StringLookup(vocabulary=['a'], mask_token='m')  # «leave the reserved tokens out»\n"
        "StringLookup(vocabulary=[*«['m', '[UNK]']», 'a'], mask_token='m')",
        _NAMES,
    ),
    ("layers/preprocessing/index_lookup.py", "has no vocabulary yet.\n"): (
        "layer(data)",
        "«layer.adapt(data)»; layer(data); StringLookup(«vocabulary=[»'a'])(data)",
        _NAMES + "layer = StringLookup(); data = words",
    ),
    ("layers/preprocessing/index_lookup.py", "has no index for"): (
        "StringLookup(vocabulary=['a'], num_oov_indices=0)(words)",
        "StringLookup(vocabulary=['a'], «num_oov_indices=1»)(words)",
        _NAMES,
    ),
    ("layers/preprocessing/index_lookup.py", "which a compiled program cannot"): (
        "net(layer, inputs=(2,), compiled=False).predict(np.ones((2, 2)), verbose=0)",
        "layer(np.asarray(net(Rescaling(1.0), inputs=(2,)).predict(np.ones((2, 2)), "
        "verbose=0), int))  # «call it on the result of predict()»",
        _NAMES + "layer = StringLookup(vocabulary=['a'], invert=True)",
    ),
    ("layers/preprocessing/index_lookup.py", "the width of its output is unknown"): (
        "layer(Input((1,), dtype='string'))",
        "«layer.adapt(data)»; layer(Input((1,), dtype='string'))\n"
        "StringLookup(output_mode='multi_hot', «vocabulary=[»'a'])(Input((1,), dtype='string'))\n"
        "StringLookup(output_mode='multi_hot', «max_tokens=»5, «pad_to_max_tokens=True»)"
        "(Input((1,), dtype='string'))",
        _NAMES + "layer = StringLookup(output_mode='multi_hot'); data = words",
    ),
    ("layers/preprocessing/index_lookup.py", "takes text and received"): (
        "StringLookup().adapt(x)",
        "«IntegerLookup»().adapt(x); «x = numpy.asarray(x, str)»; StringLookup().adapt(x)",
        _NAMES + "x = np.arange(3)",
    ),
    ("layers/preprocessing/index_lookup.py", "takes integers and received text"): (
        "IntegerLookup().adapt(x)",
        "«StringLookup»().adapt(x); «x = numpy.asarray(x, int)»; IntegerLookup().adapt(x)",
        _NAMES + "x = np.array(['1', '2'])",
    ),
    ("layers/preprocessing/index_lookup.py", "a config does not open files"): (
        "StringLookup.from_config({**StringLookup(vocabulary=['a']).get_config(), "
        "'vocabulary': 'words.txt'})",
        "StringLookup.from_config({**StringLookup(vocabulary=['a']).get_config(), "
        "'vocabulary': ['a']})  # «the list of tokens itself»",
        _NAMES,
    ),
    ("layers/preprocessing/numerical.py", "needs a known size of axis"): (
        "Normalization()(Input((None,)))",
        "made = «Normalization(axis=None)»; made.adapt(x); made(Input((None,)))",
        _NAMES,
    ),
    ("layers/preprocessing/numerical.py", "was given its mean and variance"): (
        "Normalization(mean=0, variance=1).adapt(x)",
        "Normalization().adapt(x)  # «leave out mean= and variance=»",
        _NAMES,
    ),
    ("layers/preprocessing/numerical.py", "so they have no mean"): (
        "Normalization().adapt(x)",
        "«x = x[np.isfinite(x).all(axis=1)]»; Normalization().adapt(x)",
        _NAMES + "x = np.array([[1.0], [np.nan], [2.0]])",
    ),
    ("layers/preprocessing/numerical.py", "has no axis of features"): (
        "Normalization().adapt(x)",
        "«Normalization(axis=None)».adapt(x); Normalization().«adapt(x[:, None])»",
        _NAMES + "x = np.arange(4.0)",
    ),
    ("layers/preprocessing/numerical.py", "count the axis from the end"): (
        "made = Normalization(axis=1); made.build((None, 3)); made(np.ones((2, 3, 4)))",
        "made = Normalization(axis=-1); made.build((None, 3)); made(np.ones((2, 4, 3))) "
        " # «count the axis from the end»",
        _NAMES,
    ),
    ("layers/preprocessing/text_vectorization.py", "has no ragged output"): (
        "TextVectorization(ragged=True)",
        "made = TextVectorization(); made.adapt(words); «Embedding(»9, 2, «mask_zero=True)"
        "»(made(words))",
        _NAMES,
    ),
    ("layers/preprocessing/text_vectorization.py", "has no vocabulary yet"): (
        "layer(texts)",
        "«layer.adapt(texts)»; layer(texts); TextVectorization(«vocabulary=[»'a'])(texts)",
        _NAMES + "layer = TextVectorization(); texts = words",
    ),
    ("layers/preprocessing/text_vectorization.py", "takes text and received numbers"): (
        "TextVectorization().adapt(np.arange(3))",
        "«Embedding»(3, 2)(np.arange(3)); TextVectorization().adapt(words) "
        " # «pass the texts themselves»",
        _NAMES,
    ),
    ("layers/preprocessing/text_vectorization.py", "splits texts of shape (samples,)"): (
        "TextVectorization(vocabulary=['a'])(np.array([['a', 'b'], ['b', 'a']]))",
        "TextVectorization(vocabulary=['a'], «split=None»)(np.array([['a', 'b'], ['b', 'a']]))",
        _NAMES,
    ),
    ("layers/preprocessing/text_vectorization.py", "(shape=(1,), dtype='string')"): (
        "TextVectorization(vocabulary=['a'])(Input((1,)))",
        "TextVectorization(vocabulary=['a'])(«lamina.Input(shape=(1,), dtype='string')»)",
        _NAMES,
    ),
    ("preprocessing/image_generator.py", "=True sets …="): (
        "ImageDataGenerator(zca_whitening=True)",
        "ImageDataGenerator(zca_whitening=True, «featurewise_center=True»)",
        _NAMES,
    ),
    ("preprocessing/image_generator.py", "ImageDataGenerator.fit() takes images"): (
        "ImageDataGenerator().fit(x)",
        "ImageDataGenerator().fit(«x[..., None]»)",
        _NAMES + "x = images[..., 0]",
    ),
    ("preprocessing/image_generator.py", "needs data, which it has not seen"): (
        "next(generator.flow(x_train, batch_size=1))",
        "«generator.fit(x_train)»; next(generator.flow(x_train, batch_size=1))",
        _NAMES + "generator = ImageDataGenerator(featurewise_center=True); x_train = images",
    ),
    ("preprocessing/image_iterators.py", "takes images (samples,"): (
        "ImageDataGenerator().flow(x)",
        "ImageDataGenerator().flow(«x[..., None]»)",
        _NAMES + "x = images[..., 0]",
    ),
    ("preprocessing/image_iterators.py", "names in the column"): (
        "ImageDataGenerator().flow_from_dataframe(df, y_col=None, x_col='f', class_mode=None)",
        "ImageDataGenerator().flow_from_dataframe(df, «directory=»'pictures', y_col=None, "
        "x_col='f', class_mode=None)",
        _NAMES + "import pandas; df = pandas.DataFrame({'f': ['a.png']}); "
        "Path('pictures').mkdir(exist_ok=True)\n"
        "lamina.utils.save_img('pictures/a.png', images[0])",
    ),
    ("preprocessing/image_iterators.py", "needs names of classes in y_col"): (
        "ImageDataGenerator().flow_from_dataframe(df, x_col='f', y_col='label')",
        "«df['label'] = df['label'].astype(str)»; "
        "ImageDataGenerator().flow_from_dataframe(df, x_col='f', y_col='label')\n"
        "ImageDataGenerator().flow_from_dataframe(df, x_col='f', y_col='label', "
        "«class_mode='raw'»)",
        _NAMES + "import pandas; df = pandas.DataFrame({'f': ['a.png'], 'label': [1]}); "
        "lamina.utils.save_img('a.png', images[0])",
    ),
    ("preprocessing/image_iterators.py", "needs two classes; there are"): (
        "ImageDataGenerator().flow_from_dataframe(df, x_col='f', y_col='label', "
        "class_mode='binary')",
        "ImageDataGenerator().flow_from_dataframe(df, x_col='f', y_col='label', "
        "«class_mode='categorical'»)",
        _NAMES + "import pandas; df = pandas.DataFrame({'f': ['a.png'] * 3, 'label': ['a', 'b', "
        "'c']}); lamina.utils.save_img('a.png', images[0])",
    ),
    ("preprocessing/image_iterators.py", "part hold different classes"): (
        "ImageDataGenerator(validation_split=0.5).flow(x, [0, 1], subset='training')",
        "ImageDataGenerator(validation_split=0.5).flow(x, [0, 1], subset='training', "
        "«ignore_class_split=True»)",
        _NAMES + "x = images",
    ),
    ("preprocessing/image_iterators.py", "expects 1, 3 or 4 channels"): (
        "ImageDataGenerator().flow(x)",
        "ImageDataGenerator(«data_format»='channels_first').flow(x)",
        _NAMES + "x = np.ones((2, 1, 6, 6))",
    ),
    ("preprocessing/sequence.py", "nothing is left up to"): (
        "from lamina.preprocessing.sequence import TimeseriesGenerator; "
        "TimeseriesGenerator(x, x, length=9)",
        "from lamina.preprocessing.sequence import TimeseriesGenerator; "
        "TimeseriesGenerator(x, x, length=2)  # «a smaller length»",
    ),
    ("preprocessing/text.py", "the number of columns is not known"): (
        "made.sequences_to_matrix([[1]])",
        "made.«fit_on_texts(texts)»; made.sequences_to_matrix([[1]]); "
        "«Tokenizer(num_words=»5).sequences_to_matrix([[1]])",
        "from lamina.preprocessing.text import Tokenizer; made = Tokenizer(); texts = ['a b']",
    ),
}
