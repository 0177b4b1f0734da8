"""Cropping and zero padding of sequences, images and volumes."""

from collections.abc import Sequence
from typing import Any

from jax import lax

from lamina.core.configuration.config import standardize_data_format
from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.layer.layer import Layer
from lamina.core.types import Array, Shape
from lamina.layers.settings import check_rank, same_dtype, settings_of
from lamina.ops import sliding_windows

Pair = tuple[int, ...]  # number of values (before, after)


class BaseCroppingOrPadding(Layer):
    """Base class of cropping and padding; the number of spatial axes is `rank`."""

    rank: int
    sign: int  # 1 for padding, -1 for cropping
    amounts: str  # name of the argument

    def __init__(self, amounts: Any, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        pairs = _pairs(amounts, self.rank, f"{type(self).__name__}: {self.amounts}")
        setattr(self, self.amounts, pairs[0] if self.rank == 1 else pairs)

    def call(self, inputs: Array) -> Array:
        """Crop the inputs, or pad them with zeros.

        Args:
            inputs: Array `(batch, ..., channels)`, or channels first.

        Returns:
            Array of the same number of axes.

        Raises:
            ValueError: If the inputs have a different number of axes, or an axis would be
                empty.
        """
        self._check(inputs.shape)
        widths = [(0, 0, 0)] * inputs.ndim
        for axis, (before, after) in self._by_axis.items():
            widths[axis] = (self.sign * before, self.sign * after, 0)
        return lax.pad(inputs, lax.convert_element_type(0, inputs.dtype), widths)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self._check(input_shape)
        shape = list(input_shape)
        for axis, amounts in self._by_axis.items():
            size = shape[axis]
            shape[axis] = None if size is None else size + self.sign * sum(amounts)
        return tuple(shape)

    def compute_output_spec(self, inputs: KerasTensor) -> KerasTensor:
        return same_dtype(self, inputs, self.compute_output_shape(inputs.shape))

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, self.amounts, "data_format")}

    @property
    def _by_axis(self) -> dict[int, Pair]:
        pairs = getattr(self, self.amounts)
        axes = sliding_windows.spatial_axes(self.rank + 2, self.data_format)
        return dict(zip(axes, [pairs] if self.rank == 1 else pairs, strict=True))

    def _check(self, shape: Shape) -> None:
        check_rank(self, self.rank, shape)
        for axis, amounts in self._by_axis.items():
            size = shape[axis]
            if self.sign < 0 and size is not None and sum(amounts) >= size:
                raise ValueError(
                    f"{self._label} would remove all of axis {axis}: {amounts} of {size}.\n"
                    f"  Received: an input of shape {tuple(shape)}, {self.data_format}."
                )


class BaseCropping(BaseCroppingOrPadding):
    """Base class of Cropping1D, Cropping2D and Cropping3D.

    Args:
        cropping: Number of values to remove on either side of every spatial axis: one number for
            all, or for every axis a number or a pair (before, after).
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        **kwargs: `name`, `dtype`; see `Layer`.
    """

    sign, amounts = -1, "cropping"

    def __init__(
        self, cropping: int | Sequence[Any] = 1, data_format: str | None = None, **kwargs: Any
    ):
        super().__init__(cropping, data_format, **kwargs)


class Cropping1D(BaseCropping):
    """Removes the first and the last time steps.

    Args:
        cropping: Number of steps; one number, or a pair (first, last).
        **kwargs: `name`, `dtype`; see `Layer`.

    Input shape: `(batch, steps, channels)`.
    Output shape: `(batch, steps - cropped, channels)`.

    Example:
        >>> import numpy as np
        >>> Cropping1D((1, 2))(np.arange(5.0).reshape(1, 5, 1))[0, :, 0].tolist()
        [1.0, 2.0]
    """

    rank = 1

    def __init__(self, cropping: int | Sequence[Any] = 1, **kwargs: Any):
        super().__init__(cropping, "channels_last", **kwargs)

    def get_config(self) -> dict:
        config = super().get_config()
        del config["data_format"]
        return config


class Cropping2D(BaseCropping):
    """Removes rows and columns at the edges of images.

    Args: See `BaseCropping`.

    Input shape: `(batch, height, width, channels)`.
    Output shape: `(batch, height - cropped, width - cropped, channels)`.

    Example:
        >>> import numpy as np
        >>> Cropping2D(((1, 2), (0, 3)))(np.zeros((1, 8, 9, 3))).shape
        (1, 5, 6, 3)
    """

    rank = 2

    def __init__(
        self, cropping: int | Sequence[Any] = 0, data_format: str | None = None, **kwargs: Any
    ):
        super().__init__(cropping, data_format, **kwargs)


class Cropping3D(BaseCropping):
    """Removes values at the edges of volumes.

    Args: See `BaseCropping`.

    Input shape: `(batch, depth, height, width, channels)`.
    Output shape: `(batch, depth - cropped, height - cropped, width - cropped, channels)`.

    Example:
        >>> import numpy as np
        >>> Cropping3D(1)(np.zeros((1, 4, 5, 6, 3))).shape
        (1, 2, 3, 4, 3)
    """

    rank = 3


class BasePadding(BaseCroppingOrPadding):
    """Base class of ZeroPadding1D, ZeroPadding2D and ZeroPadding3D.

    Args:
        padding: Number of zeros to add on either side of every spatial axis: one number for all, or
            for every axis a number or a pair (before, after).
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        **kwargs: `name`, `dtype`; see `Layer`.
    """

    sign, amounts = 1, "padding"

    def __init__(
        self, padding: int | Sequence[Any] = 1, data_format: str | None = None, **kwargs: Any
    ):
        super().__init__(padding, data_format, **kwargs)


class ZeroPadding1D(BasePadding):
    """Adds time steps of zeros before and after.

    Args: See `BasePadding`; for one axis, a pair is (before, after).

    Input shape: `(batch, steps, channels)`.
    Output shape: `(batch, steps + added, channels)`.

    Example:
        >>> import numpy as np
        >>> ZeroPadding1D((2, 1))(np.ones((1, 2, 1)))[0, :, 0].tolist()
        [0.0, 0.0, 1.0, 1.0, 0.0]
    """

    rank = 1


class ZeroPadding2D(BasePadding):
    """Adds zeros around images.

    Args: See `BasePadding`.

    Input shape: `(batch, height, width, channels)`.
    Output shape: `(batch, height + added, width + added, channels)`.

    Example:
        >>> import numpy as np
        >>> ZeroPadding2D((1, 2))(np.ones((1, 4, 5, 3))).shape
        (1, 6, 9, 3)
    """

    rank = 2


class ZeroPadding3D(BasePadding):
    """Adds zeros around volumes.

    Args: See `BasePadding`.

    Input shape: `(batch, depth, height, width, channels)`.
    Output shape: `(batch, depth + added, height + added, width + added, channels)`.

    Example:
        >>> import numpy as np
        >>> ZeroPadding3D()(np.ones((1, 2, 3, 4, 1))).shape
        (1, 4, 5, 6, 1)
    """

    rank = 3


def _pairs(amounts: Any, rank: int, name: str) -> tuple[Pair, ...]:
    """A pair (before, after) for every axis, from one number, or a number or pair for each."""
    if isinstance(amounts, int):
        amounts = [amounts] * rank
    elif rank == 1:
        amounts = [amounts]
    if not isinstance(amounts, Sequence) or len(amounts) != rank:
        alternative = "one for every axis, " if rank > 1 else ""
        raise ValueError(
            f"{name} must be an integer or {alternative}a number or a pair (before, after); "
            f"received {amounts!r}."
        )
    return tuple(
        sliding_windows.to_integers_per_axis(amount, 2, name, minimum=0) for amount in amounts
    )
