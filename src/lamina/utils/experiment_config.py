"""`Config`: named values of an experiment, which can be frozen."""

import json
from collections.abc import ItemsView, Iterator, KeysView, MutableMapping, ValuesView
from typing import Any

from lamina.core.messages.errors import did_you_mean
from lamina.core.messages.representation import safe_repr
from lamina.core.messages.tracebacks import filter_tracebacks_of_methods


@filter_tracebacks_of_methods
class Config(MutableMapping):
    """Named values, read and set as attributes or as in a dictionary.

    Args:
        **kwargs: The initial values.

    Example:
        >>> config = Config(learning_rate=0.1)
        >>> config.epochs = 10
        >>> config["epochs"], config.to_json()
        (10, '{"learning_rate": 0.1, "epochs": 10}')
        >>> config.freeze()
        >>> config.epochs = 20
        Traceback (most recent call last):
        ...
        ValueError: The config is frozen, so 'epochs' cannot be changed. ...
    """

    def __init__(self, **kwargs: Any):
        object.__setattr__(self, "_config", kwargs)
        object.__setattr__(self, "_frozen", False)

    @property
    def frozen(self) -> bool:
        """Whether changes are refused."""
        return self._frozen

    def freeze(self) -> None:
        """Refuse changes from here on."""
        object.__setattr__(self, "_frozen", True)

    def unfreeze(self) -> None:
        """Allow changes again."""
        object.__setattr__(self, "_frozen", False)

    def as_dict(self) -> dict[str, Any]:
        """A copy of the values as a dictionary.

        Returns:
            A dict.
        """
        return dict(self._config)

    def to_json(self) -> str:
        """The values as JSON.

        Returns:
            The JSON text.
        """
        return json.dumps(self._config)

    # Written out for type checkers: `MutableMapping` has them from the five methods below.
    def keys(self) -> KeysView:
        return self._config.keys()

    def values(self) -> ValuesView:
        return self._config.values()

    def items(self) -> ItemsView:
        return self._config.items()

    def __getitem__(self, name: str) -> Any:
        return self._config[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._refuse_if_frozen(name)
        self._config[name] = value

    def __delitem__(self, name: str) -> None:
        self._refuse_if_frozen(name)
        del self._config[name]

    def __len__(self) -> int:
        return len(self._config)

    def __iter__(self) -> Iterator[str]:
        return iter(self._config)

    def __contains__(self, name: object) -> bool:
        return name in self._config

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in self._config:
            config = vars(self).get("_config", {})
            raise AttributeError(f"The config has no {name!r}.{did_you_mean(name, config)}")
        return self._config[name]

    def __setattr__(self, name: str, value: Any) -> None:
        if hasattr(type(self), name):
            raise AttributeError(
                f"{name!r} is a method of Config and cannot be a value's attribute.\n"
                f"  Fix: config[{name!r}] = …"
            )
        self[name] = value

    def __delattr__(self, name: str) -> None:
        del self[name]

    @safe_repr
    def __repr__(self) -> str:
        return f"<Config {self._config}>"

    def _refuse_if_frozen(self, name: str) -> None:
        if self._frozen:
            raise ValueError(
                f"The config is frozen, so {name!r} cannot be changed. config.unfreeze() allows "
                "it again."
            )
