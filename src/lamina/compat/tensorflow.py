"""The part of TensorFlow's namespace that Keras scripts use, as tables from names to objects.

`imports.py` makes it importable as `tensorflow`. Arrays are JAX's. A name that is not in a table
raises an error that says what to use instead (`missing.py`).
"""

import contextlib
import logging
from collections.abc import Callable, Iterator
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax._src.array import ArrayImpl  # has no public name

from lamina import activations, ops
from lamina.compat import (
    distribution_strategies,
    gradient_tape,
    imports,
    missing,
    tensor_functions as functions,
    tensorflow_types,
    text_functions,
)
from lamina.compat.tensor_functions import adapt
from lamina.data import AUTOTUNE, Dataset


class PhysicalDevice(NamedTuple):
    """A device, as listed by `tf.config.list_physical_devices`."""

    name: str
    device_type: str


def list_physical_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    known_devices = [(d.platform.upper(), d.id) for d in jax.devices()]
    known_devices += [("CPU", 0)] if all(kind != "CPU" for kind, _ in known_devices) else []
    devices = [PhysicalDevice(f"/physical_device:{kind}:{i}", kind) for kind, i in known_devices]
    return [d for d in devices if device_type in (None, d.device_type)]


def gpu_device_name() -> str:
    return "/device:GPU:0" if list_physical_devices("GPU") else ""


def function(func: Callable | None = None, **options: Any) -> Callable:
    """`tf.function`: nothing to do, since `fit`, `evaluate` and `predict` compile by themselves."""
    return (lambda decorated: decorated) if func is None else func


@contextlib.contextmanager
def device(name: str) -> Iterator[None]:
    """`tf.device`: accepted; JAX places arrays on its default device."""
    yield


def do_nothing(*args: Any, **kwargs: Any) -> None:
    """For settings that Lamina does not need."""


class Namespace(ModuleType):
    """`tensorflow` or a module under it: the names of one table."""

    def __init__(self, name: str, table: dict[str, Any]):
        super().__init__(name, doc=f"The part of {name} that Lamina has.")
        self.__path__: list[str] = []
        self.__all__ = sorted(table)
        self.__dict__.update(table)
        if name == "tensorflow":
            self.__version__ = imports.TENSORFLOW_VERSION

    def __getattr__(self, name: str) -> Any:
        full_name = f"{self.__name__}.{name}"
        if full_name in TABLES or full_name in ("tensorflow.keras", "tensorflow.python.keras"):
            return import_module(full_name)
        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(missing.explain(full_name, self.__all__), name=name, obj=self)


def module(name: str) -> Namespace:
    """The module for one of the names in `TABLES`."""
    return Namespace(name, TABLES[name])


def _add_tensor_methods_to_arrays() -> None:
    """Give JAX's arrays `.numpy()`, which scripts call, and the rules of `tensorflow_types.py`."""
    # Making an array would start the devices, before a strategy can connect the processes.
    tensor = ArrayImpl
    tensor.numpy = lambda array: np.asarray(array)  # type: ignore[attr-defined]
    tensorflow_types.check_operator_dtypes(tensor)


def _numpy_functions(names: str, arrays: int) -> dict[str, Callable]:
    return {name: adapt(getattr(jnp, name), arrays) for name in names.split()}


def _adapt_all(**table: Callable) -> dict[str, Callable]:
    return {name: adapt(function) for name, function in table.items()}


_DTYPES: dict[str, Any] = {
    name: np.dtype(name)
    for name in (
        "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16",
        "uint32", "uint64", "bool", "complex64", "complex128",
    )
}  # fmt: skip
_DTYPES |= {
    "bfloat16": jnp.dtype("bfloat16"),
    "double": np.dtype("float64"),
    "string": np.dtype(str),
}

_REDUCTIONS = _adapt_all(
    reduce_sum=functions.reduction(jnp.sum),
    reduce_mean=functions.reduction(tensorflow_types.mean),
    reduce_max=functions.reduction(jnp.max),
    reduce_min=functions.reduction(jnp.min),
    reduce_prod=functions.reduction(jnp.prod),
    reduce_all=functions.reduction(jnp.all),
    reduce_any=functions.reduction(jnp.any),
)

_ELEMENTWISE = {
    **_numpy_functions(
        "abs ceil floor round sign square cumsum logical_not",
        arrays=1,
    ),
    **{
        name: functions.require_float(getattr(jnp, name))
        for name in (
            "acos", "acosh", "asin", "asinh", "atan", "atanh", "cos", "cosh", "exp", "sin", "sinh",
            "sqrt", "tan", "tanh",
        )
    },
    **{
        name: functions.require_equal_dtypes(getattr(jnp, name))
        for name in (
            "add", "subtract", "multiply", "divide", "maximum", "minimum", "equal", "not_equal",
            "greater", "greater_equal", "less", "less_equal",
        )
    },
    **_numpy_functions("logical_and logical_or", arrays=2),
    "atan2": functions.require_equal_dtypes(jnp.arctan2),
    "pow": functions.require_equal_dtypes(jnp.power),
    "sigmoid": activations.sigmoid,
    **_adapt_all(argmax=functions.argmax, argmin=functions.argmin),
}  # fmt: skip

_MATH = {
    **_ELEMENTWISE,
    **_REDUCTIONS,
    **_numpy_functions("isnan isinf isfinite real imag conj angle", arrays=1),
    **{name: functions.require_float(getattr(jnp, name)) for name in ("log", "log1p", "expm1")},
    **{
        name: functions.require_equal_dtypes(getattr(jnp, name)) for name in ("floor_divide", "mod")
    },
    **_adapt_all(
        reduce_std=functions.reduction(
            tensorflow_types.require_float_reduction("reduce_std", jnp.std)
        ),
        reduce_variance=functions.reduction(
            tensorflow_types.require_float_reduction("reduce_variance", jnp.var)
        ),
        reduce_logsumexp=functions.reduction(jax.nn.logsumexp),
        count_nonzero=functions.reduction(jnp.count_nonzero),
        confusion_matrix=functions.confusion_matrix,
        top_k=functions.top_k,
        in_top_k=functions.in_top_k,
        l2_normalize=functions.l2_normalize,
    ),
    "erf": adapt(jax.scipy.special.erf, 1),
    "is_nan": adapt(jnp.isnan, 1),
    "is_inf": adapt(jnp.isinf, 1),
    "is_finite": adapt(jnp.isfinite, 1),
    "lgamma": adapt(jax.scipy.special.gammaln, 1),
    "reciprocal": adapt(jnp.reciprocal, 1),
    "rsqrt": adapt(jax.lax.rsqrt, 1),
    "softplus": activations.softplus,
    "negative": adapt(jnp.negative, 1),
    "squared_difference": functions.require_equal_dtypes(
        lambda x, y: (x - y) ** 2, "SquaredDifference"
    ),
    "divide_no_nan": functions.require_equal_dtypes(
        lambda x, y: jnp.where(y == 0, 0, x / jnp.where(y == 0, 1, y)), "DivNoNan"
    ),
}

_LINALG = {
    **_adapt_all(matmul=functions.matmul, norm=functions.norm, eye=functions.eye),
    "diag": adapt(jnp.diag, 1),
    "det": adapt(jnp.linalg.det, 1),
    "inv": adapt(jnp.linalg.inv, 1),
    "solve": adapt(jnp.linalg.solve, 2),
    "trace": adapt(jnp.trace, 1),
    "l2_normalize": adapt(functions.l2_normalize),
    "matrix_transpose": adapt(lambda a: jnp.swapaxes(a, -1, -2), 1),
}

# Activations are Lamina's own objects, so that a layer that has one is saved with its name.
_NN = {
    **{
        name: getattr(activations, name)
        for name in (
            "elu", "gelu", "log_softmax", "relu", "relu6", "selu", "sigmoid", "silu", "softmax",
            "softplus", "softsign", "swish", "tanh",
        )
    },
    **_adapt_all(
        avg_pool2d=functions.avg_pool2d,
        bias_add=functions.bias_add,
        conv2d=functions.conv2d,
        dropout=functions.dropout,
        embedding_lookup=functions.embedding_lookup,
        in_top_k=functions.in_top_k,
        l2_loss=functions.l2_loss,
        l2_normalize=functions.l2_normalize,
        leaky_relu=functions.leaky_relu,
        max_pool2d=functions.max_pool2d,
        moments=functions.moments,
        sigmoid_cross_entropy_with_logits=functions.sigmoid_cross_entropy_with_logits,
        softmax_cross_entropy_with_logits=functions.softmax_cross_entropy_with_logits,
        sparse_softmax_cross_entropy_with_logits=functions.sparse_softmax_cross_entropy_with_logits,
        top_k=functions.top_k,
    ),
}  # fmt: skip

_RANDOM = {
    "set_seed": functions.set_seed,
    **_adapt_all(
        categorical=functions.random_categorical,
        normal=functions.random_normal,
        shuffle=functions.random_shuffle,
        truncated_normal=functions.random_truncated_normal,
        uniform=functions.random_uniform,
    ),
}

_LOGGING = {
    "set_verbosity": do_nothing,
    **{name: getattr(logging, name) for name in ("DEBUG", "INFO", "WARN", "ERROR", "FATAL")},
}

# Every module that can be imported, and its contents except for submodules.
TABLES: dict[str, dict[str, Any]] = {
    "tensorflow": {
        **_DTYPES,
        **_ELEMENTWISE,
        **_REDUCTIONS,
        "GradientTape": gradient_tape.GradientTape,
        "Tensor": jax.Array,
        "UnconnectedGradients": gradient_tape.UnconnectedGradients,
        "Variable": functions.Variable,
        "custom_gradient": ops.custom_gradient,
        "device": device,
        "executing_eagerly": lambda: True,
        "function": function,
        "gradients": gradient_tape.gradients,
        "get_logger": lambda: logging.getLogger("tensorflow"),
        "is_tensor": lambda x: isinstance(x, (jax.Array, functions.LaminaVariable)),
        "newaxis": None,
        "print": print,
        **_adapt_all(
            argsort=functions.argsort,
            boolean_mask=functions.boolean_mask,
            cast=functions.cast,
            clip_by_value=functions.clip_by_value,
            concat=functions.concat,
            constant=functions.constant,
            convert_to_tensor=functions.convert_to_tensor,
            expand_dims=functions.expand_dims,
            eye=functions.eye,
            fill=functions.fill,
            gather=functions.gather,
            linspace=jnp.linspace,
            matmul=functions.matmul,
            meshgrid=functions.meshgrid,
            norm=functions.norm,
            one_hot=functions.one_hot,
            ones=functions.ones,
            ones_like=functions.ones_like,
            pad=functions.pad,
            range=functions.range,
            rank=functions.rank,
            repeat=functions.repeat,
            reshape=functions.reshape,
            reverse=functions.reverse,
            shape=functions.shape,
            size=functions.size,
            sort=functions.sort,
            split=functions.split,
            squeeze=functions.squeeze,
            stack=functions.stack,
            tile=functions.tile,
            transpose=functions.transpose,
            unique=functions.unique,
            unstack=functions.unstack,
            where=functions.where,
            zeros=functions.zeros,
            zeros_like=functions.zeros_like,
        ),
        "einsum": lambda equation, *inputs: jnp.einsum(equation, *map(functions.array, inputs)),
        "identity": adapt(lambda x: x, 1),
        "roll": adapt(jnp.roll, 1),
        "stop_gradient": adapt(jax.lax.stop_gradient, 1),
        "tensordot": adapt(jnp.tensordot, 2),
    },
    "tensorflow.autograph": {"set_verbosity": do_nothing},
    "tensorflow.compat": {},
    "tensorflow.compat.v1": {},
    "tensorflow.compat.v1.logging": _LOGGING,
    "tensorflow.config": {
        "list_logical_devices": list_physical_devices,
        "list_physical_devices": list_physical_devices,
        "run_functions_eagerly": do_nothing,
    },
    "tensorflow.config.experimental": {
        "enable_op_determinism": do_nothing,
        "list_physical_devices": list_physical_devices,
        "set_memory_growth": do_nothing,
    },
    "tensorflow.data": {"AUTOTUNE": AUTOTUNE, "Dataset": Dataset},
    "tensorflow.data.experimental": {"AUTOTUNE": AUTOTUNE, "cardinality": Dataset.cardinality},
    **distribution_strategies.TABLES,
    "tensorflow.dtypes": {**_DTYPES, "as_dtype": np.dtype, "cast": adapt(functions.cast)},
    "tensorflow.errors": {
        "InvalidArgumentError": tensorflow_types.InvalidArgumentError,
        "OpError": tensorflow_types.OpError,
    },
    "tensorflow.linalg": _LINALG,
    "tensorflow.math": _MATH,
    "tensorflow.nn": _NN,
    "tensorflow.python": {},
    "tensorflow.random": _RANDOM,
    "tensorflow.strings": {
        name: getattr(text_functions, name)
        for name in (
            "join",
            "length",
            "lower",
            "regex_full_match",
            "regex_replace",
            "split",
            "strip",
            "upper",
        )
    },
    "tensorflow.test": {
        "gpu_device_name": gpu_device_name,
        "is_built_with_cuda": lambda: bool(list_physical_devices("GPU")),
        "is_gpu_available": lambda *args, **kwargs: bool(list_physical_devices("GPU")),
    },
    "tensorflow.version": {"VERSION": imports.TENSORFLOW_VERSION},
}

_add_tensor_methods_to_arrays()
