"""Taps on layers, which read or change what layers compute while a model is called.

A tap is a function that is called in place of a layer's `call`. It receives that `call` and its
arguments, and returns the outputs of the layer, which it may change.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from lamina.core.layer.layer import Layer

# A tap: `handler(layer, call, args, kwargs) → outputs`; `call` is the layer's own.
Handler = Callable[[Layer, Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]

_lock = threading.RLock()


@contextmanager
def tapped(layers: Sequence[Layer], handlers: Mapping[Layer, Handler]) -> Iterator[None]:
    """Put taps on layers: in the `with` block, their calls in this thread go to the handlers.

    The tap is set as the attribute `call` of the object, which Python finds before that of the
    class. It is set without `__setattr__`, since the layer does not change: no program has to be
    compiled again. Other threads use the layer's own `call`.

    Args:
        layers: All layers of the model, and the model itself.
        handlers: A handler for each layer with a tap.
    """
    thread = threading.get_ident()

    def tap(layer: Layer, handler: Handler, own_call: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if threading.get_ident() != thread:
                return own_call(*args, **kwargs)
            return handler(layer, own_call, args, kwargs)

        return call

    with _lock:
        before = {layer: layer.__dict__.get("call") for layer in handlers}
        scopes = {layer: layer._remat_scope for layer in layers}
        for layer, handler in handlers.items():
            layer.__dict__["call"] = tap(layer, handler, layer.call)
        for layer in layers:
            layer.__dict__["_remat_scope"] = None  # it hides what is computed inside
        try:
            yield
        finally:
            for layer, scope in scopes.items():
                layer.__dict__["_remat_scope"] = scope
            for layer, call in before.items():
                if call is None:
                    del layer.__dict__["call"]
                else:
                    layer.__dict__["call"] = call


def call_with_attributes(
    layer: Layer, attributes: Mapping[str, Any], args: Any, kwargs: Any
) -> Any:
    """The result of a layer's `call` if the layer had other attributes.

    The call is made on a copy of the object, so the layer itself is not changed.
    """
    twin = object.__new__(type(layer))
    twin.__dict__.update(layer.__dict__)
    twin.__dict__.pop("call", None)
    twin.__dict__.update(attributes)
    return twin.call(*args, **kwargs)
