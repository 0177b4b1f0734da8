"""Type aliases for the signatures of functions, used in all packages.

An alias `…Like` allows an object, its name or its config. Importing this module loads neither
JAX nor NumPy, unless `Array` is used.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, Union

if TYPE_CHECKING:
    import jax
    import numpy as np
    from jax import Array as Array

    from lamina.core.configuration.dtypes import DTypePolicy
    from lamina.core.graph.keras_tensor import KerasTensor
    from lamina.core.variable.seed import SeedGenerator
    from lamina.core.variable.variable import Variable
    from lamina.metrics import Metric
    from lamina.optimizers import Optimizer


class SupportsArray(Protocol):
    """A value that NumPy converts to an array: a table, a tensor of another library, a Variable."""

    def __array__(self, *args: Any, **kwargs: Any) -> "np.ndarray": ...


class HasSharding(Protocol):
    """A layout of Keras's kind: a `lamina.distribution.TensorLayout`."""

    @property
    def backend_layout(self) -> "jax.sharding.Sharding": ...


# -- arrays ----------------------------------------------------------------------------------------

# A sequence holds numbers, sequences of numbers, or arrays.
ArrayLike = Union[
    "jax.Array", "np.generic", complex, Sequence[Any], SupportsArray, "Variable", "KerasTensor"
]
Tensor = Union["jax.Array", "KerasTensor"]
LayoutLike = Union["jax.sharding.Sharding", HasSharding]
Shape = tuple[int | None, ...]  # None for an axis of any size
DTypeLike = Union[str, type[Any], "np.dtype[Any]"]  # "float32", jax.numpy.bfloat16
DTypePolicyLike = Union[DTypeLike, "DTypePolicy", Mapping[str, Any], None]
SeedLike = Union[int, "SeedGenerator", "jax.Array", None]

# -- structures, which Keras allows in many forms --------------------------------------------------

PyTree = Any  # nested lists, tuples and dicts, with leaves of any type
Inputs = Any  # of a layer: an array, a symbolic tensor, or lists, tuples and dicts of them
Outputs = Any  # of a layer: the same kinds of value
Masks = Any  # a mask or None for each input or output
Shapes = Any  # the shape of one input, or shapes in lists, tuples and dicts
Data = Any  # arrays, tables, a Dataset, PyDataset, DataLoader, generator, or a structure of arrays
Targets = Any  # labels, or sample weights, for each output
Scores = Any  # a number, a list or a dict of numbers, depending on `return_dict` and the metrics
Config = dict[str, Any]  # an object's settings as plain data
Logs = dict[str, Any]  # values that a callback receives, by name

# -- settings --------------------------------------------------------------------------------------

SizeLike = int | Sequence[int]  # one number for all axes, or a number for each
AxisLike = int | Sequence[int]
Factor = float | Sequence[float]  # a bound, or the lower and the upper one

# -- objects that may be passed by name ------------------------------------------------------------

ActivationLike = str | Mapping[str, Any] | Callable[..., Any] | None
InitializerLike = Union[
    str, Mapping[str, Any], Callable[..., Any], "np.ndarray", "np.generic", "jax.Array", None
]
RegularizerLike = str | Mapping[str, Any] | Callable[..., Any] | None
ConstraintLike = str | Mapping[str, Any] | Callable[..., Any] | None
OptimizerLike = Union[str, Mapping[str, Any], "Optimizer", None]
# One for all outputs, or a list or dict with one for each.
LossLike = str | Mapping[str, Any] | Sequence[Any] | Callable[..., Any] | None
MetricsLike = Union[str, Mapping[str, Any], Sequence[Any], Callable[..., Any], "Metric", None]
PathLike = str | os.PathLike[str]
CustomObjects = Mapping[str, Any]  # classes and functions by their names in a file


def __getattr__(name: str) -> Any:
    if name == "Array":
        import jax

        return jax.Array
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
