"""What the charts of calibration and of sample sizes show."""

import numpy as np
import pytest

from lamina.diagnosis import charts, diagnostic_charts
from lamina.diagnosis.calibration import calibration
from lamina.findings import LearningCurve

CURVE = LearningCurve((100, 200, 400), (0.6, 0.7, 0.8), (1.0, 0.9, 0.9), 0.1, 0.01, "R²")


@pytest.mark.parametrize("theme", [charts.LIGHT, charts.DARK])
def test_bars_are_as_high_as_the_share_of_right_answers(theme):
    probabilities = np.array([[0.9, 0.1]] * 4 + [[0.65, 0.35]] * 2)
    found = calibration(np.array([0, 0, 0, 1, 0, 1]), probabilities, bins=10)
    upper, lower = diagnostic_charts.reliability_diagram(found, theme).axes
    heights = np.array([bar.get_height() for bar in upper.patches]).reshape(3, 2)
    np.testing.assert_allclose(heights.sum(axis=0) - heights[1], [0.5, 0.75])
    np.testing.assert_allclose(heights[1], [0.15, 0.15])  # missing to the probability
    assert [bar.get_height() for bar in lower.patches] == [2, 4]


def test_both_scores_are_drawn_against_the_number_of_samples():
    [axes] = diagnostic_charts.learning_curve(CURVE).axes
    train, validation = axes.lines
    assert list(train.get_xdata()) == [100, 200, 400]
    assert list(validation.get_ydata()) == [0.6, 0.7, 0.8]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["100", "200", "400"]


def test_moments_are_lines_with_their_numbers_in_the_curves():
    figure = charts.training_curves({"loss": [3.0, 2.0]}, marks={"1": 2, "2": 2, "3": 3})
    [axes] = figure.axes
    assert [line.get_xdata()[0] for line in axes.lines[1:]] == [2, 3]
    assert {"1, 2", "3"} <= {text.get_text() for text in axes.texts}
