"""Learner: a model as training sees it, and all that training remembers of it between calls."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import jax

from lamina import tree
from lamina.core.graph.keras_tensor import KerasTensor, trace_spec
from lamina.core.layer import masking
from lamina.core.layer.layer_state import LayerState, each_once
from lamina.core.user_data.text import Preprocessed, has_text
from lamina.core.variable import structure
from lamina.core.variable.stateless import stateless, values_of
from lamina.core.variable.variable import Variable
from lamina.optimizers import Optimizer
from lamina.training import placement
from lamina.training.objectives import Objectives
from lamina.training.overrides import Overrides, computed_loss, object_style, takes_state
from lamina.training.precision import Precision
from lamina.training.programs import Programs
from lamina.training.row_dependence.analysis import rows_are_independent
from lamina.training.train_state import TrainState
from lamina.training.trainable import Signature


class Learner(ABC):
    """What `Trainable` asks, answered for a model with Keras's methods.

    What depends on the kind of model is left to `_LearnerOfModel`, at the end of `trainer.py`.

    Args:
        model: The user's object.

    Attributes:
        precision: What layers compute in while they train.
        compile_config: The arguments of `compile`; None before it.
        overrides: Which steps and losses the model's class has of its own.
        programs: The compiled programs.
        known_inputs: Dtypes and shapes that `predict` need not look at again, and the structure
            of the model that this holds for.
        columns: Names of the columns in the tables that it was trained on, by what they are.
        said: Warnings that are given once in the life of a model.
        trainable_checked_at: The structure for which it is known that something learns.
    """

    def __init__(self, model: Any):
        self._model = model
        self._objectives: Objectives | None = None
        self.precision = Precision()
        self.compile_config: dict | None = None
        self.overrides = Overrides()
        self.programs = Programs(self)
        self.checked_inputs: tuple[Any, Any] = (None, frozenset())
        self.columns: dict[str, tuple] = {}
        self.warned: set[str] = set()
        self.trainable_checked_at: object = None
        self._adds_losses: bool | None = None  # None: not known before a step was traced
        self._written_outputs: Any = None  # of a subclass: in the order in which `call` wrote them

    @property
    def model(self) -> Any:
        return self._model

    @property
    def compiled(self) -> bool:
        return self._objectives is not None

    @property
    def objectives(self) -> Objectives:
        assert self._objectives is not None  # asked for after `checks.compiled`
        return self._objectives

    # -- what depends on the kind of model --------------------------------------------------------

    @property
    @abstractmethod
    def signature(self) -> Signature:
        """Inputs and outputs."""

    @abstractmethod
    def layers(self) -> list[LayerState]:
        """The model and all layers inside, nested ones included."""

    @abstractmethod
    def on_host(self, x: Any) -> Any:
        """The inputs as programs take them: text becomes numbers, the rest stays."""

    @abstractmethod
    def take_shapes(self, x: Any) -> None:
        """Get ready for inputs of these shapes, if they may be others than before."""

    @abstractmethod
    def forget_losses(self) -> None:
        """Drop what layers added with `add_loss` while they were traced."""

    @abstractmethod
    def has_added_losses(self) -> bool:
        """Whether a layer has added a loss since they were dropped."""

    def of(self, model: Any) -> "Learner":
        """The same for a copy of the model, with programs of its own."""
        other = type(self)(model)
        other._objectives, other.precision = self._objectives, self.precision
        other.overrides, other.compile_config = self.overrides, self.compile_config
        other.columns = dict(self.columns)
        return other

    # -- compile ----------------------------------------------------------------------------------

    def compiled_with(
        self, objectives: Objectives, precision: Precision, overrides: Overrides, config: dict
    ) -> None:
        """Take what `compile` was given; programs of before are let go."""
        self._objectives, self.precision = objectives, precision
        self.overrides, self.compile_config = overrides, config
        self.programs.forget()

    # -- state ------------------------------------------------------------------------------------

    def optimizers(self) -> list[Optimizer]:
        """The model's optimizer, and any others that it keeps as attributes."""
        return each_once(v for v in vars(self._model).values() if isinstance(v, Optimizer))

    def variables(self) -> TrainState[Variable]:
        """All Variables of the training state."""
        model = self._model
        optimizer = each_once(v for o in self.optimizers() for v in o.variables)
        return TrainState(
            trainable=model.trainable_variables,
            non_trainable=model.non_trainable_variables,
            optimizer=optimizer,
            metrics=self._metrics(),
            named_positions=tuple(_named_positions(model.optimizer, optimizer)),
            placement=placement.current(),
        )

    def state(self, kind: str) -> TrainState[Variable]:
        model = self._model
        if kind == "train":
            return self.variables()
        return TrainState(
            trainable=model.trainable_variables,
            non_trainable=model.non_trainable_variables,
            metrics=self._metrics() if kind == "test" else [],
            placement=placement.current(),
        )

    def _metrics(self) -> list[Variable]:
        return self._model.metrics_variables if self.compiled else []

    # -- steps and programs -----------------------------------------------------------------------

    def step(self, kind: str) -> Callable[[Any], Any]:
        step = object_style(self._model, getattr(self._model, kind))
        if kind == "train_step":
            step = self.precision.applied(step, self.signature.outputs)
        return self._without_leftovers(step)

    def program(self, kind: str) -> tuple[Any, TrainState[Variable]]:
        return self.programs.of(kind)

    def _without_leftovers(self, step: Callable) -> Callable:
        """Losses added while a step runs must not be found there afterwards."""

        def clean(data: Any) -> Any:
            try:
                return step(data)
            finally:
                self.forget_losses()

        return clean

    # -- what is known of the steps ---------------------------------------------------------------

    def compares_targets(self, training: bool) -> bool:
        """Whether a step compares the outputs with targets in the usual way."""
        own = self.overrides
        return not (own.compute_loss or (own.train_step if training else own.test_step))

    def batch_size_is_irrelevant(self, x: Any) -> bool:
        """Whether the size of batches makes no difference to what `evaluate` finds.

        Args:
            x: Inputs, of which only shapes and dtypes are read.
        """
        own = self.overrides
        return (
            not (own.test_step or own.compute_loss or own.compute_metrics)
            and self.compiled
            and self.objectives.sums_over_samples
            and not self._adds_losses
            and self.rows_are_independent("test", x)
            and not self._adds_losses  # known now that the model was traced
        )

    def rows_are_independent(self, kind: str, rows: Any) -> bool:
        """Whether it makes no difference with which others a row is computed.

        Found once for each program and kind of inputs.

        Args:
            kind: `"predict"` for what `predict_step` gives, `"test"` for what is measured.
            rows: What is given to the program; only shapes and dtypes are read.
        """
        program, variables = self.programs.of(kind)
        leaves, form = jax.tree.flatten(rows)
        key = (form, *((leaf.shape[1:], leaf.dtype) for leaf in leaves))
        if key not in program.properties:
            masked: list[bool] = []

            def measured(x: Any) -> Any:
                outputs = self._model(x, training=False)
                # A loss divides by the number of steps that count, which is one for a batch.
                masked.append(masking.get_masks(outputs) is not None)
                self.note_added_losses()
                return outputs

            step = self.step("predict_step")
            if kind != "predict":
                step = self._without_leftovers(measured)
            state = values_of(variables)
            apart = rows_are_independent(stateless(step, variables), state, rows)
            program.properties[key] = apart and not any(masked)
        return program.properties[key]

    # -- preparing --------------------------------------------------------------------------------

    def prepare(self, x: Any, y: Any, sample_weight: Any, training: bool | None) -> None:
        """Make everything that a step needs – weights, metrics, optimizer state – by shapes alone.

        Args:
            x, y, sample_weight: One batch or more on the host; only shapes and dtypes are read.
            training: Whether the optimizer is needed. None for predictions, where only weights
                are: "accuracy" is told from the shape of targets, and test steps need some.
        """
        data = (x, y, sample_weight)
        if self._model.run_eagerly and has_text(x):
            self._prepare_by_calling(x, y, training)
            return
        try:
            self._prepare(jax.tree.map(_batch_spec, data), training)
        except Exception:
            # The same once more, so that the message has the number of samples in it.
            self._prepare(jax.tree.map(lambda a: KerasTensor(a.shape, a.dtype), data), training)
            raise

    def build_objectives(self, y: Any, y_pred: Any, losses_alone: bool = False) -> None:
        """Match losses and metrics to outputs of these shapes."""

        def form(part: Any) -> Any:
            return jax.tree.structure(part, is_leaf=lambda leaf: leaf is None)

        signature = self.signature
        written = signature.outputs_as_written if signature.outputs else self._written_outputs
        if form(written) != form(y_pred):
            written = None  # a compute_loss of the user's own passes on something else
        build = self.objectives.build_losses if losses_alone else self.objectives.build
        build(y, y_pred, list(signature.output_names), written)

    def _needs_objectives(self) -> bool:
        return self.compiled and not self.objectives.built

    def _prepare_by_calling(self, x: Any, y: Any, training: bool | None) -> None:
        """Prepare a model that makes numbers of text in its call, which cannot be traced."""
        if not self._model.built or self._needs_objectives():
            y_pred = self._model(jax.tree.map(lambda a: a[:1], x), training=False)
            self.note_added_losses()
            self.forget_losses()
            if self.compiled and training is not None:
                given, outputs = jax.tree.map(_batch_spec, (y, y_pred))
                self.objectives.build(given, outputs, list(self.signature.output_names))
        if training:
            self._build_optimizer()

    def _prepare(self, specs: tuple, training: bool | None) -> None:
        x, y, _ = specs
        if training is None:
            self._spec_of_outputs(x)
            return
        own = self.overrides.train_step if training else self.overrides.test_step
        if self.compiled and own and self.objectives.empty:
            # Such a step need not call the model on x at all (a GAN gives it noise).
            self.objectives.built = True
        elif not self._model.built or self._needs_objectives():
            y_pred = self._spec_of_outputs(x)
            if self.compiled:
                if not own:
                    self._trace_comparisons(specs, training)
                self.build_objectives(y, y_pred)
        if own:
            if training and takes_state(self._model.train_step):
                self._build_optimizer()
            # It may make variables of its own, such as a second optimizer's.
            self._trace_once(self.step("train_step" if training else "test_step"), specs)
            self._model.built = True
        if training:
            self._build_optimizer()

    def _trace_comparisons(self, specs: tuple, training: bool) -> None:
        """Find out what overrides of `compute_loss` and `compute_metrics` pass on.

        Losses and metrics are matched to that, which need not have the form of the outputs.
        """
        own, model = self.overrides, self._model
        if not own.compute_loss and not own.compute_metrics:
            return

        def compare(x: Any, y: Any, sample_weight: Any) -> None:
            y_pred = model(x, training=False)
            if own.compute_loss:
                computed_loss(model, x, y, y_pred, sample_weight, training)
            if not self.objectives.losses_built:
                self.build_objectives(y, y_pred, losses_alone=True)
            if own.compute_metrics:
                model.compute_metrics(x, y, y_pred, sample_weight)

        trace_spec(compare, *specs)
        self.forget_losses()

    def _build_optimizer(self) -> None:
        self._model.optimizer.build(self._model.trainable_variables)

    def _spec_of_outputs(self, x: Any) -> Any:
        """Shapes of the outputs; builds the model on the way."""
        signature = self.signature
        drawn = bool(signature.outputs)
        known = isinstance(x, Preprocessed) or (drawn and _like(signature.inputs, x))
        if drawn and self._model.built and known:
            return signature.outputs_as_written  # known since the graph was drawn
        return self._trace_forward(x)

    def _trace_forward(self, x: Any) -> Any:
        def forward(x: Any) -> Any:
            outputs = self._model(x, training=False)
            # JAX gives dicts back in alphabetical order.
            self._written_outputs = tree.map_structure(lambda _: None, outputs)
            return outputs

        outputs = trace_spec(forward, x)
        self.note_added_losses()
        self.forget_losses()
        return outputs

    def note_added_losses(self) -> None:
        """Remember that a layer adds losses, if one has."""
        self._adds_losses = bool(self._adds_losses or self.has_added_losses())

    def _trace_once(self, step: Callable, specs: Any) -> None:
        x, y, sample_weight = specs
        data = x if y is None else (x, y) if sample_weight is None else (x, y, sample_weight)
        trace_spec(lambda data: step(data), data)

    # -- inputs that predict knows ----------------------------------------------------------------

    def inputs_were_checked(self, kind: Any) -> bool:
        """Whether inputs of a dtype and shape were found to fit the model as it is."""
        held, kinds = self.checked_inputs
        return held is structure.version() and kind in kinds

    def remember_checked_inputs(self, kind: Any) -> None:
        """Remember that inputs of a dtype and shape fit."""
        held, kinds = self.checked_inputs
        if held is not structure.version():
            kinds = set()
            self.checked_inputs = structure.version(), kinds
        kinds.add(kind)


def _named_positions(optimizer: Any, variables: list[Variable]) -> Iterator[tuple[str, int]]:
    """Where among the optimizer's Variables its step and its loss scale stand."""
    names = {"step": "iterations", "loss_scale": "dynamic_scale"}
    for name, attribute in names.items():
        wanted = getattr(optimizer, attribute, None)
        for i, variable in enumerate(variables):
            if variable is wanted:
                yield name, i


def _batch_spec(array: Any) -> KerasTensor:
    return KerasTensor((None, *array.shape[1:]), array.dtype)


def _like(inputs: Any, x: Any) -> bool:
    """Whether data fits symbolic inputs as it is, batch axis aside."""
    one, other = jax.tree.leaves(inputs), jax.tree.leaves(x)
    return [t.shape[1:] for t in one] == [t.shape[1:] for t in other]
