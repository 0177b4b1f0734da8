"""Taps on layers: what they get and give while a model is called, and changes of what they give."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from lamina.core.layer.layer import Layer

# `handler(layer, call, args, kwargs) → outputs`; `call` is the layer's own.
Handler = Callable[[Layer, Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]

_lock = threading.RLock()


@contextmanager
def tapped(layers: Sequence[Layer], handlers: Mapping[Layer, Handler]) -> Iterator[None]:
    """Inside, calls of some layers in this thread go to the handlers.

    A layer looks its `call` up on itself, so one that is set on the object is used in place of that
    of the class. It is set past `__setattr__`, since the layer does not change: no compiled program
    has to be made again. Other threads get the layer's own `call`.

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


def called_with(layer: Layer, settings: Mapping[str, Any], args: Any, kwargs: Any) -> Any:
    """The result of a layer's `call` with other settings; the layer itself is not changed."""
    twin = object.__new__(type(layer))
    twin.__dict__.update(layer.__dict__)
    twin.__dict__.pop("call", None)
    twin.__dict__.update(settings)
    return twin.call(*args, **kwargs)
