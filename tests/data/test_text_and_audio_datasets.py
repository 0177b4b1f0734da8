import numpy as np
import pytest
from scipy.io import wavfile

from lamina.data.audio_dataset import read_wav
from lamina.utils import audio_dataset_from_directory, text_dataset_from_directory


def test_texts_are_python_strings(texts):
    dataset = text_dataset_from_directory(texts, shuffle=False, verbose=False)
    ((batch, labels),) = dataset
    assert batch[0] == "see you soon 0"
    assert isinstance(batch[0], str)
    assert labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_max_length_counts_letters_not_bytes(texts):
    (texts / "ham" / "0.txt").write_text("häh?", encoding="utf-8")
    dataset = text_dataset_from_directory(
        texts, shuffle=False, verbose=False, max_length=2, batch_size=None
    )
    assert [str(text) for text, _ in dataset.take(2)] == ["hä", "se"]


def test_a_text_in_another_coding_is_named(texts):
    (texts / "spam" / "1.txt").write_bytes("Grüße".encode("latin-1"))
    dataset = text_dataset_from_directory(texts, verbose=False)
    with pytest.raises(ValueError, match=r"spam.1\.txt is not UTF-8: byte 2 is 0xfc"):
        list(dataset)


def test_waveforms_are_filled_up_to_the_longest_of_the_batch(sounds):
    dataset = audio_dataset_from_directory(sounds, shuffle=False, verbose=False)
    ((waves, labels),) = dataset
    assert (waves.shape, waves.dtype) == ((4, 100, 1), np.float32)
    assert dataset.class_names == ["high", "low"]
    time = np.arange(80) / 8000
    np.testing.assert_allclose(waves[0, :80, 0], np.sin(2 * np.pi * 400 * time), atol=1e-4)
    assert not waves[0, 80:].any()


@pytest.mark.parametrize("length", [50, 120])
def test_waveforms_can_be_given_one_length(sounds, length):
    dataset = audio_dataset_from_directory(sounds, output_sequence_length=length, verbose=False)
    ((waves, _),) = dataset
    assert waves.shape == (4, length, 1)


def test_ragged_waveforms_keep_their_length(sounds):
    dataset = audio_dataset_from_directory(sounds, ragged=True, shuffle=False, verbose=False)
    ((waves, labels),) = dataset
    assert [len(wave) for wave in waves] == [80, 100, 80, 100]
    assert labels.shape == (4,)


def test_files_of_another_rate_are_named_or_brought_to_one(sounds):
    time = np.arange(160) / 16000
    wave = (np.sin(2 * np.pi * 400 * time) * 32767).astype("int16")
    wavfile.write(sounds / "high" / "2.wav", 16000, wave)
    with pytest.raises(ValueError, match=r"2\.wav has 16000 .*8000.\n.*sampling_rate=8000"):
        list(audio_dataset_from_directory(sounds, shuffle=False, verbose=False))
    dataset = audio_dataset_from_directory(sounds, shuffle=False, verbose=False, sampling_rate=8000)
    ((waves, _),) = dataset
    expected = np.sin(2 * np.pi * 400 * np.arange(80) / 8000)
    np.testing.assert_allclose(waves[2, 10:70, 0], expected[10:70], atol=0.02)


@pytest.mark.parametrize(
    ("dtype", "raw", "expected"),
    [
        ("uint8", [0, 128, 255], [-1, 0, 127 / 128]),
        ("int16", [-(2**15), 0, 2**14], [-1, 0, 0.5]),
        ("int32", [-(2**31), 0, 2**30], [-1, 0, 0.5]),
        ("float32", [-1, 0, 0.25], [-1, 0, 0.25]),
    ],
)
def test_every_coding_is_brought_to_minus_one_to_one(tmp_path, dtype, raw, expected):
    wavfile.write(tmp_path / "a.wav", 100, np.array(raw, dtype))
    rate, wave = read_wav(tmp_path / "a.wav")
    assert rate == 100
    np.testing.assert_allclose(wave[:, 0], expected)


def test_a_broken_sound_is_named(sounds):
    (sounds / "low" / "0.wav").write_bytes(b"ID3 this is no wave")
    with pytest.raises(ValueError, match=r"low.0\.wav cannot be read as WAV"):
        list(audio_dataset_from_directory(sounds, verbose=False))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ragged": True, "output_sequence_length": 5}, "received both"),
        ({"sampling_rate": 0}, "sampling_rate must be an integer of at least 1; received 0"),
        ({"sampling_rate": 8000.0}, "sampling_rate must be"),
        ({"output_sequence_length": -1}, "output_sequence_length must be"),
    ],
)
def test_bad_arguments_are_refused(sounds, arguments, message):
    with pytest.raises(ValueError, match=message):
        audio_dataset_from_directory(sounds, **arguments)
