"""Activation maximization where the answer is known: the direction of the weights."""

import numpy as np
import pytest

from lamina.explanation import activation_maximization


def test_a_linear_unit_answers_most_to_the_direction_of_its_weights(pictures):
    import lamina

    model = lamina.Sequential([lamina.Input((4,)), lamina.layers.Dense(2, name="linear")])
    kernel = model.get_weights()[0][:, 1]
    found = activation_maximization(model, 1, layer="linear", norm=3.0)
    np.testing.assert_allclose(found.input, 3 * kernel / np.linalg.norm(kernel), atol=0.05)
    assert found.activations[-1] == pytest.approx(3 * np.linalg.norm(kernel), rel=1e-3)


def test_the_activation_of_a_channel_rises(pictures):
    found = activation_maximization(pictures, 2, layer="convolution", steps=40)
    assert found.input.shape == (6, 6, 1)
    assert found.activations[-1] > found.activations[0]
    assert np.linalg.norm(found.input) == pytest.approx(6, rel=1e-4)
    assert "unit 2 of 'convolution'" in repr(found)
    assert len(found.plot().axes) == 2


def test_a_class_may_be_named(pictures):
    assert "the class 'cross'" in repr(activation_maximization(pictures, "cross", steps=5))


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("pictures", {"unit": 9, "layer": "convolution"}, "has the units 0 to 3; received unit=9"),
        ("pictures", {"unit": "crass"}, "Did you mean 'cross'"),
        ("pictures", {"norm": 0}, "norm must be above 0"),
        ("texts", {}, "takes several inputs, text or integers"),
        ("own", {}, "a subclass without Input"),
    ],
)
def test_what_cannot_be_done_is_said(name, arguments, message, request):
    with pytest.raises(ValueError, match=message):
        activation_maximization(request.getfixturevalue(name), **arguments)
