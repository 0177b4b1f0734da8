"""OptaxOptimizer: an optax transformation as an optimizer."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.tree_util import DictKey, keystr, tree_flatten_with_path

from lamina.core.types import Array
from lamina.core.variable.variable import Variable
from lamina.optimizers.optimizer import Optimizer


class OptaxOptimizer(Optimizer):
    """Trains with an optax transformation: `compile(optimizer=optax.lion(1e-4))`.

    The transformation gets the weights as a dictionary from paths (`"dense/kernel"`) to arrays, so
    that masks and labels can use names. Each array of its state becomes a Variable and is saved
    like that of any optimizer. The transformation itself is code and is not saved.

    The learning rate is part of the transformation. It can be read and set as
    `optimizer.learning_rate` if it was made with `optax.inject_hyperparams`.

    Args:
        transformation: The result of `optax.adam(…)`, `optax.chain(…)` and so on.
        **kwargs: `use_ema`, `gradient_accumulation_steps`, `clipnorm`, …; see `Optimizer`.

    Example:
        >>> weight = Variable([1.0, 2.0], name="scale")
        >>> optimizer = OptaxOptimizer(optax.inject_hyperparams(optax.sgd)(learning_rate=0.5))
        >>> optimizer.apply([jnp.array([1.0, -1.0])], [weight])
        >>> weight.numpy().tolist(), float(optimizer.learning_rate)
        ([0.5, 2.5], 0.5)
    """

    def __init__(self, transformation: optax.GradientTransformation, **kwargs: Any):
        if not isinstance(transformation, optax.GradientTransformation):
            raise TypeError(
                "OptaxOptimizer needs an optax transformation, such as optax.adam(1e-3); "
                f"received {transformation!r}."
            )
        for argument in ("learning_rate", "weight_decay"):
            if kwargs.get(argument) is not None:
                raise ValueError(
                    f"OptaxOptimizer takes no {argument}: it belongs inside the transformation, "
                    "as in optax.adamw(learning_rate=1e-3, weight_decay=1e-4)."
                )
        super().__init__(**kwargs)
        self._learning_rate = None  # it is inside the transformation
        self._optax = optax.with_extra_args_support(transformation)
        self._keys: dict[int, str] = {}  # from the id of a weight to its key in the dictionary
        self._structure: Any = None
        # From the name of a leaf that is a random key to the implementation of the key.
        self._key_impls: dict[str, Any] = {}
        # Names of leaves that are initialized from the weights.
        self._from_weights: set[str] = set()

    def _build_state(self, new: list[Variable]) -> None:
        for v in new:
            same_path_count = sum(key.split("#")[0] == v.path for key in self._keys.values())
            self._keys[id(v)] = f"{v.path}#{same_path_count + 1}" if same_path_count else v.path
        with jax.ensure_compile_time_eval():
            weights = {self._keys[id(v)]: v._value for v in self._trainable_variables}
            leaves, self._structure = tree_flatten_with_path(self._optax.init(weights))
            other_weights = {key: np.asarray(w) + 1 for key, w in weights.items()}
            other_leaves = jax.tree.leaves(self._optax.init(other_weights))
        previous_scalars, self._scalars = self._scalars, {}
        for (path, leaf), other_leaf in zip(leaves, other_leaves, strict=True):
            name = keystr(path)
            if jnp.issubdtype(jnp.result_type(leaf), jax.dtypes.prng_key):
                self._key_impls[name] = jax.random.key_impl(leaf)
                leaf = jax.random.key_data(leaf)
            elif not np.array_equal(leaf, other_leaf):
                self._from_weights.add(name)
            self._scalars[name] = (
                previous_scalars[name] if name in previous_scalars else self._variable(leaf, name)
            )

    def _update_weights(self, gradients: list[Array], variables: list[Variable]) -> None:
        keys = [self._keys[id(v)] for v in variables]
        gradient_of = dict(zip(keys, self._clip_gradients(gradients), strict=True))
        weights = {self._keys[id(v)]: v.value for v in self._trainable_variables}
        # The transformation needs all weights that it was made for; frozen ones are not changed.
        all_gradients = {key: gradient_of.get(key, jnp.zeros_like(w)) for key, w in weights.items()}
        self._initialize_from(weights)
        state = jax.tree.unflatten(self._structure, map(self._scalar_value, self._scalars))
        try:
            changes, state = self._optax.update(all_gradients, state, weights)
        except TypeError as error:
            if "required keyword-only argument" not in str(error):
                raise
            raise ValueError(
                f"This optax transformation cannot be used here: it needs more than gradients "
                f"({error}).\n  Likely cause: it uses a line search or the value of the loss, as "
                "optax.lbfgs and optax.polyak_sgd do."
            ) from None
        for path, leaf in tree_flatten_with_path(state)[0]:
            weight_keys = {part.key for part in path if isinstance(part, DictKey)}
            if not weight_keys & (weights.keys() - gradient_of.keys()):
                name = keystr(path)
                self._scalars[name].assign(
                    jax.random.key_data(leaf) if name in self._key_impls else leaf
                )
        for key, v in zip(keys, variables, strict=True):
            v.assign(weights[key] + changes[key])

    def _initialize_from(self, weights: dict[str, Array]) -> None:
        """Initialize the state at the first step, because weights may be set after `build`."""
        if self._from_weights:
            is_first_step = jnp.asarray(self.iterations) == 0
            for path, leaf in tree_flatten_with_path(self._optax.init(weights))[0]:
                if keystr(path) in self._from_weights:
                    variable = self._scalars[keystr(path)]
                    variable.assign(jnp.where(is_first_step, leaf, variable.value))

    def _scalar_value(self, name: str) -> Array:
        value = self._scalars[name].value
        key_impl = self._key_impls.get(name)
        return value if key_impl is None else jax.random.wrap_key_data(value, impl=key_impl)

    @property
    def learning_rate(self) -> Any:
        """The rate of `optax.inject_hyperparams`, after the optimizer is built."""
        rate = self._injected_rate("hyperparams")
        if rate is None:
            raise AttributeError(_HIDDEN_RATE if self.built else _UNKNOWN_RATE)
        return rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if not self.built:
            raise TypeError(_UNKNOWN_RATE)
        rate = self._injected_rate("hyperparams")
        if rate is None or self._injected_rate("hyperparams_states") is not None:
            raise TypeError(_HIDDEN_RATE)
        rate.assign(value)

    def _injected_rate(self, field: str) -> Variable | None:
        """The learning rate in a field of the state of `optax.inject_hyperparams`, if any."""
        path_suffix = f".{field}['learning_rate']"
        return next(
            (variable for name, variable in self._scalars.items() if path_suffix in name), None
        )

    def get_config(self) -> dict:
        """Not available: an optax transformation is code, and a model file contains data.

        Raises:
            ValueError: Always.
        """
        raise ValueError(
            "An optax transformation cannot be saved: it is code, and a model file holds data.\n"
            "  Fix: use an optimizer of lamina.optimizers, or compile again after loading."
        )


_UNKNOWN_RATE = (
    "The learning rate of an optax transformation is known after the transformation has created "
    "its state.\n"
    "  Fix: optimizer.build(model.trainable_variables) first."
)
_HIDDEN_RATE = (
    "The learning rate is inside the optax transformation, as a number or a schedule, and cannot "
    "be read or set.\n"
    "  Fix: compile with optax.inject_hyperparams(optax.adam)(learning_rate=1e-3), which makes it "
    "accessible,\n  or with lamina.optimizers.Adam(1e-3)."
)
