"""First values of weights. `get("he_normal")` gives the initializer that a name stands for.

Values are drawn on the host, by NumPy's counter-based generator Philox, and not by `jax.random`:
compiling a random program costs about a second in a cold process. Every value takes exactly one
64-bit word of the generator's output, whatever the distribution, so value number n of a kernel
can be had without the others (`Philox.advance`): any shard of a kernel can be made by itself.
"""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from lamina.core.messages.errors import explain_missing_names
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.serialization import identifiers, registry
from lamina.core.variable.variable import Variable
from lamina.initializers import constants
from lamina.initializers.constants import STFT, Constant, Identity, Ones, Zeros
from lamina.initializers.drawn import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
)
from lamina.initializers.initializer import Initializer

__all__ = [
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "IdentityInitializer",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "OrthogonalInitializer",
    "RandomNormal",
    "RandomUniform",
    "STFT",
    "STFTInitializer",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "constant",
    "deserialize",
    "get",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "lecun_normal",
    "lecun_uniform",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "serialize",
    "stft",
    "truncated_normal",
    "variance_scaling",
    "zeros",
]


@filter_traceback
def serialize(initializer: Any) -> Any:
    """An initializer as plain data.

    Args:
        initializer: An initializer.

    Returns:
        A dict of class and config.
    """
    return registry.serialize(initializer)


@filter_traceback
def deserialize(config: Any, custom_objects: Mapping | None = None) -> Any:
    """The inverse of `serialize`.

    Args:
        config: Name, config, class or function.
        custom_objects: From names to classes and functions that are not Lamina's own.

    Returns:
        The initializer; None for None.
    """
    with registry.custom_object_scope(custom_objects or {}):
        return get(config)


@filter_traceback
def get(identifier: Any) -> Any:
    """The initializer that a name, config, class, function or array stands for; None for None.

    Args:
        identifier: Name such as `"he_normal"`, config, class, function, initializer, array or None.

    Returns:
        The initializer.

    Raises:
        ValueError: If there is none of that name.

    Example:
        >>> type(get("he_normal")).__name__
        'HeNormal'
    """
    if isinstance(identifier, (np.ndarray, np.generic, jax.Array, Variable)):
        return constants.fixed(identifier)
    return identifiers.resolve(
        identifier, kind="initializer", namespace="keras.initializers", table=_TABLE
    )


# Keras's other names.
IdentityInitializer = Identity
OrthogonalInitializer = Orthogonal
STFTInitializer = STFT
constant = Constant
glorot_normal = GlorotNormal
glorot_uniform = GlorotUniform
he_normal = HeNormal
he_uniform = HeUniform
identity = Identity
lecun_normal = LecunNormal
lecun_uniform = LecunUniform
ones = Ones
orthogonal = Orthogonal
random_normal = RandomNormal
random_uniform = RandomUniform
stft = STFT
truncated_normal = TruncatedNormal
variance_scaling = VarianceScaling
zeros = Zeros

_CLASSES = (
    Constant, GlorotNormal, GlorotUniform, HeNormal, HeUniform, Identity, LecunNormal,
    LecunUniform, Ones, Orthogonal, RandomNormal, RandomUniform, TruncatedNormal,
    STFT, VarianceScaling, Zeros,
)  # fmt: skip
_TABLE = identifiers.table_of(
    *_CLASSES,
    IdentityInitializer=Identity,
    OrthogonalInitializer=Orthogonal,
    STFTInitializer=STFT,
    stft=STFT,
    normal=RandomNormal,
    one=Ones,
    uniform=RandomUniform,
    zero=Zeros,
)
registry.register_namespace("keras.initializers", {"Initializer": Initializer, **_TABLE})
registry.register_getter("initializer", get)

explain_missing_names(__name__)
