"""What can be told of a model's inputs from its layers and shapes."""

import pytest

import lamina
from lamina import layers
from lamina.prediction.inputs import expected_range, input_form


@pytest.mark.parametrize(
    ("shape", "form"),
    [
        ((28, 28), (28, 28, 1)),
        ((32, 24, 1), (32, 24, 1)),
        ((32, 24, 3), (32, 24, 3)),
        ((784,), (28, 28, 1)),
    ],
)
def test_the_form_of_an_image_follows_from_the_models_input(shape, form):
    model = lamina.Sequential([layers.Input(shape), layers.Flatten(), layers.Dense(2)])
    assert input_form(model) == (*form, shape)


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (lambda: layers.Rescaling(1 / 255), 255),
        (lambda: layers.Rescaling(1 / 16), 16),
        (lambda: layers.Rescaling(1 / 127.5, offset=-1), 255),
        (lambda: layers.BatchNormalization(), 255),
        (lambda: layers.Flatten(), 1),
    ],
)
def test_the_range_of_pixels_is_found_in_the_models_first_layers(first, expected):
    model = lamina.Sequential([layers.Input((4, 4)), first(), layers.Flatten(), layers.Dense(2)])
    found = expected_range(model)
    assert found.pixel_max == expected
    assert found.is_known == (expected != 1)
    assert expected_range(model, 7.0) == (7.0, True)
