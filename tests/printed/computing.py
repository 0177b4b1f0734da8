"""Fixes of operations, losses, metrics, optimizers and schedules."""

_STEP = "import jax\n"
_OWN = (
    "class Own(lamina.metrics.Metric):\n"
    "  def update_state(self, y_true, y_pred, sample_weight=None): pass\n"
)
_RATE = "schedules = lamina.optimizers.schedules\n"
_ADAM = (
    "from lamina.optimizers import *\n"
    "model = net(); grads = [np.ones(v.shape, 'float32') "
    "for v in model.trainable_variables]\n"
)

CASES = {
    ("ops/arrays.py", "takes integers; received"): (
        "ops.bitwise_and(x, 1)",
        "ops.bitwise_and(«lamina.ops.cast(x, 'int32')», 1)",
    ),
    ("ops/arrays.py", "gives dense arrays only"): (
        "ops.one_hot([1], 3, sparse=True)",
        "ops.one_hot([1], 3)  # «leave the argument out»",
    ),
    ("ops/attention.py", "flash_attention=True is not available here"): (
        "ops.dot_product_attention(q, q, q, flash_attention=True)",
        "ops.dot_product_attention(q, q, q)  # «leave flash_attention out»",
        "q = np.ones((1, 2, 2, 4), 'float32')",
    ),
    ("ops/attention.py", "heads of the query cannot share"): (
        "ops.dot_product_attention(q[:, :, :3], q, q)",
        "ops.dot_product_attention(q, q, q)  # «use a multiple»",
        "q = np.ones((1, 2, 4, 4), 'float32')",
    ),
    ("ops/boxes.py", "takes boxes in 'xyxy'"): (
        "lamina.utils.bounding_boxes.crop(boxes, 0, 0, 4, 4, bounding_box_format='xywh')",
        "height = width = 4; boxes = lamina.utils.bounding_boxes.«convert_format(boxes, "
        "'xywh', 'xyxy', height, width)»\n"
        "lamina.utils.bounding_boxes.crop(boxes, 0, 0, 4, 4)",
        "boxes = np.ones((1, 1, 4), 'float32')",
    ),
    ("ops/convolution.py", "has an empty result: padding='same' removes"): (
        "ops.conv_transpose(np.ones((1, 1, 1)), np.ones((4, 1, 1)), 2, 'same', output_padding=0)",
        "ops.conv_transpose(np.ones((1, 1, 1)), np.ones((4, 1, 1)), 2, «padding='valid'»)",
    ),
    ("ops/convolution.py", "does not fit into inputs of shape"): (
        "ops.conv(images, np.ones((9, 9, 1, 1)))",
        "ops.conv(images, np.ones((9, 9, 1, 1)), «padding='same'»); ops.conv(images, "
        "np.ones((2, 2, 1, 1)))",
    ),
    ("ops/core.py", "unstack cannot know how many pieces"): (
        "ops.unstack(Input((3,)))",
        "from lamina.ops import unstack; x = Input((3,)); «unstack(x, num=»2)",
    ),
    ("ops/image/colour.py", "takes floats; received"): (
        "ops.image.rgb_to_hsv(images)",
        'ops.image.rgb_to_hsv(«images.astype("float32") / 255»)',
        "images = np.ones((1, 2, 2, 3), 'uint8')",
    ),
    ("ops/image/filters.py", "ssim compares windows"): (
        "lamina.ops.image.ssim(images, images, 1.0)",
        "lamina.ops.image.ssim(Input((6, 6, 1)), Input((6, 6, 1)), 1.0, filter_size=3) "
        " # «a smaller filter_size»",
    ),
    ("ops/image/patches.py", "do not fit into an input of shape"): (
        "ops.image.extract_patches(images, 9)",
        "ops.image.extract_patches(images, 9, «padding='same'»); "
        "ops.image.extract_patches(images, 3)",
    ),
    ("ops/math.py", "needs the number of segments"): (
        "jax.jit(ops.segment_sum)(x, ids)",
        "from lamina.ops import segment_sum; jax.jit(lambda x, i: «segment_sum(»x, i, "
        "«num_segments=»2))(x, ids)",
        "ids = np.array([0, 0, 1, 1])",
    ),
    ("ops/numpy/reduction.py", "needs the size of the result"): (
        "jax.jit(ops.bincount)(x)",
        "from lamina.ops import bincount; jax.jit(lambda x: «bincount(x, minlength=»2))(x)",
        "x = np.array([0, 1])",
    ),
    ("ops/numpy/selection.py", "needs a vector to search in"): (
        "ops.searchsorted(x, x)",
        "«lamina.ops.vectorized_map»(lambda row: ops.searchsorted(row, row), x)",
    ),
    ("ops/numpy/selection.py", "which a compiled step does not know"): (
        "jax.jit(ops.nonzero)(x)",
        "from lamina.ops import where; condition = x > 0; "
        "jax.jit(lambda x: «where(condition, x, 0)»)(x)",
    ),
    ("ops/numpy/shape.py", "reshape needs sizes that are known"): (
        "jax.jit(lambda x, n: ops.reshape(x, (n,)))(x, 12)",
        "jax.jit(lambda x: ops.reshape(x, («-1»,)))(x); i = 0; "
        "jax.jit(lambda x: ops.reshape(x, («ops.shape(x)[i]», -1)))(x)",
    ),
    ("ops/numpy/shape.py", "reshape cannot determine"): (
        "ops.reshape(np.ones(12), (None, None, 3))",
        "ops.reshape(np.ones(12), (-1, 3))  # «use -1 in place of None, once»",
    ),
    ("ops/numpy/shape.py", "equal pieces"): (
        "ops.split(x, 3)",
        "«lamina.ops.array_split(x, »3)",
    ),
    ("ops/unfold.py", "unfold: a window of"): (
        "ops.unfold(Input((1, 6, 6)), 9)",
        "ops.unfold(Input((1, 6, 6)), 1); ops.unfold(Input((1, 6, 6)), 9, padding=4) "
        " # «a smaller kernel_size or more padding»",
    ),
    ("ops/pooling.py", "Pooling windows of size"): (
        "ops.max_pool(images, 9)",
        "ops.max_pool(images, 9, «padding='same'»); ops.max_pool(images, 2)",
    ),
    ("ops/signal.py", "cannot take frames of"): (
        "ops.extract_sequences(x, 9, 1)",
        "ops.extract_sequences(x, 3, 1)  # «a sequence_length of at most its last axis»",
    ),
    ("ops/signal.py", "reflects"): (
        "ops.stft(x, 4, 2, 16)",
        "ops.stft(x, 2, 1, 2, «center=False»); ops.stft(x, 2, 1, 2)  # «a smaller fft_length»",
    ),
    # -- losses ----------------------------------------------------------------------------------
    ("losses/loss.py", "has no call() method"): (
        "class Mine(lamina.losses.Loss): pass\nMine()(x, x)",
        "class Mine(lamina.losses.Loss):\n"
        "  «def call(self, y_true, y_pred):» return ops.mean(y_pred, -1)\n"
        "Mine()(x, x)",
    ),
    ("losses/sequence.py", "ctc compares labels with frames"): (
        "lamina.losses.ctc(np.array([1, 2]), np.ones((2, 4, 3)))",
        "lamina.losses.ctc(np.array([[1], [2]]), np.ones((2, 4, 3)))  # «y_true as (batch, "
        "labels), padded with 0»",
    ),
    ("losses/shapes.py", "looks for the classes on axis"): (
        "lamina.losses.sparse_categorical_crossentropy(np.array([0, 1]), np.ones((2, 3)), axis=2)",
        "lamina.losses.sparse_categorical_crossentropy(np.array([0, 1]), np.ones((2, 3)), "
        "«axis=-1»)",
    ),
    ("losses/shapes.py", "give one weight per sample"): (
        "lamina.losses.MeanSquaredError()(x, x, sample_weight=np.ones((2,)))",
        "lamina.losses.MeanSquaredError()(x, x, sample_weight=np.ones((4,))) "
        " # «give one weight per sample»",
    ),
    ("losses/shapes.py", "its rows differ in length"): (
        "lamina.losses.mean_squared_error([[1, 2], [1]], x)",
        "rows = [[1, 2], [1, 0]]; lamina.losses.mean_squared_error(«numpy.array(rows)», rows)",
    ),
    ("losses/shapes.py", "needs numbers as"): (
        "lamina.losses.sparse_categorical_crossentropy(y, np.full((2, 2), 0.5))",
        "lamina.losses.sparse_categorical_crossentropy(«numpy.unique(y, return_inverse=True)"
        "[1]», np.full((2, 2), 0.5))",
        "y = np.array(['a', 'b'])",
    ),
    # -- metrics ---------------------------------------------------------------------------------
    ("metrics/auc.py", "num_labels is only for separate curves"): (
        "lamina.metrics.AUC(num_labels=3)",
        "lamina.metrics.«AUC(multi_label=True, »num_labels=3)",
    ),
    ("metrics/confusion.py", "before the number of labels is known"): (
        "lamina.metrics.AUC(multi_label=True).true_positives",
        "lamina.metrics.AUC(multi_label=True, «num_labels=»3).true_positives; "
        "made = lamina.metrics.AUC(multi_label=True)\n"
        "made.«update_state(»np.array([[1, 0]]), np.array([[0.5, 0.2]])); made.true_positives",
    ),
    ("metrics/confusion_counts.py", "and received predictions of shape"): (
        "lamina.metrics.Precision(class_id=5)(x[:, :2], x[:, :2])",
        "lamina.metrics.Precision(class_id=1)(x[:, :2], x[:, :2]) "
        " # «below the size of the last axis»",
    ),
    ("metrics/confusion_counts.py", "needs thresholds from 0 to 1"): (
        "lamina.metrics.Precision(thresholds=1.5)",
        "made = net(layers.Dense(1, activation='«sigmoid»'), loss='binary_crossentropy', "
        "metrics=[lamina.metrics.Precision()])",
    ),
    ("metrics/correlation.py", "needs at least two numbers along axis"): (
        "lamina.metrics.PearsonCorrelation()(x[:, :1], x[:, :1])",
        "lamina.metrics.PearsonCorrelation(«axis=0»)(x[:, :1], x[:, :1])",
    ),
    ("metrics/f_score.py", "needs labels and predictions of shape"): (
        "lamina.metrics.F1Score()(y, np.array([0.2, 0.7]))",
        "lamina.metrics.F1Score()(«y.reshape(-1, 1)», np.array([[0.2], [0.7]]))",
        "y = np.array([0, 1])",
    ),
    ("metrics/iou.py", "y_pred a probability for each class"): (
        "lamina.metrics.BinaryIoU()(np.array([0, 1]), np.eye(2))",
        "from lamina.metrics import IoU\n"
        "«IoU(num_classes=2, target_class_ids=[0, 1], sparse_y_pred=False)»([0, 1], np.eye(2))",
    ),
    ("metrics/iou.py", "counts in integers"): (
        "lamina.metrics.IoU(2, [0], dtype='int32')([0, 1], [0, 1], sample_weight=[0.5, 0.5])",
        "from lamina.metrics import IoU; «IoU(»2, [0], «dtype='float32')»([0, 1], [0, 1], "
        "sample_weight=[0.5, 0.5])",
    ),
    ("metrics/metric.py", "has no update_state() method"): (
        "class Mine(lamina.metrics.Metric): pass\nMine().update_state(x, x)",
        "class Mine(lamina.metrics.Metric):\n"
        "  «def update_state(self, y_true, y_pred, sample_weight=None):» pass\n"
        "Mine().update_state(x, x)",
    ),
    ("metrics/metric.py", "has no result() method"): (
        "Own().result()",
        _OWN + "  «def result(self):» return 1.0\nOwn().result()",
        _OWN,
    ),
    ("metrics/metric.py", "variables and received"): (
        "metric.stateless_result([])",
        "metric.stateless_result([v.value for v in «metric.variables»])",
        "metric = lamina.metrics.Mean()",
    ),
    ("metrics/metric.py", "does not call super().__init__()"): (
        "class Mine(lamina.metrics.Metric):\n"
        "  def __init__(self, name=None, dtype=None): self.total = self.add_variable((), "
        "'zeros')\n"
        "Mine()",
        "class Mine(lamina.metrics.Metric):\n"
        "  def __init__(self, name=None, dtype=None):\n"
        "    «super().__init__(name=name, dtype=dtype)»; self.total = self.add_variable((), "
        "'zeros')\n"
        "Mine()",
    ),
    ("metrics/regression.py", "R2Score needs targets and predictions"): (
        "lamina.metrics.R2Score()(y, y)",
        "lamina.metrics.R2Score()(«y.reshape(-1, 1)», y.reshape(-1, 1))",
        "y = np.array([1.0, 2.0])",
    ),
    ("metrics/resolve.py", "A metric is None"): (
        "from lamina.metrics.resolve import resolve_metric; resolve_metric(None, (None,), "
        "(None, 1))",
        "net(metrics=['mae']).fit(x, y, verbose=0)  # «leave it out of the list of metrics»",
    ),
    ("metrics/resolve.py", "for which the threshold is 0"): (
        "net(loss=lamina.losses.BinaryCrossentropy(from_logits=True), "
        "metrics=['accuracy']).fit(x, y, verbose=0)",
        "net(loss=lamina.losses.BinaryCrossentropy(from_logits=True), "
        "«metrics=[lamina.metrics.BinaryAccuracy(threshold=0.0)]»).fit(x, y, verbose=0)",
    ),
    # -- optimizers ------------------------------------------------------------------------------
    ("optimizers/arguments.py", "does nothing, as in Keras 3"): (
        "lamina.optimizers.SGD(0.1, decay=0.01)",
        "rate, decay = 0.1, 0.01; "
        "lamina.optimizers.SGD(«learning_rate=lamina.optimizers.schedules.InverseTimeDecay(rate, "
        "1, decay)»)",
    ),
    ("optimizers/arguments.py", "learning_rate received the class"): (
        "lamina.optimizers.SGD(ExponentialDecay)",
        "lamina.optimizers.SGD(«learning_rate=ExponentialDecay(»0.1, 10, 0.5))",
        "from lamina.optimizers.schedules import ExponentialDecay",
    ),
    ("optimizers/get_optimizer.py", "itself, not what it returns"): (
        "lamina.optimizers.get(optax.adam)",
        "lamina.optimizers.get(optax.«adam(»0.1))",
        "import optax",
    ),
    ("optimizers/loss_scale_optimizer.py", "and has no dynamic=False"): (
        "lamina.optimizers.LossScaleOptimizer(lamina.optimizers.Adam(), dynamic=False)",
        "«lamina.optimizers.Adam(loss_scale_factor=1024.0)»",
    ),
    ("optimizers/loss_scale_optimizer.py", "give it to the inner optimizer"): (
        "LossScaleOptimizer(Adam(), clipnorm=1.0)",
        "«LossScaleOptimizer(Adam(clipnorm=»1.0))",
        _ADAM,
    ),
    ("optimizers/multi_optimizer.py", "Two keys of the OptimizerMap match"): (
        "made['.*kernel'] = SGD(); made['.*/kernel'] = Adam(); made['sequential/dense/kernel']",
        "made['.*kernel'] = SGD(); made['.*/bias'] = Adam(); "
        "made['sequential/dense/kernel']  # «make one of them more specific»",
        _ADAM
        + "from lamina.optimizers.multi_optimizer import OptimizerMap; made = OptimizerMap(SGD())",
    ),
    ("optimizers/multi_optimizer.py", "already.\n  Fix: del optimizer_map"): (
        "optimizer_map['a'] = Adam()",
        "«del optimizer_map['a']»; optimizer_map['a'] = Adam()",
        _ADAM + "from lamina.optimizers.multi_optimizer import OptimizerMap; "
        "optimizer_map = OptimizerMap(SGD()); optimizer_map['a'] = SGD()",
    ),
    ("optimizers/multi_optimizer.py", "has no learning rate of its own"): (
        "optimizer.learning_rate = 0.1",
        "«optimizer.optimizers[0].learning_rate = 0.001»",
        _ADAM + "optimizer = MultiOptimizer(SGD(0.1))",
    ),
    ("optimizers/multi_optimizer.py", "cannot be one of several optimizers"): (
        "MultiOptimizer(LossScaleOptimizer(SGD()))",
        "«LossScaleOptimizer(MultiOptimizer(»SGD()))",
        _ADAM,
    ),
    ("optimizers/optax_optimizer.py", "cannot be saved: it is code"): (
        "net(optimizer=optax.sgd(0.1)).optimizer.get_config()",
        "net(optimizer=lamina.optimizers.SGD(0.1)).optimizer.get_config() "
        " # «use an optimizer of lamina.optimizers»",
        "import optax",
    ),
    ("optimizers/optax_optimizer.py", "and cannot be read or set"): (
        "built(optax.adam(0.1)).learning_rate = 0.2",
        "built(«optax.inject_hyperparams(optax.adam)(learning_rate=1e-3)»).learning_rate = 0.2\n"
        "built(«lamina.optimizers.Adam(1e-3)»).learning_rate = 0.2",
        "import optax\ndef built(optimizer):\n"
        "  model = net(optimizer=optimizer); "
        "model.optimizer.build(model.trainable_variables); return model.optimizer",
    ),
    ("optimizers/optax_optimizer.py", "is known after the transformation has created its state"): (
        "optimizer.learning_rate = 0.2",
        "«optimizer.build(model.trainable_variables)»; optimizer.learning_rate = 0.2",
        "import optax; model = net(optimizer=optax.inject_hyperparams(optax.adam)"
        "(learning_rate=1e-3)); optimizer = model.optimizer",
    ),
    ("optimizers/optimizer.py", "follows a schedule and cannot be set"): (
        "SGD(lamina.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)).learning_rate = 0.1",
        "«SGD(learning_rate=0.001)».learning_rate = 0.1",
        _ADAM,
    ),
    ("optimizers/optimizer.py", "doesn't know its weights yet"): (
        "optimizer.apply(grads)",
        "«optimizer.apply(grads, model.trainable_variables)»",
        _ADAM + "optimizer = SGD()",
    ),
    ("optimizers/optimizer.py", "was not built for"): (
        "optimizer.build(other.trainable_variables); optimizer.apply(grads, "
        "model.trainable_variables)",
        "«optimizer.build(model.trainable_variables)»; optimizer.apply(grads, "
        "model.trainable_variables)",
        _ADAM + "optimizer = SGD(); other = net()",
    ),
    ("optimizers/optimizer.py", "\n  Fix: optimizer.build(model.trainable_variables) first"): (
        "optimizer.set_weights([1])",
        "«optimizer.build(model.trainable_variables)»; "
        "optimizer.set_weights([v.value for v in optimizer.variables])",
        _ADAM + "optimizer = Adam()",
    ),
    ("losses/shapes.py", "needs labels from 0 to"): (
        "sparse(np.array([0, 2]), np.full((2, 2), 0.5))",
        "from lamina.layers import Dense; sparse(np.array([0, 2]), «Dense(3)»(np.ones((2, 2))))",
        "sparse = lamina.losses.sparse_categorical_crossentropy",
    ),
    ("losses/shapes.py", "number by number, and their shapes differ"): (
        "lamina.losses.categorical_crossentropy(y, pred)",
        "lamina.losses.categorical_crossentropy(«lamina.utils.to_categorical(y, 2)», pred)\n"
        "getattr(lamina.losses, «'sparse_categorical_crossentropy'»)(y, pred)",
        "pred = np.full((4, 2), 0.5)",
    ),
    ("losses/shapes.py", "whole-number label for each row of"): (
        "lamina.losses.sparse_categorical_crossentropy(np.eye(2), pred)",
        "getattr(lamina.losses, «'categorical_crossentropy'»)(np.eye(2), pred)",
        "pred = np.full((2, 2), 0.5)",
    ),
}
