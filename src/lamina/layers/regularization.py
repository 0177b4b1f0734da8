"""Dropout layers, and ActivityRegularization."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lamina import random, regularizers
from lamina.core.configuration.config import standardize_data_format
from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.layer.layer import Layer
from lamina.core.types import Array, DTypePolicyLike, Shape
from lamina.core.variable.seed import SeedGenerator
from lamina.layers.settings import (
    check_fraction,
    check_rank,
    random_generator_of,
    same_dtype,
    settings_of,
)
from lamina.ops import sliding_windows

if TYPE_CHECKING:
    from lamina.layers import noise


class Dropout(Layer):
    """Sets a random part of the values to zero in training; otherwise returns its input.

    Other values are divided by `1 - rate`, so that the expected sum does not change.

    Args:
        rate: Fraction from 0 to 1 of the values to drop.
        noise_shape: Shape of the pattern of zeros: `(None, 1, None)` drops features for all
            steps of `(batch, time, features)`. None means the input's size.
        seed: An integer for reproducible patterns.
        **kwargs: `name`, `dtype`; see `Layer`.

    Input shape: Any.
    Output shape: Same as the input.

    Source: Srivastava et al., 2014, "Dropout: A Simple Way to Prevent Neural Networks from
    Overfitting", Journal of Machine Learning Research 15.

    Example:
        >>> import numpy as np
        >>> layer = Dropout(0.5, seed=1)
        >>> layer(np.ones(3)).tolist()
        [1.0, 1.0, 1.0]
        >>> sorted(set(layer(np.ones(100), training=True).tolist()))
        [0.0, 2.0]
    """

    def __init__(
        self,
        rate: float,
        noise_shape: Sequence[int | None] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.rate = check_fraction(type(self).__name__, "rate", rate)
        self.noise_shape = check_noise_shape("Dropout", noise_shape)
        self.seed = seed
        if rate > 0:
            self.seed_generator = SeedGenerator(seed)
        self.supports_masking = True

    def call(self, inputs: Array, training: bool = False) -> Array:
        """In training, set some values to 0 and scale the others.

        Args:
            inputs: Array of any shape.
            training: Whether values are dropped; otherwise the inputs are returned unchanged.

        Returns:
            Array of the same shape.
        """
        if not training or self.rate == 0:
            return inputs
        check_noise_axes(self, inputs.shape)
        return random.dropout(inputs, self.rate, self.noise_shape, random_generator_of(self))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "rate", "seed", "noise_shape")}


class BaseSpatialDropout(Dropout):
    """Base class of SpatialDropout1D, SpatialDropout2D and SpatialDropout3D.

    Args:
        rate: Fraction from 0 to 1 of the channels to drop.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        seed: An integer for reproducible patterns.
        name, dtype: See `Layer`.
    """

    rank: int

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        name: str | None = None,
        dtype: DTypePolicyLike = None,
        **kwargs: Any,
    ):
        super().__init__(rate, seed=seed, name=name, dtype=dtype, **kwargs)
        self.data_format = standardize_data_format(data_format)
        axes = sliding_windows.spatial_axes(self.rank + 2, self.data_format)
        self.noise_shape = tuple(1 if a in axes else None for a in range(self.rank + 2))

    def call(self, inputs: Array, training: bool = False) -> Array:
        """In training, set some channels to 0 and scale the others.

        Args:
            inputs: Array `(batch, ..., channels)`, or channels first.
            training: Whether channels are dropped; otherwise the inputs are returned unchanged.

        Returns:
            Array of the same shape.

        Raises:
            ValueError: If the inputs have a different number of axes.
        """
        check_rank(self, self.rank, inputs.shape)
        return super().call(inputs, training)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        check_rank(self, self.rank, input_shape)
        return input_shape

    def get_config(self) -> dict:
        # Keras's classes take fewer arguments than most layers.
        settings = settings_of(self, "rate", "seed", "name", "data_format")
        return {**settings, "dtype": self.dtype_policy.name}


class SpatialDropout1D(BaseSpatialDropout):
    """Drops whole channels of sequences in training, because neighbouring steps are correlated.

    Args:
        rate: Fraction from 0 to 1 of the channels to drop.
        seed: An integer for reproducible patterns.
        name, dtype: See `Layer`.

    Input shape: `(batch, steps, channels)`.
    Output shape: Same as the input.

    Source: Tompson et al., 2014, "Efficient Object Localization Using Convolutional Networks",
    arXiv:1411.4280.

    Example:
        >>> import numpy as np
        >>> y = SpatialDropout1D(0.5, seed=1)(np.ones((1, 9, 50)), training=True)
        >>> bool((y[:, 0] == y[:, 8]).all())
        True
    """

    rank = 1

    def __init__(
        self,
        rate: float,
        seed: int | None = None,
        name: str | None = None,
        dtype: DTypePolicyLike = None,
        **kwargs: Any,
    ):
        super().__init__(rate, "channels_last", seed, name, dtype, **kwargs)

    def get_config(self) -> dict:
        config = super().get_config()
        del config["data_format"]
        return config


class SpatialDropout2D(BaseSpatialDropout):
    """Drops whole channels of images in training, because neighbouring pixels are correlated.

    Args: See `BaseSpatialDropout`.

    Input shape: `(batch, height, width, channels)`.
    Output shape: Same as the input.

    Source: Tompson et al., 2014, "Efficient Object Localization Using Convolutional Networks",
    arXiv:1411.4280.

    Example:
        >>> import numpy as np
        >>> y = SpatialDropout2D(0.5, seed=1)(np.ones((1, 3, 3, 50)), training=True)
        >>> bool((y[:, 0, 0] == y[:, 2, 1]).all())
        True
    """

    rank = 2


class SpatialDropout3D(BaseSpatialDropout):
    """Drops whole channels of volumes in training.

    Args: See `BaseSpatialDropout`.

    Input shape: `(batch, depth, height, width, channels)`.
    Output shape: Same as the input.

    Source: Tompson et al., 2014, "Efficient Object Localization Using Convolutional Networks",
    arXiv:1411.4280.

    Example:
        >>> import numpy as np
        >>> y = SpatialDropout3D(0.5, seed=1)(np.ones((1, 2, 2, 2, 50)), training=True)
        >>> bool((y[:, 0, 0, 0] == y[:, 1, 0, 1]).all())
        True
    """

    rank = 3


class ActivityRegularization(Layer):
    """Returns its input and adds a penalty on it, per sample, to the loss.

    Args:
        l1: Strength of the penalty on magnitudes, 0 or more.
        l2: Strength of the penalty on squares, 0 or more.
        **kwargs: `name`, `dtype`; see `Layer`.

    Input shape: Any.
    Output shape: Same as the input.

    Example:
        >>> import numpy as np
        >>> layer = ActivityRegularization(l2=0.5)
        >>> layer(np.array([[1.0, 2.0]])).tolist(), [float(loss) for loss in layer.losses]
        ([[1.0, 2.0]], [2.5])
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any):
        super().__init__(activity_regularizer=regularizers.L1L2(l1=l1, l2=l2), **kwargs)
        self.l1 = l1
        self.l2 = l2
        self.supports_masking = True

    def call(self, inputs: Array) -> Array:
        """Return the inputs; their penalty is added to the loss.

        Args:
            inputs: Array of any shape.

        Returns:
            The same array.
        """
        return inputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def compute_output_spec(self, inputs: KerasTensor) -> KerasTensor:
        return same_dtype(self, inputs, inputs.shape)

    def get_config(self) -> dict:
        config = super().get_config()
        del config["activity_regularizer"]
        return {**config, **settings_of(self, "l1", "l2")}


def check_noise_shape(layer: str, noise_shape: Sequence[int | None] | None) -> tuple | None:
    """A checked noise shape: integers, and None for the size of the input."""
    if noise_shape is None:
        return None
    is_shape = isinstance(noise_shape, (list, tuple)) and all(
        size is None or (isinstance(size, int) and size > 0) for size in noise_shape
    )
    if not is_shape:
        raise ValueError(
            f"{layer}: noise_shape must be integers of 1 or more and None; "
            f"received {noise_shape!r}."
        )
    return tuple(noise_shape)


def check_noise_axes(layer: "Dropout | noise.AlphaDropout", shape: Shape) -> None:
    """Refuse inputs whose number of axes is not that of the layer's noise_shape."""
    if layer.noise_shape is not None and len(layer.noise_shape) != len(shape):
        raise ValueError(
            f"{layer._label}: noise_shape {layer.noise_shape} needs as many axes as the input, "
            f"which has shape {shape}."
        )
