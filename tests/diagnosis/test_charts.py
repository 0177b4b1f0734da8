import base64
import io

import numpy as np
import pytest
from PIL import Image

from lamina.diagnosis import charts
from lamina.diagnosis.charts import DARK, LIGHT

PNG = b"\x89PNG\r\n\x1a\n"


def draw(outcome, theme):
    names = outcome.class_names
    return {
        "samples": charts.sample_grid(*outcome.train_data, names, theme=theme),
        "curves": charts.training_curves(outcome.history, outcome.test, theme=theme),
        "confusion": charts.confusion_matrix(outcome.confusion, names, theme=theme),
        "mistakes": charts.confident_mistakes(
            *outcome.test_data, outcome.probabilities, names, theme=theme
        ),
        "predictions": charts.predictions(np.arange(9.0), np.arange(9.0) ** 1.1, theme=theme),
    }


def texts(figure):
    figure.canvas.draw()
    found = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        found += [t.get_text() for t in (*axes.texts, axes.title, axes.xaxis.label)]
        found += [t.get_text() for t in (*axes.get_xticklabels(), *axes.get_yticklabels())]
    return found


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["samples", "curves", "confusion", "mistakes", "predictions"])
def test_every_picture_is_drawn_in_both_themes(make_outcome, tmp_path, name, theme):
    figure = draw(make_outcome(), theme)[name]
    path = charts.save(figure, tmp_path / "a.png")
    with Image.open(path) as image:
        assert image.width > 300
        corner = "#{:02x}{:02x}{:02x}".format(*image.convert("RGB").getpixel((0, 0)))
    assert corner == theme.background


def test_drawing_leaves_the_users_pyplot_alone(make_outcome):
    import matplotlib.pyplot as plt

    before = plt.get_fignums(), plt.rcParams.copy()
    draw(make_outcome(), LIGHT)
    assert (plt.get_fignums(), plt.rcParams) == before


def test_a_mistake_says_what_was_said_how_surely_and_what_it_is(make_outcome):
    captions = texts(draw(make_outcome(), LIGHT)["mistakes"])
    assert "square (90.0 %)" in captions
    assert captions[captions.index("square (90.0 %)") + 1] == "is circle"


def test_short_names_get_a_verb(make_outcome):
    captions = texts(draw(make_outcome(names=("0", "1", "2")), LIGHT)["mistakes"])
    assert "says 1 (90.0 %)" in captions


def test_no_mistakes_is_said_in_words(make_outcome):
    assert "No mistakes." in texts(draw(make_outcome(wrong=0), LIGHT)["mistakes"])


def test_curves_name_their_ends_and_labels_do_not_overlap(make_outcome):
    figure = charts.training_curves(
        {"loss": [2.0, 1.0], "val_loss": [2.0, 1.001], "accuracy": [0.1, 0.5]},
        {"loss": 1.002, "accuracy": 0.4},
    )
    figure.canvas.draw()
    loss, accuracy = figure.axes
    names = [t.get_text() for t in loss.texts]
    assert names == ["training 1", "validation 1"]
    boxes = sorted((t.get_window_extent() for t in loss.texts), key=lambda box: box.y0)
    assert all(low.y1 <= high.y0 + 1 for low, high in zip(boxes, boxes[1:], strict=False))
    assert [t.get_text() for t in accuracy.texts] == ["test 40.0 %", "training 50.0 %"]


@pytest.mark.parametrize(
    ("name", "values", "least"),
    [("accuracy", [0.971, 0.972, 0.9715], 0.1), ("loss", [0.2001, 0.2, 0.1999], 0.2)],
)
def test_what_hardly_changes_is_drawn_as_flat(name, values, least):
    figure = charts.training_curves({name: values}, only=name)
    low, high = figure.axes[0].get_ylim()
    assert high - low >= least - 1e-9
    assert low <= min(values)
    assert max(values) <= high


def test_a_loss_below_zero_is_not_cut_off():
    figure = charts.training_curves({"loss": [-0.2, -0.8]}, only="loss")
    assert figure.axes[0].get_ylim()[0] < -0.8


def test_the_colours_of_a_matrix_tell_every_share_from_a_larger_one():
    found = [
        charts.colour_intensities(np.array([[100 - share, share], [0, 1]]))[0, 1]
        for share in (1, 12, 20, 50, 100)
    ]
    assert found == sorted(set(found))
    assert found[0] >= 0.08
    assert found[-1] <= 1


@pytest.mark.parametrize("epochs", [1, 3, 60])
def test_any_number_of_epochs_can_be_drawn(epochs):
    figure = charts.training_curves({"loss": np.linspace(1, 0.1, epochs)})
    figure.canvas.draw()
    assert 1 <= len(figure.axes[0].get_xticks()) <= 8


def test_counts_in_the_matrix_can_be_read_on_their_colour():
    figure = charts.confusion_matrix(np.array([[99, 1], [50, 50]]), ("a", "b"), theme=LIGHT)
    ink = {t.get_text(): t.get_color() for t in figure.axes[0].texts}
    assert ink["1"] == LIGHT.text
    assert set(ink.values()) <= {LIGHT.text, LIGHT.background}


def test_empty_cells_of_the_matrix_stay_empty():
    figure = charts.confusion_matrix(np.diag([3, 4]), ("a", "b"))
    assert [t.get_text() for t in figure.axes[0].texts] == ["3", "4"]


def test_coloured_images_are_shown_too():
    images = np.zeros((3, 4, 4, 3), dtype="uint8")
    figure = charts.sample_grid(images, np.array([0, 1, 0]), ("a", "b"))
    assert texts(figure)[:3] == ["a", "b", "a"]


def test_a_data_uri_is_the_picture(make_outcome):
    uri = charts.data_uri(draw(make_outcome(), LIGHT)["curves"])
    head, _, body = uri.partition(",")
    assert head == "data:image/png;base64"
    raw = base64.b64decode(body)
    assert raw.startswith(PNG)
    Image.open(io.BytesIO(raw)).verify()


def test_values_that_are_not_finite_are_gaps():
    history = {"loss": [1.0, 2.0], "val_loss": [3.0, float("inf")]}
    [axes] = charts.training_curves(history).axes
    assert np.isnan(axes.lines[1].get_ydata()[1])
    assert [text.get_text() for text in axes.texts] == ["training 2"]
