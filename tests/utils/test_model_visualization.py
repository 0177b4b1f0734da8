import io

import numpy as np
import pytest
from PIL import Image

import lamina
from lamina import layers
from lamina.utils import load_img, model_to_dot, plot_model
from lamina.utils.model_diagram import Contents, build_diagram
from lamina.utils.model_layout import compute_layout


@pytest.fixture
def branching():
    """Two inputs, a skip connection, a nested stack and a layer that is called twice."""
    pixels, table = lamina.Input((8,), name="pixels"), lamina.Input((4,), name="table")
    shared = layers.Dense(8, activation="relu", name="shared")
    x = shared(shared(pixels))
    x = layers.Add(name="sum")([x, pixels])
    x = layers.Concatenate(name="both")([x, table])
    head = lamina.Sequential(
        [lamina.Input((12,)), layers.Dense(3, name="wide"), layers.Dense(2, name="last")],
        name="head",
    )
    return lamina.Model([pixels, table], head(x), name="branching")


def edges(dot):
    return {(a.title.split(" ")[0], b.title.split(" ")[0]) for a, b in dot.get_edges()}


def test_edges_are_the_connections_of_the_model(branching):
    assert edges(model_to_dot(branching)) == {
        ("pixels", "shared"), ("shared", "shared"), ("shared", "sum"), ("pixels", "sum"),
        ("sum", "both"), ("table", "both"), ("both", "head"),
    }  # fmt: skip


def test_a_nested_model_can_be_opened(branching):
    dot = model_to_dot(branching, expand_nested=True)
    found = edges(dot)
    assert {("both", "wide"), ("wide", "last")} < found
    assert ("both", "head") not in found
    assert "subgraph cluster_" in dot.to_string()
    assert 'label="head"' in dot.to_string()


def test_several_inputs_and_outputs_of_a_nested_model_are_told_apart():
    a, b = lamina.Input((2,), name="a"), lamina.Input((2,), name="b")
    inside = lamina.Model(
        [a, b], [layers.Dense(1, name="of_a")(a), layers.Dense(1, name="of_b")(b)], name="pair"
    )
    x, y = lamina.Input((2,), name="x"), lamina.Input((2,), name="y")
    p, q = inside([x, y])
    model = lamina.Model([x, y], layers.Activation("relu", name="end")(q))
    assert p is not q
    found = edges(model_to_dot(model, expand_nested=True))
    assert {("x", "a"), ("y", "b"), ("of_b", "end")} < found
    assert ("of_a", "end") not in found


def test_boxes_show_what_is_asked_for(branching):
    branching.get_layer("shared").trainable = False
    dot = model_to_dot(
        branching, show_shapes=True, show_dtype=True, show_layer_activations=True,
        show_trainable=True,
    )  # fmt: skip
    boxes = {
        box.title: [[cell.text for cell in row] for row in box.rows] for box in dot.get_nodes()
    }
    assert boxes["shared (Dense)"] == [
        ["Activation: relu"],
        ["Input shape: (None, 8)", "Output shape: (None, 8)", "Output dtype: float32",
         "Non-trainable"],
    ]  # fmt: skip
    assert boxes["pixels (InputLayer)"] == [["Output shape: (None, 8)", "Output dtype: float32"]]
    assert boxes["sum (Add)"][0][0] == "Input shape: (None, 8), (None, 8)"


def test_without_names_there_are_kinds(branching):
    titles = [box.title for box in model_to_dot(branching, show_layer_names=False).get_nodes()]
    assert titles[:3] == ["InputLayer", "Dense", "Add"]


def test_an_input_of_a_stack_is_not_drawn_and_operations_are():
    stack = lamina.Sequential([lamina.Input((2,)), layers.Dense(1, name="only")])
    assert [box.title for box in model_to_dot(stack).get_nodes()] == ["only (Dense)"]
    x = lamina.Input((2,))
    model = lamina.Model(x, x * 2)
    assert "Multiply" in model_to_dot(model).get_nodes()[-1].title


def test_a_model_of_ones_own_is_one_box():
    class Own(lamina.Model):
        def __init__(self):
            super().__init__(name="own")
            self.dense = layers.Dense(1)

        def call(self, x):
            return self.dense(x)

    model = Own()
    with pytest.raises(ValueError, match="is not built"):
        model_to_dot(model)
    model(np.ones((1, 2)))
    assert [box.title for box in model_to_dot(model).get_nodes()] == ["own (Own)"]


@pytest.mark.parametrize("rankdir", ["TB", "BT", "LR", "RL"])
def test_boxes_do_not_overlap_and_follow_what_they_depend_on(branching, rankdir):
    diagram = build_diagram(branching, Contents(names=True), expand_nested=True)
    sizes = {key: (40.0 + 9 * n, 20.0 + n) for n, (key, _) in enumerate(diagram.boxes())}
    layout = compute_layout(diagram, sizes, rankdir)
    places = list(layout.boxes.items())
    for number, (_, (x, y, width, height)) in enumerate(places):
        assert x >= -1e-6
        assert y >= -1e-6
        assert x + width <= layout.width + 1e-6
        assert y + height <= layout.height + 1e-6
        for _, (x2, y2, width2, height2) in places[number + 1 :]:
            apart = x + width <= x2 or x2 + width2 <= x or y + height <= y2 or y2 + height2 <= y
            assert apart
    axis = 1 if rankdir in ("TB", "BT") else 0
    way = 1 if rankdir in ("TB", "LR") else -1
    for source, target in diagram.edges:
        if source != target:
            assert way * (layout.boxes[target][axis] - layout.boxes[source][axis]) > 0
    assert len(layout.edges) == len(diagram.edges) - 1  # a layer on itself has no arrow


@pytest.mark.parametrize("splines", ["ortho", "curved", "line"])
def test_a_picture_is_drawn_without_any_program(branching, tmp_path, splines, monkeypatch):
    monkeypatch.setenv("PATH", "")
    path = tmp_path / "model.png"
    plot_model(branching, path, show_shapes=True, expand_nested=True, dpi=60, splines=splines)
    picture = np.asarray(load_img(path, color_mode="grayscale"))
    assert picture.shape[0] > 200
    assert (picture < 60).mean() > 0.02  # the dark headlines of boxes
    assert (picture > 240).mean() > 0.3  # and paper around them


def test_more_pixels_an_inch_make_a_larger_picture(branching, tmp_path):
    sizes = []
    for dpi in (50, 100):
        plot_model(branching, tmp_path / "model.png", dpi=dpi)
        sizes.append(load_img(tmp_path / "model.png").width)
    assert sizes[1] == pytest.approx(2 * sizes[0], abs=2)


@pytest.mark.parametrize(
    ("ending", "start"),
    [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF"), ("dot", b"digr")],
)
def test_the_ending_of_the_name_decides_the_format(branching, tmp_path, ending, start):
    plot_model(branching, tmp_path / f"model.{ending}")
    assert (tmp_path / f"model.{ending}").read_bytes().startswith(start)


def test_a_name_without_ending_gets_one(branching, tmp_path):
    plot_model(branching, tmp_path / "model")
    assert (tmp_path / "model.png").exists()


def test_scripts_find_pydots_methods(branching):
    dot = model_to_dot(branching, dpi=50)
    assert dot.create(prog="dot", format="svg").startswith(b"<?xml")
    assert Image.open(io.BytesIO(dot.create(format="png"))).format == "PNG"


def test_the_text_for_graphviz_escapes_what_it_must():
    x = lamina.Input((2,), name="x")
    model = lamina.Model({"a": x}, {"b": layers.Dense(1, name="d")(x)}, name='say "hi"')
    text = model_to_dot(model, show_shapes=True).to_string()
    assert text.startswith('digraph "say \\"hi\\"" {')
    assert '1 [label="{d (Dense)|{Input shape: (None, 2)|Output shape: (None, 1)}}"];' in text
    assert "0 -> 1;" in text


def test_a_deep_model_is_laid_out_quickly_and_fits_a_picture(tmp_path):
    x = inputs = lamina.Input((4,))
    for _ in range(60):
        x = layers.Add()([layers.Activation("relu")(x), x])
    dot = model_to_dot(lamina.Model(inputs, x), dpi=2000)
    figure = dot.figure()
    assert figure.get_size_inches()[1] > 30
    assert len(dot.get_edges()) == 180


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rankdir": "UP"}, "rankdir must be one of TB, BT, LR, RL; received 'UP'"),
        ({"splines": "wavy"}, "splines must be one of ortho"),
        ({"show_shape": True}, "no argument 'show_shape' here. Did you mean 'show_shapes'"),
        ({"to_file": "model.gif"}, "format must be one of png"),
    ],
)
def test_bad_arguments_are_refused(branching, arguments, message):
    with pytest.raises(ValueError, match=message):
        plot_model(branching, **arguments)
