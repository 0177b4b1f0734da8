"""Fixes of what all stands on: layers of one's own, names, settings, models, files."""

_NOBODY = "class Mine(lamina.layers.Layer):\n  pass\n"
_OWN = "class Own(lamina.layers.Layer):\n  def call(self, x): return x * 2\n"

CASES = {
    ("config.py", "Lamina supports only the backend"): (
        "lamina.config.set_backend('torch')",
        "lamina.config.«set_backend('jax')»",
    ),
    ("config.py", "this cannot be changed"): (
        "lamina.config.enable_unsafe_deserialization(); lamina.models.load_model('m.keras')",
        "net(layers.Lambda(double), compiled=False).save('m.keras')\n"
        "lamina.models.load_model('m.keras', «custom_objects=»{'double': double})",
        "def double(x): return x * 2\n",
    ),
    ("core/layer/call_signature.py", "shape of an argument of call()"): (
        _OWN.replace("call", "build(self, x_shape, b_shape): pass\n  def call").replace(
            "Own", "Two"
        )
        + "Two()(x)",
        _OWN.replace("call(self, x)", "build(self, «x_shape»): pass\n  def call(self, x)")
        + "Own()(x)",
    ),
    ("core/configuration/dtypes.py", "set_dtype_policy needs a policy"): (
        "lamina.config.set_dtype_policy(None)",
        "lamina.config.«set_dtype_policy('float32')»",
    ),
    ("core/variable/variable.py", "holds numbers; received text"): (
        "lamina.Variable(words)",
        "words = ['a', 'b']\n"
        "lookup = «lamina.layers.StringLookup(vocabulary=words)»; lamina.Variable(lookup(words))",
    ),
    ("core/serialization/init_arguments.py", "cannot be written as a config"): (
        "Scale(object()).get_config()",
        "class Scale(Scale):\n"
        "  def «get_config(self)»: «return {**super().get_config(), 'units': self.units}»\n"
        "Scale(3).get_config()",
        "class Scale(lamina.layers.Layer):\n"
        "  def __init__(self, units, **kwargs):\n"
        "    super().__init__(**kwargs); self.units = units\n",
    ),
    ("core/layer/input_spec.py", "input(s) and received"): (
        "Two()([x, x])",
        "Two()(x)  # «call it on 1 array(s)»",
        "class Two(lamina.layers.Layer):\n"
        "  def __init__(self):\n"
        "    super().__init__(); self.input_spec = lamina.layers.InputSpec(ndim=2)\n"
        "  def call(self, x): return x\n",
    ),
    ("core/graph/keras_tensor.py", "a NumPy function was applied to it"): (
        "np.asarray(x)",
        "«lamina.ops.relu(x)»",
        "x = Input((3,))",
    ),
    ("core/graph/keras_tensor.py", "a jax.numpy function was applied"): (
        "jax.numpy.maximum(x, 0)",
        "«lamina.ops.relu(x)»",
        "x = Input((3,))",
    ),
    ("core/graph/keras_tensor.py", "is text, and this operation needs numbers"): (
        "x + 1",
        "layer = layers.«StringLookup»(vocabulary=['a']); layer(x) + 1",
        "x = Input((1,), dtype='string')",
    ),
    ("core/layer/layer.py", "so it cannot be called with values for them"): (
        "layer.stateless_call([], [], x)",
        "input_shape = (None, 3); «layer.build(input_shape)»\n"
        "layer.stateless_call(layer.trainable_variables, [], x)",
        "layer = layers.Dense(1)",
    ),
    ("core/layer/layer.py", "trainable variables and received"): (
        "layer.stateless_call([], [], x)",
        "layer.stateless_call(«layer.trainable_variables», [], x)",
        "layer = layers.Dense(1); layer.build((None, 3))",
    ),
    ("core/layer/layer.py", "received rows that differ in length"): (
        "layers.Dense(1)(x)",
        "«x = lamina.utils.pad_sequences(x, dtype='float32')»; layers.Dense(1)(x)",
        "x = np.array([[1.0, 2.0], [3.0]], object)",
    ),
    ("core/layer/layer.py", "received an array of objects"): (
        "layers.Dense(1)(x)",
        "x[0, 1] = 0; «x = x.astype('float32')»; layers.Dense(1)(x)",
        "x = np.array([[1.0, {}]], object)",
    ),
    ("core/layer/layer.py", "which is not a tensor"): (
        "layers.Dense(1, name='out')(lamina.layers.Flatten)",
        "«x = lamina.layers.Flatten()(x)»; layers.Dense(1)(x)",
    ),
    ("core/layer/layer.py", "received a list of Python numbers"): (
        "layers.Dense(1)([1.0, 2.0])",
        "layers.Dense(1)(«np.array([[1.0, 2.0]])»)",
    ),
    ("core/layer/layer.py", "takes tensors by position"): (
        "layers.Dropout(0.5)(x, True)",
        "layers.Dropout(0.5)(x, «training=True»)",
    ),
    ("core/layer/layer.py", "received an input with a mask and"): (
        _OWN + "Own()(layers.Embedding(3, 2, mask_zero=True)(Input((4,))))",
        _OWN.replace(
            "def call",
            "def __init__(self): super().__init__(); «self.supports_masking = True»\n  def call",
        )
        + "Own()(layers.Embedding(3, 2, mask_zero=True)(Input((4,))))\n"
        + _OWN.replace(
            "def call", "def «compute_mask(self, inputs, mask)»: return mask\n  def call"
        )
        + "Own()(layers.Embedding(3, 2, mask_zero=True)(Input((4,))))",
    ),
    ("core/layer/layer.py", "its weights will be neither trained nor saved"): (
        "inner = layers.Dense(2, name='inner')\n"
        "class Around(lamina.layers.Layer):\n  def call(self, x): return inner(x)\n"
        "Around()(x)",
        "class Around(lamina.layers.Layer):\n"
        "  def __init__(self):\n    super().__init__(); «self.inner = Dense(»2)\n"
        "  def call(self, x): return self.inner(x)\n"
        "Around()(x)",
        "from lamina.layers import Dense",
    ),
    ("core/layer/layer.py", "a Variable was passed to a jax.numpy function"): (
        _OWN.replace("Own", "Bad").replace(
            "def call(self, x): return x * 2",
            "def build(self, shape): self.kernel = self.add_weight((3, 2))\n"
            "  def call(self, x): return jax.numpy.matmul(x, self.kernel)",
        )
        + "Bad()(x)",
        _OWN.replace(
            "def call(self, x): return x * 2",
            "def build(self, shape): self.kernel = self.add_weight((3, 2))\n"
            "  def call(self, x): return jax.numpy.matmul(x, «self.kernel.value») "
            "+ «x @ self.kernel»",
        )
        + "Own()(x)",
    ),
    ("core/layer/layer.py", "add_loss() takes a number computed from"): (
        "Own().add_loss(lambda: 0.0)",
        _OWN.replace("return x", "«self.add_loss(»ops.sum(x)); return x") + "Own()(x)",
        _OWN,
    ),
    ("core/layer/layer.py", "add_metric() was removed in"): (
        "Own().add_metric(1.0)",
        "class Own(lamina.layers.Layer):\n"
        "  def __init__(self):\n"
        "    super().__init__(); «self.my_metric = lamina.metrics.Mean(name='my_metric')»\n"
        "  def call(self, x):\n"
        "    value = ops.sum(x); «self.my_metric.update_state(value)»; return x\n"
        "net(Own(), layers.Dense(1)).fit(x, y, verbose=0)",
        _OWN,
    ),
    ("core/layer/layer_state.py", "so they cannot be counted"): (
        "lamina.Sequential([layers.Dense(1)]).count_params()",
        "shape = (3,); lamina.Sequential([«lamina.Input(shape)», layers.Dense(1)]).count_params()",
    ),
    ("core/layer/layer_state.py", "does not call super().__init__()"): (
        "class Mine(lamina.layers.Layer):\n"
        "  def __init__(self): self.dense = layers.Dense(2)\n"
        "  def call(self, x): return x\n"
        "Mine()(x)",
        "class Mine(lamina.layers.Layer):\n"
        "  def __init__(self, **kwargs):\n"
        "    «super().__init__(**kwargs)»; self.dense = layers.Dense(2)\n"
        "  def call(self, x): return x\nMine()(x)",
    ),
    ("core/layer/layer_state.py", "and cannot be assigned"): (
        "layers.Dense(1).losses = 3",
        "self = layers.Dense(1); «self.my_losses» = 3",
    ),
    ("core/layer/layer_state.py", "so there would be a new one at every call"): (
        "class Mine(lamina.layers.Layer):\n"
        "  def call(self, x): self.w = lamina.Variable(1.0); return x\n"
        "Mine()(x)",
        "class Mine(lamina.layers.Layer):\n"
        "  def build(self, shape): self.w = lamina.Variable(1.0)  # «make it once, "
        "in __init__ or build»\n"
        "  def call(self, x): return x\nMine()(x)",
    ),
    ("core/memory_limit.py", "and this machine has"): (
        "layers.Dense(10**9).build((None, 10**9))",
        "layers.Dense(10).build((None, 10))  # «fewer units»",
    ),
    ("core/graph/operation.py", "given a tensor where its settings go"): (
        "lamina.layers.Dense(x)",
        "«lamina.layers.Dense(units=128)(x)»",
    ),
    ("core/graph/operation.py", "has no call() method"): (
        "Mine()(x)",
        _NOBODY.replace("pass", "«def call(self, x):» return x") + "Mine()(x)",
        _NOBODY.replace("layers.Layer", "Operation") + "",
    ),
    ("core/graph/operation.py", "it has not been called on an Input"): (
        "layer.input",
        "shape = (3,); layer(«lamina.Input(shape)»); layer.input\n"
        "lamina.Sequential([lamina.Input(shape), layers.Dense(1)"
        "]).input  # «a Sequential can begin with one»\n"
        "for made in (lamina.Sequential([layers.Dense(1)]), Own()):\n"
        "  made(lamina.Input(shape)); made.input",
        "layer = layers.Dense(1)\n" + _OWN.replace("layers.Layer", "Model"),
    ),
    ("core/graph/operation.py", "a model of them would neither train nor save"): (
        "Input((3,)) * w",
        "class Scale(lamina.layers.Layer):\n"
        "  def __init__(self):\n    super().__init__(); self.w = w  # «keeps it on self»\n"
        "  def call(self, x): return x * self.w\nScale()(Input((3,)))",
        "w = lamina.Variable(2.0)",
    ),
    ("core/graph/operation.py", "as a number or array; received a symbolic"): (
        "ops.one_hot(Input(()), Input(()))",
        "class Own(lamina.layers.Layer):\n"
        "  def call(self, x): return ops.one_hot(x, 3) "
        " # «write a layer that computes this in call()»\n"
        "Own()(Input((), dtype='int32'))",
    ),
    ("core/user_data/paths.py", "not a file, so it is not read"): (
        "lamina.models.load_model('/dev/zero')",
        "net(compiled=False).save('m.keras'); lamina.models.load_model('m.keras') "
        " # «to a file, and pass the path of that file»",
    ),
    ("core/serialization/registry.py", "a model file contains data, never code"): (
        "net(layers.Lambda(lambda x: x), compiled=False).save('m.keras')",
        "«@lamina.saving.register_keras_serializable()»\ndef same(x): return x\n"
        "net(layers.Lambda(same), compiled=False).save('m.keras')",
    ),
    ("core/serialization/identifiers.py", "so it cannot be made from a name or a"): (
        "lamina.metrics.get('MeanIoU')",
        "«lamina.metrics.MeanIoU(num_classes=»3)",
    ),
    ("core/serialization/registry.py", "The file uses the"): (
        "lamina.layers.deserialize(config)",
        "lamina.layers.deserialize(config, «custom_objects={'Own': Own}»)\n"
        "«@lamina.saving.register_keras_serializable(package='Custom')»\n" + _OWN,
        _OWN + "config = lamina.layers.serialize(Own())",
    ),
    ("core/variable/seed.py", "A random draw without a seed was compiled"): (
        "class Noisy(lamina.layers.Layer):\n"
        "  def call(self, x): return x + lamina.random.normal((1,))\n"
        "net(Noisy(), layers.Dense(1)).fit(x, y, verbose=0)",
        "class Noisy(lamina.layers.Layer):\n"
        "  def __init__(self):\n"
        "    super().__init__(); «self.seed_generator = lamina.random.SeedGenerator()»\n"
        "  def call(self, x): return x + lamina.random.normal((1,), «seed=self.seed_generator»)\n"
        "net(Noisy(), layers.Dense(1)).fit(x, y, verbose=0)",
    ),
    ("core/variable/stateless.py", "needs a list of Variables and received"): (
        "lamina.value_and_grad(lambda: 1.0, [x])()",
        "lamina.value_and_grad(lambda: ops.mean(model(x)), «model.trainable_variables»)()",
        "model = net()",
    ),
    ("core/variable/stateless.py", "and has no gradient"): (
        "lamina.value_and_grad(lambda: 1.0, [lamina.Variable(1, dtype='int32')])()",
        "lamina.value_and_grad(lambda: ops.mean(model(x)), «model.trainable_variables»)()",
        "model = net()",
    ),
    ("core/variable/stateless.py", "A loss to differentiate must be one number"): (
        "lamina.value_and_grad(lambda: model(x), model.trainable_variables)()",
        "def mean():\n  loss = model(x); return «loss.mean()»\n"
        "lamina.value_and_grad(mean, model.trainable_variables)()",
        "model = net()",
    ),
    ("core/user_data/text.py", "holds texts, but element"): (
        "layers.StringLookup().adapt(x)",
        "«x = x.fillna('')»; layers.StringLookup().adapt(x)",
        "import pandas; x = pandas.Series(['a', None])",
    ),
    ("core/user_data/text.py", "is a list whose rows differ in length"): (
        "layers.StringLookup(vocabulary=['a'])([['a', 'b'], ['a']])",
        "layers.StringLookup(vocabulary=['a'], mask_token='')([['a', 'b'], ['a', «''»]]) "
        " # «as mask_token»",
    ),
    ("core/messages/tracebacks.py", "These are compiled, and arrays have no values"): (
        "class Bad(lamina.layers.Layer):\n  def call(self, x): return x if x.sum() > 0 else -x\n"
        "net(Bad(), layers.Dense(1)).fit(x, y, verbose=0)",
        "class Good(lamina.layers.Layer):\n"
        "  def call(self, x): return «ops.where(»x.sum() > 0, x, -x)\n"
        "net(Good(), layers.Dense(1)).fit(x, y, verbose=0)",
    ),
    ("core/layer/tracking.py", "in a set cannot be tracked"): (
        "layers.Layer().inner = {layers.Dense(1)}",
        "layers.Layer().inner = [layers.Dense(1)]  # «keep them in a list»",
    ),
    ("core/variable/variable.py", "needs a shape for its initializer"): (
        "lamina.Variable('zeros')",
        "lamina.Variable('zeros', «shape=(3, 4)»); lamina.Variable('zeros', «shape=()»)",
    ),
    ("core/variable/variable.py", "but the model does not know it"): (
        "hidden = [lamina.Variable(0.0)]\n"
        "class Bad(lamina.layers.Layer):\n  def call(self, x): hidden[0].assign(1.0); return x\n"
        "net(Bad(), layers.Dense(1)).fit(x, y, verbose=0)",
        "class Good(lamina.layers.Layer):\n"
        "  def __init__(self):\n"
        "    super().__init__(); self.seen = lamina.Variable(0.0, trainable=False) "
        " # «on self»\n"
        "  def call(self, x): self.seen.assign(1.0); return x\n"
        "net(Good(), layers.Dense(1)).fit(x, y, verbose=0)",
    ),
    ("dtype_policies.py", "Two keys of the DTypePolicyMap match"): (
        "policies['dense.*'] = 'bfloat16'; policies['.*_1'] = 'float16'; policies['dense_1']",
        "policies['dense.*'] = 'bfloat16'; policies['conv.*_1'] = 'float16'; "
        "policies['dense_1']  # «make one of them narrower»",
        "policies = lamina.dtype_policies.DTypePolicyMap()",
    ),
    ("dtype_policies.py", "already.\n  Fix: del policies"): (
        "policies['a'] = 'float16'",
        "«del policies['a']»; policies['a'] = 'float16'",
        "policies = lamina.dtype_policies.DTypePolicyMap(); policies['a'] = 'bfloat16'",
    ),
    ("models/graph.py", "received None for the input"): (
        "lamina.Model(x, layers.Dense(1)(x))(None)",
        "x = «lamina.Input(»(3,), «optional=True)»\n"
        "class Ones(lamina.layers.Layer):\n"
        "  def call(self, x=None): return np.ones((1, 1)) if x is None else x\n"
        "lamina.Model(x, Ones()(x))(None)",
        "x = Input((3,))",
    ),
    ("models/graph.py", "takes text as its input"): (
        "model(x)",
        "«x = numpy.asarray(x, str)»; model(x)",
        "made = Input((1,), dtype='string'); x = np.ones((2, 1)); model = lamina.Model(made, "
        "layers.StringLookup(vocabulary=['1.0'])(made))",
    ),
    ("models/graph.py", "takes numbers as its input"): (
        "net()(words)",
        "x = «lamina.Input(»(1,), «dtype='string')»; lamina.Model(x, "
        "layers.«StringLookup»(vocabulary=['a'])(x))(words)",
    ),
    ("models/graph.py", "the batch axis is missing"): (
        "model(x)",
        "model(«x[None]»)",
        "model = net(); x = np.ones(3)",
    ),
    ("models/graph.py", "the pictures are gray"): (
        "model(x)",
        "model(«np.repeat(x[..., None], 3, -1)»)",
        "model = net(layers.Flatten(), inputs=(6, 6, 3)); x = images[..., 0]",
    ),
    ("models/graph.py", "  Fix: x.reshape("): (
        "model(x)",
        "model(«x.reshape((-1, 2, 3))»); net(layers.Flatten(), inputs=(6,))(x) "
        " # «lamina.Input((6,))»",
        "model = net(layers.Flatten(), inputs=(2, 3)); x = np.ones((4, 6))",
    ),
    ("models/graph.py", "or data of the shape that the model takes"): (
        "net()(x)",
        "lamina.Sequential([«lamina.Input((5,))», layers.Dense(1)])(x)",
        "x = np.ones((4, 5))",
    ),
    ("models/graph.py", "is made of symbolic tensors; received"): (
        "lamina.Model(x, x)",
        "«x = lamina.Input(shape=(»3,)); lamina.Model(x, layers.Dense(1)(x))",
    ),
    ("models/graph.py", "names must be unique"): (
        "lamina.Model(x, layers.Dense(1, name='a')(layers.Dense(2, name='a')(x)))",
        "lamina.Model(x, layers.Dense(1, «name=»'b')(layers.Dense(2, name='a')(x)))",
        "x = Input((3,))",
    ),
    ("models/graph.py", "which is not among its inputs"): (
        "lamina.Model(x, layers.Add()([x, z]))",
        "lamina.Model([x, z], layers.Add()([x, z]))  # «add it to the inputs of the model»",
        "x = Input((3,)); z = Input((3,))",
    ),
    ("models/host_part.py", "has text as an output"): (
        "lamina.Model(x, layers.Identity()(x)).predict(words, verbose=0)",
        "last(lamina.Model(x, look(x)).predict(words, verbose=0)) "
        " # «call it on the result of predict()»",
        "x = Input((1,), dtype='string'); look = layers.StringLookup(vocabulary=['a'])\n"
        "last = layers.StringLookup(vocabulary=['a'], invert=True)",
    ),
    ("models/host_part.py", "Such layers run on the host"): (
        "lamina.Model(x, look(Weighed()(x))).predict(words, verbose=0)",
        "lamina.Model(x, Weighed()(look(x))).predict(words, verbose=0) "
        " # «only through layers such as TextVectorization, StringLookup»",
        "x = Input((1,), dtype='string'); look = layers.StringLookup(vocabulary=['a'])\n"
        "class Weighed(lamina.layers.Layer):\n"
        "  def build(self, shape): self.w = self.add_weight(())\n"
        "  def compute_output_spec(self, x): return lamina.KerasTensor(x.shape, x.dtype)\n"
        "  def call(self, x): return x\n",
    ),
    ("models/model.py", "any more, as in Keras 3"): (
        "net().predict_classes",
        "model = net(); «model.predict(x).argmax(axis=-1)»",
    ),
    ("models/model.py", "it has no graph of layers"): (
        "Own().inputs",
        "shape = (3,); inputs = Input(shape); lamina.Sequential([«lamina.Input(shape)», "
        "layers.Dense(1)]).input\n"
        "from lamina import Model; outputs = layers.Dense(1)(inputs); «Model(inputs, outputs)"
        "».input",
        _OWN.replace("layers.Layer", "Model"),
    ),
    ("models/model.py", "inside its own call(), which is compiled"): (
        "model = Own(); model.compile('sgd', 'mse'); model.predict(words, verbose=0)",
        "model = Own(); «model.compile(»'sgd', 'mse', «run_eagerly=True»); "
        "model.predict(words, verbose=0)\n"
        "x = Input((1,), dtype='string'); from lamina import Model; inputs, outputs = x, "
        "look(x); «Model(inputs, outputs)»",
        "look = layers.StringLookup(vocabulary=['a'])\n"
        + _OWN.replace("layers.Layer", "Model").replace(
            "def call(self, x): return x * 2",
            "def __init__(self):\n"
            "    super().__init__(); self.look = look\n"
            "  def call(self, x): return self.look(x)",
        ),
    ),
    ("models/model.py", "has no call() method"): (
        "class Mine(lamina.Model): pass\nMine()(x)",
        "class Mine(lamina.Model):\n  «def call(self, x):» return x\nMine()(x)",
    ),
    ("models/sequential.py", "is made of layers and received"): (
        "lamina.Sequential([lamina.activations.relu])",
        "lamina.Sequential([«lamina.layers.Activation('relu')»])",
    ),
    ("models/sequential.py", "already has a layer named"): (
        "lamina.Sequential([layers.Dense(1, name='a'), layers.Dense(1, name='a')])",
        "lamina.Sequential([layers.Dense(1, name='a'), layers.Dense(1, «name=»'b')])",
    ),
    ("models/sequential.py", "has no layers"): (
        "model(x)",
        "«model.add(lamina.layers.Dense(»1)); model(x)",
        "model = lamina.Sequential()",
    ),
    ("models/sequential.py", "without the shape of its input"): (
        "model.build()",
        "«model.build((None, »3)); shape = (3,); lamina.Sequential([«lamina.Input(shape)», "
        "layers.Dense(1)]).build()",
        "model = lamina.Sequential([layers.Dense(1)])",
    ),
    ("regularizers.py", "has no get_config() method"): (
        "class Mine(lamina.regularizers.Regularizer):\n"
        "  def __call__(self, w): return 0.0\n"
        "Mine().get_config()",
        "class Mine(lamina.regularizers.Regularizer):\n  def __call__(self, w): return 0.0\n"
        "  def get_config(self): return {}  # «return its arguments from get_config(), "
        "or {} if it has none»\n"
        "Mine().get_config()",
    ),
    ("random.py", "A shape is a list or tuple of integers"): (
        "lamina.random.normal(3)",
        "lamina.random.normal(«shape=(32, 10)»); lamina.random.normal(«shape=(3,)»)",
    ),
    ("core/serialization/registry.py", "The file holds Python code (a lambda)"): (
        "lamina.layers.deserialize(config)",
        "«@lamina.saving.register_keras_serializable()»\ndef twice(x): return x * 2\n"
        "lamina.layers.deserialize(lamina.layers.serialize(layers.Lambda(twice)))",
        "config = {**lamina.layers.serialize(layers.Lambda(lamina.activations.relu))}\n"
        "config['config']['function'] = {'class_name': '__lambda__', "
        "'config': {'code': '4wE=', 'defaults': None, 'closure': None}}",
    ),
    ("core/graph/keras_tensor.py", "leave sparse and ragged out"): (
        "lamina.KerasTensor((3,), sparse=True)",
        "lamina.KerasTensor((3,))  # «leave sparse and ragged out»",
    ),
    ("ops/specs.py", "needs a known size on axis"): (
        "ops.linalg.det(Input((None, None)))",
        "ops.linalg.det(«lamina.Input((4, 4))»)",
    ),
}
