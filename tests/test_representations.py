"""Objects can be shown in tracebacks and debuggers, even if their construction failed."""

import inspect

import pytest

import lamina

pytestmark = pytest.mark.quick

BASES = (
    lamina.Layer,
    lamina.Loss,
    lamina.Metric,
    lamina.Optimizer,
    lamina.Variable,
    lamina.KerasTensor,
    lamina.DTypePolicy,
    lamina.InputSpec,
    lamina.callbacks.Callback,
    lamina.data.Dataset,
    lamina.dtype_policies.DTypePolicyMap,
    lamina.initializers.Initializer,
    lamina.regularizers.Regularizer,
    lamina.constraints.Constraint,
    lamina.utils.Config,
)
PACKAGES = (lamina, lamina.layers, lamina.losses, lamina.metrics, lamina.optimizers, lamina.models)
CLASSES = {
    value
    for package in PACKAGES
    for name in package.__all__
    if inspect.isclass(value := getattr(package, name)) and issubclass(value, BASES)
} | set(BASES)


@pytest.mark.parametrize("cls", sorted(CLASSES, key=lambda cls: cls.__name__))
def test_an_object_whose_construction_failed_is_shown(cls):
    unfinished = cls.__new__(cls)
    assert cls.__name__ in repr(unfinished)
    assert str(unfinished)


def test_the_object_in_the_traceback_of_a_failed_construction_is_shown():
    kept = []

    class Scale(lamina.Layer):
        def __init__(self):
            kept.append(self)
            raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        Scale()
    assert repr(kept[0]) == "<Scale, not initialized>"
