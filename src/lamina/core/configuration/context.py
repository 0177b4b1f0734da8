"""Context: the state of a thread that is not passed as arguments.

Layers, Variables and the code that reads files look up here what enclosing `with` blocks and calls
have set. The comments say what sets each attribute. A scope restores the previous value when it
ends. No other module has such state; settings of the whole process are in `config`.
"""

import math
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
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
        self.bindings: Bindings | None = None
        # The dtype that float Variables are cast to when they are read; set by `autocast`.
        self.autocast: str | None = None
        # Names in front of the paths of new Variables; set by `name_scope` and by layers.
        self.path: tuple[str, ...] = ()
        # Callers of the open name scopes, with their names; set by `name_scope(caller=…)`.
        self.name_callers: list[tuple[Any, str]] = []
        # Variables whose initializers have not run, because a file is being loaded; set by
        # `deferred_initialization`.
        self.uninitialized: list[Variable] | None = None
        # Whether initial values stay on the host, since a Variable divides them over devices.
        self.keep_initial_values_on_host = False
        # Called with a Variable and its array whenever it is read outside of `bindings`.
        self.on_variable_read: Callable[[Variable, Any], None] | None = None
        # Bytes that may still be taken for new Variables; set by `memory_limit`.
        self.memory_left: float = math.inf

        # -- calls of layers -------------------------------------------------------------------
        self.call_stack: list[LayerState] = []  # layers being called, the outermost first
        self.layers_in_call: list[LayerState] = []  # those of them whose `call` is running
        self.training: bool | None = None  # the training mode of the innermost call
        # The dtype that float32 layers compute in, and the ids of layers that are excluded; set by
        # `override_compute_dtype`.
        self.compute_dtype_override: tuple[str, frozenset[int]] | None = None
        # By id of a tracer: the tracer, kept alive so that its id is not reused, and its mask.
        self.masks: dict[int, tuple[Any, Any]] = {}
        # Collects the losses of layers, as pairs (layer, value), if it is not None.
        self.losses: list[Any] | None = None
        # The size that replaces unknown axes while shapes are inferred by tracing.
        self.traced_size: int | None = None
        # Whether layers that compute in NumPy return NumPy arrays; set by `compute_on_host`.
        self.on_host = False
        # The enclosing `RematScope`s, the innermost last.
        self.remat: list[Any] = []

        # -- a program being traced -----------------------------------------------------------
        # Its target platform; None: the default device. Set by `lowering_for`.
        self.lowering_target: Any = None
        # Pairs of an output and the convolution that computed it, which may be fused with pooling.
        self.fusible: list[tuple[Any, Any]] = []

        # -- a training run -------------------------------------------------------------------
        # The Placement of arrays; None: on one device. Set by `use_placement` and
        # `set_distribution`.
        self.placement: Any = None
        # The Distribution that the placement was made from; set by `set_distribution`.
        self.distribution: Any = None
        # Listeners to the events of a run; set by `add_listeners`.
        self.listeners: tuple[Any, ...] = ()
        # Whether copies of a model are being trained for diagnosis, which is not recorded; set by
        # `without_side_effects`.
        self.is_training_copies = False

        # -- reading and writing files ----------------------------------------------------------
        # Classes and functions that configs may name besides the registered ones; set by
        # `custom_object_scope`.
        self.custom_objects: list[Mapping[str, Any]] = []
        # While a model is serialized, by id of an object: its number and the object, kept alive so
        # that its id is not reused.
        self.serialized_objects: dict[int, tuple[int, Any]] | None = None
        # While a model is deserialized: the objects by number.
        self.deserialized_objects: dict[Any, Any] | None = None

        # -- names ------------------------------------------------------------------------------
        # The number of names made from each prefix: default names of objects, and `get_uid`.
        self.object_name_counts: dict[str, int] = defaultdict(int)
        self.uid_counts: dict[str, int] = defaultdict(int)


context = Context()
