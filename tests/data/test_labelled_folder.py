"""What images, texts and sounds share: which files, labels and subsets."""

import os

import keras.src.utils.dataset_utils as keras_folders
import numpy as np
import pytest

from lamina.utils import image_dataset_from_directory, text_dataset_from_directory


def images(folder, **kwargs):
    return image_dataset_from_directory(folder, image_size=(8, 8), verbose=False, **kwargs)


@pytest.mark.parametrize("subset", ["training", "validation"])
@pytest.mark.parametrize("seed", [1, 23])
def test_the_same_files_fall_into_the_same_subset_as_in_keras(pictures, subset, seed):
    paths, labels, names = keras_folders.index_directory(
        str(pictures), "inferred", (".png",), seed=seed, verbose=False
    )
    paths, labels = keras_folders.get_training_or_validation_split(paths, labels, 0.3, subset)
    dataset = images(pictures, validation_split=0.3, subset=subset, seed=seed, batch_size=None)
    assert dataset.file_paths == paths
    assert dataset.class_names == names
    assert sorted(int(y) for _, y in dataset) == sorted(labels.tolist())


def test_both_subsets_come_from_one_call_and_share_no_file(pictures):
    training, validation = images(pictures, validation_split=0.3, subset="both", seed=4)
    assert (len(training.file_paths), len(validation.file_paths)) == (7, 3)
    assert not set(training.file_paths) & set(validation.file_paths)
    alone = images(pictures, validation_split=0.3, subset="training", seed=4)
    assert alone.file_paths == training.file_paths


def test_both_subsets_need_no_seed(pictures):
    training, validation = images(pictures, validation_split=0.3, subset="both")
    assert len({*training.file_paths, *validation.file_paths}) == 10


def test_every_epoch_has_an_order_of_its_own_and_the_seed_fixes_them(pictures):
    def orders(seed):
        dataset = images(pictures, seed=seed, batch_size=None)
        return [[float(x.sum()) for x, _ in dataset] for _ in range(2)]

    first = orders(seed=1)
    assert first == orders(seed=1)
    assert first[0] != first[1]
    assert sorted(first[0]) == sorted(first[1])
    assert first != orders(seed=2)


def test_without_shuffling_the_files_come_in_alphabetical_order(pictures):
    dataset = images(pictures, shuffle=False)
    assert [os.path.relpath(path, pictures) for path in dataset.file_paths[4:6]] == [
        os.path.join("cat", "4.png"), os.path.join("dog", "0.png"),
    ]  # fmt: skip
    labels = np.concatenate([y for _, y in dataset])
    assert labels.tolist() == [0] * 5 + [1] * 5


@pytest.mark.parametrize(
    ("label_mode", "shape", "dtype", "first"),
    [
        ("int", (10,), "int32", 0),
        ("binary", (10, 1), "float32", [0.0]),
        ("categorical", (10, 2), "float32", [1.0, 0.0]),
    ],
)
def test_labels_come_in_the_form_that_a_loss_takes(pictures, label_mode, shape, dtype, first):
    (_, labels), = images(pictures, label_mode=label_mode, shuffle=False)  # fmt: skip
    assert (labels.shape, labels.dtype) == (shape, np.dtype(dtype))
    assert labels[0].tolist() == first


@pytest.mark.parametrize("how", [{"labels": None}, {"label_mode": None}])
def test_without_labels_there_are_only_pictures(pictures, how):
    dataset = images(pictures, **how)
    (batch,) = dataset
    assert batch.shape == (10, 8, 8, 3)
    assert dataset.class_names is None


def test_classes_take_the_order_in_which_they_are_named(pictures):
    dataset = images(pictures, class_names=["dog", "cat"], shuffle=False)
    assert dataset.class_names == ["dog", "cat"]
    assert os.sep + "dog" + os.sep in dataset.file_paths[0]


def test_one_label_for_every_file(texts):
    labels = [3, 3, 5, 5, 4, 4]
    dataset = text_dataset_from_directory(texts, labels=labels, shuffle=False, verbose=False)
    ((_, found),) = dataset
    assert found.tolist() == labels
    assert dataset.class_names == ["3", "4", "5"]


def test_given_labels_are_mixed_with_their_files_and_left_alone_themselves(texts):
    labels = [0, 1, 2, 3, 4, 5]
    dataset = text_dataset_from_directory(
        texts, labels=labels, seed=2, verbose=False, batch_size=None
    )
    spelt = {str(text): int(label) for text, label in dataset}
    assert spelt["see you soon 1"] == 1
    assert spelt["win a prize now 0"] == 3
    assert labels == [0, 1, 2, 3, 4, 5]


def test_links_are_followed_on_request(pictures, tmp_path):
    outside = tmp_path / "more"
    outside.mkdir()
    (outside / "far.png").write_bytes((pictures / "cat" / "0.png").read_bytes())
    (pictures / "cat" / "link").symlink_to(outside, target_is_directory=True)
    assert len(images(pictures).file_paths) == 10
    assert len(images(pictures, follow_links=True).file_paths) == 11


def test_what_was_found_is_said(pictures, capsys):
    image_dataset_from_directory(pictures, validation_split=0.3, subset="both", seed=1)
    assert capsys.readouterr().out.splitlines() == [
        "Found 10 files belonging to 2 classes.",
        "Using 7 files for training.",
        "Using 3 files for validation.",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": "guessed"}, "labels must be 'inferred'"),
        ({"labels": [0, 1]}, "labels has 2 entries, and .* holds 10 image files"),
        ({"label_mode": "one-hot"}, "label_mode must be"),
        ({"labels": [1, 2] * 5, "label_mode": "categorical"}, "labels from 0 to 1, .* received"),
        ({"class_names": ["cat", "bird"]}, "no subfolder of that name.\n.*: cat, dog"),
        ({"class_names": ["cat"], "labels": None}, "only with labels='inferred'"),
        ({"class_names": ["cat"], "label_mode": "binary"}, "exactly 2 classes; found 1: cat"),
        ({"validation_split": 0.2}, "validation_split was given alone"),
        ({"subset": "training"}, "subset was given alone"),
        ({"validation_split": 2, "subset": "both"}, "a fraction between 0 and 1; received 2"),
        ({"validation_split": 0.2, "subset": "test", "seed": 1}, "subset must be"),
        ({"validation_split": 0.2, "subset": "training"}, "needs a seed"),
        ({"validation_split": 0.01, "subset": "both", "seed": 1}, "leaves none to validate on"),
        ({"format": "torch"}, "format must be 'tf' or 'grain'; received 'torch'"),
        ({"batch_size": 0}, "batch_size must be an integer of at least 1"),
        ({"color_mode": "cmyk"}, "color_mode must be"),
        ({"interpolation": "cubic"}, "interpolation must be one of bilinear"),
        ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "exclude each other"),
    ],
)
def test_bad_arguments_are_refused_before_any_file_is_read(pictures, arguments, message):
    with pytest.raises(ValueError, match=message):
        images(pictures, **arguments)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder '.*nowhere'"):
        images(tmp_path / "nowhere")


def test_loose_files_without_subfolders_are_explained(pictures):
    with pytest.raises(ValueError, match=r"its 5 image files lie beside each other.*\n.*labels=N"):
        images(pictures / "cat")


def test_an_empty_folder_is_explained(tmp_path):
    with pytest.raises(ValueError, match=r"No image files in .*\n.*one subfolder per class"):
        images(tmp_path)
