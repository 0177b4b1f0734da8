"""Meshes, layouts and layout maps, compared with Keras's."""

import keras
import pytest
from jax.sharding import PartitionSpec

import lamina
from lamina.distribution import DeviceMesh, LayoutMap, ModelParallel, TensorLayout, set_distribution

PATTERNS = {".*dense.*kernel": (None, "model"), "block/.*/bias": ("model",), "exact": ("model",)}
PATHS = [
    "dense/kernel",
    "model/dense_1/kernel",
    "model/dense/kernel/more",
    "my_dense_kernel",
    "dense.kernel",
    "Dense/kernel",
    "kernel",
    "dense/bias",
    "block/a/bias",
    "block/a/b/bias",
    "a/block/a/bias",
    "block//bias",
    "block/bias",
    "exact",
    "exact/more",
    "an exact",
    "",
    "model/dense/output",
    "DENSE/KERNEL",
    "block/dense/bias",
]


def mesh(keras_or_lamina=lamina):
    return keras_or_lamina.distribution.DeviceMesh((1,), ["model"], ["cpu:0"])


@pytest.mark.parametrize("path", PATHS)
def test_a_path_gets_the_layout_that_it_gets_in_keras(path):
    ours, theirs = LayoutMap(mesh()), keras.distribution.LayoutMap(mesh(keras))
    for pattern, axes in PATTERNS.items():
        ours[pattern] = theirs[pattern] = axes
    expected = theirs[path]
    found = ours[path]
    assert (found and found.axes) == (expected and expected.axes)


def test_two_patterns_for_one_path_are_an_error():
    layouts = LayoutMap(mesh())
    layouts[".*kernel"] = (None,)
    layouts["dense/.*"] = (None,)
    with pytest.raises(ValueError, match=r"'dense/kernel' matches several patterns.*'\.\*kernel'"):
        layouts["dense/kernel"]


def test_a_pattern_is_set_once():
    layouts = LayoutMap(mesh())
    layouts["a"] = (None,)
    with pytest.raises(ValueError, match="already has 'a'"):
        layouts["a"] = (None,)
    del layouts["a"]
    layouts["a"] = ("model",)
    assert list(layouts) == ["a"]
    assert len(layouts) == 1


@pytest.mark.parametrize("layout", [["model"], "model", 3, None])
def test_a_layout_is_a_tuple_or_a_tensor_layout(layout):
    with pytest.raises(ValueError, match="must be a TensorLayout or a tuple"):
        LayoutMap(mesh())["a"] = layout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((), ()), "must not be empty"),
        (((1,), ()), "must not be empty"),
        (((1, 1), ("a",)), "one size and one name"),
        (((3,), ("a",), ["cpu:0"]), "needs 3 devices, and there are 1"),
    ],
)
def test_a_mesh_that_does_not_fit_is_refused_as_in_keras(arguments, message):
    with pytest.raises(ValueError, match=message):
        DeviceMesh(*arguments)
    with pytest.raises(ValueError):
        keras.distribution.DeviceMesh(*arguments)


def test_an_unknown_axis_is_refused():
    with pytest.raises(ValueError, match="no axis 'rows'; its axes are 'model'"):
        TensorLayout((None, "rows"), mesh())


def test_the_mesh_of_a_layout_is_set_once():
    layout = TensorLayout(("model",))
    with pytest.raises(ValueError, match="without a mesh"):
        layout.backend_layout  # noqa: B018
    layout.device_mesh = mesh()
    assert layout.backend_layout.spec == PartitionSpec("model")
    with pytest.raises(ValueError, match="cannot be changed"):
        layout.device_mesh = mesh()


def test_a_device_that_does_not_exist_is_named():
    with pytest.raises(ValueError, match="There is no device 'cpu:77'. The devices are cpu:0"):
        DeviceMesh((1,), ["batch"], ["cpu:77"]).backend_mesh  # noqa: B018


def test_a_distribution_is_set_for_a_scope():
    layouts = LayoutMap(mesh())
    chosen = ModelParallel(layout_map=layouts)
    with chosen.scope():
        assert lamina.distribution.distribution() is chosen
    assert lamina.distribution.distribution() is None


def test_only_a_distribution_can_be_set():
    with pytest.raises(TypeError, match="takes a DataParallel, a ModelParallel or None"):
        set_distribution("all")


def test_model_parallel_needs_a_layout_map():
    with pytest.raises(ValueError, match="needs a layout map"):
        ModelParallel()
    with pytest.raises(ValueError, match="must be a LayoutMap"):
        ModelParallel(layout_map={})
    with pytest.raises(ValueError, match="'rows' is not an axis"):
        ModelParallel(layout_map=LayoutMap(mesh()), batch_dim_name="rows")
