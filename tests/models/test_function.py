"""Function: a graph that is only called."""

import keras
import numpy as np
import pytest

import lamina
from lamina.layers import Dense


def test_it_computes_what_lies_between():
    a, b = lamina.Input((2,), name="a"), lamina.Input((2,), name="b")
    function = lamina.Function({"a": a, "b": b}, [a + b, lamina.ops.sum(a * b, axis=-1)])
    total, product = function({"a": np.array([[1.0, 2.0]]), "b": np.array([[3.0, 4.0]])})
    assert (total.tolist(), product.tolist()) == ([[4.0, 6.0]], [11.0])
    assert [t.shape for t in function.outputs] == [(None, 2), (None,)]
    assert [t.name for t in function.inputs] == ["a", "b"]
    assert len(function.operations) == 5
    assert function.compute_output_shape({"a": (7, 2), "b": (7, 2)}) == [(7, 2), (7,)]


def test_it_may_be_called_on_symbolic_tensors():
    x = lamina.Input((2,))
    dense = Dense(3)
    function = lamina.Function(x, dense(x))
    assert function(lamina.KerasTensor((5, 2))).shape == (5, 3)
    y = lamina.Input((2,))
    model = lamina.Model(y, function(y))
    np.testing.assert_allclose(model(np.ones((1, 2))), dense(np.ones((1, 2))), rtol=1e-6)


def test_outputs_that_hang_in_the_air_are_refused():
    with pytest.raises(ValueError, match="depend on"):
        lamina.Function(lamina.Input((2,)), lamina.Input((2,)) * 2)


class Halve(lamina.Operation):
    def __init__(self, by=2.0, name=None):
        super().__init__(name=name)
        self.by = by

    def call(self, x):
        return x / self.by


def test_an_operation_of_ones_own_is_saved_by_its_arguments(tmp_path):
    x = lamina.Input((2,))
    model = lamina.Model(x, Halve(by=4.0)(x))
    model.save(tmp_path / "model.keras")
    again = lamina.models.load_model(tmp_path / "model.keras", custom_objects={"Halve": Halve})
    assert again(np.array([[4.0, 8.0]])).tolist() == [[1.0, 2.0]]
    assert Halve(8.0, name="h").get_config() == {"name": "h", "by": 8.0}

    class Theirs(keras.Operation):
        def __init__(self, by=2.0, name=None):
            super().__init__(name=name)

    assert Theirs(8.0, name="h").get_config() == {"name": "h", "by": 8.0}


def test_symbolic_tensors_may_be_made_without_input():
    x, y = lamina.KerasTensor((2, 3)), lamina.KerasTensor((2, 3))
    function = lamina.Function([x, y], x * 2 + y)
    assert function([np.ones((2, 3)), np.ones((2, 3))]).tolist() == [[3] * 3] * 2
    assert [type(o).__name__ for o in function.operations] == ["Multiply", "Add"]
    with pytest.raises(ValueError, match="is not among its inputs"):
        lamina.Function(x, x + lamina.KerasTensor((2, 3)))


@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 1)])
def test_inputs_of_another_shape_are_refused(shape):
    x, y = lamina.KerasTensor((2, 3)), lamina.KerasTensor((2, 3))
    with pytest.raises(ValueError, match=r"created for an input of shape \(2, 3\)"):
        lamina.Function([x, y], x * 2)([np.ones(shape), np.ones((2, 3))])
    with pytest.raises(ValueError, match=r"created for an input of shape \(2, 3\)"):
        lamina.Function(x, x * 2)(np.ones(shape))
