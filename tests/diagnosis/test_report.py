import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import lamina
from lamina.diagnosis import write_page, write_report
from lamina.diagnosis.outcome import Suspects
from lamina.diagnosis.samples import as_text
from lamina.findings import Finding, Findings, LayerStatistics, LearningCurve


class Page(HTMLParser):
    """Notes every address, and that every element is closed."""

    VOID = ("meta", "img", "source", "br", "link")

    def __init__(self):
        super().__init__()
        self.addresses, self.open, self.tags, self.text = [], [], [], ""

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        self.addresses += [v for k, v in attributes if k in ("src", "href", "srcset", "data")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"{tag} closes something else"

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def write(tmp_path_factory, make_outcome):
    """Writes the page of an invented training, each one once."""
    model = lamina.Sequential([lamina.layers.Input((6, 6)), lamina.layers.Flatten(name="flat"),
                               lamina.layers.Dense(3, name="classes")])  # fmt: skip
    written = {}

    def write(findings=None, suspects=None, statistics=(), **outcome):
        key = (id(findings), id(suspects), statistics, *outcome.items())
        if key not in written:
            path = write_page(
                tmp_path_factory.mktemp("page") / "report.html",
                replace(make_outcome(**outcome), suspects=suspects, statistics=statistics),
                model,
                title="Shapes & <more>",
                settings={"Epochs": 3, "Optimizer": "Adam"},
                code="print('a' < 'b')\n",
                findings=findings,
            )
            page = Page()
            page.feed(path.read_text(encoding="utf-8"))
            written[key] = path, page
        return written[key]

    return write


def test_the_page_needs_nothing_but_itself(write):
    path, page = write()
    assert page.addresses
    inside = ("data:image/png;base64,", "#")
    assert all(address.startswith(inside) for address in page.addresses)
    assert "script" not in page.tags
    without_pictures = re.sub(r"data:image/png;base64,[^\"]+", "", path.read_text())
    assert "http" not in without_pictures
    assert "@import" not in without_pictures


def test_every_element_is_closed(write):
    assert write()[1].open == []


def test_what_users_named_is_text_and_never_markup(write):
    path, page = write()
    raw = path.read_text()
    assert "<b>&star" not in raw
    assert "<b>&star" in page.text
    assert "print('a' < 'b')" in page.text
    assert "Shapes & <more>" in page.text


def test_the_page_says_what_matters(write, make_outcome):
    outcome = make_outcome()
    _, page = write()
    for text in (
        outcome.verdict.sentence,
        outcome.verdict.advice,
        "91.7 %",  # accuracy
        "circle taken for square: 2 of 20",
        "90 images for training, 60 for testing, 3 classes",
        "classes",  # a layer
        "111",  # its parameters
        "135 images/s",
        f"Lamina {lamina.__version__}",
        "Adam",
    ):
        assert text in page.text


def test_pictures_come_in_both_colour_schemes_with_words_for_those_who_cannot_see_them(write):
    path, page = write()
    # Behind each of the three cells of hits twelve at most, behind the others the mistakes again.
    charts, samples, mistakes, doubtful, behind_cells = 2 + 1, 16, 5, 16, 3 * 12 + 5
    assert page.tags.count("source") == charts
    assert page.tags.count("img") == charts + samples + mistakes + doubtful + behind_cells
    words = re.findall(r'<img[^>]*alt="([^"]*)"', path.read_text())
    assert len(words) == page.tags.count("img")
    assert all(words)


def test_the_matrix_has_every_count_of_the_confusions(write, make_outcome):
    cells = re.findall(
        r"<td class=\"[^\"]*\" style=\"--s:[\d.]+\">(?:<a href=\"#[\w-]+\">)?(\d*)(?:</a>)?</td>",
        write()[0].read_text(),
    )
    assert [int(n or 0) for n in cells] == make_outcome().confusion.ravel().tolist()


def test_every_cell_with_samples_opens_them(write, make_outcome):
    text = write()[0].read_text()
    opened = re.findall(r'href="#(cell-\d+-\d+)"', text)
    assert len(opened) == np.count_nonzero(make_outcome().confusion)
    assert all(f'class="panel" id="{name}"' in text for name in opened)


def test_errors_are_drawn_and_not_what_is_right(write, make_outcome):
    bars = re.findall(r"<small>(\d+) \+ (\d+)</small>", write()[0].read_text())
    told = [(c.missed, c.false_alarms) for c in make_outcome().per_class]
    assert [(int(a), int(b)) for a, b in bars] == told
    assert sum(a for a, _ in told) == sum(b for _, b in told) == 5


def test_headings_are_in_plain_words(write):
    headings = re.findall(r"<h2>(.*?)</h2>", write()[0].read_text())
    assert headings == [
        "Training curves", "Confusion matrix", "Most confident mistakes", "Most doubtful samples",
        "Can its probabilities be trusted?", "Results per class", "Data", "Layers",
        "How to repeat it",
    ]  # fmt: skip


FINDINGS = Findings(
    [
        Finding("overfitting", "problem", "It memorises.", "Stop.", evidence={"epoch": 2}),
        Finding("class-imbalance", "warning", "Few of one class.", "Weigh them."),
    ],
    learning_curve=LearningCurve((45, 90), (0.7, 0.8), (1.0, 0.9), 0.1, 0.02, "R²", "90 samples"),
)


def test_findings_are_marked_in_the_curves_where_they_began(write):
    path, page = write(findings=FINDINGS)
    assert "epoch 2: overfitting" in page.text
    assert page.text.count("class-imbalance") == 1  # it has no epoch
    words = re.findall(r'alt="(loss over 3 epochs[^"]*)"', path.read_text())
    assert words == [
        "loss over 3 epochs: training from 1 to 0.4, validation from 1.1 to 0.5, "
        "overfitting marked in epoch 2"
    ]


def test_the_page_says_whether_more_samples_would_help(write):
    path, page = write(findings=FINDINGS)
    assert FINDINGS.learning_curve.sentence in page.text
    assert "Left out: 90 samples." in page.text
    assert "0.7 with 45, 0.8 with 90" in path.read_text()


def test_the_calibration_is_measured_and_explained(write, make_outcome):
    # One answer was given 0.9 and is wrong; of 59 with 0.8, 55 are right.
    _, page = write()
    expected = (0.9 + abs(55 - 0.8 * 59)) / 60
    assert f"Expected calibration error: {100 * expected:.1f} %." in page.text
    assert "too unsure" in page.text


def test_suspected_labels_are_shown_with_what_the_model_says(write, rng):
    pictures = rng.integers(0, 17, (2, 6, 6), dtype="uint8")
    said = np.array([[0.1, 0.9, 0.0], [0.2, 0.7, 0.1]])
    suspects = Suspects((7, 31), pictures, np.array([0, 1]), said)
    _, page = write(suspects=suspects)
    assert "sample 7, labelled circle" in page.text
    assert "square, 70.0" not in page.text  # the label, which the model knows by heart
    assert "square, 90.0\N{NO-BREAK SPACE}%sample 7" in page.text


def test_statistics_of_layers_are_shown_where_they_have_values(write):
    layers = (
        LayerStatistics("hidden", 9, gradient=0.01, dead=0.25, rank=7.5, largest_rank=16),
        LayerStatistics("last", 9, gradient=0.02),
    )
    path, page = write(statistics=layers)
    assert "7.5 / 16" in page.text
    assert "25.0 %" in page.text
    heads = re.findall(r'<th scope="col" class="number">(\w+)</th>', path.read_text())
    assert heads[-3:] == ["Gradient", "Dead", "Rank"]


def _classifier(outputs=2, **first):
    model = lamina.Sequential([*first.values(), lamina.layers.Dense(outputs, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


LABELS = np.arange(24) % 2


def _report(tmp_path, *arguments, **settings):
    path = write_report(tmp_path / "report.html", *arguments, **settings)
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    assert page.open == []
    return page


def test_a_table_gets_a_report_with_its_rows(tmp_path, rng):
    x = pd.DataFrame({"height": rng.normal(size=24), "weight": rng.normal(size=24)})
    model = _classifier()
    history = model.fit(x, LABELS, epochs=2, validation_split=0.5, verbose=0)
    page = _report(
        tmp_path, model, x, LABELS, train=(x, LABELS), history=history, class_names=("no", "yes")
    )
    assert "height" in page.text
    assert "Confusion matrix" in page.text
    assert "no taken for yes" in page.text or "yes taken for no" in page.text


def test_texts_get_a_report_with_the_texts(tmp_path):
    texts = ["a fine film", "what a bore"] * 12
    words = lamina.layers.TextVectorization(output_mode="multi_hot", max_tokens=10)
    words.adapt(texts)
    model = _classifier(start=lamina.Input((1,), dtype="string"), words=words)
    page = _report(tmp_path, model, texts, LABELS)
    assert "a fine film" in page.text
    assert "it has never seen" in page.text


def test_a_model_that_says_numbers_gets_its_errors_and_a_picture(tmp_path, rng):
    x = rng.normal(size=(24, 3))
    model = lamina.Sequential([lamina.layers.Dense(1)])
    model.compile("sgd", "mse")
    page = _report(tmp_path, model, x, x[:, 0], history=model.fit(x, x[:, 0], verbose=0))
    assert "Predictions and targets" in page.text
    assert "Off by" in page.text
    assert "Confusion matrix" not in page.text


def test_batches_will_do_in_place_of_arrays(tmp_path, rng):
    x = rng.normal(size=(24, 3))
    data = lamina.data.Dataset.from_tensor_slices((x, LABELS)).batch(7)
    page = _report(tmp_path, _classifier(), data)
    assert "24 samples" in page.text


def test_several_outputs_get_measures_and_layers(tmp_path, rng):
    x = lamina.Input((3,))
    model = lamina.Model(x, [lamina.layers.Dense(1)(x), lamina.layers.Dense(2)(x)])
    model.compile("sgd", "mse")
    y = [np.zeros((24, 1)), np.zeros((24, 2))]
    page = _report(tmp_path, model, rng.normal(size=(24, 3)), y)
    assert "Layers" in page.text
    assert "On 24 samples" in page.text


@pytest.mark.parametrize(("shape", "is_ink"), [((6, 6), True), ((6, 6, 3), False)])
def test_photographs_are_never_shown_as_negatives(tmp_path, shape, is_ink):
    x = np.zeros((24, *shape))
    x[:, 2:4, 2:4] = LABELS.reshape(-1, *[1] * len(shape)) + 1
    model = _classifier(flat=lamina.layers.Flatten())
    write_report(tmp_path / "report.html", model, x, LABELS)
    assert ('<img class="ink"' in (tmp_path / "report.html").read_text()) is is_ink


def test_samples_without_targets_are_refused(tmp_path):
    with pytest.raises(ValueError, match="targets are missing"):
        write_report(tmp_path / "report.html", _classifier(), np.zeros((3, 2)))


def test_a_mistake_says_what_was_said_how_surely_and_what_it_is(write):
    assert "square, 90.0\N{NO-BREAK SPACE}%is circle" in write()[1].text


def test_a_page_without_mistakes_says_so(write):
    assert "Not one mistake on the test images." in write(wrong=0)[1].text


def test_a_bad_verdict_is_marked(write):
    assert 'verdict good"' in write(wrong=5)[0].read_text()
    assert 'verdict good"' not in write(wrong=45)[0].read_text()


def test_answers_that_are_no_numbers_are_not_shown_as_answers(make_outcome, tmp_path):
    outcome = replace(make_outcome(), probabilities=np.full((60, 3), np.nan))
    model = lamina.Sequential([lamina.layers.Input((6, 6)), lamina.layers.Flatten()])
    path = write_page(tmp_path / "report.html", outcome, model, title="Diverged", settings={})
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    assert "at least one is no finite number" in page.text
    assert "nan %" not in page.text
    assert "Confusion matrix" not in page.text
    assert "Most confident mistakes" not in page.text


def test_a_row_is_written_with_dashes_for_missing_values_and_a_single_column_without_its_name():
    row = pd.DataFrame({"age": [np.nan], "deck": [""], "fare": [7.25]})
    assert as_text(row, 0) == "age –, deck –, fare 7.25"
    assert as_text(pd.DataFrame({"message": ["free entry"]}), 0) == "free entry"
