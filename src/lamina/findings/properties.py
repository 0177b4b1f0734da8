"""Properties of losses, activations and layers, for checks before and after a training."""

# From a loss to the activation that computes the probabilities that it expects.
PROBABILITY_LOSSES = {
    "sparse_categorical_crossentropy": "softmax",
    "categorical_crossentropy": "softmax",
    "binary_crossentropy": "sigmoid",
}
REGRESSION_LOSSES = frozenset(
    {
        "mean_squared_error",
        "mean_absolute_error",
        "huber",
        "log_cosh",
        "mean_absolute_percentage_error",
        "mean_squared_logarithmic_error",
    }
)
_INFINITY = float("inf")
RANGES_OF_ACTIVATIONS: dict[str, tuple[float, float]] = {
    "sigmoid": (0, 1),
    "hard_sigmoid": (0, 1),
    "softmax": (0, 1),
    "tanh": (-1, 1),
    "softsign": (-1, 1),
    "relu": (0, _INFINITY),
    "relu6": (0, 6),
    "softplus": (0, _INFINITY),
}
# Layers that multiply their inputs by weights.
WEIGHTED_KINDS = frozenset(
    "Dense EinsumDense Conv1D Conv2D Conv3D DepthwiseConv2D SeparableConv1D SeparableConv2D "
    "LSTM GRU SimpleRNN ConvLSTM2D".split()
)
# Networks learn poorly from inputs far beyond ±20. Hours of the day (0 to 24) are fine.
LARGE_INPUT = 25
# Inputs are too large if this fraction of them is beyond that limit.
LARGE_INPUT_SHARE = 0.02
