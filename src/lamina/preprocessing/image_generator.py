"""ImageDataGenerator: batches of randomly transformed images, in NumPy."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from lamina.core.configuration.config import floatx, image_data_format
from lamina.core.messages.errors import LaminaWarning, unknown_argument, unknown_name
from lamina.core.messages.tracebacks import filter_tracebacks_of_methods
from lamina.core.types import DTypeLike
from lamina.preprocessing.image_iterators import (
    DataFrameIterator,
    DirectoryIterator,
    NumpyArrayIterator,
    _warn_of_unusual_channels,
)
from lamina.preprocessing.image_transforms import (
    _pair,
    apply_affine_transform,
    apply_brightness_shift,
    apply_channel_shift,
)


@filter_tracebacks_of_methods
class ImageDataGenerator:
    """Batches of randomly transformed images, as in `tf.keras`.

    Newer and faster: `utils.image_dataset_from_directory`, and layers such as `RandomFlip` in the
    model, which are compiled with it.

    Args:
        featurewise_center, featurewise_std_normalization: Whether channels get mean 0, and
            standard deviation 1, over the data that `fit` has seen.
        samplewise_center, samplewise_std_normalization: The same for each image separately.
        zca_whitening: Whether pixels are made uncorrelated over the data that `fit` has seen.
        zca_epsilon: Added to the standard deviations for whitening.
        rotation_range: Maximum angle, in degrees.
        width_shift_range, height_shift_range: Maximum shift: a fraction of the size below 1,
            pixels from 1 on, or a list of shifts to choose from.
        brightness_range: Pair of the minimum and maximum brightness factor.
        shear_range: Maximum angle of a shear, in degrees.
        zoom_range: Pair of factors, or a number for `1 - zoom_range` to `1 + zoom_range`.
        channel_shift_range: Maximum number that is added to all values.
        fill_mode, cval: How values outside of the image are filled; see `apply_affine_transform`.
        horizontal_flip, vertical_flip: Whether to flip half of the images.
        rescale: Factor for all values, e.g. `1 / 255`.
        preprocessing_function: Called with each image before it is standardised.
        data_format: Where the channels are.
        validation_split: Fraction of the data that is `subset="validation"`.
        interpolation_order: See `apply_affine_transform`.
        dtype: Dtype of the batches.

    Example:
        >>> generator = ImageDataGenerator(rescale=0.5)
        >>> x, y = next(generator.flow(np.ones((4, 2, 2, 1)), np.arange(4), batch_size=3))
        >>> x.shape, float(x.max()), y.shape
        ((3, 2, 2, 1), 0.5, (3,))
    """

    def __init__(
        self,
        featurewise_center: bool = False,
        samplewise_center: bool = False,
        featurewise_std_normalization: bool = False,
        samplewise_std_normalization: bool = False,
        zca_whitening: bool = False,
        zca_epsilon: float = 1e-6,
        rotation_range: float = 0,
        width_shift_range: Any = 0.0,
        height_shift_range: Any = 0.0,
        brightness_range: Any = None,
        shear_range: float = 0.0,
        zoom_range: Any = 0.0,
        channel_shift_range: float = 0.0,
        fill_mode: str = "nearest",
        cval: float = 0.0,
        horizontal_flip: bool = False,
        vertical_flip: bool = False,
        rescale: float | None = None,
        preprocessing_function: Callable[[np.ndarray], np.ndarray] | None = None,
        data_format: str | None = None,
        validation_split: float = 0.0,
        interpolation_order: int = 1,
        dtype: DTypeLike | None = None,
    ):
        self.data_format = image_data_format() if data_format is None else data_format
        if self.data_format not in ("channels_last", "channels_first"):
            formats = ("channels_last", "channels_first")
            raise unknown_name("data_format", self.data_format, formats)
        last = self.data_format == "channels_last"
        # For batches.
        self.row_axis, self.col_axis, self.channel_axis = (1, 2, 3) if last else (2, 3, 1)
        if validation_split and not 0 < validation_split < 1:
            raise ValueError(
                f"ImageDataGenerator: validation_split must be a fraction; received "
                f"{validation_split}."
            )
        if isinstance(zoom_range, (int, float)):
            zoom_range = (1 - zoom_range, 1 + zoom_range)
        self.zoom_range = list(_pair("ImageDataGenerator", "zoom_range", zoom_range))
        if brightness_range is not None:
            _pair("ImageDataGenerator", "brightness_range", brightness_range)
        self.brightness_range = brightness_range
        self.featurewise_center = featurewise_center
        self.samplewise_center = samplewise_center
        self.featurewise_std_normalization = featurewise_std_normalization
        self.samplewise_std_normalization = samplewise_std_normalization
        self.zca_whitening = zca_whitening
        self.zca_epsilon = zca_epsilon
        self.rotation_range = rotation_range
        self.width_shift_range = width_shift_range
        self.height_shift_range = height_shift_range
        self.shear_range = shear_range
        self.channel_shift_range = channel_shift_range
        self.fill_mode = fill_mode
        self.cval = cval
        self.horizontal_flip = horizontal_flip
        self.vertical_flip = vertical_flip
        self.rescale = rescale
        self.preprocessing_function = preprocessing_function
        self.interpolation_order = interpolation_order
        self.dtype = floatx() if dtype is None else dtype
        self._validation_split = validation_split
        self.mean: Any = None
        self.std: Any = None
        self.zca_whitening_matrix: Any = None
        self._set_dependent_options()

    def _set_dependent_options(self) -> None:
        """Change the options that other options require, as Keras does, with a warning."""
        if self.zca_whitening:
            self._require("zca_whitening", "featurewise_center", True)
            self._require("zca_whitening", "featurewise_std_normalization", False)
        if self.featurewise_std_normalization:
            self._require("featurewise_std_normalization", "featurewise_center", True)
        if self.samplewise_std_normalization:
            self._require("samplewise_std_normalization", "samplewise_center", True)

    def _require(self, option: str, name: str, value: bool) -> None:
        if getattr(self, name) is not value:
            warnings.warn(
                f"ImageDataGenerator: {option}=True sets {name}={value}.\n  Fix: {name}={value}.",
                LaminaWarning,
                stacklevel=4,
            )
            setattr(self, name, value)

    # -- batches ---------------------------------------------------------------------------------

    def flow(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        shuffle: bool = True,
        sample_weight: Any = None,
        seed: int | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        ignore_class_split: bool = False,
        subset: str | None = None,
    ) -> NumpyArrayIterator:
        """Batches of images from an array; see `NumpyArrayIterator`.

        Args:
            x: Images `(samples, height, width, channels)`, or a tuple of them and further arrays.
            y: Targets, `(samples, ...)`, or None.
            batch_size: Images in a batch.
            shuffle: Whether to shuffle them for every epoch.
            sample_weight: Weights, `(samples,)`, or None.
            seed: Seed of the order and the transforms, or None.
            save_to_dir: Folder that the transformed images are written to, or None.
            save_prefix: Prefix of their names.
            save_format: Their format, e.g. `"png"`.
            ignore_class_split: Whether training and validation part may have different classes.
            subset: `"training"`, `"validation"` or None for all, with a `validation_split`.

        Returns:
            An endless iterator over batches.
        """
        return NumpyArrayIterator(
            x, y, self, batch_size, shuffle, sample_weight, seed, self.data_format, save_to_dir,
            save_prefix, save_format, subset, ignore_class_split, self.dtype,
        )  # fmt: skip

    def flow_from_directory(
        self,
        directory: Any,
        target_size: Any = (256, 256),
        color_mode: str = "rgb",
        classes: Any = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
    ) -> DirectoryIterator:
        """Batches of images from a folder with a folder for each class.

        Args:
            directory: The folder.
            target_size: Height and width of all images, in pixels.
            color_mode: `"rgb"`, `"rgba"` or `"grayscale"`.
            classes: Names of the folders, in the order of their numbers; all, sorted, for None.
            class_mode: Type of the targets; see `DirectoryIterator`.
            batch_size: Images in a batch.
            shuffle: Whether to shuffle them for every epoch.
            seed: Seed of the order and the transforms, or None.
            save_to_dir: Folder that the transformed images are written to, or None.
            save_prefix: Prefix of their names.
            save_format: Their format, e.g. `"png"`.
            follow_links: Whether to follow links to folders.
            subset: `"training"`, `"validation"` or None for all, with a `validation_split`.
            interpolation: How images are resized, e.g. `"nearest"`.
            keep_aspect_ratio: Whether to crop images instead of distorting them.

        Returns:
            An endless iterator over batches.
        """
        return DirectoryIterator(
            directory, self, target_size, color_mode, classes, class_mode, batch_size, shuffle,
            seed, self.data_format, save_to_dir, save_prefix, save_format, follow_links, subset,
            interpolation, keep_aspect_ratio, self.dtype,
        )  # fmt: skip

    def flow_from_dataframe(
        self,
        dataframe: Any,
        directory: Any = None,
        x_col: str = "filename",
        y_col: Any = "class",
        weight_col: str | None = None,
        target_size: Any = (256, 256),
        color_mode: str = "rgb",
        classes: Any = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str = "nearest",
        validate_filenames: bool = True,
        **kwargs: Any,
    ) -> DataFrameIterator:
        """Batches of images whose names and targets are columns of a table.

        Args:
            dataframe: A pandas DataFrame.
            directory: Folder of the files; None if the names are paths.
            x_col: Column of the names.
            y_col: Column, or list of columns, of the targets.
            weight_col: Column of sample weights, or None.
            target_size: Height and width of all images, in pixels.
            color_mode: `"rgb"`, `"rgba"` or `"grayscale"`.
            classes: Names of the classes, in the order of their numbers; all, sorted, for None.
            class_mode: Type of the targets; see `DataFrameIterator`.
            batch_size: Images in a batch.
            shuffle: Whether to shuffle them for every epoch.
            seed: Seed of the order and the transforms, or None.
            save_to_dir: Folder that the transformed images are written to, or None.
            save_prefix: Prefix of their names.
            save_format: Their format, e.g. `"png"`.
            subset: `"training"`, `"validation"` or None for all, with a `validation_split`.
            interpolation: How images are resized, e.g. `"nearest"`.
            validate_filenames: Whether to skip names without an image.
            **kwargs: `has_ext`, `sort` and `drop_duplicates` of Keras 2, without effect.

        Returns:
            An endless iterator over batches.

        Raises:
            TypeError: If there is any other argument.
        """
        ignored = {"has_ext", "sort", "drop_duplicates"}  # arguments of Keras 2
        unexpected = next((name for name in kwargs if name not in ignored), None)
        if unexpected is not None:
            raise unknown_argument(
                "flow_from_dataframe()", unexpected, ("x_col", "y_col", "classes")
            )
        class_mode = "raw" if class_mode == "other" else class_mode
        return DataFrameIterator(
            dataframe, directory, self, x_col, y_col, weight_col, target_size, color_mode, classes,
            class_mode, batch_size, shuffle, seed, self.data_format, save_to_dir, save_prefix,
            save_format, subset, interpolation, False, self.dtype, validate_filenames,
        )  # fmt: skip

    # -- one image -----------------------------------------------------------------------------

    def get_random_transform(self, img_shape: tuple, seed: int | None = None) -> dict[str, Any]:
        """Draw a random transform for an image.

        Args:
            img_shape: Shape of the image.
            seed: Seed that NumPy's generator is set to before, or None.

        Returns:
            A dict for `apply_transform`.
        """
        if seed is not None:
            np.random.seed(seed)
        parameters: dict[str, Any] = {"theta": _random_up_to(self.rotation_range)}
        parameters["tx"] = _random_shift(self.height_shift_range, img_shape[self.row_axis - 1])
        parameters["ty"] = _random_shift(self.width_shift_range, img_shape[self.col_axis - 1])
        parameters["shear"] = _random_up_to(self.shear_range)
        low, high = self.zoom_range
        zoom: Any = (1, 1) if low == high == 1 else np.random.uniform(low, high, 2)
        parameters["zx"], parameters["zy"] = zoom
        parameters["flip_horizontal"] = (np.random.random() < 0.5) * self.horizontal_flip
        parameters["flip_vertical"] = (np.random.random() < 0.5) * self.vertical_flip
        channels = self.channel_shift_range
        parameters["channel_shift_intensity"] = _random_up_to(channels) if channels != 0 else None
        bright = self.brightness_range
        parameters["brightness"] = None if bright is None else np.random.uniform(*bright)
        return parameters

    def apply_transform(self, x: np.ndarray, transform_parameters: dict[str, Any]) -> np.ndarray:
        """Apply a transform to an image; its parts are optional.

        Args:
            x: Image with three axes.
            transform_parameters: The result of `get_random_transform`.

        Returns:
            An image of the same shape.
        """
        row, column, channel = (a - 1 for a in (self.row_axis, self.col_axis, self.channel_axis))
        names = ("theta", "tx", "ty", "shear", "zx", "zy")
        geometric = {k: transform_parameters[k] for k in names if k in transform_parameters}
        x = apply_affine_transform(
            x, **geometric, row_axis=row, col_axis=column, channel_axis=channel,
            fill_mode=self.fill_mode, cval=self.cval, order=self.interpolation_order,
        )  # fmt: skip
        if transform_parameters.get("channel_shift_intensity") is not None:
            x = apply_channel_shift(x, transform_parameters["channel_shift_intensity"], channel)
        if transform_parameters.get("flip_horizontal"):
            x = np.flip(x, column)
        if transform_parameters.get("flip_vertical"):
            x = np.flip(x, row)
        if transform_parameters.get("brightness") is not None:
            x = apply_brightness_shift(x, transform_parameters["brightness"], scale=False)
        return x

    def random_transform(self, x: np.ndarray, seed: int | None = None) -> np.ndarray:
        """Apply a random transform to an image.

        Args:
            x: An image, `(height, width, channels)`, or channels first.
            seed: Seed that NumPy's generator is set to before, or None.

        Returns:
            An image of the same shape.
        """
        return self.apply_transform(x, self.get_random_transform(x.shape, seed))

    def standardize(self, x: np.ndarray) -> np.ndarray:
        """Rescale and normalise an image, or a batch; `x` may be changed in place.

        Args:
            x: An image or a batch, of floats.

        Returns:
            The image or batch.
        """
        if self.preprocessing_function:
            x = self.preprocessing_function(x)
        if self.rescale:
            x *= self.rescale
        if self.samplewise_center:
            x -= np.mean(x, keepdims=True)
        if self.samplewise_std_normalization:
            x /= np.std(x, keepdims=True) + 1e-6
        if self.featurewise_center and self._is_fitted("featurewise_center", self.mean):
            x -= self.mean
        divides_by_std = self.featurewise_std_normalization
        if divides_by_std and self._is_fitted("featurewise_std_normalization", self.std):
            x /= self.std + 1e-6
        if self.zca_whitening and self._is_fitted("zca_whitening", self.zca_whitening_matrix):
            flat = x.reshape(-1, np.prod(x.shape[-3:]))
            x = (flat @ self.zca_whitening_matrix).reshape(x.shape)
        return x

    def fit(self, x: Any, augment: bool = False, rounds: int = 1, seed: int | None = None) -> None:
        """Compute the statistics for feature-wise normalisation and whitening.

        Args:
            x: Images, `(samples, height, width, channels)`.
            augment: Whether images are transformed at random first.
            rounds: Number of passes over augmented data.
            seed: Seed of NumPy's global generator.
        """
        x = np.array(x, dtype=self.dtype)
        if x.ndim != 4:
            raise ValueError(
                "ImageDataGenerator.fit() takes images (samples, height, width, channels); "
                f"received shape {x.shape}.\n  Fix: x[..., None] adds a channel axis."
            )
        _warn_of_unusual_channels(x.shape, self.channel_axis)
        if seed is not None:
            np.random.seed(seed)
        if self.rescale:
            x *= self.rescale
        if augment:
            pictures = [self.random_transform(picture) for _ in range(rounds) for picture in x]
            x = np.array(pictures, dtype=self.dtype)
        axes = (0, self.row_axis, self.col_axis)
        if self.featurewise_center:
            self.mean = np.mean(x, axis=axes, keepdims=True)[0]
            x -= self.mean
        if self.featurewise_std_normalization:
            self.std = np.std(x, axis=axes, keepdims=True)[0]
            x /= self.std + 1e-6
        if self.zca_whitening:
            # Principal components of the pixels, scaled to variance 1.
            directions, sizes, _ = np.linalg.svd(x.reshape(len(x), -1).T, full_matrices=False)
            weights = np.sqrt(len(x)) / (sizes + self.zca_epsilon)
            self.zca_whitening_matrix = (directions * weights) @ directions.T

    def _prepare(self, x: np.ndarray) -> np.ndarray:
        """A randomly transformed and standardised copy of an image."""
        return self.standardize(self.random_transform(x))

    def _is_fitted(self, name: str, statistic: Any) -> bool:
        if statistic is None:
            warnings.warn(
                f"ImageDataGenerator: {name}=True needs data, which it has not seen.\n"
                "  Fix: generator.fit(x_train) first.",
                LaminaWarning,
                stacklevel=4,
            )
        return statistic is not None


def _random_up_to(largest: float) -> float:
    return np.random.uniform(-largest, largest) if largest else 0


def _random_shift(limit: Any, size: int) -> float:
    """A random shift in pixels, in either direction: one of a list, or up to a limit."""
    if not np.any(limit):
        return 0
    if np.ndim(limit) or isinstance(limit, (int, np.integer)):
        # An integer n stands for the list 0, 1, …, n - 1.
        shift = np.random.choice(limit) * np.random.choice([-1, 1])
    else:
        shift = np.random.uniform(-limit, limit)
    return shift * size if np.max(limit) < 1 else shift
