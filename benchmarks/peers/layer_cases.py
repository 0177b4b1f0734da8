"""Single layers to be trained: the shape of a batch, and the layer in the words of each library.

The shapes have the channels or features last. Read in every environment, so nothing is imported.
"""

BATCHES = 8  # of an epoch

# name: shape of a batch, layer in Keras's words, module in PyTorch's
IMAGES = {
    "Conv1D": (
        (32, 128, 32),
        lambda layers: layers.Conv1D(64, 5, padding="same"),
        lambda nn: nn.Conv1d(32, 64, 5, padding=2),
    ),
    "Conv1D, stride 2": (
        (32, 128, 32),
        lambda layers: layers.Conv1D(64, 5, strides=2, padding="valid"),
        lambda nn: nn.Conv1d(32, 64, 5, stride=2),
    ),
    "Conv1D, causal, dilation 4": (
        (32, 128, 32),
        lambda layers: layers.Conv1D(64, 3, dilation_rate=4, padding="causal"),
        lambda nn: nn.Sequential(nn.ConstantPad1d((8, 0), 0.0), nn.Conv1d(32, 64, 3, dilation=4)),
    ),
    "Conv2D": (
        (32, 28, 28, 32),
        lambda layers: layers.Conv2D(64, 3, padding="same"),
        lambda nn: nn.Conv2d(32, 64, 3, padding=1),
    ),
    "Conv2D, stride 2": (
        (32, 28, 28, 32),
        lambda layers: layers.Conv2D(64, 3, strides=2, padding="valid"),
        lambda nn: nn.Conv2d(32, 64, 3, stride=2),
    ),
    "Conv2D, dilation 2": (
        (32, 28, 28, 32),
        lambda layers: layers.Conv2D(64, 3, dilation_rate=2, padding="same"),
        lambda nn: nn.Conv2d(32, 64, 3, dilation=2, padding=2),
    ),
    "Conv2D, 4 groups": (
        (32, 28, 28, 32),
        lambda layers: layers.Conv2D(64, 3, groups=4, padding="same"),
        lambda nn: nn.Conv2d(32, 64, 3, groups=4, padding=1),
    ),
    "Conv2D, 32 groups": (
        (32, 14, 14, 128),
        lambda layers: layers.Conv2D(128, 3, groups=32, padding="same"),
        lambda nn: nn.Conv2d(128, 128, 3, groups=32, padding=1),
    ),
    "DepthwiseConv2D": (
        (32, 28, 28, 32),
        lambda layers: layers.DepthwiseConv2D(3, padding="same"),
        lambda nn: nn.Conv2d(32, 32, 3, groups=32, padding=1),
    ),
    "SeparableConv2D": (
        (32, 28, 28, 32),
        lambda layers: layers.SeparableConv2D(64, 3, padding="same"),
        lambda nn: nn.Sequential(
            nn.Conv2d(32, 32, 3, groups=32, padding=1, bias=False), nn.Conv2d(32, 64, 1)
        ),
    ),
    "Conv2DTranspose, stride 2": (
        (32, 14, 14, 64),
        lambda layers: layers.Conv2DTranspose(32, 3, strides=2, padding="same"),
        lambda nn: nn.ConvTranspose2d(64, 32, 3, stride=2, padding=1, output_padding=1),
    ),
    "Conv3D": (
        (8, 12, 16, 16, 16),
        lambda layers: layers.Conv3D(16, 3, padding="same"),
        lambda nn: nn.Conv3d(16, 16, 3, padding=1),
    ),
}
SEQUENCES = {
    "SimpleRNN": (
        (32, 60, 64),
        lambda layers: layers.SimpleRNN(64),
        lambda nn: nn.RNN(64, 64, batch_first=True),
    ),
    "LSTM": (
        (32, 60, 64),
        lambda layers: layers.LSTM(64),
        lambda nn: nn.LSTM(64, 64, batch_first=True),
    ),
    "GRU": (
        (32, 60, 64),
        lambda layers: layers.GRU(64),
        lambda nn: nn.GRU(64, 64, batch_first=True),
    ),
    "Bidirectional LSTM": (
        (32, 60, 64),
        lambda layers: layers.Bidirectional(layers.LSTM(64)),
        lambda nn: nn.LSTM(64, 64, batch_first=True, bidirectional=True),
    ),
    "Bidirectional GRU": (
        (32, 60, 64),
        lambda layers: layers.Bidirectional(layers.GRU(64)),
        lambda nn: nn.GRU(64, 64, batch_first=True, bidirectional=True),
    ),
}
CASES = {**IMAGES, **SEQUENCES}
