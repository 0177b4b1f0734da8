"""`model.explain`: its words, its pictures, its files, and what it refuses."""

import json

import numpy as np
import pandas as pd
import pytest

import lamina
from lamina import layers
from lamina.contract import Contract


@pytest.fixture(scope="module")
def of_picture(pictures, picture):
    return pictures.explain(picture)


@pytest.fixture(scope="module")
def of_text(texts):
    return texts.explain("good bad zzz film")


def linear(weights, activation=None, **arguments):
    """A dense layer with known weights, `(features, units)`."""
    kernel = np.array(weights, "float32")
    dense = layers.Dense(
        kernel.shape[1], activation, kernel_initializer=lambda *_, **k: kernel, **arguments
    )
    return lamina.Sequential([lamina.Input((kernel.shape[0],)), dense], name="known")


class Ends(lamina.Model):
    """A model without a graph, whose softmax is a function."""

    def __init__(self):
        super().__init__(name="ends")
        self.scale = layers.Rescaling(1 / 255)
        self.convolution = layers.Conv2D(4, 3, name="convolution")
        self.pool = layers.GlobalAveragePooling2D()
        self.dense = layers.Dense(3)

    def call(self, x):
        x = self.pool(self.convolution(self.scale(x)))
        return lamina.ops.softmax(self.dense(x))


def test_bytes_of_a_picture_and_a_softmax_that_is_a_function_are_understood():
    model = Ends()
    model(np.zeros((1, 6, 6, 3), "uint8"))
    pixels = np.random.default_rng(0).integers(0, 255, (6, 6, 3)).astype("uint8")
    found = model.explain(pixels)
    assert (found.kind, found.is_class, found.grad_cam.shape) == ("picture", True, (4, 4))
    assert found.values.sum() == pytest.approx(1, abs=1e-5)


def test_layers_that_compute_again_in_the_backward_pass_are_opened():
    with lamina.RematScope(mode="full"):
        model = linear([[2, 0], [0, 1]], "softmax")
    scope = model.layers[0]._remat_scope
    assert model.explain([1.0, 1.0], 0).score == 2
    assert model.layers[0]._remat_scope is scope


@pytest.mark.parametrize("form", ["frame", "series", "dict"])
def test_a_row_of_a_table_goes_by_its_names(form):
    frame = pd.DataFrame({"size": [4.0, 2.0], "age": [1.0, 0.0]})
    model = linear([[2], [-3]])
    model.compile(lamina.optimizers.SGD(1e-9), "mse")
    model.fit(frame, np.array([5.0, 4.0]), verbose=0)
    row = {"frame": frame.iloc[[0]], "series": frame.iloc[0], "dict": {"age": 1.0, "size": 4.0}}
    found = model.explain(row[form])
    assert [amount.name for amount in found.in_order] == ["size", "age"]
    assert [amount.amount for amount in found.in_order] == pytest.approx([8, -3], rel=1e-4)


def test_an_explanation_leaves_fit_nothing_to_compile(compilations):
    model = linear([[2], [-3]])
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 2)), np.ones(4), verbose=0)
    model.explain([1.0, 2.0])
    compilations.reset()
    model.explain([3.0, 4.0])
    model.fit(np.ones((4, 2)), np.ones(4), verbose=0)
    assert compilations.names == []


def test_the_text_tells_the_class_the_second_and_what_mattered_most():
    model = linear([[2, 0, 0], [-1, 0, 0], [0, 1, 0]], "softmax")
    model.input_contract = Contract(class_names=("cat", "dog", "cow"))
    shares = np.exp([3, 1, 0]) / np.exp([3, 1, 0]).sum()
    assert str(model.explain([2.0, 1.0, 1.0], names=["fur", "bark", "x"])).splitlines() == [
        f"Model 'known' says cat ({shares[0]:.1%}), before dog ({shares[1]:.1%}).",
        "  Most for cat: fur = 2 (+4).",
        "  Most against cat: bark = 1 (-1).",
    ]


def test_another_class_may_be_explained_by_name_or_number():
    model = linear([[2, 0], [0, 1]], "softmax")
    model.input_contract = Contract(class_names=("cat", "dog"))
    by_name, by_number = model.explain([1.0, 3.0], "cat"), model.explain([1.0, 3.0], 0)
    assert by_name.score == by_number.score == 2
    assert "Explained is cat" in str(by_name)
    with pytest.raises(ValueError, match="target='cot' is not a class .*Did you mean 'cat'"):
        model.explain([1.0, 3.0], "cot")


@pytest.mark.parametrize(
    ("activation", "loss", "names", "probability"),
    [
        ("sigmoid", None, ("0", "1"), 1 / (1 + np.exp(-2))),
        (None, "binary", ("0", "1"), 1 / (1 + np.exp(-2))),
        (None, None, ("the output",), 2.0),
    ],
)
def test_one_number_is_a_class_or_a_number(activation, loss, names, probability):
    model = linear([[2]], activation)
    if loss:
        model.compile("sgd", lamina.losses.BinaryCrossentropy(from_logits=True))
    found = model.explain([1.0])
    assert found.names == names
    assert found.values[-1] == pytest.approx(probability, rel=1e-5)
    assert found.is_class == (len(names) == 2)


def test_logits_are_classes_by_the_loss():
    model = linear([[2, 1]])
    model.compile("sgd", lamina.losses.SparseCategoricalCrossentropy(from_logits=True))
    assert model.explain([1.0]).values.sum() == pytest.approx(1)


def test_several_sigmoids_are_labels_of_their_own():
    found = linear([[2, -2]], "sigmoid").explain([1.0])
    np.testing.assert_allclose(found.values, 1 / (1 + np.exp([-2, 2])), rtol=1e-5)


def test_one_of_several_outputs_is_explained():
    x = lamina.Input((2,))
    outputs = [layers.Dense(1, name="price")(x), layers.Dense(3, "softmax", name="kind")(x)]
    model = lamina.Model(x, outputs)
    assert "for 'price'" in str(model.explain([1.0, 2.0]))
    assert len(model.explain([1.0, 2.0], output="kind").names) == 3
    with pytest.raises(ValueError, match=r"no output 'kinds'.*Did you mean 'kind'"):
        model.explain([1.0, 2.0], output="kinds")


def test_a_sample_may_have_its_batch_axis_or_not(pictures, picture):
    one = pictures.explain(picture).attributions
    for x in (picture[None], picture[..., 0], picture.tolist()):
        np.testing.assert_array_equal(pictures.explain(x).attributions, one)


def test_words_are_named_in_order_without_padding(of_text):
    assert of_text.kind == "words"
    assert [amount.name for amount in of_text.in_order] == ["good", "bad", "[UNK]", "film"]
    assert "good" in str(of_text)
    assert of_text._repr_html_().count("<span") == 4


def test_numbers_of_words_take_a_dictionary(own):
    names = {1: "one", 2: "two", 3: "three"}
    found = own.explain([[3, 1, 2, 2]], names=names)
    assert [amount.name for amount in found.in_order] == ["three", "one", "two", "two"]


def test_numbers_of_words_may_come_as_floats():
    vectors = layers.Embedding(5, 3)
    stack = [lamina.Input((4,)), vectors, layers.GlobalAveragePooling1D(), layers.Dense(1)]
    found = lamina.Sequential(stack).explain([1.0, 4.0, 2.0, 2.0])
    assert found.kind == "words"
    assert all(amount.amount for amount in found.in_order)


def test_rows_of_a_table_have_columns_and_values():
    size = lamina.Input((1,), name="size")
    town = lamina.Input((1,), dtype="string", name="town")
    codes = layers.StringLookup(vocabulary=["a", "b"], output_mode="one_hot", name="codes")(town)
    joined = layers.Concatenate()([size, codes])
    model = lamina.Model({"size": size, "town": town}, layers.Dense(1, name="price")(joined))
    kernel = model.get_weights()[0][:, 0]
    found = model.explain({"size": 2.0, "town": "b"})
    by_name = {amount.name: amount for amount in found.contributions}
    assert by_name["size"].amount == pytest.approx(2 * kernel[0], rel=1e-4)
    assert by_name["town"].amount == pytest.approx(kernel[3], rel=1e-4)
    assert (by_name["size"].value, by_name["town"].value) == ("2", "b")


def test_a_picture_has_places_a_map_and_probabilities(of_picture):
    assert of_picture.kind == "picture"
    assert of_picture.grad_cam.shape == (4, 4)
    assert of_picture.grad_cam_layer == "convolution"
    assert "row " in str(of_picture)
    titles = [axes.get_title() + axes.get_title(loc="left") for axes in of_picture.plot().axes]
    assert titles[0] == "the sample"
    assert titles[2:] == ["Grad-CAM, convolution", "probability"]


def test_the_largest_pixel_is_the_first_place():
    weights = np.zeros((100, 1))
    weights[37], weights[85] = 5, -3
    found = linear(weights).explain(np.ones(100))
    assert found.kind == "picture"
    # The middle of 3 × 3 pixels that hold it.
    assert [amount.amount for amount in found.contributions[:1]] == [5]
    row, column = (int(part.split()[1]) for part in found.contributions[0].name.split(", "))
    assert abs(row - 3) <= 1
    assert abs(column - 7) <= 1


def test_words_have_their_attention_in_the_picture(of_text):
    titles = [axes.get_title() for axes in of_text.plot().axes]
    assert "attention, attention" in titles


def test_it_is_written_as_a_picture_a_page_and_data(of_picture, of_text, tmp_path):
    for name in ("a.png", "b.svg", "c.html", "d.json"):
        of_picture.save(tmp_path / name)
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"
    assert "data:image/png;base64" in (tmp_path / "c.html").read_text("utf-8")
    data = json.loads((tmp_path / "d.json").read_text("utf-8"))
    assert data["explained"] == of_picture.names[of_picture.target]
    assert sum(data["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    with pytest.raises(ValueError, match=r"Fix: explanation.save\('why.png'\)"):
        of_text.save(tmp_path / "why.doc")


@pytest.mark.parametrize(
    ("name", "x", "error", "message"),
    [
        ("dense", np.ones((4, 3)), ValueError, "takes one sample; received 4"),
        ("dense", np.ones(7), ValueError, "takes arrays of shape"),
        ("dense", [np.nan, 1, 2], ValueError, "NaN"),
        ("dense", None, TypeError, "takes one sample; received None"),
        ("dense", iter([1]), TypeError, "takes one sample; received a list_iterator"),
        ("dense", "text", TypeError, "text"),
        ("texts", np.ones(3), TypeError, "takes text as its input"),
        ("dense", pd.DataFrame(np.ones((2, 3))), ValueError, r"Fix: model.explain\(x.iloc"),
    ],
)
def test_what_is_not_one_sample_is_refused(name, x, error, message, request):
    with pytest.raises(error, match=message):
        request.getfixturevalue(name).explain(x)


def test_a_model_without_weights_has_nothing_to_explain():
    with pytest.raises(ValueError, match="has no weights yet"):
        lamina.Sequential([layers.Dense(1)]).explain([1.0])


def test_whole_numbers_without_an_embedding_have_no_gradient():
    x = lamina.Input((2,), dtype="int32")
    model = lamina.Model(x, lamina.ops.cast(x, "float32") * 2.0)
    with pytest.raises(ValueError, match=r"integers.*\n.*x.astype\('float32'\)"):
        model.explain([1, 2])
