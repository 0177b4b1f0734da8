"""`audio_dataset_from_directory`: a folder of WAV files as batches of waveforms."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import PathLike
from lamina.core.user_data.arguments import check_integer
from lamina.core.user_data.paths import refuse_special_file
from lamina.data.dataset import pad_and_stack
from lamina.data.labelled_folder import LabelledFolder


@filter_traceback
def audio_dataset_from_directory(
    directory: PathLike,
    labels: str | Sequence[int] | None = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    sampling_rate: int | None = None,
    output_sequence_length: int | None = None,
    ragged: bool = False,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    verbose: bool = True,
) -> Any:
    """A folder of `.wav` files as batches of waveforms, one subfolder for each class.

    Args:
        directory: The folder; see `image_dataset_from_directory`.
        labels: As for `image_dataset_from_directory`.
        label_mode: As for `image_dataset_from_directory`.
        class_names: As for `image_dataset_from_directory`.
        batch_size: As for `image_dataset_from_directory`.
        sampling_rate: Samples per second to which every file is resampled. With None, all files
            must have the same rate.
        output_sequence_length: Number of samples to which every waveform is cut or padded. With
            None, shorter waveforms of a batch are padded with silence.
        ragged: Whether to keep the length of every waveform: batches are then arrays of arrays.
        shuffle: As for `image_dataset_from_directory`.
        seed: As for `image_dataset_from_directory`.
        validation_split: As for `image_dataset_from_directory`.
        subset: As for `image_dataset_from_directory`.
        follow_links: As for `image_dataset_from_directory`.
        verbose: As for `image_dataset_from_directory`.

    Returns:
        A `Dataset` of `(audio, labels)`, or of audio alone: float32 from -1 to 1,
        `(batch, samples, channels)`. A pair of them for `subset="both"`.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If the folder has no sounds, or an argument is wrong. Later, in iteration: if a
            file cannot be read or has another rate; the message has its path.
    """
    if ragged and output_sequence_length is not None:
        raise ValueError(
            "ragged=True keeps the length of every waveform, and output_sequence_length gives "
            "all the same length; received both."
        )
    for name, value in (
        ("sampling_rate", sampling_rate), ("output_sequence_length", output_sequence_length),
    ):  # fmt: skip
        if value is not None:
            check_integer(name, value)
    folder = LabelledFolder(
        kind="audio",
        formats=(".wav",),
        directory=directory,
        labels=labels,
        label_mode=label_mode,
        class_names=class_names,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        validation_split=validation_split,
        subset=subset,
        follow_links=follow_links,
        verbose=verbose,
    )
    reader = _Reader(sampling_rate, output_sequence_length)
    return folder.datasets(reader, _collate_ragged if ragged else pad_and_stack)


class _Reader:
    """Reads WAV files; they must have one rate, unless they are resampled to a given rate."""

    def __init__(self, rate: int | None, length: int | None):
        self.rate = rate
        self.length = length
        self.first: tuple[int, str] | None = None

    def __call__(self, path: str) -> np.ndarray:
        rate, wave = read_wav(path)
        if self.rate is None:
            self.first = self.first or (rate, path)
            if rate != self.first[0]:
                raise ValueError(
                    f"{path} has {rate} samples per second, and {self.first[1]} has "
                    f"{self.first[0]}.\n"
                    f"  Fix: sampling_rate={self.first[0]} brings every file to the same rate."
                )
        elif rate != self.rate:
            wave = resample(wave, rate, self.rate)
        if self.length is not None:
            missing = max(0, self.length - len(wave))
            wave = np.pad(wave[: self.length], ((0, missing), (0, 0)))
        return wave


def read_wav(path: str) -> tuple[int, np.ndarray]:
    """The samples per second of a WAV file, and its waveform.

    Returns:
        The rate, and a float32 array `(samples, channels)` from -1 to 1.

    Raises:
        ValueError: If it is not a WAV file, or has an unsupported encoding.
    """
    from scipy.io import wavfile  # type: ignore[import-untyped]

    refuse_special_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # chunks with song titles
            rate, wave = wavfile.read(path)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(
            f"{path} cannot be read as WAV: {error}.\n"
            "  Likely cause: another kind of sound under this name, or an interrupted copy."
        ) from None
    if wave.dtype == np.uint8:
        wave = wave.astype("float32") / 128 - 1
    elif wave.dtype.kind == "i":
        wave = (wave / -float(np.iinfo(wave.dtype).min)).astype("float32")
    wave = wave.astype("float32", copy=False)
    return int(rate), wave[:, None] if wave.ndim == 1 else wave


def resample(wave: np.ndarray, old: int, new: int) -> np.ndarray:
    """A waveform `(samples, channels)` at another number of samples per second."""
    from scipy.signal import resample_poly  # type: ignore[import-untyped]

    divisor = math.gcd(old, new)
    return resample_poly(wave, new // divisor, old // divisor, axis=0).astype("float32")


def _collate_ragged(elements: Sequence) -> Any:
    def collect(waves: Sequence) -> np.ndarray:
        batch = np.empty(len(waves), dtype=object)
        batch[:] = waves
        return batch

    if isinstance(elements[0], tuple):
        waves, targets = zip(*elements, strict=True)
        return collect(waves), np.stack(targets)
    return collect(elements)
