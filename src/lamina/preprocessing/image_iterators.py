"""Batches of images for `ImageDataGenerator`: from arrays, from folders, from a table of names.

Iterators return batch `i` by index, for `fit`, and can be iterated endlessly. Order and transforms
are drawn from NumPy's global generator, which a `seed` sets for every batch.
"""

import os
import threading
import warnings
from collections.abc import Iterator as AnyIterator
from pathlib import Path
from typing import Any

import numpy as np

from lamina.core.configuration.config import floatx, image_data_format
from lamina.core.messages.errors import LaminaWarning, unknown_name
from lamina.core.messages.tracebacks import filter_tracebacks_of_methods
from lamina.core.types import DTypeLike
from lamina.training.feeds.py_dataset import PyDataset
from lamina.utils.image import array_to_img, img_to_array, load_img

_CHANNELS = {"rgb": 3, "rgba": 4, "grayscale": 1}
_WITHOUT_CLASSES = ("input", "multi_output", "raw", None)


@filter_tracebacks_of_methods
class Iterator(PyDataset):
    """Base class of iterators over batches of images.

    Args:
        n: Number of images.
        batch_size: Images in a batch.
        shuffle: Whether to shuffle them for every epoch.
        seed: Seed of order and transforms; NumPy's global generator is set for every batch.
        **kwargs: See `PyDataset`.
    """

    white_list_formats = ("png", "jpg", "jpeg", "bmp", "ppm", "tif", "tiff")

    def __init__(self, n: int, batch_size: int, shuffle: bool, seed: int | None, **kwargs: Any):
        super().__init__(**kwargs)
        self.n = n
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.batch_index = 0
        self.total_batches_seen = 0
        self.index_array: Any = None
        self.lock = threading.Lock()

    def __len__(self) -> int:
        return -(-self.n // self.batch_size)

    def __getitem__(self, idx: int) -> Any:
        if not 0 <= idx < len(self):
            raise ValueError(f"There is no batch {idx}: the iterator has {len(self)} batches.")
        self._begin_batch()
        if self.index_array is None:
            self._set_index_array()
        indices = self.index_array[self.batch_size * idx : self.batch_size * (idx + 1)]
        return self._get_batches_of_transformed_samples(indices)

    def __iter__(self) -> AnyIterator:
        return self

    def __next__(self) -> Any:
        """The next batch; the first of the next epoch after the last one."""
        with self.lock:
            self._begin_batch(counting=False)
            if self.batch_index == 0:
                self._set_index_array()
            first = self.batch_index * self.batch_size
            self.batch_index = self.batch_index + 1 if first + self.batch_size < self.n else 0
            self.total_batches_seen += 1
            indices = self.index_array[first : first + self.batch_size]
        return self._get_batches_of_transformed_samples(indices)

    next = __next__

    def on_epoch_end(self) -> None:
        self._set_index_array()

    def reset(self) -> None:
        """Begin with the first batch again."""
        self.batch_index = 0

    def _begin_batch(self, counting: bool = True) -> None:
        if self.seed is not None:
            np.random.seed(self.seed + self.total_batches_seen)
        self.total_batches_seen += counting

    def _set_index_array(self) -> None:
        self.index_array = np.random.permutation(self.n) if self.shuffle else np.arange(self.n)

    def _get_batches_of_transformed_samples(self, index_array: np.ndarray) -> Any:
        raise NotImplementedError(
            f"{type(self).__name__} must define _get_batches_of_transformed_samples(indices)."
        )

    def _save(self, batch: np.ndarray, index_array: np.ndarray, max_number: float) -> None:
        """Write the images of a batch to files, with a random number in their names."""
        for picture, index in zip(batch, index_array, strict=True):
            name = f"{self.save_prefix}_{index}_{np.random.randint(int(max_number))}"  # type: ignore[attr-defined]
            path = Path(self.save_to_dir) / f"{name}.{self.save_format}"  # type: ignore[attr-defined]
            array_to_img(picture, self.data_format, scale=True).save(path)  # type: ignore[attr-defined]


@filter_tracebacks_of_methods
class NumpyArrayIterator(Iterator):
    """Batches of images from an array; what `ImageDataGenerator.flow` gives.

    Args:
        x: Images, `(samples, height, width, channels)`, or a pair of them and further arrays.
        y: Targets, or None.
        image_data_generator: The generator that transforms the images.
        batch_size, shuffle, seed: See `Iterator`.
        sample_weight: One a sample, or None.
        data_format: Where the channels are.
        save_to_dir, save_prefix, save_format: Folder and names of written images, or None.
        subset: `"training"` or `"validation"`, if the generator has a `validation_split`.
        ignore_class_split: Whether the parts may have different classes.
        dtype: Dtype of the batches.
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        image_data_generator: Any,
        batch_size: int = 32,
        shuffle: bool = False,
        sample_weight: Any = None,
        seed: int | None = None,
        data_format: str | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        ignore_class_split: bool = False,
        dtype: DTypeLike | None = None,
    ):
        self.dtype = floatx() if dtype is None else dtype
        self.data_format = image_data_format() if data_format is None else data_format
        self.image_data_generator = image_data_generator
        self.save_to_dir, self.save_prefix, self.save_format = save_to_dir, save_prefix, save_format
        other_arrays: list = []
        if isinstance(x, (tuple, list)):
            x, more_inputs = x
            other_arrays = [
                np.asarray(a)
                for a in (more_inputs if isinstance(more_inputs, list) else [more_inputs])
            ]
        y = None if y is None else np.asarray(y)
        weights = None if sample_weight is None else np.asarray(sample_weight)
        for name, array in (
            ("y", y),
            ("sample_weight", weights),
            *(("x", a) for a in other_arrays),
        ):
            if array is not None and len(array) != len(x):
                raise ValueError(
                    f"ImageDataGenerator: x has {len(x)} images and {name} has {len(array)} rows."
                )
        part = slice(None)
        if subset is not None:
            _check_subset(subset)
            validation_size = int(len(x) * image_data_generator._validation_split)
            if subset == "validation":
                part = slice(validation_size)
            else:
                part = slice(validation_size, None)
            if y is not None and not ignore_class_split:
                _check_classes(y, validation_size)
        self.x = np.asarray(x[part], dtype=self.dtype)
        self.x_misc = [array[part] for array in other_arrays]
        self.y = None if y is None else y[part]
        # Keras does not split the weights, so there they are paired with other samples.
        self.sample_weight = None if weights is None else weights[part]
        if self.x.ndim != 4:
            raise ValueError(
                "ImageDataGenerator takes images (samples, height, width, channels); received "
                f"shape {self.x.shape}.\n  Fix: x[..., None] adds a channel axis."
            )
        _warn_of_unusual_channels(self.x.shape, 3 if self.data_format == "channels_last" else 1)
        super().__init__(len(self.x), batch_size, shuffle, seed)

    def _get_batches_of_transformed_samples(self, index_array: np.ndarray) -> Any:
        batch = np.zeros((len(index_array), *self.x.shape[1:]), dtype=self.dtype)
        for position, index in enumerate(index_array):
            batch[position] = self.image_data_generator._prepare(self.x[index].copy())
        if self.save_to_dir:
            self._save(batch, index_array, 1e4)
        other_batches = [array[index_array] for array in self.x_misc]
        output: tuple = ([batch, *other_batches] if other_batches else batch,)
        if self.y is None:
            return output[0]
        output += (self.y[index_array],)
        return output if self.sample_weight is None else (*output, self.sample_weight[index_array])


@filter_tracebacks_of_methods
class BatchFromFilesMixin:
    """Base class of iterators over image files."""

    dtype: Any
    class_mode: str | None
    classes: Any
    class_indices: dict
    image_data_generator: Any

    def set_processing_attrs(
        self,
        image_data_generator: Any,
        target_size: Any,
        color_mode: str,
        data_format: str,
        save_to_dir: Any,
        save_prefix: str,
        save_format: str,
        subset: str | None,
        interpolation: str,
        keep_aspect_ratio: bool,
    ) -> None:
        """Store how files are read; see `DirectoryIterator`.

        Args:
            image_data_generator: The generator that transforms the images, or None.
            target_size: Height and width of all images, in pixels.
            color_mode: `"rgb"`, `"rgba"` or `"grayscale"`.
            data_format: `"channels_last"` or `"channels_first"`.
            save_to_dir: Folder that images are written to, or None.
            save_prefix: Prefix of their names.
            save_format: Their format, e.g. `"png"`.
            subset: `"training"`, `"validation"` or None for all.
            interpolation: How images are resized.
            keep_aspect_ratio: Whether to crop images instead of distorting them.
        """
        if color_mode not in _CHANNELS:
            raise unknown_name("color_mode", color_mode, _CHANNELS)
        self.image_data_generator = image_data_generator
        self.target_size = tuple(target_size)
        self.color_mode = color_mode
        self.data_format = data_format
        self.save_to_dir, self.save_prefix, self.save_format = save_to_dir, save_prefix, save_format
        self.interpolation = interpolation
        self.keep_aspect_ratio = keep_aspect_ratio
        channels = (_CHANNELS[color_mode],)
        last = data_format == "channels_last"
        self.image_shape = (
            (*self.target_size, *channels) if last else (*channels, *self.target_size)
        )
        self.subset = subset
        self.split: tuple[float, float] | None = None
        if subset is not None:
            _check_subset(subset)
            fraction = image_data_generator._validation_split
            self.split = (0, fraction) if subset == "validation" else (fraction, 1)

    @property
    def filepaths(self) -> list[str]:
        """Paths of all images; defined by subclasses."""
        raise NotImplementedError(f"{type(self).__name__} must define filepaths.")

    @property
    def labels(self) -> Any:
        """Targets of all images, `(samples, ...)`; defined by subclasses."""
        raise NotImplementedError(f"{type(self).__name__} must define labels.")

    @property
    def sample_weight(self) -> Any:
        """Weights of all images, `(samples,)`, or None; defined by subclasses."""
        raise NotImplementedError(f"{type(self).__name__} must define sample_weight.")

    def _select_subset(self, items: Any) -> Any:
        """The items of the subset."""
        if self.split is None:
            return items
        return items[int(self.split[0] * len(items)) : int(self.split[1] * len(items))]

    def _get_batches_of_transformed_samples(self, index_array: np.ndarray) -> Any:
        batch = np.zeros((len(index_array), *self.image_shape), dtype=self.dtype)
        for position, index in enumerate(index_array):
            with load_img(
                self.filepaths[index],
                color_mode=self.color_mode,
                target_size=self.target_size,
                interpolation=self.interpolation,
                keep_aspect_ratio=self.keep_aspect_ratio,
            ) as picture:
                x = img_to_array(picture, data_format=self.data_format)
            generator = self.image_data_generator
            batch[position] = x if generator is None else generator._prepare(x)
        if self.save_to_dir:
            self._save(batch, index_array, 1e7)  # type: ignore[attr-defined]
        if self.class_mode is None:
            return batch
        targets = self._targets_of(batch, index_array)
        weights = self.sample_weight
        return (batch, targets) if weights is None else (batch, targets, weights[index_array])

    def _targets_of(self, batch: np.ndarray, index_array: np.ndarray) -> Any:
        if self.class_mode == "input":
            return batch.copy()
        if self.class_mode == "multi_output":
            return [output[index_array] for output in self.labels]
        if self.class_mode == "raw":
            return self.labels[index_array]
        if self.class_mode in ("binary", "sparse"):
            return np.array([self.classes[index] for index in index_array], dtype=self.dtype)
        targets = np.zeros((len(batch), len(self.class_indices)), dtype=self.dtype)
        for row, index in zip(targets, index_array, strict=True):
            row[self.classes[index]] = 1.0
        return targets


@filter_tracebacks_of_methods
class DirectoryIterator(BatchFromFilesMixin, Iterator):
    """Batches of images from a folder with a folder for each class.

    Args:
        directory: The folder.
        image_data_generator: The generator that transforms the images, or None.
        target_size: Height and width of all images.
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"`.
        classes: Names of the folders, in the order of their numbers; all, sorted, for None.
        class_mode: Type of the targets: `"categorical"` vectors, `"binary"` or `"sparse"` numbers,
            `"input"` the images themselves, None for no targets.
        batch_size, shuffle, seed: See `Iterator`.
        data_format: Where the channels are.
        save_to_dir, save_prefix, save_format: Folder and names of written images, or None.
        follow_links: Whether to follow links to folders.
        subset: `"training"` or `"validation"`, if the generator has a `validation_split`.
        interpolation: How images are resized.
        keep_aspect_ratio: Whether to crop images instead of distorting them.
        dtype: Dtype of the batches.
    """

    allowed_class_modes = ("categorical", "binary", "sparse", "input", None)

    def __init__(
        self,
        directory: Any,
        image_data_generator: Any,
        target_size: Any = (256, 256),
        color_mode: str = "rgb",
        classes: Any = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        data_format: str | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
        dtype: DTypeLike | None = None,
    ):
        self.set_processing_attrs(
            image_data_generator,
            target_size,
            color_mode,
            image_data_format() if data_format is None else data_format,
            save_to_dir,
            save_prefix,
            save_format,
            subset,
            interpolation,
            keep_aspect_ratio,
        )
        _check_class_mode(class_mode, self.allowed_class_modes)
        self.directory = directory
        self.class_mode = class_mode
        self.dtype = floatx() if dtype is None else dtype
        names = list(classes or sorted(e.name for e in os.scandir(directory) if e.is_dir()))
        self.num_classes = len(names)
        self.class_indices = {name: number for number, name in enumerate(names)}
        self.filenames: list[str] = []
        numbers: list[int] = []
        for name, number in self.class_indices.items():
            files = self._select_subset(list(self._files_in(name, follow_links)))
            self.filenames += files
            numbers += [number] * len(files)
        self.samples = len(self.filenames)
        self.classes = np.array(numbers, dtype="int32")
        self._filepaths = [os.path.join(directory, name) for name in self.filenames]
        print(f"Found {self.samples} images belonging to {self.num_classes} classes.")
        Iterator.__init__(self, self.samples, batch_size, shuffle, seed)

    def _files_in(self, folder: str, follow_links: bool) -> AnyIterator[str]:
        """Paths of the images of a class, relative to the directory, in order of folders."""
        top = os.path.join(self.directory, folder)
        for parent, _, names in sorted(os.walk(top, followlinks=follow_links)):
            for name in sorted(names):
                if name.lower().endswith(self.white_list_formats):
                    yield os.path.relpath(os.path.join(parent, name), self.directory)

    @property
    def filepaths(self) -> list[str]:
        """Paths of all images."""
        return self._filepaths

    @property
    def labels(self) -> Any:
        """Class numbers of all images, `(samples,)`."""
        return self.classes

    @property
    def sample_weight(self) -> Any:
        """None: a folder has no weights."""
        return None


@filter_tracebacks_of_methods
class DataFrameIterator(BatchFromFilesMixin, Iterator):
    """Batches of images whose file names and targets are columns of a table.

    Args:
        dataframe: A pandas DataFrame.
        directory: Folder of the files; None if the names are paths.
        image_data_generator: The generator that transforms the images, or None.
        x_col: Column of the names.
        y_col: Column, or list of columns, of the targets.
        weight_col: Column of sample weights, or None.
        class_mode: As for a `DirectoryIterator`; besides, `"raw"` for the columns unchanged
            and `"multi_output"` for one target per column.
        validate_filenames: Whether to skip names without an image.
        target_size, color_mode, classes, batch_size, shuffle, seed: See `DirectoryIterator`.
        data_format, save_to_dir, save_prefix, save_format, subset: See `DirectoryIterator`.
        interpolation, keep_aspect_ratio, dtype: See `DirectoryIterator`.
    """

    allowed_class_modes = (
        "binary", "categorical", "input", "multi_output", "raw", "sparse", None,
    )  # fmt: skip

    def __init__(
        self,
        dataframe: Any,
        directory: Any = None,
        image_data_generator: Any = None,
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
        data_format: str = "channels_last",
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
        dtype: DTypeLike = "float32",
        validate_filenames: bool = True,
    ):
        self.set_processing_attrs(
            image_data_generator,
            target_size,
            color_mode,
            data_format,
            save_to_dir,
            save_prefix,
            save_format,
            subset,
            interpolation,
            keep_aspect_ratio,
        )
        _check_class_mode(class_mode, self.allowed_class_modes)
        self.directory = directory or ""
        self.class_mode = class_mode
        self.dtype = dtype
        self._check_columns(dataframe, x_col, y_col, weight_col, classes)
        table = dataframe
        if validate_filenames:
            table = self._drop_rows_without_image(table, x_col)
        has_classes = class_mode not in _WITHOUT_CLASSES
        if has_classes:
            names = _class_names(table[y_col], classes)
            self.class_indices = {name: number for number, name in enumerate(names)}
            table = table[[bool(self._known_classes(label)) for label in table[y_col]]]
        table = self._select_subset(table)
        if has_classes:
            self.classes = [self._class_indices(label) for label in table[y_col]]
        self.filenames = table[x_col].tolist()
        self.samples = len(self.filenames)
        self._filepaths = [os.path.join(self.directory, name) for name in self.filenames]
        self._sample_weight = table[weight_col].to_numpy() if weight_col else None
        if class_mode == "multi_output":
            self._targets: Any = [np.array(table[column].tolist()) for column in y_col]
        elif class_mode == "raw":
            self._targets = table[y_col].to_numpy()
        validated = "validated" if validate_filenames else "non-validated"
        in_classes = f" belonging to {len(self.class_indices)} classes" if has_classes else ""
        print(f"Found {self.samples} {validated} image filenames{in_classes}.")
        Iterator.__init__(self, self.samples, batch_size, shuffle, seed)

    @property
    def filepaths(self) -> list[str]:
        """Paths of all images."""
        return self._filepaths

    @property
    def labels(self) -> Any:
        """Targets of all images, `(samples, ...)`: class indices, or the unchanged columns."""
        return self._targets if self.class_mode in ("multi_output", "raw") else self.classes

    @property
    def sample_weight(self) -> Any:
        """Weights of all images, `(samples,)`, or None."""
        return self._sample_weight

    def _known_classes(self, label: Any) -> list:
        """The classes of a row, without those that are not in `class_indices`."""
        labels = label if isinstance(label, (list, tuple)) else [label]
        return [name for name in labels if name in self.class_indices]

    def _class_indices(self, label: Any) -> Any:
        numbers = [self.class_indices[name] for name in self._known_classes(label)]
        return numbers if isinstance(label, (list, tuple)) else numbers[0]

    def _drop_rows_without_image(self, table: Any, x_col: str) -> Any:
        def is_picture(name: str) -> bool:
            path = os.path.join(self.directory, name)
            return path.lower().endswith(self.white_list_formats) and os.path.isfile(path)

        exists = [is_picture(name) for name in table[x_col]]
        if not all(exists):
            missing = next(
                n for n, is_there in zip(table[x_col], exists, strict=True) if not is_there
            )
            warnings.warn(
                f"{exists.count(False)} names in the column {x_col!r} are not images and are left "
                f"out, e.g. {missing!r}.\n  Fix: directory=… is where the names begin.",
                LaminaWarning,
                stacklevel=5,
            )
        return table[exists]

    def _check_columns(
        self, table: Any, x_col: str, y_col: Any, weight_col: str | None, classes: Any
    ) -> None:
        mode = self.class_mode
        if mode == "multi_output" and not isinstance(y_col, list):
            raise TypeError(f"class_mode='multi_output' needs a list y_col; received {y_col!r}.")
        if not all(isinstance(name, str) for name in table[x_col]):
            raise TypeError(f"The column x_col={x_col!r} must hold names of files.")
        types: Any = (str, list, tuple) if mode == "categorical" else str
        if mode in ("binary", "sparse", "categorical"):
            unexpected = next((v for v in table[y_col] if not isinstance(v, types)), None)
            if unexpected is not None:
                raise TypeError(
                    f"class_mode={mode!r} needs names of classes in y_col={y_col!r}; received "
                    f"{unexpected!r}.\n  Fix: df[{y_col!r}] = df[{y_col!r}].astype(str), or "
                    "class_mode='raw'."
                )
        count = len(set(classes)) if classes else None
        if mode == "binary" and (count or table[y_col].nunique()) != 2:
            raise ValueError(
                f"class_mode='binary' needs two classes; there are "
                f"{count or table[y_col].nunique()}.\n  Fix: class_mode='categorical'."
            )
        if classes and mode in _WITHOUT_CLASSES:
            warnings.warn(
                f"classes means nothing with class_mode={mode!r}.", LaminaWarning, stacklevel=5
            )
        if weight_col and table[weight_col].dtype.kind not in "biuf":
            raise TypeError(f"The column weight_col={weight_col!r} must hold numbers.")


def _class_names(labels: Any, classes: Any) -> list:
    """The given classes, or all that occur, sorted."""
    if classes:
        return list(dict.fromkeys(classes))
    parts = (label if isinstance(label, (list, tuple)) else [label] for label in labels)
    return sorted({name for part in parts for name in part})


def _check_class_mode(mode: Any, allowed: tuple) -> None:
    if mode not in allowed:
        raise unknown_name("class_mode", str(mode), [name for name in allowed if name])


def _check_subset(subset: str) -> None:
    if subset not in ("training", "validation"):
        raise unknown_name("subset", subset, ("training", "validation"))


def _check_classes(y: np.ndarray, validation_size: int) -> None:
    if not np.array_equal(np.unique(y[:validation_size]), np.unique(y[validation_size:])):
        raise ValueError(
            "ImageDataGenerator: the training and the validation part hold different classes.\n"
            "  Likely cause: the samples are sorted by class.\n"
            "  Fix: shuffle x and y together first, or ignore_class_split=True."
        )


def _warn_of_unusual_channels(shape: tuple, axis: int) -> None:
    if shape[axis] not in (1, 3, 4):
        warnings.warn(
            f"ImageDataGenerator expects 1, 3 or 4 channels on axis {axis} and received shape "
            f"{shape}.\n  Fix: data_format says where the channels are.",
            LaminaWarning,
            stacklevel=4,
        )
