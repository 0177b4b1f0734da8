import re
from html.parser import HTMLParser

import pytest

import lamina
from lamina.diagnosis import write_report


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


@pytest.fixture
def model():
    model = lamina.Sequential([lamina.layers.Input((6, 6)), lamina.layers.Flatten(name="flat"),
                               lamina.layers.Dense(3, name="classes")])  # fmt: skip
    return model


@pytest.fixture
def write(tmp_path, make_outcome, model):
    def write(**outcome):
        path = write_report(
            tmp_path / "report.html",
            make_outcome(**outcome),
            model,
            title="Shapes & <more>",
            settings={"Epochs": 3, "Optimizer": "Adam"},
            code="print('a' < 'b')\n",
        )
        page = Page()
        page.feed(path.read_text(encoding="utf-8"))
        return path, page

    return write


def test_the_page_needs_nothing_but_itself(write):
    path, page = write()
    assert page.addresses
    assert all(address.startswith("data:image/png;base64,") for address in page.addresses)
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
        "90 images to learn from, 60 to be judged by, 3 classes",
        "classes",  # a layer
        "111",  # its parameters
        "135 images/s",
        f"Lamina {lamina.__version__}",
        "Adam",
    ):
        assert text in page.text


def test_pictures_come_in_both_colour_schemes_with_words_for_those_who_cannot_see_them(write):
    path, page = write()
    curves, samples, mistakes = 2, 16, 5
    assert page.tags.count("source") == curves
    assert page.tags.count("img") == curves + samples + mistakes
    words = re.findall(r'<img[^>]*alt="([^"]*)"', path.read_text())
    assert len(words) == page.tags.count("img")
    assert all(words)


def test_the_matrix_has_every_count_of_the_confusions(write, make_outcome):
    cells = re.findall(
        r"<td class=\"[^\"]*\" style=\"--s:[\d.]+\">(\d*)</td>", write()[0].read_text()
    )
    assert [int(n or 0) for n in cells] == make_outcome().confusion.ravel().tolist()


def test_a_mistake_says_what_was_said_how_surely_and_what_it_is(write):
    assert "square, 90.0\N{NO-BREAK SPACE}%is circle" in write()[1].text


def test_a_page_without_mistakes_says_so(write):
    assert "Not one mistake on the test images." in write(wrong=0)[1].text


def test_a_bad_verdict_is_marked(write):
    assert 'verdict good"' in write(wrong=5)[0].read_text()
    assert 'verdict good"' not in write(wrong=45)[0].read_text()
