"""Layers for categories and text: tables of what they give, taken from Keras 3.15 on TensorFlow.

Keras makes most of them with TensorFlow only, so that their numbers stand here as literals.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import lamina
from families.promises import Case, LayerPromises, plain
from lamina import layers
from lamina.core.serialization import registry
from lamina.core.user_data.text import has_text
from lamina.layers.preprocessing import fingerprint

BOUNDARIES = {"bin_boundaries": [-0.5, 0.0, 1.0]}
DATA = np.array([[-1.5, 1.0, 3.4, 0.5], [0.0, 3.0, 1.3, 0.0]])


class TestCategoriesOfNumbers(LayerPromises):
    cases = [
        Case("CategoryEncoding", {"num_tokens": 5}, (2, 3), "int32"),
        Case("CategoryEncoding", {"num_tokens": 5, "output_mode": "one_hot"}, (4, 1), "int32"),
        Case("CategoryEncoding", {"num_tokens": 5, "output_mode": "one_hot"}, (2, 3), "int32",
             id="of-several"),
        Case("CategoryEncoding", {"num_tokens": 6, "output_mode": "count"}, (2, 4), "int32"),
        Case("Discretization", BOUNDARIES, (3, 4)),
        Case("Discretization", {**BOUNDARIES, "output_mode": "one_hot"}, (3, 1)),
        Case("Discretization", {**BOUNDARIES, "output_mode": "multi_hot"}, (3, 4)),
        Case("Discretization", {**BOUNDARIES, "output_mode": "count"}, (3, 4)),
    ]  # fmt: skip


@dataclass
class Given:
    """A layer, what it is adapted to (None for nothing), what it is given, and what it gives."""

    make: Callable[[], Any]
    seen: Any
    x: Any
    expected: Any
    id: str

    def layer(self) -> Any:
        layer = self.make()
        if self.seen is not None:
            layer.adapt(self.seen)
        return layer


def lookup(name, id, x, expected, seen=None, **settings):
    return Given(lambda: getattr(layers, name)(**settings), seen, x, expected, f"{name}-{id}")


DOCUMENTS = [["a", "b", "a"], ["b", "c", "c"], ["a", "b", "d"]]
TF_IDF = [
    [0.0, 0.5596157908439636, 1.3862943649291992, 0.0, 0.0],
    [0.7713361382484436, 0.0, 0.0, 1.8325815200805664, 0.0],
]
LETTERS = [["a", "zebra", "b", "quark", "yak"]]
NUMBERS = [[10, 20, 5, 6, 7, -4]]
TABLE = [
    lookup("Hashing", "mask", [["A"], ["B"], [""], ["C"]], [[1], [1], [0], [2]],
           num_bins=3, mask_value=""),
    lookup("Hashing", "mask-of-numbers", [[0], [1], [2]], [[0], [2], [2]],
           num_bins=3, mask_value=0),
    lookup("Hashing", "salt", [["A"], ["B"], ["C"], ["D"], ["E"]], [[1], [2], [1], [0], [2]],
           num_bins=3, salt=[133, 137]),
    lookup("Hashing", "one-salt", [["A"], ["B"], ["C"], ["D"], ["E"]], [[0], [0], [2], [1], [0]],
           num_bins=3, salt=133),
    lookup("Hashing", "fractions", [1.0, 2.7, -3.2], [4, 4, 4], num_bins=5),
    lookup("Hashing", "multi-hot", [["A", "B"], ["C", "C"]], [[1, 0, 0, 0], [0, 0, 0, 1]],
           num_bins=4, output_mode="multi_hot"),
    lookup("Hashing", "one-hot", [["A"], ["B"]], [[1, 0, 0, 0], [1, 0, 0, 0]],
           num_bins=4, output_mode="one_hot"),
    lookup("Hashing", "count", [["A", "B"], ["C", "C"]], [[2, 0, 0, 0], [0, 0, 0, 2]],
           num_bins=4, output_mode="count"),
    lookup("HashedCrossing", "text-and-numbers", [list("ABABA"), [101, 101, 101, 102, 102]],
           [1, 4, 1, 1, 3], num_bins=5),
    lookup("HashedCrossing", "texts", [list("ABABA"), list("xxyyz")], [210, 927, 981, 8, 74],
           num_bins=1000),
    lookup("HashedCrossing", "numbers", [[1, 2, -3], [101, 101, -5]], [870, 838, 471],
           num_bins=1000),
    lookup("HashedCrossing", "three", [[1, 2, 3], [101, 101, 7], list("uvw")], [654, 796, 309],
           num_bins=1000),
    lookup("HashedCrossing", "one-hot", [[["A"], ["B"]], [[101], [101]]],
           [[0, 1, 0, 0, 0], [0, 0, 0, 0, 1]], num_bins=5, output_mode="one_hot"),
    lookup("StringLookup", "adapted", ["a", "b", "z"], [2, 1, 0], list("babcab")),
    lookup("StringLookup", "oov-hashed", LETTERS, [[3, 2, 4, 1, 1]], num_oov_indices=3,
           vocabulary=["a", "b"]),
    lookup("StringLookup", "oov-salted", LETTERS, [[3, 0, 4, 1, 1]], num_oov_indices=3,
           vocabulary=["a", "b"], salt=7),
    lookup("StringLookup", "tf-idf", [["a", "b", "a"], ["z", "c", "c"]], TF_IDF, DOCUMENTS,
           output_mode="tf_idf"),
    lookup("StringLookup", "tf-idf-padded", [["a", "b", "a"], ["z", "c", "c"]],
           [row + [0.0] * 3 for row in TF_IDF], DOCUMENTS, output_mode="tf_idf", max_tokens=8,
           pad_to_max_tokens=True),
    lookup("StringLookup", "tf-idf-given", [["a", "c", "d", "d"], ["d", "z", "b", "z"]],
           [[0, 0.25, 0, 0.6, 0.8], [1.0, 0, 0.75, 0, 0.4]], vocabulary=["a", "b", "c", "d"],
           idf_weights=[0.25, 0.75, 0.6, 0.4], output_mode="tf_idf"),
    lookup("StringLookup", "tf-idf-given-for-all", [["a", "c", "d", "d"], ["d", "z", "b", "z"]],
           [[0, 0.25, 0, 0.6, 0.8], [1.8, 0, 0.75, 0, 0.4]],
           vocabulary=["[UNK]", "a", "b", "c", "d"], idf_weights=[0.9, 0.25, 0.75, 0.6, 0.4],
           output_mode="tf_idf"),
    lookup("StringLookup", "inverted", [[0, 1, 2, 3, 9]], [["[M]", "[UNK]", "a", "b", "[UNK]"]],
           vocabulary=["a", "b"], invert=True, mask_token="[M]"),
    lookup("IntegerLookup", "oov-remainder", NUMBERS, [[3, 4, 2, 0, 1, 2]], num_oov_indices=3,
           vocabulary=[10, 20]),
    lookup("IntegerLookup", "oov-hashed", NUMBERS, [[3, 4, 1, 2, 1, 1]], num_oov_indices=3,
           vocabulary=[10, 20], oov_method="farmhash"),
    lookup("IntegerLookup", "count-with-mask", [[10, 20, 5, 6, 7, 0, 0]], [[1, 2, 1, 1]],
           num_oov_indices=2, vocabulary=[10, 20], mask_token=0, output_mode="count"),
    lookup("IntegerLookup", "inverted", [[1, 3, 0]], [[12, 1138, -1]], vocabulary=[12, 36, 1138],
           invert=True),
    lookup("IntegerLookup", "adapted", [[3, 1, 9]], [[1, 3, 0]], [[1, 2], [3, 3]]),
]  # fmt: skip


def columns_of(layer: Any, x: Any) -> list:
    return x if type(layer) is layers.HashedCrossing else [x]


# Text stays on the host.
NUMERIC = [
    case for case in TABLE if not has_text(case.x) and type(case.make()) is not layers.StringLookup
]


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.id)
class TestTable:
    def test_output_is_that_of_keras(self, case):
        layer = case.layer()
        output = layer(case.x)
        expected = np.array(case.expected)
        assert output.shape == expected.shape
        if expected.dtype.kind in "if":
            np.testing.assert_allclose(output, expected, atol=1e-6)
        else:
            assert output.tolist() == expected.tolist()

    def test_the_symbolic_output_has_the_same_shape_and_dtype(self, case):
        layer = case.layer()
        columns = [np.array(x) for x in columns_of(layer, case.x)]
        inputs = [
            lamina.Input(c.shape[1:], dtype="string" if c.dtype.kind == "U" else c.dtype)
            for c in columns
        ]
        symbol = layer(inputs if len(inputs) > 1 else inputs[0])
        output = layer(case.x)
        assert symbol.shape == (None, *output.shape[1:])
        kind = {"float32": "f", "int64": "i", "string": "O"}[symbol.dtype]
        assert output.dtype.kind == kind

    def test_the_config_makes_the_same_layer(self, case, tmp_path):
        layer = case.layer()
        config = plain(registry.serialize(layer))
        again = registry.deserialize(config)
        assert plain(registry.serialize(again)) == config
        if hasattr(layer, "save_assets"):
            store: dict = {}
            layer.save_own_variables(store)
            layer.save_assets(str(tmp_path))
            again.load_own_variables(store)
            again.load_assets(str(tmp_path))
        assert again(case.x).tolist() == layer(case.x).tolist()


@pytest.mark.parametrize("case", NUMERIC, ids=lambda case: case.id)
def test_numbers_give_the_same_in_a_compiled_program(case):
    layer = case.layer()
    arrays = [jnp.asarray(np.array(x)) for x in columns_of(layer, case.x)]
    output = jax.jit(layer)(arrays if len(arrays) > 1 else arrays[0])
    assert isinstance(output, jax.Array)
    np.testing.assert_array_equal(output, layer(case.x))


# -- hashes ----------------------------------------------------------------------------------------

# Every way that FarmHash has for lengths: 0, 1–3, 4–7, 8–16, 17–32, 33–64 and blocks of 64.
HASHED = {
    "": (1936946117179621455, 316627932347062996),
    "a": (3694432073954588131, 2466253977694453450),
    "abc": (2640714258260161385, 2288159068006480041),
    "abcd": (1897425971756105985, 3196519216900852167),
    "1234567": (2791685920142820519, 4057864270701072910),
    "12345678": (3430003927990384362, 1592922254571014780),
    "0123456789abcdef": (1493332391325024359, 4045071960732599654),
    "0123456789abcdefg": (2800675501336285770, 2112349501170619355),
    "y" * 32: (2351315479247125839, 1739609714814096713),
    "z" * 33: (1983000239170337647, 3212790999491273603),
    "q" * 64: (3227602484106814583, 558020427446289090),
    "w" * 65: (3272011567211491968, 2877200667339158543),
    "é ü 漢字": (3304632673619535708, 1762517251141310745),
    "k" * 128: (224700386886314890, 208786291661287741),
    "k" * 129: (930124591354907890, 791241516184975299),
    "m" * 300: (315734316711042078, 66596663918169966),
}
WHOLE = [0, 1, -1, 7, 42, -(2**31), 2**31 - 1, 1234567890123456789, -(2**63)]
WHOLE_HASHED = [735, 849, 430, 88, 736, 469, 757, 374, 112]
WHOLE_SALTED = [715, 333, 37, 731, 778, 725, 816, 959, 80]


def test_texts_of_every_length_have_the_hash_of_tensorflow():
    texts = np.array(list(HASHED), dtype=object)
    plain_hashes, salted = zip(*HASHED.values(), strict=True)
    assert fingerprint.buckets(texts, 2**62).tolist() == list(plain_hashes)
    assert fingerprint.buckets(texts, 2**62, [133, 137]).tolist() == list(salted)


@pytest.mark.parametrize(("salt", "expected"), [(None, WHOLE_HASHED), ([5, 5], WHOLE_SALTED)])
def test_whole_numbers_have_the_hash_of_their_digits(salt, expected):
    assert fingerprint.buckets(np.array(WHOLE), 1000, salt).tolist() == expected
    small = jnp.array(WHOLE[:7], "int32")
    compiled = jax.jit(lambda x: fingerprint.buckets(x, 1000, salt))
    assert compiled(small).tolist() == expected[:7]


# -- text ------------------------------------------------------------------------------------------

SENTENCES = ["The cat sat, on the MAT!", "the dog  ate it's bone.", "Ünïcode É cat\tdog\u00a0x"]
ASKED = ["the cat ate É bone", "dog", ""]
WORDS = ["the", "cat", "Ünïcode", "É", "sat", "on", "mat", "its", "dog\xa0x", "dog", "bone", "ate"]
VECTORIZED = {
    "words": ({}, ["", "[UNK]", *WORDS], [[2, 3, 13, 5, 12], [11, 0, 0, 0, 0], [0] * 5]),
    "cut": ({"output_sequence_length": 4}, ["", "[UNK]", *WORDS],
            [[2, 3, 13, 5], [11, 0, 0, 0], [0] * 4]),
    "pairs": ({"ngrams": (2,)},
              ["", "[UNK]", "Ünïcode É", "É cat", "the mat", "the dog", "the cat", "sat on",
               "on the", "its bone", "dog ate", "cat sat", "cat dog\xa0x", "ate its"],
              [[6, 1, 1, 1], [0] * 4, [0] * 4]),
    "up-to-pairs": ({"ngrams": 2, "max_tokens": 6, "output_mode": "multi_hot"},
                    ["[UNK]", "the", "cat", "Ünïcode É", "Ünïcode", "É cat"],
                    [[1, 1, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0], [0] * 6]),
    "characters": ({"split": "character", "max_tokens": 6},
                   ["", "[UNK]", " ", "t", "e", "o"],
                   [[3, 1, 4, 2, 1, 1, 3, 2, 1, 3, 4, 2, 1, 2, 1, 5, 1, 4],
                    [1, 5, 1, *[0] * 15], [0] * 18]),
    "whole": ({"split": None},
              ["", "[UNK]", "Ünïcode É cat\tdog\xa0x", "the dog  ate its bone",
               "the cat sat on the mat"], [1, 1, 0]),
    "as-written": ({"standardize": None, "max_tokens": 4}, ["", "[UNK]", "the", "cat"],
                   [[2, 3, 1, 1, 1], [1, 0, 0, 0, 0], [0] * 5]),
    "lower": ({"standardize": "lower"},
              ["", "[UNK]", "the", "cat", "Ünïcode", "É", "sat,", "on", "mat!", "it's", "dog\xa0x",
               "dog", "bone.", "ate"], [[2, 3, 13, 5, 1], [11, 0, 0, 0, 0], [0] * 5]),
    "no-marks": ({"standardize": "strip_punctuation", "max_tokens": 4},
                 ["", "[UNK]", "the", "cat"], [[2, 3, 1, 1, 1], [1, 0, 0, 0, 0], [0] * 5]),
    "padded-count": ({"output_mode": "count", "max_tokens": 10, "pad_to_max_tokens": True},
                     ["[UNK]", *WORDS[:9]],
                     [[2, 1, 1, 0, 1, 0, 0, 0, 0, 0], [1, *[0] * 9], [0] * 10]),
}  # fmt: skip


@pytest.mark.parametrize(("settings", "vocabulary", "expected"), VECTORIZED.values(),
                         ids=VECTORIZED)  # fmt: skip
def test_text_is_standardized_split_and_numbered_as_in_keras(settings, vocabulary, expected):
    layer = layers.TextVectorization(**settings)
    layer.adapt(SENTENCES)
    assert layer.get_vocabulary() == vocabulary
    assert layer(ASKED).tolist() == expected
    assert layer(np.array(ASKED)[:, None]).shape[0] == 3


def test_text_by_weights_of_its_words():
    layer = layers.TextVectorization(output_mode="tf_idf")
    layer.adapt(SENTENCES)
    often, seldom = 0.6931471824645996, 0.9162907600402832
    row = np.zeros(13)
    row[[1, 2]], row[[4, 11, 12]] = often, seldom
    np.testing.assert_allclose(layer(ASKED[:1]), [row], rtol=1e-6)


def test_functions_of_the_user_see_arrays_of_texts():
    layer = layers.TextVectorization(
        standardize=lambda x: np.char.replace(np.char.lower(x), "-", " "),
        split=lambda x: [text.split(" ") for text in x],
        vocabulary=["low", "high"],
    )
    assert layer(["High-LOW", "low"]).tolist() == [[3, 2], [2, 0]]


@pytest.mark.parametrize(
    "given",
    [
        SENTENCES,
        np.array(SENTENCES),
        np.array(SENTENCES, dtype=object)[:, None],
        np.array([s.encode() for s in SENTENCES]),
        pd.Series(SENTENCES),
        lambda: iter([SENTENCES[:1], np.array(SENTENCES[1:])]),
        lambda: [(np.array(SENTENCES), np.zeros(3))],
    ],
    ids=["list", "array", "objects", "bytes", "column", "batches", "batches-with-labels"],
)
def test_a_vocabulary_is_learned_from_whatever_holds_texts(given):
    layer = layers.TextVectorization()
    layer.adapt(given() if callable(given) else given)
    assert layer.get_vocabulary(include_special_tokens=False) == WORDS


def test_only_so_many_batches_are_taken():
    layer = layers.StringLookup()
    layer.adapt(iter([["a"], ["b"], ["c"]]), steps=2)
    assert layer.get_vocabulary() == ["[UNK]", "b", "a"]


def test_a_vocabulary_may_be_a_file_with_a_token_a_line(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("[UNK]\nearth\nwind\n")
    layer = layers.StringLookup(vocabulary=str(path))
    assert layer(["wind", "fire"]).tolist() == [2, 0]
    # The path is nobody's business: what was in the file is saved with the model.
    assert layer.get_config()["vocabulary"] is None
    numbers = tmp_path / "numbers.txt"
    numbers.write_text("7\n8\n")
    assert layers.IntegerLookup(vocabulary=numbers)([8, 9]).tolist() == [2, 0]


def test_ranges_are_those_that_keras_finds():
    layer = layers.Discretization(num_bins=4)
    layer.adapt(DATA)
    assert layer.bin_boundaries == [0.0, 0.5, 1.2999999523162842]
    assert layer(DATA).tolist() == [[0, 2, 3, 2], [1, 3, 3, 1]]
    values = np.random.RandomState(0).randn(1000).astype("float32")
    layer = layers.Discretization(num_bins=5)
    layer.adapt(values)
    whole = [-0.8640455007553101, -0.3119768500328064, 0.1965571939945221, 0.7863278388977051]
    assert layer.bin_boundaries == pytest.approx(whole, abs=1e-6)
    layer.adapt(iter(np.split(values, 10)))
    parts = [-0.803668737411499, -0.30829793214797974, 0.23060151934623718, 0.8116039037704468]
    assert layer.bin_boundaries == pytest.approx(parts, abs=1e-6)
    again = layers.Discretization.from_config(plain(layer.get_config()))
    assert again(values).tolist() == layer(values).tolist()


def test_counts_may_be_weighted():
    layer = layers.CategoryEncoding(4, output_mode="count")
    weighted = layer([[0, 1], [0, 0]], count_weights=[[0.1, 0.2], [0.1, 0.3]])
    np.testing.assert_allclose(weighted, [[0.1, 0.2, 0, 0], [0.4, 0, 0, 0]], rtol=1e-6)


def test_numbers_beyond_32_bits_are_told_apart_on_the_host():
    large = [2**40, 2**40 + 2**32, 7]
    assert layers.IntegerLookup(vocabulary=large)(np.array(large)).tolist() == [1, 2, 3]
    assert jax.jit(layers.IntegerLookup(vocabulary=large))(jnp.array([7, 0])).tolist() == [3, 0]


def test_a_vocabulary_set_later_replaces_the_learned_one():
    layer = layers.TextVectorization(output_mode="tf_idf")
    layer.adapt(["a b", "c"])
    layer.set_vocabulary(["x", "y"], idf_weights=[2.0, 3.0])
    assert layer(["y z y"]).tolist() == [[2.5, 0.0, 6.0]]
    assert layer.vocabulary_size() == 3


# -- unhappy paths ---------------------------------------------------------------------------------

TEXT, NUMBER = lamina.Input((1,), dtype="string"), lamina.Input((1,))
WRONG = [
    (lambda: layers.CategoryEncoding(), ValueError, "needs num_tokens"),
    (lambda: layers.CategoryEncoding(3)([3]), ValueError, "from 0 to 2 and received 3"),
    (lambda: layers.CategoryEncoding(3)([0.5]), TypeError, "integers and received 0.5"),
    (lambda: layers.CategoryEncoding(3)(["a"]), TypeError, "takes numbers and received text"),
    (lambda: layers.CategoryEncoding(3)([1], count_weights=[1.0]), ValueError, "only with"),
    (lambda: layers.CategoryEncoding(3, sparse=True), ValueError, "no sparse output"),
    (lambda: layers.CategoryEncoding(3, "onehot"), ValueError, "Did you mean 'one_hot'"),
    (lambda: layers.Discretization(), ValueError, "received neither"),
    (lambda: layers.Discretization([1.0], 2), ValueError, "received both"),
    (lambda: layers.Discretization([2.0, 1.0]), ValueError, "ascending numbers"),
    (lambda: layers.Discretization(num_bins=2)([1.0]), ValueError, "boundaries yet"),
    (lambda: layers.Discretization([1.0]).adapt([1.0]), ValueError, "nothing to adapt"),
    (lambda: layers.Discretization(num_bins=2).adapt([np.nan]), ValueError, "NaN"),
    (lambda: layers.Hashing(0), ValueError, "num_bins must be an integer of at least 1"),
    (lambda: layers.Hashing(3, salt="pepper"), ValueError, "one or two integers"),
    (lambda: layers.Hashing(3, dtype="float32"), ValueError, "'int32' or 'int64'"),
    (lambda: layers.Hashing(3)(["a", None]), TypeError, "element 1 is None"),
    (lambda: layers.HashedCrossing(3)([[1, 2], [1]]), ValueError, r"\(2,\) and \(1,\)"),
    (lambda: layers.HashedCrossing(3)(np.ones(3)), ValueError, "list of two or more columns"),
    (lambda: layers.StringLookup(max_tokens=1), ValueError, "leaves none"),
    (lambda: layers.StringLookup(num_oov_indices=-1), ValueError, "0 or more"),
    (lambda: layers.StringLookup(pad_to_max_tokens=True), ValueError, "needs max_tokens"),
    (lambda: layers.StringLookup(invert=True, output_mode="count"), ValueError, "needs output"),
    (lambda: layers.StringLookup(vocabulary=["a", "a"]), ValueError, "'a' more than once"),
    (lambda: layers.StringLookup(vocabulary=[]), ValueError, "one or more tokens"),
    (lambda: layers.StringLookup(vocabulary=["a", "m"], mask_token="m"), ValueError,
     "reserved token 'm' at index 1"),
    (lambda: layers.StringLookup(vocabulary=["a", "[UNK]"], invert=True), ValueError,
     r"reserved token '\[UNK\]'"),
    (lambda: layers.StringLookup(vocabulary=["a", "b"], max_tokens=2), ValueError, "tokens is 2"),
    (lambda: layers.StringLookup(vocabulary="nowhere.txt"), FileNotFoundError, "nowhere.txt"),
    (lambda: layers.StringLookup(vocabulary=["a"], output_mode="tf_idf"), ValueError,
     "needs idf_weights"),
    (lambda: layers.StringLookup(vocabulary=["a"], idf_weights=[1.0]), ValueError, "are for out"),
    (lambda: layers.StringLookup(vocabulary=["a"], idf_weights=[1.0, 2.0], output_mode="tf_idf"),
     ValueError, "one idf weight for each of the 1"),
    (lambda: layers.StringLookup(vocabulary=["a"]).adapt(["b"]), ValueError, "nothing to adapt"),
    (lambda: layers.StringLookup().adapt([]), ValueError, "no data"),
    (lambda: layers.StringLookup()(["a"]), ValueError, "no vocabulary yet"),
    (lambda: layers.StringLookup(output_mode="count")(TEXT), ValueError, "width of its output"),
    (lambda: layers.StringLookup(vocabulary=["a"])([1]), TypeError, "takes text and received"),
    (lambda: layers.StringLookup(vocabulary=["a"])(NUMBER), TypeError, "takes text and received"),
    (lambda: layers.StringLookup(vocabulary=["a"], num_oov_indices=0)(["x"]), ValueError,
     "no index for 'x'"),
    (lambda: layers.StringLookup.from_config({"vocabulary": "/etc/passwd"}), ValueError,
     "does not open files"),
    (lambda: layers.IntegerLookup(vocabulary=["a"]), TypeError, "received text"),
    (lambda: layers.IntegerLookup(vocabulary=[1])(["a"]), TypeError, "received text"),
    (lambda: layers.IntegerLookup(vocabulary=[1])([1.5]), TypeError, "received 1.5"),
    (lambda: layers.IntegerLookup(vocabulary_dtype="int32"), ValueError, "is 'int64'"),
    (lambda: layers.IntegerLookup(salt=1), ValueError, "farmhash"),
    (lambda: layers.IntegerLookup(oov_method="modulo"), ValueError, "'floormod' or 'farmhash'"),
    (lambda: layers.TextVectorization(standardize="upper"), ValueError, "standardize"),
    (lambda: layers.TextVectorization(split="word"), ValueError, "split of TextVectorization"),
    (lambda: layers.TextVectorization(ngrams=0), ValueError, "ngrams"),
    (lambda: layers.TextVectorization(ragged=True), ValueError, "no ragged output"),
    (lambda: layers.TextVectorization(output_sequence_length=0), ValueError, "1 or more"),
    (lambda: layers.TextVectorization(output_mode="count", output_sequence_length=3), ValueError,
     "is for output_mode='int'"),
    (lambda: layers.TextVectorization()(["a"]), ValueError, "no vocabulary yet"),
    (lambda: layers.TextVectorization(vocabulary=["a"])([1]), TypeError, "takes text"),
    (lambda: layers.TextVectorization(vocabulary=["a"])(NUMBER), TypeError, "takes text"),
    (lambda: layers.TextVectorization(vocabulary=["a"])([["a", "b"]]), ValueError, "split=None"),
    (lambda: layers.TextVectorization(vocabulary=["a"])([["a"], ["a", "b"]]), ValueError,
     "differ in length"),
    (lambda: layers.Dense(1)(TEXT), TypeError, "is text, and this operation needs numbers"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "words"), WRONG, ids=range(len(WRONG)))
def test_what_cannot_work_is_refused_in_words(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_a_vocabulary_of_another_size_is_refused_where_a_model_counts_on_the_first():
    layer = layers.StringLookup(output_mode="count")
    layer.adapt(["a", "b"])
    layer.adapt(["a"])  # nothing was made of it yet
    layer(TEXT)
    with pytest.raises(RuntimeError, match="built for 2 tokens; the new vocabulary has 3"):
        layer.adapt(["a", "b"])


def test_configs_are_those_of_keras():
    layer = layers.TextVectorization(max_tokens=6, ngrams=2, output_mode="multi_hot", name="it")
    layer.adapt(SENTENCES)
    policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"},
              "registered_name": None}  # fmt: skip
    assert json.loads(json.dumps(registry.serialize(layer)["config"])) == {
        "name": "it", "trainable": True, "dtype": policy, "max_tokens": 6,
        "standardize": "lower_and_strip_punctuation", "split": "whitespace", "ngrams": 2,
        "output_mode": "multi_hot", "output_sequence_length": None, "pad_to_max_tokens": False,
        "sparse": False, "ragged": False, "vocabulary": None, "idf_weights": None,
        "encoding": "utf-8", "vocabulary_size": 6,
    }  # fmt: skip
    layer = layers.IntegerLookup(num_oov_indices=3, vocabulary=[10, 20], name="it")
    assert registry.serialize(layer)["config"] == {
        "name": "it", "trainable": True, "dtype": policy, "invert": False, "max_tokens": None,
        "num_oov_indices": 3, "oov_token": -1, "mask_token": None, "output_mode": "int",
        "sparse": False, "pad_to_max_tokens": False, "vocabulary_dtype": "int64",
        "idf_weights": None, "vocabulary": [10, 20], "vocabulary_size": 5,
        "oov_method": "floormod", "salt": None,
    }  # fmt: skip
    config = registry.serialize(layers.Hashing(3, salt=5, mask_value="", name="it"))["config"]
    assert config == {
        "name": "it", "trainable": True, "dtype": {**policy, "config": {"name": "int64"}},
        "num_bins": 3, "salt": [5, 5], "mask_value": "", "output_mode": "int", "sparse": False,
    }  # fmt: skip
    assert layers.HashedCrossing(5, name="it").get_config() == {
        "num_bins": 5, "output_mode": "int", "sparse": False, "name": "it", "dtype": "int64",
    }  # fmt: skip
