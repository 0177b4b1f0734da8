"""Reproducible random numbers: a seed for the process, and generators of keys."""

import random as python_random
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.configuration.context import context
from lamina.core.messages.tracebacks import filter_traceback, filter_tracebacks_of_methods
from lamina.core.serialization import naming
from lamina.core.types import Config
from lamina.core.variable.variable import Variable, name_scope, without_name_scope

_NUMPY_DEFAULT = "MT19937"
_OTHER_GENERATOR = 2**32 - 1  # in place of a position in NumPy's default generator

_seed_source = python_random.Random()
_global: dict[str, Any] = {"seed": None, "generator": None}


@filter_traceback
def set_random_seed(seed: int) -> None:
    """Make all random numbers from now on reproducible: weights, shuffling, dropout.

    Also seeds Python's `random` and NumPy's legacy generator, as Keras does.

    Args:
        seed: Integer from 0 to 2**32 - 1.
    """
    if not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
        raise ValueError(f"The seed must be an integer from 0 to 2**32 - 1; received {seed!r}.")
    _seed_source.seed(int(seed))
    python_random.seed(int(seed))
    np.random.seed(int(seed))
    _global.update(seed=int(seed), generator=None)


def make_default_seed() -> int:
    """A new seed, which depends on `set_random_seed` and on the number of seeds drawn before."""
    return _seed_source.randint(1, 2**31 - 1)


def global_seed() -> int | None:
    """The seed passed to `set_random_seed`, or None if it was not called."""
    seed: int | None = _global["seed"]
    return seed


def random_state(python_and_numpy: np.ndarray | None = None) -> dict[str, Any]:
    """The state of Lamina's, Python's and NumPy's global generators, as plain data and arrays.

    Args:
        python_and_numpy: The state of Python's and NumPy's generators; if None, the current state.
    """
    generator = _global["generator"]
    return {
        "seed": _global["seed"],
        "default": _seed_source.getstate(),
        "generator": None if generator is None else generator.state.numpy().tolist(),
        "shared": python_and_numpy_state() if python_and_numpy is None else python_and_numpy,
    }


def restore_random_state(state: Mapping[str, Any], python_and_numpy: bool = True) -> None:
    """Restore the state that `random_state` returned.

    Args:
        state: The result of `random_state`.
        python_and_numpy: Whether to restore Python's and NumPy's generators, too.
    """
    version, numbers, gauss = state["default"]
    _seed_source.setstate((version, tuple(numbers), gauss))  # a tuple becomes a list in a file
    generator = None
    if state["generator"] is not None:
        generator = SeedGenerator(0)
        generator.state.assign(np.array(state["generator"], "uint32"))
    _global.update(seed=state["seed"], generator=generator)
    if python_and_numpy:
        restore_python_and_numpy_state(state["shared"])


def python_and_numpy_state() -> np.ndarray:
    """The state of NumPy's and Python's global generators: uint32 `(1256,)`.

    Example:
        >>> state = python_and_numpy_state()
        >>> drawn = np.random.normal(), python_random.gauss()
        >>> restore_python_and_numpy_state(state)
        >>> drawn == (np.random.normal(), python_random.gauss())
        True
    """
    numpy_state: Any = np.random.get_state(legacy=False)
    if numpy_state["bit_generator"] != _NUMPY_DEFAULT:  # the user has replaced it
        numpy_state = {"state": {"key": np.zeros(624, np.uint32), "pos": _OTHER_GENERATOR}}
    key, position = numpy_state["state"]["key"], numpy_state["state"]["pos"]
    _, numbers, python_gauss = python_random.getstate()
    # Both generators draw normal numbers in pairs, and keep the second one for the next call.
    second_normals = [numpy_state.get("gauss", 0.0), 0.0 if python_gauss is None else python_gauss]
    counts = [position, numpy_state.get("has_gauss", 0), python_gauss is not None, *numbers]
    bits = np.array(second_normals, np.float64).view(np.uint32)
    return np.concatenate([key, np.array(counts, np.uint32), bits])


def restore_python_and_numpy_state(state: np.ndarray) -> None:
    """Restore the state of NumPy's and Python's global generators from `python_and_numpy_state`."""
    key, counts, bits = np.split(np.asarray(state, np.uint32), [624, -4])
    position, has_gauss, has_python_gauss, *numbers = counts.tolist()
    gauss, python_gauss = bits.copy().view(np.float64).tolist()
    is_default = np.random.get_state(legacy=False)["bit_generator"] == _NUMPY_DEFAULT
    if is_default and position != _OTHER_GENERATOR:
        np.random.set_state((_NUMPY_DEFAULT, key, position, has_gauss, gauss))
    version = python_random.getstate()[0]
    python_random.setstate((version, tuple(numbers), python_gauss if has_python_gauss else None))


@filter_tracebacks_of_methods
class SeedGenerator:
    """A source of random keys: every call of `next()` returns a new one.

    Its state is a Variable, `[seed, counter]`, which compiled steps update. The n-th key depends
    only on the seed and on n.

    Args:
        seed: Integer, 0 or more; a random one if None.
        name: Name of the generator; derived from the class's name if None.

    Example:
        >>> generator = SeedGenerator(seed=7)
        >>> generator.next().tolist(), generator.next().tolist()
        ([7, 0], [7, 1])
    """

    def __init__(self, seed: int | None = None, name: str | None = None):
        if seed is not None and not _is_seed(seed):
            raise ValueError(
                f"SeedGenerator needs an integer as its seed, 0 or more; received {seed!r}."
            )
        self.name = name or naming.auto_name(type(self))
        self._initial_seed = seed
        with name_scope(self.name):
            self.state = Variable(
                np.array([make_default_seed() if seed is None else _to_uint32(seed), 0], "uint32"),
                trainable=False,
                name="seed_generator_state",
            )

    def next(self) -> jax.Array:
        """A new key for `jax.random`.

        Returns:
            Two uint32 numbers, `(2,)`.
        """
        key = self.state.value
        self.state.assign(key + jnp.array([0, 1], dtype="uint32"))
        return key

    def get_config(self) -> Config:
        """The settings as plain data, for `from_config`, without the counter.

        Returns:
            A dict with `"seed"`, as it was given, and `"name"`.
        """
        return {"seed": self._initial_seed, "name": self.name}

    @classmethod
    def from_config(cls, config: Config) -> "SeedGenerator":
        """A generator with the settings that `get_config` returned, which starts at its first key.

        Args:
            config: Arguments of the constructor.

        Returns:
            The generator.
        """
        return cls(**config)


def global_seed_generator() -> SeedGenerator:
    """The generator that functions of `lamina.random` use when no seed is passed."""
    generator: SeedGenerator | None = _global["generator"]
    if generator is None:
        # The generator belongs to no layer, even if its first use is in a layer's call.
        with without_name_scope():
            generator = SeedGenerator(make_default_seed(), name="global_seed_generator")
        _global["generator"] = generator
    return generator


def draw_key(seed: "int | SeedGenerator | None") -> jax.Array:
    """A random key: constant for an integer, the next one of a generator, or of the global one."""
    if isinstance(seed, SeedGenerator):
        return seed.next()
    if seed is None:
        generator = global_seed_generator()
        # A compiled step that does not list this generator, or a user's own `jax.jit`, cannot
        # return its new state.
        if context.bindings is not None and not context.bindings.can_assign(generator.state):
            raise _compiled_without_seed()
        try:
            return generator.next()
        except RuntimeError:
            raise _compiled_without_seed() from None
    if _is_seed(seed):
        return jnp.array([_to_uint32(seed), 0], dtype="uint32")
    raise ValueError(
        f"A seed must be an integer, 0 or more, a SeedGenerator or None; received {seed!r}."
    )


class UnseededError(RuntimeError, ValueError):
    """A random function was compiled without a seed. It is a ValueError as well, as in Keras."""


def _compiled_without_seed() -> UnseededError:
    return UnseededError(
        "A random draw without a seed was compiled: it would be the same every time.\n"
        "  Fix: self.seed_generator = lamina.random.SeedGenerator() in the __init__ of the layer\n"
        "  or model, and seed=self.seed_generator in the call of the random function."
    )


def _is_seed(seed: Any) -> bool:
    return isinstance(seed, (int, np.integer)) and not isinstance(seed, bool) and int(seed) >= 0


def _to_uint32(seed: Any) -> int:
    return int(seed) & 0xFFFFFFFF
