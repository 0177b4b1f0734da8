"""Learner: what training needs of a model, with the state that is kept between calls."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import jax

from lamina import tree
from lamina.contract import Contract
from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.graph.output_specs import trace_spec
from lamina.core.layer import masking
from lamina.core.layer.layer_state import LayerState, unique_by_identity
from lamina.core.types import Config, Data, Outputs, PyTree, Targets
from lamina.core.user_data.text import Preprocessed, has_text
from lamina.core.variable.changes import last_change
from lamina.core.variable.stateless import stateless, values_of
from lamina.core.variable.variable import Variable
from lamina.optimizers import Optimizer
from lamina.training import placement
from lamina.training.objectives import Objectives
from lamina.training.overrides import Overrides, call_compute_loss, object_style, takes_state
from lamina.training.precision import Precision
from lamina.training.programs import Programs
from lamina.training.row_dependence.analysis import rows_are_independent
from lamina.training.train_state import TrainState
from lamina.training.trainable import Signature


class Learner(ABC):
    """Implements the protocol `Trainable` for models with Keras's methods.

    The methods that depend on the type of model are in `_TrainerLearner`, at the end of
    `trainer.py`.

    Args:
        model: The user's model.

    Attributes:
        precision: The dtype in which layers compute while they train.
        compile_config: The arguments of `compile`; None before it.
        overrides: Which steps and losses the user has overridden.
        programs: The compiled programs.
        checked_inputs: Version of the model's structure, with the dtypes and shapes of inputs of
            `predict` that have passed the checks for this version.
        columns: Column names of the tables used in training, by expression (`"x"`, `"y"`).
        contract: Contract of the training data, if `fit` has recorded it.
        calls_checked: Number of calls of `predict` whose inputs were compared with the contract.
        warned: Keys of issued warnings; each is issued once per model.
        trainable_checked_at: Version of the model's structure at the last check that it has
            trainable weights.
    """

    def __init__(self, model: Any):
        self._model = model
        self._objectives: Objectives | None = None
        self.precision = Precision()
        self.compile_config: dict[str, Any] | None = None
        self.overrides = Overrides()
        self.programs = Programs(self)
        self.checked_inputs: tuple[Any, Any] = (None, frozenset())
        self.columns: dict[str, tuple[Any, ...]] = {}
        self.contract: Contract | None = None
        self.calls_checked = 0
        self.warned: set[str] = set()
        self.trainable_checked_at: object = None
        self._adds_losses: bool | None = None  # None: not known before a step was traced
        self._outputs_as_written: Any = None  # for a subclass: dicts in the order that `call` used

    @property
    def model(self) -> Any:
        return self._model

    @property
    def compiled(self) -> bool:
        return self._objectives is not None

    @property
    def objectives(self) -> Objectives:
        assert self._objectives is not None  # used only after `checks.check_compiled`
        return self._objectives

    # -- depends on the type of model -------------------------------------------------------------

    @property
    @abstractmethod
    def signature(self) -> Signature:
        """Inputs and outputs."""

    @abstractmethod
    def layers(self) -> list[LayerState]:
        """The model and all layers in it, at any depth."""

    @abstractmethod
    def on_host(self, x: Data) -> PyTree:
        """The inputs for compiled programs: text becomes numbers, the rest is unchanged."""

    @abstractmethod
    def accept_shapes(self, x: Data) -> None:
        """Prepare for inputs of these shapes, which may differ from earlier ones."""

    @abstractmethod
    def clear_losses(self) -> None:
        """Clear losses that layers have added with `add_loss` during tracing."""

    @abstractmethod
    def has_added_losses(self) -> bool:
        """Whether a layer has added a loss since losses were cleared."""

    def copy_for(self, model: Any) -> "Learner":
        """A learner with the same settings for a copy of the model, with its own programs."""
        copy = type(self)(model)
        copy._objectives, copy.precision = self._objectives, self.precision
        copy.overrides, copy.compile_config = self.overrides, self.compile_config
        copy.columns, copy.contract = dict(self.columns), self.contract
        return copy

    # -- compile ----------------------------------------------------------------------------------

    def set_compiled(
        self, objectives: Objectives, precision: Precision, overrides: Overrides, config: Config
    ) -> None:
        """Store the arguments of `compile`, and clear the programs."""
        self._objectives, self.precision = objectives, precision
        self.overrides, self.compile_config = overrides, config
        self.programs.clear()

    # -- state ------------------------------------------------------------------------------------

    def optimizers(self) -> list[Optimizer]:
        """The model's optimizer, and other optimizers that are attributes of the model."""
        return unique_by_identity(v for v in vars(self._model).values() if isinstance(v, Optimizer))

    def variables(self) -> TrainState[Variable]:
        """All Variables of the training state."""
        model = self._model
        optimizer = unique_by_identity(v for o in self.optimizers() for v in o.variables)
        return TrainState(
            trainable=model.trainable_variables,
            non_trainable=model.non_trainable_variables,
            optimizer=optimizer,
            metrics=self._metrics(),
            named_positions=tuple(_named_positions(model.optimizer, optimizer)),
            placement=placement.current(),
        )

    def state(self, mode: str) -> TrainState[Variable]:
        model = self._model
        if mode == "train":
            return self.variables()
        return TrainState(
            trainable=model.trainable_variables,
            non_trainable=model.non_trainable_variables,
            metrics=self._metrics() if mode == "test" else [],
            placement=placement.current(),
        )

    def _metrics(self) -> list[Variable]:
        return self._model.metrics_variables if self.compiled else []

    # -- steps and programs -----------------------------------------------------------------------

    def step(self, name: str) -> Callable[[Any], Any]:
        step = object_style(self._model, getattr(self._model, name))
        if name == "train_step":
            step = self.precision.apply_to(step, self.signature.outputs)
        return self._without_added_losses(step)

    def program(self, mode: str) -> tuple[Any, TrainState[Variable]]:
        return self.programs.program_for(mode)

    def _without_added_losses(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """A step that clears the losses that layers have added during it."""

        def clean(data: PyTree) -> Any:
            try:
                return step(data)
            finally:
                self.clear_losses()

        return clean

    # -- properties of the steps ------------------------------------------------------------------

    def compares_targets(self, training: bool) -> bool:
        """Whether a step compares outputs with targets in the standard way, without overrides."""
        overrides = self.overrides
        overrides_step = overrides.train_step if training else overrides.test_step
        return not (overrides.compute_loss or overrides_step)

    def batch_size_is_irrelevant(self, x: Data) -> bool:
        """Whether the batch size has no effect on the results of `evaluate`.

        Args:
            x: Inputs, of which only shapes and dtypes are used.
        """
        overrides = self.overrides
        return (
            not (overrides.test_step or overrides.compute_loss or overrides.compute_metrics)
            and self.compiled
            and self.objectives.sums_over_samples
            and not self._adds_losses
            and self.rows_are_independent("test", x)
            and not self._adds_losses  # known only after the trace in the previous line
        )

    def rows_are_independent(self, mode: str, rows: PyTree) -> bool:
        """Whether the outputs for a row do not depend on the other rows of its batch.

        The result is cached for each program and signature of the inputs.

        Args:
            mode: `"predict"` for the outputs of `predict_step`, `"test"` for those of `call`.
            rows: The inputs; only shapes and dtypes are used.
        """
        program, variables = self.programs.program_for(mode)
        leaves, structure = jax.tree.flatten(rows)
        key = (structure, *((leaf.shape[1:], leaf.dtype) for leaf in leaves))
        if key not in program.properties:
            has_masks: list[bool] = []

            def forward(x: Data) -> Any:
                outputs = self._model(x, training=False)
                # With a mask, a loss divides by the number of unmasked steps in the whole batch.
                has_masks.append(masking.get_masks(outputs) is not None)
                self.record_added_losses()
                return outputs

            step = self.step("predict_step")
            if mode != "predict":
                step = self._without_added_losses(forward)
            state = values_of(variables)
            independent = rows_are_independent(stateless(step, variables), state, rows)
            program.properties[key] = independent and not any(has_masks)
        return bool(program.properties[key])

    # -- preparing --------------------------------------------------------------------------------

    def prepare(self, x: Data, y: Targets, sample_weight: Targets, training: bool | None) -> None:
        """Create weights, metrics and optimizer state from the shapes of the data.

        Args:
            x, y, sample_weight: One batch or more on the host; only shapes and dtypes are used.
            training: Whether the optimizer is needed. None for predictions, which need only
                weights. (Metrics need targets: their shape decides what `"accuracy"` means.)
        """
        data = (x, y, sample_weight)
        if self._model.run_eagerly and has_text(x):
            self._prepare_by_calling(x, y, training)
            return
        try:
            self._prepare(jax.tree.map(_batch_spec, data), training)
        except Exception:
            # Traced again with the number of samples in the shapes, for a better message.
            self._prepare(jax.tree.map(lambda a: KerasTensor(a.shape, a.dtype), data), training)
            raise

    def build_objectives(self, y: Targets, y_pred: Outputs, losses_only: bool = False) -> None:
        """Match losses and metrics to outputs with these shapes."""

        def structure_of(tensors: Any) -> Any:
            return jax.tree.structure(tensors, is_leaf=lambda leaf: leaf is None)

        signature = self.signature
        as_written = signature.outputs_as_written if signature.outputs else self._outputs_as_written
        if structure_of(as_written) != structure_of(y_pred):
            as_written = None  # an override of compute_loss passes other predictions
        build = self.objectives.build_losses if losses_only else self.objectives.build
        build(y, y_pred, list(signature.output_names), as_written)

    def _needs_objectives(self) -> bool:
        return self.compiled and not self.objectives.built

    def _prepare_by_calling(self, x: Data, y: Targets, training: bool | None) -> None:
        """Prepare a model whose `call` converts text to numbers, which cannot be traced."""
        if not self._model.built or self._needs_objectives():
            y_pred = self._model(jax.tree.map(lambda a: a[:1], x), training=False)
            self.record_added_losses()
            self.clear_losses()
            if self.compiled and training is not None:
                y_specs, output_specs = jax.tree.map(_batch_spec, (y, y_pred))
                self.objectives.build(y_specs, output_specs, list(self.signature.output_names))
        if training:
            self._build_optimizer()

    def _prepare(self, specs: tuple[Any, ...], training: bool | None) -> None:
        x, y, _ = specs
        if training is None:
            self._output_specs(x)
            return
        overrides_step = self.overrides.train_step if training else self.overrides.test_step
        if self.compiled and overrides_step and self.objectives.empty:
            # An overridden step may not call the model on x at all (a GAN calls it on noise).
            self.objectives.built = True
        elif not self._model.built or self._needs_objectives():
            y_pred = self._output_specs(x)
            if self.compiled:
                if not overrides_step:
                    self._trace_comparisons(specs, training)
                self.build_objectives(y, y_pred)
        if overrides_step:
            if training and takes_state(self._model.train_step):
                self._build_optimizer()
            # The step may create its own Variables, such as those of a second optimizer.
            self._trace_once(self.step("train_step" if training else "test_step"), specs)
            self._model.built = True
        if training:
            self._build_optimizer()

    def _trace_comparisons(self, specs: tuple[Any, ...], training: bool) -> None:
        """Match losses and metrics to the predictions that overrides pass to them.

        An override of `compute_loss` or `compute_metrics` may call `super()` with predictions whose
        structure differs from the outputs.
        """
        overrides, model = self.overrides, self._model
        if not overrides.compute_loss and not overrides.compute_metrics:
            return

        def compare(x: Data, y: Targets, sample_weight: Targets) -> None:
            y_pred = model(x, training=False)
            if overrides.compute_loss:
                call_compute_loss(model, x, y, y_pred, sample_weight, training)
            if not self.objectives.losses_built:
                self.build_objectives(y, y_pred, losses_only=True)
            if overrides.compute_metrics:
                model.compute_metrics(x, y, y_pred, sample_weight)

        trace_spec(compare, *specs)
        self.clear_losses()

    def _build_optimizer(self) -> None:
        self._model.optimizer.build(self._model.trainable_variables)

    def _output_specs(self, x: Data) -> Any:
        """Symbolic outputs; builds the model if necessary."""
        signature = self.signature
        is_graph = bool(signature.outputs)
        has_known_shapes = isinstance(x, Preprocessed) or (
            is_graph and _has_shapes_of(signature.inputs, x)
        )
        if is_graph and self._model.built and has_known_shapes:
            return signature.outputs_as_written  # known from the graph
        return self._trace_forward(x)

    def _trace_forward(self, x: Data) -> Any:
        def forward(x: Data) -> Any:
            outputs = self._model(x, training=False)
            # JAX returns dicts in alphabetical order.
            self._outputs_as_written = tree.map_structure(lambda _: None, outputs)
            return outputs

        outputs = trace_spec(forward, x)
        self.record_added_losses()
        self.clear_losses()
        return outputs

    def record_added_losses(self) -> None:
        """Record whether a layer has added a loss."""
        self._adds_losses = bool(self._adds_losses or self.has_added_losses())

    def _trace_once(self, step: Callable[..., Any], specs: Any) -> None:
        x, y, sample_weight = specs
        data = x if y is None else (x, y) if sample_weight is None else (x, y, sample_weight)
        trace_spec(lambda data: step(data), data)

    # -- inputs that predict has checked ----------------------------------------------------------

    def inputs_were_checked(self, spec: Any) -> bool:
        """Whether inputs with a dtype and shape have passed the checks for the current model."""
        version, specs = self.checked_inputs
        return version is last_change() and spec in specs

    def remember_checked_inputs(self, spec: Any) -> None:
        """Remember that inputs with a dtype and shape have passed the checks."""
        version, specs = self.checked_inputs
        if version is not last_change():
            specs = set()
            self.checked_inputs = last_change(), specs
        specs.add(spec)


def _named_positions(optimizer: Any, variables: list[Variable]) -> Iterator[tuple[str, int]]:
    """Indices of the step counter and the loss scale in the optimizer's Variables."""
    names = {"step": "iterations", "loss_scale": "dynamic_scale"}
    for name, attribute in names.items():
        named_variable = getattr(optimizer, attribute, None)
        for i, variable in enumerate(variables):
            if variable is named_variable:
                yield name, i


def _batch_spec(array: Any) -> KerasTensor:
    return KerasTensor((None, *array.shape[1:]), array.dtype)


def _has_shapes_of(inputs: PyTree, x: Data) -> bool:
    """Whether data have the shapes of symbolic inputs, apart from the batch axis."""
    tensors, arrays = jax.tree.leaves(inputs), jax.tree.leaves(x)
    return [t.shape[1:] for t in tensors] == [a.shape[1:] for a in arrays]
