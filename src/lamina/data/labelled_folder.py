"""A folder of files as a `Dataset`: finds the files, labels and subsets.

Used for images, texts and sounds; each of them adds a function that reads one file.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lamina.contract import Contract
from lamina.data.dataset import Dataset, stack_elements
from lamina.data.decoded_samples import DecodedSamples
from lamina.data.parallel import AUTOTUNE

_LABEL_MODES = ("int", "categorical", "binary", None)
_SUBSETS = ("training", "validation", "both", None)


@dataclass(frozen=True)
class LabelledFolder:
    """The checked arguments of `…_dataset_from_directory`.

    Args:
        kind: Type of the files, for messages: `"image"`.
        formats: Suffixes of the files to use, in lower case.
        directory: The folder.
        labels: `"inferred"` from the names of subfolders, None for none, or one integer for every
            file, in the order of the sorted paths.
        label_mode: `"int"`, `"categorical"` (one-hot), `"binary"` (0.0 or 1.0), or None for none.
        class_names: Subfolders to use, in the order of their labels.
        batch_size: Samples in a batch; None for single samples.
        shuffle: Whether to shuffle the files, anew in every pass.
        seed: Determines the subsets and the order.
        validation_split: Fraction of the files for validation, between 0 and 1.
        subset: `"training"`, `"validation"` or `"both"`.
        follow_links: Whether to follow links to folders.
        verbose: Whether to print the number of files found.
    """

    kind: str
    formats: tuple[str, ...]
    directory: Any
    labels: Any
    label_mode: str | None
    class_names: Sequence[str] | None
    batch_size: int | None
    shuffle: bool
    seed: int | None
    validation_split: float | None
    subset: str | None
    follow_links: bool
    verbose: bool

    def __post_init__(self) -> None:
        self._check_labels()
        self._check_split()
        if not Path(self.directory).is_dir():
            raise FileNotFoundError(
                f"There is no folder {str(self.directory)!r}; Python works in {os.getcwd()}."
            )

    def datasets(
        self,
        read: Callable[[str], Any],
        collate: Callable = stack_elements,
        contract: Contract | None = None,
    ) -> Any:
        """One data set, or two if both subsets are wanted.

        Args:
            read: Reads a sample from a path.
            collate: Makes a batch of samples.
            contract: Description of the samples that is stored in a model trained on them. The
                names of the classes are added to it.
        """
        contract = Contract() if contract is None else contract
        seed = int(np.random.randint(10**6)) if self.seed is None else self.seed
        files = self._find_files(seed)
        if self.subset == "both":
            return tuple(
                self._dataset(
                    self._select_subset(files, subset), read, collate, contract, seed, shuffle
                )
                for subset, shuffle in (("training", self.shuffle), ("validation", False))
            )
        files = self._select_subset(files, self.subset) if self.subset else files
        return self._dataset(files, read, collate, contract, seed, self.shuffle)

    def _dataset(
        self,
        files: "_Files",
        read: Callable,
        collate: Callable,
        contract: Contract,
        seed: int,
        shuffle: bool,
    ) -> Dataset:
        targets = self._make_targets(files)
        rows = (files.paths,) if targets is None else (files.paths, targets)
        dataset = Dataset.from_tensor_slices(rows)
        if shuffle:
            dataset = dataset.shuffle(len(files.paths), seed=seed)

        if self.batch_size is not None:  # batches are copies, which a user may change
            read = DecodedSamples(read, len(files.paths))

        def sample(path: Any, *target: Any) -> Any:
            content = read(str(path))
            return (content, *target) if target else content

        dataset = dataset.map(sample, num_parallel_calls=AUTOTUNE)
        if self.batch_size is not None:
            dataset = dataset._make_batches(self.batch_size, False, collate)
        dataset = dataset.prefetch(AUTOTUNE)
        dataset.class_names = files.class_names
        dataset.file_paths = dataset.sample_names = files.paths
        if files.class_names is not None:
            names = tuple(map(str, files.class_names))
            # The targets are the class of each file; a folder has no other name for them.
            dataset.contract = replace(contract, target="class", class_names=names)
        return dataset

    def _find_files(self, seed: int) -> "_Files":
        folders = self._subfolders() if self._infers_labels else [""]
        paths, labels = [], []
        for label, folder in enumerate(folders):
            class_files = self._files_in(os.path.join(self.directory, folder))
            paths += class_files
            labels += [label] * len(class_files)
        class_names: list[str] | None = folders
        if self._has_no_labels:
            class_names = None
        elif not self._infers_labels:
            labels = self._given_labels(len(paths))
            class_names = [str(label) for label in sorted(set(labels))]
        if self.verbose:
            of = "" if class_names is None else f" belonging to {len(class_names)} classes"
            print(f"Found {len(paths)} files{of}.")
        self._check_found(paths, class_names)
        targets = None if class_names is None else np.array(labels, dtype="int32")
        if self.shuffle:
            # As in Keras, files and labels are shuffled by two legacy generators with one seed, so
            # that the same files are in the same subset.
            np.random.RandomState(seed).shuffle(paths)
            if targets is not None:
                np.random.RandomState(seed).shuffle(targets)
        return _Files(paths, targets, class_names)

    def _select_subset(self, files: "_Files", subset: str | None) -> "_Files":
        validation_count = int((self.validation_split or 0) * len(files.paths))
        if validation_count == 0:
            raise ValueError(
                f"validation_split={self.validation_split} of {len(files.paths)} files leaves none "
                "to validate on.\n  Fix: a larger fraction, or more files."
            )
        used = len(files.paths) - validation_count
        if self.verbose:
            count, purpose = (
                (used, "training") if subset == "training" else (validation_count, "validation")
            )
            print(f"Using {count} files for {purpose}.")
        where = slice(None, used) if subset == "training" else slice(used, None)
        labels = None if files.labels is None else files.labels[where]
        return files._replace(paths=files.paths[where], labels=labels)

    def _subfolders(self) -> list[str]:
        subfolders = sorted(
            entry.name
            for entry in os.scandir(self.directory)
            if entry.is_dir() and not entry.name.startswith(".")
        )
        if self.class_names is None:
            return subfolders
        missing = [name for name in self.class_names if name not in subfolders]
        if missing:
            raise ValueError(
                f"class_names has {missing[0]!r}, and {self.directory} has no subfolder of that "
                f"name.\n  Its subfolders: {', '.join(subfolders) or 'none'}."
            )
        return list(self.class_names)

    def _files_in(self, folder: str) -> list[str]:
        paths = []
        for path, _, names in sorted(os.walk(folder, followlinks=self.follow_links)):
            file_names = [name for name in sorted(names) if name.lower().endswith(self.formats)]
            relative_folder = os.path.relpath(path, self.directory)
            start = (
                self.directory
                if relative_folder == "."
                else os.path.join(self.directory, relative_folder)
            )
            paths += [os.path.join(start, name) for name in file_names]
        return paths

    def _given_labels(self, files: int) -> list[int]:
        if len(self.labels) != files:
            raise ValueError(
                f"labels has {len(self.labels)} entries, and {self.directory} holds {files} "
                f"{self.kind} files.\n  Expected: one label for every file, in the order of the "
                "sorted paths."
            )
        return [int(label) for label in self.labels]

    def _make_targets(self, files: "_Files") -> np.ndarray | None:
        labels, names = files.labels, files.class_names
        if labels is None or names is None or self.label_mode == "int":
            return labels
        if labels.size and not 0 <= labels.min() <= labels.max() < len(names):
            raise ValueError(
                f"label_mode={self.label_mode!r} needs labels from 0 to {len(names) - 1}, as there "
                f"are {len(names)} classes; received labels {', '.join(names[:10])}.\n"
                "  Fix: numpy.unique(labels, return_inverse=True)[1] numbers them from 0."
            )
        if self.label_mode == "binary":
            return labels.astype("float32")[:, None]
        return np.eye(len(names), dtype="float32")[labels]

    @property
    def _has_no_labels(self) -> bool:
        return self.labels is None or self.label_mode is None

    @property
    def _infers_labels(self) -> bool:
        return not self._has_no_labels and isinstance(self.labels, str)

    def _check_labels(self) -> None:
        if self.label_mode not in _LABEL_MODES:
            raise ValueError(
                "label_mode must be 'int', 'categorical', 'binary' or None; received "
                f"{self.label_mode!r}."
            )
        listed = isinstance(self.labels, (list, tuple, np.ndarray))
        if self.labels is not None and not listed and self.labels != "inferred":
            raise ValueError(
                "labels must be 'inferred' (from the names of subfolders), None, or a list with "
                f"one whole number for every file; received {self.labels!r}."
            )
        if self.class_names and not self._infers_labels:
            raise ValueError(
                "class_names can be given only with labels='inferred' and a label_mode; otherwise "
                "there are no subfolders to take them from."
            )

    def _check_split(self) -> None:
        if self.subset not in _SUBSETS:
            raise ValueError(
                f"subset must be 'training', 'validation' or 'both'; received {self.subset!r}."
            )
        if bool(self.validation_split) != bool(self.subset):
            given, missing = ("validation_split", "subset='both'") if self.validation_split else (
                "subset", "validation_split=0.2")  # fmt: skip
            raise ValueError(f"{given} was given alone.\n  Fix: add {missing}.")
        if self.validation_split and not 0 < self.validation_split < 1:
            raise ValueError(
                "validation_split is a fraction between 0 and 1; received "
                f"{self.validation_split!r}."
            )
        if self.validation_split and self.shuffle and self.seed is None and self.subset != "both":
            raise ValueError(
                "validation_split with shuffle=True needs a seed; without one the two subsets, "
                "drawn by two calls, would share files.\n"
                "  Fix: the same seed in both calls, e.g. seed=1, or subset='both' in one."
            )

    def _check_found(self, paths: list[str], class_names: list[str] | None) -> None:
        if not paths:
            hint = ""
            if self._infers_labels:
                loose = self._with_labels(None)._files_in(str(self.directory))
                hint = (
                    f"\n  Likely cause: its {len(loose)} {self.kind} files lie beside each other, "
                    "and labels='inferred' looks for one subfolder per class.\n"
                    "  Fix: a subfolder for every class, or labels=None."
                    if loose
                    else "\n  Expected: one subfolder per class, with the files in it."
                )
            raise ValueError(
                f"No {self.kind} files in {self.directory}. Files that count end in "
                f"{', '.join(self.formats)}.{hint}"
            )
        if self.label_mode == "binary" and class_names is not None and len(class_names) != 2:
            raise ValueError(
                f"label_mode='binary' needs exactly 2 classes; found {len(class_names)}: "
                f"{', '.join(class_names[:10])}."
            )

    def _with_labels(self, labels: Any) -> "LabelledFolder":
        return replace(self, labels=labels, class_names=None)


class _Files(NamedTuple):
    paths: list[str]
    labels: np.ndarray | None
    class_names: list[str] | None


def check_format(format: str) -> None:
    """Check Keras's argument `format`; either value gives a `Dataset`."""
    if format not in ("tf", "grain"):
        raise ValueError(f"format must be 'tf' or 'grain'; received {format!r}.")
