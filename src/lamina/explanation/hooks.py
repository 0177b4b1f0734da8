"""Hooks on layers, which read or change what layers compute while a model is called.

A hook is a function that is called in place of a layer's `call`. It receives that `call` and its
arguments, and returns the outputs of the layer, which it may change.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from lamina.core.layer.layer import Layer

# `hook(layer, own_call, args, kwargs) → outputs`; `own_call` is the layer's own `call`.
Hook = Callable[[Layer, Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]

_lock = threading.RLock()


@contextmanager
def call_hooks(layers: Sequence[Layer], hooks: Mapping[Layer, Hook]) -> Iterator[None]:
    """In the `with` block, this thread calls the hooks in place of the `call` of their layers.

    A hook is set as the attribute `call` of the layer object, which Python finds before the method
    of the class. It is set without `__setattr__`, so that the layer does not count as changed and
    no program is compiled again. Other threads use the layer's own `call`.

    Args:
        layers: All layers of the model, and the model itself.
        hooks: From each layer that gets a hook to the hook.
    """
    thread = threading.get_ident()

    def wrap(layer: Layer, hook: Hook, own_call: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if threading.get_ident() != thread:
                return own_call(*args, **kwargs)
            return hook(layer, own_call, args, kwargs)

        return call

    with _lock:
        old_calls = {layer: layer.__dict__.get("call") for layer in hooks}
        scopes = {layer: layer._remat_scope for layer in layers}
        for layer, hook in hooks.items():
            layer.__dict__["call"] = wrap(layer, hook, layer.call)
        for layer in layers:
            layer.__dict__["_remat_scope"] = None  # rematerialization hides inner layers
        try:
            yield
        finally:
            for layer, scope in scopes.items():
                layer.__dict__["_remat_scope"] = scope
            for layer, call in old_calls.items():
                if call is None:
                    del layer.__dict__["call"]
                else:
                    layer.__dict__["call"] = call


def call_with_attributes(
    layer: Layer, attributes: Mapping[str, Any], args: Any, kwargs: Any
) -> Any:
    """The result of a layer's `call` with some attributes replaced.

    The call is made on a copy of the object, so the layer itself is not changed.
    """
    copy = object.__new__(type(layer))
    copy.__dict__.update(layer.__dict__)
    copy.__dict__.pop("call", None)
    copy.__dict__.update(attributes)
    return copy.call(*args, **kwargs)
