"""Context: the state of a thread that is not passed as arguments.

Layers, Variables and readers of files find here what surrounding `with` blocks and calls have set.
The comments name what sets each attribute. A scope restores the previous value when it ends.
Nothing else keeps such state; settings of the whole process are in `config`.
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
    """The attributes, grouped by what reads them."""

    def __init__(self) -> None:
        # -- Variables ------------------------------------------------------------------------
        # Values that Variables have while a function is traced; set by `stateless` and similar
        # functions.
        self.bound: Bindings | None = None
        # What float Variables are cast to when they are read; set by `autocast`.
        self.autocast: str | None = None
        # Names in front of the paths of new Variables; set by `name_scope` and by layers.
        self.path: tuple[str, ...] = ()
        # Callers of the open name scopes, with their names; set by `name_scope(caller=…)`.
        self.name_callers: list[tuple[Any, str]] = []
        # Variables whose initializers have not run, because a file is being loaded; set by
        # `deferred_initialization`.
        self.uninitialized: list[Variable] | None = None
        # Whether initial values stay on the host, since a Variable divides them over devices.
        self.initializing_on_host = False
        # Bytes that may still be taken for new Variables; set by `memory_limit`.
        self.memory_left: float = math.inf

        # -- a call of a layer ----------------------------------------------------------------
        self.layers: list[LayerState] = []  # being called, outermost first
        self.running: list[LayerState] = []  # those of them that are built and in their `call`
        self.training: bool | None = None  # the mode given to the outermost call
        # The dtype that float32 layers compute in, and the ids of layers that are excluded; set by
        # `computing_in`.
        self.computing_in: tuple[str, frozenset[int]] | None = None
        # By id of a tracer: the tracer, kept alive so that its id is not reused, and its mask.
        self.masks: dict[int, tuple[Any, Any]] = {}
        # Collects the losses of layers, as pairs (layer, value), if it is not None.
        self.losses: list[Any] | None = None
        # The size in place of unknown axes while shapes are found by tracing.
        self.traced_size: int | None = None
        # Whether layers that compute in NumPy leave their results there; set by `compute_on_host`.
        self.on_host = False
        # Scopes of `RematScope`, the innermost last.
        self.remat: list[Any] = []

        # -- a program being traced -----------------------------------------------------------
        # Its target platform; None: the default device. Set by `lowering_for`.
        self.lowering_target: Any = None
        # Values of the program with the convolutions that made them, which may be fused with
        # pooling.
        self.fusible: list[tuple[Any, Any]] = []

        # -- a training run -------------------------------------------------------------------
        # The Placement of arrays; None: on one device. Set by `use_placement` and
        # `set_distribution`.
        self.placement: Any = None
        # The Distribution that the placement was made from; set by `set_distribution`.
        self.distribution: Any = None
        # Listeners to the events of a run; set by `add_listeners`.
        self.listeners: tuple[Any, ...] = ()
        # Whether copies of a model are trained to examine it, which nothing records; set by
        # `undisturbed`.
        self.examining = False

        # -- reading and writing files ----------------------------------------------------------
        # Classes and functions that configs may name besides the registered ones; set by
        # `custom_object_scope`.
        self.custom_objects: list[Mapping[str, Any]] = []
        # While a model is written, by id of an object: its number and the object, kept alive so
        # that its id is not reused.
        self.written: dict[int, tuple[int, Any]] | None = None
        # While a model is read: the objects by number.
        self.read: dict[Any, Any] | None = None

        # -- names ------------------------------------------------------------------------------
        # How many names were made from a prefix, for objects and for users.
        self.names_used: dict[str, int] = defaultdict(int)
        self.names_given: dict[str, int] = defaultdict(int)


context = Context()
