"""Trainable: the protocol that training needs of a model.

`Learner` implements it for Lamina's models, and also keeps state between calls. `model` is the
user's object. Training uses only Keras's public attributes of it: its optimizer, metrics, weights
and name. If training needs more of a model, extend this protocol.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from lamina.contract import Contract
from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.layer.layer_state import LayerState
from lamina.core.types import Data, PyTree, Targets
from lamina.core.variable.variable import Variable
from lamina.optimizers import Optimizer
from lamina.training.objectives import Objectives
from lamina.training.overrides import Overrides
from lamina.training.precision import Precision
from lamina.training.structure_matching import TensorTree
from lamina.training.train_state import TrainState

# Operations of a graph that replace or detect NaN.
_NAN_OPERATIONS = {"Isnan", "Isfinite", "NanToNum"}


@dataclass(frozen=True)
class Signature:
    """The inputs and outputs of a model; empty for a model that is not a graph of layers.

    Args:
        inputs: A symbolic tensor for each input, in the model's order.
        outputs: A symbolic tensor for each output.
        input_names: A name for each input.
        output_names: A name for each output.
        input_tree: The structure of the inputs: a tensor, a list or a dict.
        inputs_as_written: The inputs in the structure in which the user wrote them.
        outputs_as_written: The outputs in the structure in which the user wrote them.
        nodes: The calls of layers between inputs and outputs.
        arrange: Converts inputs in any accepted structure to a list in the order of `inputs`.
    """

    inputs: tuple[KerasTensor, ...] = ()
    outputs: tuple[KerasTensor, ...] = ()
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    input_tree: TensorTree | None = None
    inputs_as_written: Any = None
    outputs_as_written: Any = None
    nodes: tuple[Any, ...] = ()
    arrange: Callable[[Any], list[Any]] = field(default=lambda x: [x])

    @functools.cached_property
    def batch_size(self) -> int | None:
        """The fixed batch size of the model, if it has one."""
        rows = [tensor.shape[0] for tensor in self.inputs]
        return min((size for size in rows if size is not None), default=None)

    @functools.cached_property
    def handles_missing_values(self) -> bool:
        """Whether the model has an operation that handles NaN, so that inputs may contain NaN."""
        return any(type(node.operation).__name__ in _NAN_OPERATIONS for node in self.nodes)


class Trainable(Protocol):
    """What training needs of a model."""

    precision: Precision
    overrides: Overrides  # which methods the user has overridden
    # Column names of the tables used in training, by expression (`"x"`, `"y"`).
    columns: dict[str, tuple[Any, ...]]
    contract: Contract | None  # description of the training data
    calls_checked: int  # calls of `predict` whose inputs were compared with the contract
    warned: set[str]  # keys of issued warnings, each of which is issued once
    trainable_checked_at: object  # version of the model at the last check for trainable weights

    @property
    def model(self) -> Any:
        """The user's model, which callbacks and messages refer to."""
        ...

    @property
    def compiled(self) -> bool:
        """Whether `compile` was called."""
        ...

    @property
    def objectives(self) -> Objectives:
        """The losses and metrics given to `compile`."""
        ...

    @property
    def signature(self) -> Signature:
        """Inputs and outputs."""
        ...

    def layers(self) -> list[LayerState]:
        """The model and all layers in it, at any depth."""
        ...

    def optimizers(self) -> list[Optimizer]:
        """The model's optimizer, and any others that it keeps as attributes."""
        ...

    def on_host(self, x: Data) -> PyTree:
        """The inputs for compiled programs: text becomes numbers, the rest is unchanged."""
        ...

    def accept_shapes(self, x: Data) -> None:
        """Prepare for inputs of these shapes, which may differ from earlier ones."""
        ...

    def prepare(self, x: Data, y: Targets, sample_weight: Targets, training: bool | None) -> None:
        """Create weights, metrics and optimizer state from the shapes of the data."""
        ...

    def state(self, mode: str) -> TrainState[Variable]:
        """The Variables of the state of a `"train"`, `"test"` or `"predict"` program."""
        ...

    def step(self, name: str) -> Callable[[Any], Any]:
        """`"train_step"`, `"test_step"` or `"predict_step"` as a function of a batch.

        The function reads and assigns Variables.
        """
        ...

    def compares_targets(self, training: bool) -> bool:
        """Whether a step compares outputs with targets in the standard way, without overrides."""
        ...

    def batch_size_is_irrelevant(self, x: Data) -> bool:
        """Whether the batch size has no effect on the results of `evaluate`."""
        ...

    def rows_are_independent(self, mode: str, rows: PyTree) -> bool:
        """Whether the outputs for a row do not depend on the other rows of its batch."""
        ...

    def inputs_were_checked(self, spec: Any) -> bool:
        """Whether inputs with a dtype and shape have passed the checks for the current model."""
        ...

    def remember_checked_inputs(self, spec: Any) -> None:
        """Remember that inputs with a dtype and shape have passed the checks."""
        ...

    def program(self, mode: str) -> tuple[Any, TrainState[Variable]]:
        """The compiled program of a mode, and the Variables of its state; see `state`."""
        ...
