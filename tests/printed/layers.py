"""Fixes of layers: what is wrong, and what its message says to type."""

CASES = {
    ("layers/settings.py", "and has no random generator"): (
        "layer = layers.Dropout(0); layer.rate = 0.5; layer(x, training=True)",
        "layer = layers.«Dropout(0.2)»; layer.rate = 0.5; layer(x, training=True)",
        "x = np.ones((2, 3), 'float32')",
    ),
    ("layers/activation.py", "has a slope for every position"): (
        "layers.PReLU()(Input((None, 3)))",
        "layers.«PReLU(shared_axes=[1])»(Input((None, 3)))",
    ),
    ("layers/activation.py", "does not fit inputs of shape"): (
        "layers.Softmax()(x, mask=np.ones((2, 7), bool))",
        "layers.Softmax()(x, mask=np.ones((4, 3), bool))  # «the shape of the inputs»",
    ),
    ("layers/attention/heads.py", "query heads cannot share"): (
        "layers.GroupQueryAttention(2, 3, 2)",
        "layers.GroupQueryAttention(2, 4, 2) "
        " # «num_query_heads a multiple of num_key_value_heads»",
    ),
    ("layers/attention/projected.py", "cannot be used with dropout="): (
        "layers.MultiHeadAttention(2, 2, dropout=0.5, flash_attention=True)",
        "layers.MultiHeadAttention(2, 2, dropout=0.5, flash_attention=None) "
        " # «one of them to 0 or None»",
    ),
    ("layers/attention/projected.py", "flash_attention gives no scores"): (
        "made = layers.MultiHeadAttention(2, 2, flash_attention=True)\n"
        "made(np.ones((1, 3, 2)), np.ones((1, 3, 2)), return_attention_scores=True)",
        "made = layers.MultiHeadAttention(2, 2)  # «leave flash_attention out»\n"
        "made(np.ones((1, 3, 2)), np.ones((1, 3, 2)), return_attention_scores=True)",
    ),
    ("layers/attention/projected.py", "needs a query and a value"): (
        "layer(x)",
        "«layer(x, x)»",
        "layer = layers.MultiHeadAttention(2, 2); x = Input((3, 4))",
    ),
    ("layers/attention/projected.py", "does not fit scores of shape"): (
        "layer(x, x, attention_mask=np.ones((1, 7, 7), bool))",
        "layer(x, x, attention_mask=np.ones((1, 3, 3), bool))  # «(batch, queries, steps)»",
        "layer = layers.MultiHeadAttention(2, 2); x = np.ones((1, 3, 4))",
    ),
    ("layers/attention/scores.py", "takes a list [query, value]"): (
        "layer(x)",
        "«layer([x, x])»",
        "layer = layers.Attention(); x = Input((3, 4))",
    ),
    ("layers/convolution.py", "must know the number of channels"): (
        "layers.Conv2D(1, 2)(Input((6, 6, None)))",
        "layers.Conv2D(1, 2)(Input((6, 6, 3)))  # «give the channel axis a size»",
    ),
    ("layers/convolution.py", "Fix: data_format="): (
        "layer = layers.Conv2D(1, 2); layer(Input((6, 6, 3))); layer(Input((3, 6, 6)))",
        "layer = layers.Conv2D(1, 2, «data_format='channels_first'»); layer(Input((3, 6, 6)))",
    ),
    ("layers/convolution.py", "a window of"): (
        "layers.Conv2D(1, 9)(Input((6, 6, 3)))",
        "layers.Conv2D(1, 9, «padding='same'»)(Input((6, 6, 3)))",
    ),
    ("layers/convolution.py", "  Fix: give it inputs with"): (
        "layers.Conv2D(1, 2)(Input((2, 6, 6, 6, 3)))",
        "layers.Conv2D(1, 2)(Input((6, 6, 3)))  # «inputs with 4 axes»",
    ),
    ("layers/convolution.py", "x[:, None] adds a channel axis"): (
        "layer(x)",
        "layer(«x[:, None]»); layer(x[0][None, None])",
        "layer = layers.Conv1D(1, 2, data_format='channels_first')",
    ),
    ("layers/convolution.py", "adds one to the data, or put"): (
        "layers.Conv2D(1, 2)(x)",
        "layers.Conv2D(1, 2)(«x[..., None]»); layers.Conv2D(1, 2)(images[0][None])  # «x[None]»",
        "x = images[..., 0]",
    ),
    ("layers/convolution.py", "cannot be divided into"): (
        "layers.Conv2D(3, 2, groups=2)",
        "layers.Conv2D(4, 2, groups=2)  # «make filters a multiple of groups»",
    ),
    ("layers/convolution_transpose.py", "has an empty output for an input"): (
        "layers.Conv1DTranspose(1, 4, 2, 'same', output_padding=0)(Input((1, 1)))",
        "layers.Conv1DTranspose(1, 4, 2, «padding='valid'»)(Input((1, 1))) "
        " # «leave out output_padding»",
    ),
    ("layers/core.py", "of at least 2 axes and received shape"): (
        "layers.Dense(2)(x)",
        "layers.Dense(2)(«x[:, None]»); layers.Dense(2)(«x[None]»)",
        "x = x[0]",
    ),
    ("layers/core.py", "must know the number of features"): (
        "layers.Dense(2)(Input((None,)))",
        "layers.Dense(2)(Input((3,)))  # «give the last axis a size, e.g. in lamina.Input(shape)»",
    ),
    ("layers/core.py", "Fix: put lamina.layers.Flatten() before"): (
        "layer = layers.Dense(1); layer(Input((36,))); layer(Input((6, 6)))",
        "layer = layers.Dense(1); layer(Input((36,))); layer(«lamina.layers.Flatten()"
        "»(Input((6, 6))))",
    ),
    ("layers/einsum_dense.py", "do not fit together for inputs"): (
        "layers.EinsumDense('abc,cde->abde', output_shape=(3,))(Input((4, 5)))",
        "layers.EinsumDense('abc,cde->abde', output_shape=(4, 3, 2))(Input((4, 5)))"
        "  # «one size for every axis of the output, without the batch»",
    ),
    ("layers/einsum_dense.py", "must know the size of axis"): (
        "layers.EinsumDense('abc,bd->abd', output_shape=(None, 3))(Input((None, 5)))",
        "layers.EinsumDense('abc,bd->abd', output_shape=(None, 3))(Input((4, 5))) "
        " # «that axis a size»",
    ),
    ("layers/group_normalization.py", "channels cannot be divided into"): (
        "layers.GroupNormalization(2)(x)",
        "layers.GroupNormalization(3)(x)  # «a number of groups by which they can be divided»",
    ),
    ("layers/input.py", "no sparse or ragged inputs"): (
        "Input((3,), sparse=True)",
        "Input((3,))  # «give dense arrays»",
    ),
    ("layers/input.py", "Input needs the shape of one sample"): (
        "Input()",
        "«lamina.Input(shape=(28, 28))»; «lamina.Input(shape=())»",
    ),
    ("layers/jax_layer.py", "and there is nothing to make them from"): (
        "layers.JaxLayer(lambda params, inputs: params * inputs)",
        "layers.JaxLayer(lambda params, inputs: params * inputs, params=2.0) "
        " # «give init_fn, or params»",
    ),
    ("layers/jax_layer.py", "and no arguments other than"): (
        "layers.JaxLayer(scaled, params=2.0)",
        "layers.JaxLayer(lambda params, inputs: scaled(inputs, params), params=2.0)"
        "  # «wrap it in a function with these names»",
        "def scaled(rows, weights): return rows * weights",
    ),
    ("layers/masking.py", "and received shape"): (
        "layers.Masking()(x[0])",
        "layers.Masking()(«x[..., None]»)",
    ),
    ("layers/merging.py", "takes a list of tensors"): (
        "layers.Add()(x)",
        "layers.«Add()([x, y])»",
        "x = Input((3,)); y = Input((3,))",
    ),
    ("layers/merging.py", "cannot combine"): (
        "layers.Add()([Input((3,)), Input((4,))])",
        "layers.Add()([Input((3,)), layers.«Dense»(3)(Input((4,)))])",
    ),
    ("layers/normalization.py", "rms_scaling=True) divides by"): (
        "layers.LayerNormalization(rms_scaling=True)",
        "«lamina.layers.RMSNormalization()»",
    ),
    ("layers/normalization.py", "must know the size of axis"): (
        "layers.BatchNormalization()(Input((None,)))",
        "layers.BatchNormalization()(Input((3,)))  # «give that axis a size»",
    ),
    ("layers/pooling.py", "a window of"): (
        "layers.MaxPooling2D(9)(Input((6, 6, 1)))",
        "layers.MaxPooling2D(9, «padding='same'»)(Input((6, 6, 1)))",
    ),
    ("layers/reshaping.py", "received a single number"): (
        "layers.Flatten()(x)",
        "layers.Flatten()(«x.reshape(1, 1)»)",
        "x = np.array(3.0)",
    ),
    ("layers/settings.py", "\n  Fix: …=…"): (
        "layers.Dropout(20)",
        "layers.Dropout(«rate=0.2»)",
    ),
    ("layers/settings.py", "the layer trains and stores all of its weights"): (
        "layers.Dense(2, lora_rank=2, quantization_config='int8')",
        "layers.Dense(2)  # «leave it out»",
    ),
    ("layers/settings.py", "… adds a channel axis"): (
        "layers.MaxPooling2D()(x)",
        "layers.MaxPooling2D()(«x[..., None]»)",
        "x = images[..., 0]",
    ),
    ("layers/settings.py", "  Fix: … adds a channel axis"): (
        "layers.MaxPooling2D(data_format='channels_first')(x)",
        "layers.MaxPooling2D(data_format='channels_first')(«x[:, None]»)",
        "x = images[..., 0]",
    ),
    ("layers/wrapper.py", "needs one input (batch, time, ...)"): (
        "layers.TimeDistributed(layers.Dense(1))(x)",
        "layers.TimeDistributed(layers.Dense(1))(«x[..., None]»)",
    ),
    ("layers/wrapper.py", "(…), an object."): (
        "layers.TimeDistributed(layers.Dense)",
        "layers.TimeDistributed(layers.«Dense(»1))",
    ),
    ("layers/recurrent/bidirectional.py", "needs a recurrent layer"): (
        "layers.Bidirectional(layers.Dense(2))",
        "from lamina.layers import Bidirectional, LSTM; «Bidirectional(LSTM(32))»",
    ),
    ("layers/recurrent/bidirectional.py", "keeps no state between batches"): (
        "layers.Bidirectional(layers.LSTM(2)).reset_states()",
        "layers.Bidirectional(layers.LSTM(2, «stateful=True»)).reset_states()",
    ),
    ("layers/recurrent/bidirectional.py", "must run forwards and one backwards"): (
        "layers.Bidirectional(layers.LSTM(2), backward_layer=layers.LSTM(2))",
        "layers.Bidirectional(layers.LSTM(2), backward_layer=layers.LSTM(2, «go_backwards=True»))",
    ),
    ("layers/recurrent/cells.py", "takes one time step"): (
        "cell(Input((4, 3)))",
        "«lamina.layers.RNN(cell)»(Input((4, 3)))",
        "cell = layers.LSTMCell(2)",
    ),
    ("layers/recurrent/cells.py", "must know the number of features"): (
        "layers.LSTM(2)(Input((4, None)))",
        "layers.LSTM(2)(Input((4, 3)))  # «give the last axis a size»",
    ),
    ("layers/recurrent/conv_lstm.py", "must know the size of every axis but"): (
        "layers.ConvLSTM1D(1, 2)(Input((4, None, 3)))",
        "layers.ConvLSTM1D(1, 2)(Input((4, 6, 3)))  # «give them in lamina.Input(shape)»",
    ),
    ("layers/recurrent/rnn.py", "received no time step"): (
        "layers.LSTM(2)(np.ones((2, 0, 3)))",
        "made = net(layers.Masking(), layers.LSTM(2), inputs=(1, 3), compiled=False)\n"
        "made(np.zeros((2, 1, 3)))  # «pad them to one masked step»",
    ),
    ("layers/recurrent/rnn.py", "is stateful and must know"): (
        "layers.LSTM(2, stateful=True)(Input((4, 3)))",
        "shape = (4, 3); layers.LSTM(2, stateful=True)(«lamina.Input(shape, batch_size=32)»)",
    ),
    ("layers/recurrent/rnn.py", "is stateful for batches of"): (
        "made(np.ones((3, 4, 3)))",
        "made(np.ones((2, 4, 3)))  # «give it whole batches only»",
        "made = layers.LSTM(2, stateful=True); made(np.ones((2, 4, 3)))",
    ),
    ("layers/recurrent/rnn.py", "takes one sequence and received several"): (
        "layer([x, state])",
        "«layer(x, initial_state=[»state])",
        "layer = layers.GRU(2); x = Input((4, 3)); state = Input((2,))",
    ),
    ("layers/recurrent/rnn.py", "of at least 3 axes"): (
        "layers.LSTM(2)(x)",
        "layers.LSTM(2)(«x[..., None]»); layers.LSTM(2)(«x[:, None]»)",
    ),
    ("layers/core.py", "give it inputs of the shape it was built for"): (
        "layer = layers.Dense(1); layer(Input((5,))); layer(Input((6,)))",
        "layer = layers.Dense(1); layer(Input((5,))); layer(Input((5,))) "
        " # «inputs of the shape it was built for»",
    ),
    ("layers/other_frameworks.py", "…\n  Fix: …"): (
        "layers.TFSMLayer('folder')",
        "model = net(); «model.save('model.keras')»; «lamina.saving.load_model('model.keras')»",
    ),
    ("layers/input.py", "Input takes either batch_size or"): (
        "Input(batch_size=2, batch_shape=(2, 3))",
        "Input(batch_shape=(2, 3))  # «batch_shape[0] alone»",
    ),
    ("layers/input.py", "contradicts the tensor"): (
        "Input((5,), tensor=Input((3,)))",
        "Input(tensor=Input((3,)))  # «leave shape out»",
    ),
    ("layers/merging.py", "compute_mask takes a list of"): (
        "layers.Add().compute_mask(x, x)",
        "layers.Concatenate().«compute_mask([x, y], [mask_of_x, mask_of_y])»",
        "y = x; mask_of_x = mask_of_y = np.ones((4, 3), bool)",
    ),
}
