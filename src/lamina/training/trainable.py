"""Trainable: what training asks of a model.

`Learner` answers for Lamina's models, and holds besides what the engine remembers between calls.
`model` is the user's object, of which training uses Keras's public names alone: its optimizer, its
metrics, its weights, its name. Whoever needs more extends the protocol, not the caller.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.layer.layer_state import LayerState
from lamina.core.variable.variable import Variable
from lamina.training.objectives import Objectives
from lamina.training.overrides import Overrides
from lamina.training.precision import Precision
from lamina.training.structure_matching import TensorTree
from lamina.training.train_state import TrainState


@dataclass(frozen=True)
class Signature:
    """What a model says of its inputs and outputs; empty until a subclass was called.

    Args:
        inputs: A symbolic tensor for each input, in the order in which they are listed.
        outputs: The same for the outputs.
        input_names, output_names: One name for each.
        input_tree: The structure in which the inputs are given: a tensor, a list, a dict.
        inputs_as_written: The inputs in the structure in which the user wrote them.
        outputs_as_written: The outputs in the structure in which the user wrote them.
        nodes: The calls of layers between inputs and outputs.
    """

    inputs: tuple[KerasTensor, ...] = ()
    outputs: tuple[KerasTensor, ...] = ()
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    input_tree: TensorTree | None = None
    inputs_as_written: Any = None
    outputs_as_written: Any = None
    nodes: tuple[Any, ...] = ()
    arrange: Callable[[Any], list] = field(default=lambda x: [x])

    @functools.cached_property
    def batch_size(self) -> int | None:
        """The only number of rows that the model takes, if it was made for one."""
        sizes = {tensor.shape[0] for tensor in self.inputs} - {None}
        return min(sizes) if sizes else None


class Trainable(Protocol):
    """A model, as training sees it."""

    precision: Precision
    overrides: Overrides  # which methods the user has written
    columns: dict[str, tuple]  # names in the tables that it was trained on, by what they are
    warned: set[str]  # the warnings that were given, of those that are given once
    trainable_checked_at: object  # the structure for which it is known that something learns

    @property
    def model(self) -> Any:
        """The user's object: what callbacks and messages are about."""
        ...

    @property
    def compiled(self) -> bool:
        """Whether it is known what to minimise and to measure."""
        ...

    @property
    def objectives(self) -> Objectives:
        """What `compile` asked for."""
        ...

    @property
    def signature(self) -> Signature:
        """Inputs and outputs."""
        ...

    def layers(self) -> list[LayerState]:
        """The model and all layers inside, nested ones included."""
        ...

    def on_host(self, x: Any) -> Any:
        """The inputs as programs take them: text becomes numbers, the rest stays."""
        ...

    def take_shapes(self, x: Any) -> None:
        """Get ready for inputs of these shapes, if they may be others than before."""
        ...

    def prepare(self, x: Any, y: Any, sample_weight: Any, training: bool | None) -> None:
        """Make weights, metrics and the optimizer's state by shapes alone."""
        ...

    def state(self, kind: str) -> TrainState[Variable]:
        """The Variables that a `"train"`, `"test"` or `"predict"` program works on."""
        ...

    def step(self, kind: str) -> Callable[[Any], Any]:
        """`"train_step"` and its like as a function of one batch, which assigns Variables."""
        ...

    def compares_targets(self, training: bool) -> bool:
        """Whether a step compares the outputs with targets in the usual way."""
        ...

    def batch_size_is_irrelevant(self, x: Any) -> bool:
        """Whether the size of batches makes no difference to what `evaluate` finds."""
        ...

    def rows_are_independent(self, kind: str, rows: Any) -> bool:
        """Whether it makes no difference with which others a row is computed."""
        ...

    def inputs_were_checked(self, kind: Any) -> bool:
        """Whether inputs of a dtype and shape were found to fit the model as it is."""
        ...

    def remember_checked_inputs(self, kind: Any) -> None:
        """Remember that inputs of a dtype and shape fit."""
        ...

    def program(self, kind: str) -> tuple[Any, TrainState[Variable]]:
        """The compiled program of a kind, and the state that it works on."""
        ...
