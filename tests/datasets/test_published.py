"""CIFAR, IMDB, Reuters and the two housing sets, as small files in the same formats."""

import hashlib
import io
import json
import pickle
import tarfile

import keras
import numpy as np
import pytest

import lamina
from lamina import datasets
from lamina.datasets import boston_housing, california_housing, cifar10, cifar100, imdb, reuters
from lamina.datasets.published import Archive, single_file_source

pytestmark = pytest.mark.usefixtures("own_caches")


def sha256(contents):
    return "sha256:" + hashlib.sha256(contents).hexdigest()


def npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def texts(rng, count):
    found = np.empty(count, dtype=object)
    for place in range(count):
        found[place] = rng.integers(1, 60, rng.integers(1, 12)).tolist()
    return found


@pytest.fixture
def chosen(tmp_path, monkeypatch):
    folder = tmp_path / "chosen"
    folder.mkdir()
    monkeypatch.setenv("LAMINA_DATASETS", str(folder))
    return folder


@pytest.fixture
def put(chosen, monkeypatch):
    """Puts a file into the chosen folder, and takes its checksum for that of the data set."""

    def put(module, name, contents, attribute="SOURCE"):
        (chosen / name).write_bytes(contents)
        source = single_file_source(getattr(module, attribute).name, "It", name, sha256(contents))
        monkeypatch.setattr(module, attribute, source)
        keras_module = f"keras.src.datasets.{module.__name__.rpartition('.')[2]}.get_file"
        monkeypatch.setattr(keras_module, lambda *args, **kwargs: str(chosen / name))

    return put


def same(ours, theirs):
    for (x, y), (x_keras, y_keras) in zip(ours, theirs, strict=True):
        assert [list(text) for text in x] == [list(text) for text in x_keras]
        assert np.asarray(y).tolist() == np.asarray(y_keras).tolist()
    return True


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"num_words": 30},
        {"num_words": 30, "skip_top": 5, "oov_char": None},
        {"maxlen": 8, "seed": 5},
        {"start_char": None},
        {"start_char": None, "index_from": 0},
    ],
)
def test_texts_are_numbered_mixed_and_cut_as_by_keras(put, rng, arguments):
    contents = npz(
        x_train=texts(rng, 20), y_train=np.arange(20) % 2, x_test=texts(rng, 12),
        y_test=np.arange(12) % 2,
    )  # fmt: skip
    put(imdb, "imdb.npz", contents)
    assert same(imdb.load_data(**arguments), keras.datasets.imdb.load_data(**arguments))
    put(reuters, "reuters.npz", npz(x=texts(rng, 30), y=np.arange(30)))
    assert same(reuters.load_data(**arguments), keras.datasets.reuters.load_data(**arguments))


def test_reuters_keeps_another_share_for_testing(put, rng):
    put(reuters, "reuters.npz", npz(x=texts(rng, 10), y=np.arange(10)))
    (x_train, _), (x_test, _) = reuters.load_data(test_split=0.5)
    assert (len(x_train), len(x_test)) == (5, 5)


def test_a_maxlen_that_leaves_nothing_says_what_would(put, rng):
    put(reuters, "reuters.npz", npz(x=texts(rng, 10), y=np.arange(10)))
    with pytest.raises(ValueError, match=r"leaves no text: the shortest has \d+ words"):
        reuters.load_data(maxlen=1)


@pytest.mark.parametrize("module", [imdb, reuters])
def test_words_have_numbers(put, module):
    name = module.WORD_INDEX.name + ".json"
    put(module, name, json.dumps({"the": 1, "film": 2}).encode(), attribute="WORD_INDEX")
    assert module.get_word_index() == {"the": 1, "film": 2}


def test_topics_have_kerass_names():
    assert reuters.get_label_names() == keras.datasets.reuters.get_label_names()


@pytest.mark.parametrize("module", [boston_housing, california_housing])
def test_houses_are_split_as_by_keras(put, rng, module):
    name = module.SOURCE.name
    put(module, f"{name}.npz", npz(x=rng.normal(size=(700, 4)), y=rng.normal(size=700)))
    keras_module = getattr(keras.datasets, name)
    for arguments in ({}, {"test_split": 0.5, "seed": 3}):
        for ours, theirs in zip(
            module.load_data(**arguments), keras_module.load_data(**arguments), strict=True
        ):
            np.testing.assert_array_equal(ours[0], theirs[0])
            np.testing.assert_array_equal(ours[1], theirs[1])


def test_the_small_version_has_600_districts(put, rng):
    put(california_housing, "california_housing.npz", npz(x=np.ones((700, 2)), y=np.arange(700.0)))
    (x_train, y_train), (x_test, y_test) = california_housing.load_data("small")
    assert (len(x_train), len(x_test)) == (480, 120)
    assert max(y_train.max(), y_test.max()) == 599
    with pytest.raises(ValueError, match="version must be 'small' or 'large'; received 'tiny'"):
        california_housing.load_data("tiny")


def test_a_share_that_is_none_is_refused(put):
    put(boston_housing, "boston_housing.npz", npz(x=np.ones((5, 2)), y=np.ones(5)))
    with pytest.raises(ValueError, match="from 0 to below 1; received 1.5"):
        boston_housing.load_data(test_split=1.5)


def batch(rng, keys, count=4):
    contents = {b"data": rng.integers(0, 256, (count, 3072), dtype="uint8")}
    contents.update({key: rng.integers(0, 20, count).tolist() for key in keys})
    return pickle.dumps(contents, protocol=4)


@pytest.fixture
def cifar(rng, monkeypatch):
    """Small batches as the files of CIFAR-10 and CIFAR-100 by name; their checksums are taken."""

    def make(module, folder, keys, decode):
        names = {
            "cifar10": [
                "data_batch_1",
                "data_batch_2",
                "data_batch_3",
                "data_batch_4",
                "data_batch_5",
                "test_batch",
            ],
            "cifar100": ["train", "test"],
        }
        name = module.__name__.rpartition(".")[2]
        files = {member: batch(rng, keys) for member in names[name]}
        archive = archived(folder, files)
        source = Archive(
            name, name, "http://127.0.0.1:9/", f"{folder}.tar.gz", sha256(archive), folder,
            {member: sha256(contents) for member, contents in files.items()}, f"{folder}-target",
        ).source(decode)  # fmt: skip
        monkeypatch.setattr(module, "SOURCE", source)
        return files, archive

    return make


def archived(folder, files):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, contents in files.items():
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size = len(contents)
            archive.addfile(entry, io.BytesIO(contents))
    return file.getvalue()


def unpacked(place, files):
    place.mkdir(parents=True)
    for name, contents in files.items():
        (place / name).write_bytes(contents)


def test_cifar_10_is_read_from_the_archive_or_unpacked(cifar, chosen, tmp_path):
    files, archive = cifar(cifar10, "cifar-10-batches-py", [b"labels"], cifar10._decode)
    (chosen / "cifar-10-batches-py.tar.gz").write_bytes(archive)
    (x_train, y_train), (x_test, y_test) = datasets.cifar10.load_data()
    assert (x_train.shape, x_test.shape) == ((20, 32, 32, 3), (4, 32, 32, 3))
    assert (y_train.shape, y_train.dtype) == ((20, 1), np.uint8)
    second = pickle.loads(files["data_batch_2"])
    np.testing.assert_array_equal(
        x_train[5], second[b"data"][1].reshape(3, 32, 32).transpose(1, 2, 0)
    )
    assert y_train[4:8, 0].tolist() == second[b"labels"]
    (chosen / "cifar-10-batches-py.tar.gz").unlink()
    unpacked(tmp_path / "keras/datasets/cifar-10-batches-py-target/cifar-10-batches-py", files)
    np.testing.assert_array_equal(datasets.cifar10.load_data()[0][0], x_train)


def test_cifar_100_has_fine_and_coarse_labels(cifar, chosen):
    keys = [b"fine_labels", b"coarse_labels"]
    files, _ = cifar(cifar100, "cifar-100-python", keys, cifar100._decode)
    unpacked(chosen / "cifar-100-python", files)
    test = pickle.loads(files["test"])
    for mode in ("fine", "coarse"):
        _, (x_test, y_test) = datasets.cifar100.load_data(mode)
        assert y_test[:, 0].tolist() == test[f"{mode}_labels".encode()]
    with pytest.raises(ValueError, match="label_mode must be 'fine' or 'coarse'"):
        datasets.cifar100.load_data("medium")


def test_channels_come_first_where_that_is_the_setting(cifar, chosen):
    keys = [b"fine_labels", b"coarse_labels"]
    files, _ = cifar(cifar100, "cifar-100-python", keys, cifar100._decode)
    unpacked(chosen / "cifar-100-python", files)
    lamina.config.set_image_data_format("channels_first")
    try:
        assert datasets.cifar100.load_data()[0][0].shape == (4, 3, 32, 32)
    finally:
        lamina.config.set_image_data_format("channels_last")


def test_a_batch_with_another_checksum_is_not_unpickled(cifar, chosen):
    files, _ = cifar(cifar10, "cifar-10-batches-py", [b"labels"], cifar10._decode)
    unpacked(chosen / "cifar-10-batches-py", {**files, "data_batch_3": b"cos\nsystem\n."})
    with pytest.raises(ValueError, match=r"data_batch_3 is not the one that was published"):
        datasets.cifar10.load_data()


def test_an_archive_without_a_batch_says_which(cifar, chosen):
    files, _ = cifar(cifar10, "cifar-10-batches-py", [b"labels"], cifar10._decode)
    files.pop("test_batch")
    archive = archived("cifar-10-batches-py", files)
    (chosen / "cifar-10-batches-py.tar.gz").write_bytes(archive)
    with pytest.raises(ValueError, match="test_batch is missing from the archive"):
        datasets.cifar10.load_data()


def test_another_file_under_the_name_is_refused(put, chosen, rng):
    put(reuters, "reuters.npz", npz(x=texts(rng, 10), y=np.arange(10)))
    (chosen / "reuters.npz").write_bytes(npz(x=texts(rng, 9), y=np.arange(9)))
    with pytest.raises(ValueError, match=r"not the one that was published \(SHA256"):
        reuters.load_data()


def test_a_file_is_fetched_once_and_checked(tmp_path, server, monkeypatch, rng):
    contents = npz(x=rng.normal(size=(10, 2)), y=rng.normal(size=10))
    server.files["boston_housing.npz"] = contents
    monkeypatch.setattr("lamina.datasets.published.KERAS_ADDRESS", server.address)
    source = single_file_source("boston_housing", "Boston", "boston_housing.npz", sha256(contents))
    monkeypatch.setattr(boston_housing, "SOURCE", source)
    for _ in range(2):
        (x_train, _), _ = boston_housing.load_data()
        assert x_train.shape == (8, 2)
    assert len(server.requests) == 1


def test_the_offline_route_names_the_archive(server, monkeypatch, chosen):
    members = {"batch": "md5:0"}
    archive = Archive("tiny", "Tiny", server.address, "tiny.tar.gz", "md5:0", "tiny", members, "t")
    with pytest.raises(datasets.DatasetUnavailableError) as caught:
        datasets.locate.load(archive.source(dict))
    assert f"fetch tiny.tar.gz from {server.address}" in str(caught.value)


def test_a_cache_file_of_another_content_is_fetched_again(
    tmp_path, server, monkeypatch, rng, caplog
):
    contents = npz(x=rng.normal(size=(10, 2)), y=rng.normal(size=10))
    server.files["boston_housing.npz"] = contents
    monkeypatch.setattr("lamina.datasets.published.KERAS_ADDRESS", server.address)
    source = single_file_source("boston_housing", "Boston", "boston_housing.npz", sha256(contents))
    monkeypatch.setattr(boston_housing, "SOURCE", source)
    cache = tmp_path / "cache/datasets"
    cache.mkdir(parents=True)
    (cache / "boston_housing.npz").write_bytes(contents[:-9])
    assert boston_housing.load_data()[0][0].shape == (8, 2)
    assert "set aside" in caplog.text
