"""Context: whatever is ambient, one object for each thread.

What a layer, a Variable or the reader of a file needs to know, and nobody hands to it, is a slot
here, with the `with` block or call that sets it. A scope restores what it found; nothing else keeps
ambient state. Settings that hold for the whole process are in `config`.
"""

import math
import threading
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lamina.core.layer.layer_state import LayerState
    from lamina.core.variable.variable import Bindings, Variable


class Context(threading.local):
    """The slots, by who reads them."""

    def __init__(self) -> None:
        # -- Variables ------------------------------------------------------------------------
        # Values that Variables have while a function is traced; set by `stateless` and its like.
        self.bound: Bindings | None = None
        # What float Variables are cast to when they are read; set by `autocast`.
        self.autocast: str | None = None
        # Names in front of the paths of new Variables; set by `name_scope` and by layers.
        self.path: tuple[str, ...] = ()
        # Who opened the scopes of names, and with which; set by `name_scope(caller=…)`.
        self.name_callers: list[tuple[Any, str]] = []
        # Variables whose first values wait, because a file is about to bring others.
        self.waiting: list[Variable] | None = None
        # Bytes that may still be taken for new Variables; set by `memory_limit`.
        self.memory_left: float = math.inf

        # -- a call of a layer ----------------------------------------------------------------
        self.layers: list[LayerState] = []  # entered and not left, outermost first
        self.running: list[LayerState] = []  # those of them that are built and run their `call`
        self.training: bool | None = None  # what the outermost call was given
        # What float32 layers compute in meanwhile, and the ids of those that do not; set by
        # `computing_in`.
        self.computing_in: tuple[str, frozenset[int]] | None = None
        # id of a tracer → the tracer, kept alive so that the id stays its own, and its mask.
        self.masks: dict[int, tuple[Any, Any]] = {}
        # Where losses of layers go instead of to the layers: pairs (layer, value).
        self.losses: list[Any] | None = None
        # The size that stands for unknown axes while shapes are found by tracing.
        self.probe: int | None = None
        # Whether layers that compute in NumPy leave their results there; set by `staying_on_host`.
        self.on_host = False
        # Scopes of `RematScope`, the innermost last.
        self.remat: list[Any] = []

        # -- a program that is traced -----------------------------------------------------------
        # What it is lowered for; None: the default device. Set by `lowering_for`.
        self.lowering_target: Any = None
        # Values of the program and the convolutions that made them, which pooling may take in.
        self.fusible: list[tuple[Any, Any]] = []

        # -- a training run -------------------------------------------------------------------
        # Where arrays are; None: on one device. Set by `placing`.
        self.placement: Any = None
        # Who else hears what happens in a run; set by `listening`.
        self.listeners: tuple[Any, ...] = ()

        # -- reading and writing files ----------------------------------------------------------
        # Names that configs may use besides the registered ones; set by `custom_object_scope`.
        self.custom_objects: list[Mapping[str, Any]] = []
        # While a whole model is written: id of an object → its number, and the object itself, so
        # that no other can come to have the same id.
        self.written: dict[int, tuple[int, Any]] | None = None
        # While one is read: number → object.
        self.read: dict[Any, Any] | None = None

        # -- names ------------------------------------------------------------------------------
        # How many objects were named after a prefix, by themselves and by users who asked.
        self.names_used: dict[str, int] = defaultdict(int)
        self.names_asked: dict[str, int] = defaultdict(int)


context = Context()
