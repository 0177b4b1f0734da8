"""The table of a model: what it says, at every width, in a pipe, before and after it is built."""

import subprocess
import sys

import numpy as np
import pytest

import lamina
from lamina.layers import BatchNormalization, Concatenate, Conv2D, Dense, Flatten, Input


def text_of(model, **arguments):
    printed = []
    model.summary(print_fn=printed.append, **arguments)
    return "".join(printed)


def cells(text):
    """The rows of the table as lists of words; a row may take several lines."""
    rows = []
    for line in text.splitlines():
        if line.startswith("│"):
            parts = [part.strip() for part in line.strip("│").split("│")]
            if rows and not any(parts[1:3]):
                rows[-1] = [f"{a} {b}".strip() for a, b in zip(rows[-1], parts, strict=True)]
            else:
                rows.append(parts)
    return rows


def stack():
    return lamina.Sequential([Input((28, 28)), Flatten(), Dense(128), Dense(10)], name="digits")


def branched():
    image, table = Input((32, 32, 3), name="image"), Input((10,), name="table")
    x = BatchNormalization()(Conv2D(16, 3)(image))
    x = Flatten()(x * 2)
    inner = lamina.Sequential([Input((10,)), Dense(8), Dense(16)], name="inner")
    inner.trainable = False
    shared = Dense(5, name="shared")
    out = shared(Concatenate()([x, inner(table)]))
    return lamina.Model([image, table], [out, Dense(5)(out)], name="branched")


class Own(lamina.Model):
    def __init__(self):
        super().__init__(name="own")
        self.first, self.rest = Dense(4, name="first"), [Dense(2, name="last")]

    def call(self, x):
        return self.rest[0](self.first(x))


def test_every_layer_has_its_shape_parameters_and_memory():
    text = text_of(stack())
    assert text.splitlines()[0] == 'Model: "digits"'
    assert cells(text) == [
        ["flatten (Flatten)", "(None, 784)", "0", "0 B"],
        ["dense (Dense)", "(None, 128)", "100,480", "392.5 KiB"],
        ["dense_1 (Dense)", "(None, 10)", "1,290", "5.0 KiB"],
    ]
    assert text.splitlines()[-3:] == [
        "Parameters: 101,770 (397.5 KiB)",
        "  trainable: 101,770 (397.5 KiB)",
        "  not trainable: 0 (0 B)",
    ]


def test_what_the_optimizer_keeps_is_counted():
    model = stack()
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    last = text_of(model).splitlines()[-1]
    count = sum(v.size for v in model.optimizer.variables)
    assert last.startswith(f"Optimizer: {count:,} (")


def test_before_it_is_built_the_table_says_so():
    for model, names in (
        (lamina.Sequential([Dense(3, name="first"), Dense(2, name="last")]), ["first", "last"]),
        (Own(), ["first", "last"]),
    ):
        text = text_of(model)
        assert cells(text) == [[f"{name} (Dense)", "?", "?", "?"] for name in names]
        assert "model.build((None, …))" in text


@pytest.mark.parametrize("how", ["build", "call", "fit"])
def test_a_model_with_its_own_call_has_shapes_once_it_is_built(how):
    model = Own()
    x = np.ones((6, 3), "float32")
    if how == "build":
        model.build((None, 3))
    elif how == "call":
        model(x)
    else:
        model.compile("sgd", "mse")
        model.fit(x, x[:, :2], verbose=0)
    batch = "6" if how == "call" else "None"
    assert [row[:3] for row in cells(text_of(model))] == [
        ["first (Dense)", f"({batch}, 4)", "16"],
        ["last (Dense)", f"({batch}, 2)", "10"],
    ]


def test_branches_say_what_they_are_connected_to():
    rows = {row[0]: row for row in cells(text_of(branched(), line_length=140))}
    assert rows["multiply (Multiply)"][1:] == [
        "(None, 30, 30, 16)",
        "0",
        "0 B",
        "batch_normalization",
    ]
    assert rows["concatenate (Concatenate)"][-1] == "flatten, inner"
    assert rows["image (InputLayer)"][-1] == ""
    assert len(text_of(stack()).splitlines()[1]) < 80


def test_nested_layers_and_frozen_ones_are_shown_when_asked():
    text = text_of(branched(), expand_nested=True, show_trainable=True, line_length=140)
    rows = {row[0].strip(): row for row in cells(text)}
    assert rows["inner (Sequential)"][-1] == rows["dense (Dense)"][-1] == "no"
    assert rows["shared (Dense)"][-1] == "yes"
    assert rows["multiply (Multiply)"][-1] == ""
    assert "  not trainable: 264 (1.0 KiB)" in text


@pytest.mark.parametrize("make", [stack, branched])
@pytest.mark.parametrize("width", [50, 80, 120])
def test_no_line_is_wider_than_it_may_be_and_nothing_is_lost(make, width):
    model = make()
    text = text_of(model, line_length=width)
    assert max(map(len, text.splitlines())) <= width
    if (width, make) == (50, branched):
        return  # too narrow to keep shapes on one line
    rows = cells(text)
    for layer in model.layers:
        row = next(r for r in rows if "".join(r[0].split()).startswith(f"{layer.name}("))
        assert row[1:3] == [str(layer.output.shape), f"{layer.count_params():,}"]


def test_names_are_not_broken_at_the_usual_width():
    model = branched()
    rows = cells(text_of(model, line_length=80))
    assert [row[0].split()[0] for row in rows][:2] == ["image", "conv2d"]
    assert "batch_normalization (BatchNormalization)" in [row[0] for row in rows]
    assert "Memory" not in text_of(model, line_length=80)
    assert "Memory" in text_of(model, line_length=120)


def test_a_stretch_of_layers_can_be_chosen():
    model = stack()
    assert [row[0] for row in cells(text_of(model, layer_range=["flatten", "dense"]))] == [
        "flatten (Flatten)",
        "dense (Dense)",
    ]
    assert len(cells(text_of(model, layer_range=["dense.*", "dense.*"]))) == 2
    with pytest.raises(ValueError, match="has 'dens', but the model has no such layer. Did you"):
        model.summary(layer_range=["flatten", "dens"])
    with pytest.raises(ValueError, match="the first and the last layer"):
        model.summary(layer_range=["flatten"])


def test_a_shared_layer_shows_each_of_its_shapes():
    shared = Dense(3, name="shared")
    x, y = Input((4, 2)), Input((2,))
    model = lamina.Model([x, y], [shared(x), shared(y)])
    row = next(r for r in cells(text_of(model, line_length=140)) if r[0].startswith("shared"))
    assert row[1] == "(None, 4, 3), (None, 3)"


def test_a_pipe_gets_the_same_readable_table():
    code = (
        "import lamina; from lamina.layers import *; "
        "lamina.Sequential([Input((4,)), Dense(3), Dense(2)]).summary()"
    )
    for encoding in ("utf-8", "ascii"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            env={"PATH": "", "PYTHONIOENCODING": encoding, "LAMINA_KEEP_PROGRAMS": "0"},
            check=True,
        )
        text = done.stdout.decode(encoding)
        assert "\x1b" not in text
        assert "dense_1 (Dense)" in text
        assert text.splitlines()[-3] == "Parameters: 23 (92 B)"


def test_a_name_is_no_markup():
    model = lamina.Sequential([Input((2,)), Dense(1, name="[bold]layer[-1]")], name="[red]m")
    text = text_of(model)
    assert "[bold]layer[-1] (Dense)" in text
    assert '"[red]m"' in text
