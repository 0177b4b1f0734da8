"""Trainer: the part of a model that learns – compile, fit, evaluate, predict.

`Model` inherits from it. The loops themselves are in `engine.py`, the programs in `programs.py`.
"""

import contextlib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from lamina import optimizers as optimizers_module, tree
from lamina.core import masking, registry, structure
from lamina.core.arguments import explain_arguments
from lamina.core.errors import unknown_argument
from lamina.core.keras_tensor import KerasTensor, trace_spec
from lamina.core.layer import Layer
from lamina.core.layer_state import each_once
from lamina.core.runtime import refuse_after_fork
from lamina.core.stateless import stateless, still, value_and_grad, values_of
from lamina.core.text import Preprocessed, has_text
from lamina.core.threads import building, trained_by_another, training
from lamina.core.tracebacks import filter_traceback
from lamina.core.variable import Variable
from lamina.metrics import Metric
from lamina.optimizers import LossScaleOptimizer, Optimizer
from lamina.training import checks
from lamina.training.callbacks import Callback, History
from lamina.training.compiled import CompiledFunction
from lamina.training.engine import Loop
from lamina.training.feeds.conversion import unpack_x_y_sample_weight
from lamina.training.feeds.make import WHOLE
from lamina.training.objectives import Objectives
from lamina.training.overrides import computed_loss, in_either_form, object_style, takes_state
from lamina.training.precision import Precision
from lamina.training.predicting import predict
from lamina.training.programs import (
    predicting_program,
    pure_step,
    testing_program,
    training_program,
)
from lamina.training.row_dependence.analysis import rows_are_apart
from lamina.training.state_tree import assign_state_tree, state_tree

_COMPILE_ARGUMENTS = (
    *("optimizer", "loss", "loss_weights", "metrics", "weighted_metrics"),
    *("run_eagerly", "steps_per_execution", "jit_compile", "auto_scale_loss", "precision"),
)


class Trainer(Layer):
    """Everything about a model that has to do with learning and asking."""

    optimizer: Any
    loss: Any
    stop_training: bool
    history: History | None
    _objectives: Objectives
    _precision: Precision
    _compile_config: dict | None
    _programs: dict
    _found: dict[str, tuple]  # what `program` found, by kind, and the structure it holds for
    _kinds_of_inputs: tuple  # dtypes and shapes that `predict` need not look at again, likewise
    _columns: dict[str, tuple]  # the names in the tables that it was trained on
    _adds_losses: bool | None  # None: not known before a step was traced
    _written_outputs: Any  # of a subclass: its outputs in the order in which `call` wrote them

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.optimizer = None
        self.loss = None
        self.stop_training = self.stop_evaluating = self.stop_predicting = False
        object.__setattr__(self, "history", None)
        object.__setattr__(self, "_objectives", None)
        object.__setattr__(self, "_precision", Precision())
        object.__setattr__(self, "_compile_config", None)
        object.__setattr__(self, "_programs", {})
        object.__setattr__(self, "_found", {})
        object.__setattr__(self, "_kinds_of_inputs", (None, frozenset()))
        object.__setattr__(self, "_columns", {})
        object.__setattr__(self, "_adds_losses", None)
        object.__setattr__(self, "_written_outputs", None)
        self.run_eagerly = False
        self.jit_compile = True

    # -- compile ---------------------------------------------------------------------------------

    @filter_traceback
    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
        precision: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Say how to learn: optimizer, loss and what to measure.

        Args:
            optimizer: Name, Optimizer, or any `optax` transformation.
            loss: Name, function `(y_true, y_pred) → loss`, Loss, or a list or dict of them for
                several outputs.
            loss_weights: Factor for each loss.
            metrics: List of names, functions or Metrics; for several outputs a list of lists or a
                dict. `"accuracy"` is chosen by the shapes, and the progress line says which.
            weighted_metrics: Metrics that take the sample weights into account.
            run_eagerly: Run every step in Python, uncompiled: slow, for looking into `call`.
            steps_per_execution, jit_compile: Accepted as in Keras and not needed: the training
                loop is always compiled, and the number of steps a call is found by timing.
            auto_scale_loss: Where the model or a layer of it has the policy `mixed_float16`, wrap
                the optimizer in a `LossScaleOptimizer`, which keeps small gradients from
                becoming zero.
            precision: What layers of the policy `float32` compute in while they train: None as
                they say, `"mixed_bfloat16"` or `"mixed_float16"`, or `"auto"`: `fit` times a few
                steps in float32 and in bfloat16, on copies, and keeps bfloat16 where a step takes
                a tenth less time or better and the mean loss is the same within 2 %. It says which.
                Weights stay in float32, as do the layers that give the outputs, `evaluate` and
                `predict`. Not in Keras, and not kept in files: it depends on the machine.

        Raises:
            ValueError: For an optimizer, loss, metric or precision of an unknown name.

        Example:
            >>> from lamina.layers import Dense
            >>> import numpy as np
            >>> from lamina.models import Sequential
            >>> model = Sequential([Dense(1)])
            >>> model.compile("adam", "mse", precision="auto")
            >>> _ = model.fit(np.zeros((32, 2)), np.zeros((32, 1)), verbose=0)
        """
        if kwargs:
            raise unknown_argument("compile()", next(iter(kwargs)), _COMPILE_ARGUMENTS)
        if metrics is None and _are_metrics(loss_weights):
            # The third argument was `metrics` in Keras 2.
            loss_weights, metrics = None, loss_weights
        arguments = {
            "optimizer": optimizer,
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution,
            "jit_compile": jit_compile,
        }
        objectives = Objectives(loss, loss_weights, metrics, weighted_metrics)
        precision_asked = Precision(precision)
        optimizer = optimizers_module.get(optimizer)
        small = precision_asked.scales_losses or self._loses_small_gradients()
        if auto_scale_loss and optimizer is not None and small:
            if not isinstance(optimizer, LossScaleOptimizer):
                optimizer = LossScaleOptimizer(optimizer, name="loss_scale_optimizer")
        self.optimizer = optimizer
        self.run_eagerly = run_eagerly
        self.jit_compile = not run_eagerly  # always: see the argument above
        self.stop_training = False
        object.__setattr__(self, "loss", loss)
        object.__setattr__(self, "_objectives", objectives)
        object.__setattr__(self, "_precision", precision_asked)
        object.__setattr__(self, "_compile_config", arguments)
        self._programs.clear()

    def _loses_small_gradients(self) -> bool:
        # The layers are asked, too: files do not say what the policy of a functional model was.
        return any(layer.dtype_policy.name == "mixed_float16" for layer in self._flatten_layers())

    @property
    def compiled(self) -> bool:
        return self._objectives is not None

    @property
    def metrics(self) -> list:
        """All metrics, the loss first; those of the model's own attributes come last."""
        compiled = self._objectives.metrics if self.compiled else []
        return [*compiled, *super().metrics]

    @property
    def metrics_names(self) -> list[str]:
        return [metric.name for metric in self.metrics]

    def reset_metrics(self) -> None:
        """Forget what the metrics have seen."""
        for metric in self.metrics:
            metric.reset_state()

    def get_metrics_result(self) -> dict[str, Any]:
        """The metrics so far, by name."""
        results: dict[str, Any] = {}
        for metric in self.metrics:
            value = metric.result()
            parts = value if isinstance(value, Mapping) else {metric.name: value}
            for name, part in parts.items():
                # Of two outputs, a metric of several values may have the same names twice.
                free = f"{metric.name}_{name}" if name in results else name
                results[free] = part.value if isinstance(part, Variable) else part
        return results

    def get_compile_config(self) -> dict | None:
        """The arguments of `compile` as plain data; None if the model is not compiled."""
        if self._compile_config is None:
            return None
        config = dict(self._compile_config)
        config["optimizer"] = self.optimizer
        try:
            return registry.serialize(config)
        except (TypeError, ValueError) as error:
            checks.warn_once(
                "uncompilable",
                "The model is saved without its loss and optimizer, because they cannot be "
                f"written as data: {error}",
                self,
            )
            return None

    def compile_from_config(self, config: dict) -> None:
        """Compile with what `get_compile_config` gave, and make the optimizer's variables.

        A class whose `compile` has arguments of its own overrides this as well: of what they were,
        the config knows nothing.
        """
        taken = _taken_by(type(self).compile)
        if taken is None:
            checks.not_compiled(self)
            return
        known = {k: v for k, v in config.items() if k in taken and v is not None}
        self.compile(**registry.deserialize(known))
        if self.built and isinstance(self.optimizer, Optimizer):
            self.optimizer.build(self.trainable_variables)

    # -- one step, in object style ---------------------------------------------------------------

    @in_either_form
    def train_step(self, data: Any) -> dict[str, Any]:
        """Learn from one batch. May be overridden in plain object style.

        Read and assign Variables as you like, take gradients with `lamina.value_and_grad`, and
        return a dict of scalars for the log. The whole loop is still compiled.

        Args:
            data: `x`, `(x, y)` or `(x, y, sample_weight)`, as `fit` was given it.
        """
        x, y, sample_weight = unpack_x_y_sample_weight(data)

        def forward() -> tuple[Any, Any]:
            y_pred = self(x, training=True)
            loss = computed_loss(self, x, y, y_pred, sample_weight, training=True)
            return self.optimizer.scale_loss(loss), (loss, y_pred, masking.get_masks(y_pred))

        variables = self.trainable_variables
        (_, (loss, y_pred, masks)), gradients = value_and_grad(forward, variables)()
        masking.set_masks(y_pred, masks)  # they don't come out of a gradient by themselves
        self.optimizer.apply(gradients, variables)
        counted: tuple[Any, Any] = (loss, _batch_size(x))
        if isinstance(self.optimizer, LossScaleOptimizer):
            counted = self.optimizer.counted(*counted)
        self._objectives.loss_tracker.update_state(*counted)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    @in_either_form
    def test_step(self, data: Any) -> dict[str, Any]:
        """Measure one batch. May be overridden like `train_step`."""
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        y_pred = self(x, training=False)
        loss = computed_loss(self, x, y, y_pred, sample_weight, training=False)
        self._objectives.loss_tracker.update_state(loss, sample_weight=_batch_size(x))
        return self.compute_metrics(x, y, y_pred, sample_weight)

    @in_either_form
    def predict_step(self, data: Any) -> Any:
        """Outputs for one batch. May be overridden."""
        x, _, _ = unpack_x_y_sample_weight(data)
        return self(x, training=False)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> jax.Array:
        """What training minimises: the compiled losses and those added by layers.

        May be overridden; call `super().compute_loss(…)` for the usual part.
        """
        checks.compiled(self, "compute_loss")
        if not self._objectives.losses_built and y_pred is not None:
            self._build_objectives(y, y_pred, losses_alone=True)
        total = self._objectives.compute(y, y_pred, sample_weight)
        self._note_added_losses()
        added = self.losses
        if total is None and not added:
            raise ValueError(
                f"Model {self.name!r} has nothing to minimise: compile() was given no loss and no "
                "layer adds one.\n  Fix: model.compile(loss='sparse_categorical_crossentropy'), or "
                "whatever fits the task."
            )
        for value in added:
            value = jnp.sum(value)
            total = value if total is None else total + value
        return jnp.asarray(total)

    def compute_metrics(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Update the metrics with a batch and return them; may be overridden."""
        checks.compiled(self, "compute_metrics")
        if not self._objectives.built and y_pred is not None:
            self._build_objectives(y, y_pred)
        self._objectives.update_metrics(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def stateless_compute_loss(
        self,
        trainable_variables: Sequence[Any],
        non_trainable_variables: Sequence[Any],
        metrics_variables: Sequence[Any],
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tuple:
        """`compute_loss` on given values of the Variables, changing none: for loops of your own.

        What layers add while they are called is not in it, as in Keras: `stateless_call` returns
        that.

        Args:
            trainable_variables, non_trainable_variables, metrics_variables: Arrays in the order
                of the model's lists of these names.
            x, y, y_pred, sample_weight, training: As for `compute_loss`.

        Returns:
            `(loss, (trainable_variables, non_trainable_variables, metrics_variables))`.
        """
        checks.compiled(self, "stateless_compute_loss")
        boxes = (self.trainable_variables, self.non_trainable_variables, self.metrics_variables)
        given = tuple(map(list, (trainable_variables, non_trainable_variables, metrics_variables)))
        self._forget_losses()
        compute = self._without_leftovers(
            lambda _: computed_loss(self, x, y, y_pred, sample_weight, training)
        )
        return stateless(compute, boxes)(given, None)

    def compares_targets(self, training: bool) -> bool:
        """Whether a step compares the outputs with targets in the usual way."""
        usual, own = Trainer, type(self)
        step = own.train_step is usual.train_step if training else own.test_step is usual.test_step
        return step and own.compute_loss is usual.compute_loss

    def measures_by_sums(self, x: Any) -> bool:
        """Whether the size of batches makes no difference to what `evaluate` finds.

        Args:
            x: Inputs, of which only shapes and dtypes are read.
        """
        return (
            type(self).test_step is Trainer.test_step
            and type(self).compute_loss is Trainer.compute_loss
            and type(self).compute_metrics is Trainer.compute_metrics
            and self._objectives.sums_over_samples
            and not self._adds_losses
            and self.rows_are_apart("test", x)
            and not self._adds_losses  # known now that the model was traced
        )

    def rows_are_apart(self, kind: str, rows: Any) -> bool:
        """Whether it makes no difference with which others a row is computed.

        Found once for each program and kind of inputs.

        Args:
            kind: `"predict"` for what `predict_step` gives, `"test"` for what is measured.
            rows: What is given to the program; only shapes and dtypes are read.
        """
        program, variables = self._held_program(kind)
        leaves, form = jax.tree.flatten(rows)
        key = (form, *((leaf.shape[1:], leaf.dtype) for leaf in leaves))
        if key not in program.facts:
            masked: list[bool] = []

            def measured(x: Any) -> Any:
                outputs = self(x, training=False)
                # A loss divides by the number of steps that count, which is one for a batch.
                masked.append(masking.get_masks(outputs) is not None)
                self._note_added_losses()
                return outputs

            step = self.step("predict_step") if kind == "predict" else measured
            forward = stateless(self._without_leftovers(step), variables)
            state = values_of(variables)
            program.facts[key] = rows_are_apart(forward, state, rows) and not any(masked)
        return program.facts[key]

    # -- the loops -------------------------------------------------------------------------------

    @filter_traceback
    @explain_arguments
    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Iterable[Callback] | Callback | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: Any = True,
        class_weight: dict | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
    ) -> History:
        """Train.

        Args:
            x: Inputs, `(samples, …)`: an array, a list, tuple or dict of arrays, a data frame, a
                generator, a `PyDataset`, or any iterable of batches `(x, y)`.
            y: Targets, one row per sample; left out if `x` gives batches.
            batch_size: Samples per step; 32 if None.
            epochs: Number of the last epoch: passages through the data.
            verbose: 0 silent, 1 a live line, 2 one line per epoch; `"auto"` chooses by whether
                a person is watching.
            callbacks: Callbacks.
            validation_split: Fraction (0 to 1) at the end of the data to validate on.
            validation_data: `(x, y)` or `(x, y, sample_weight)` or an iterable of batches.
            shuffle: New order every epoch; `"batch"` keeps batches together.
            class_weight: From class number to weight in the loss.
            sample_weight: Weight of each sample in the loss, `(samples,)`.
            initial_epoch: Epoch to start at, counted from 0.
            steps_per_epoch: Steps that make an epoch, at most. An epoch goes on in the data where
                the one before stopped, and ends with them; that an epoch is shorter is said.
            validation_steps: Steps of a validation, which begins with the first batch every time.
            validation_batch_size: `batch_size` if None.
            validation_freq: Validate every so many epochs, or a list of epochs (from 1).

        Returns:
            The History: `history.history["loss"]` is the list of losses, one an epoch.
        """
        checks.compiled(self, "fit")
        refuse_after_fork("fit")
        with training(self):
            return Loop(self).fit(
                x,
                y,
                batch_size=batch_size,
                epochs=epochs,
                verbose=verbose,
                callbacks=callbacks,
                validation_split=validation_split,
                validation_data=validation_data,
                shuffle=shuffle,
                class_weight=class_weight,
                sample_weight=sample_weight,
                initial_epoch=initial_epoch,
                steps_per_epoch=steps_per_epoch,
                validation_steps=validation_steps,
                validation_batch_size=validation_batch_size,
                validation_freq=validation_freq,
            )

    @filter_traceback
    @explain_arguments
    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Iterable[Callback] | Callback | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Measure the model on data it need not have seen.

        Returns:
            The loss if there are no metrics, else a list `[loss, metric, …]` in the order of
            `metrics_names`, then by name whatever else there is, such as the parts of a metric
            whose result is a dict; a dict by name with `return_dict=True`.
        """
        checks.compiled(self, "evaluate")
        refuse_after_fork("evaluate")
        with self._beside_training():
            logs = Loop(self).evaluate(
                x,
                y,
                batch_size=batch_size,
                verbose=verbose,
                sample_weight=sample_weight,
                steps=steps,
                callbacks=callbacks,
            )
        return logs if return_dict else self._in_order(logs)

    @filter_traceback
    @explain_arguments
    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Iterable[Callback] | Callback | None = None,
    ) -> Any:
        """Outputs for inputs, as NumPy arrays.

        One sample without its batch axis is taken as a batch of one, and that is said once.

        Each row is computed as `model(batch)` would, in batches of `batch_size` in their order and
        a last one that may be shorter. An output that is a single number gives one a batch. May be
        called by several threads, also while another one trains the model: the outputs of a call
        are those of the weights of one moment.

        Args:
            x: Inputs, `(samples, …)`, as for `fit`.
            batch_size: Samples in a batch; 32 if None, or the size that a model with stateful
                layers was made for.
            verbose: Accepted as in Keras.
            steps: Number of batches, if not all.
            callbacks: Callbacks.
        """
        refuse_after_fork("predict")
        return predict(self, x, batch_size, verbose, steps, callbacks)

    @filter_traceback
    @explain_arguments
    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Learn from one batch; returns the loss and the metrics of that batch."""
        checks.compiled(self, "train_on_batch")
        refuse_after_fork("train_on_batch")
        logs = Loop(self).train_on_batch(x, y, sample_weight, class_weight)
        return logs if return_dict else self._in_order(logs)

    @filter_traceback
    @explain_arguments
    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Measure one batch; returns the loss and the metrics of that batch."""
        checks.compiled(self, "test_on_batch")
        refuse_after_fork("test_on_batch")
        with self._beside_training():
            logs = Loop(self).test_on_batch(x, y, sample_weight)
        return logs if return_dict else self._in_order(logs)

    @filter_traceback
    @explain_arguments
    def predict_on_batch(self, x: Any) -> Any:
        """Outputs for one batch, as NumPy arrays."""
        refuse_after_fork("predict_on_batch")
        return predict(self, x, WHOLE)

    def _beside_training(self) -> contextlib.AbstractContextManager:
        """Where another thread trains the model: the weights of one moment, and own metrics."""
        if not trained_by_another(self):
            return contextlib.nullcontext()
        return still(each_once(v for group in self.state_variables().values() for v in group))

    def _in_order(self, logs: dict[str, Any]) -> Any:
        names = [metric.name for metric in self.metrics if metric.name in logs]
        # What a step of the user's own logs besides, and metrics of several values.
        names += sorted(name for name in logs if name not in names)
        values = [logs[name] for name in names]
        return values[0] if len(values) == 1 else values

    # -- from object style to programs -----------------------------------------------------------

    def prepare(self, x: Any, y: Any, sample_weight: Any, training: bool | None) -> None:
        """Make everything that a step needs – weights, metrics, optimizer state – by shapes alone.

        Args:
            x, y, sample_weight: One batch or more on the host; only shapes and dtypes are read.
            training: Whether the optimizer is needed. None for predictions, where only weights
                are: "accuracy" is told from the shape of targets, and test steps need some.
        """
        data = (x, y, sample_weight)
        if self.run_eagerly and has_text(x):
            self._prepare_by_calling(x, y, training)
            return
        try:
            self._prepare(jax.tree.map(_batch_spec, data), training)
        except Exception:
            # The same once more, so that the message has the number of samples in it.
            self._prepare(jax.tree.map(lambda a: KerasTensor(a.shape, a.dtype), data), training)
            raise

    def _prepare_by_calling(self, x: Any, y: Any, training: bool | None) -> None:
        """The same for a model that makes numbers of text in its call, which cannot be traced."""
        if not self.built or (self.compiled and not self._objectives.built):
            y_pred = self(jax.tree.map(lambda a: a[:1], x), training=False)
            self._note_added_losses()
            self._forget_losses()
            if self.compiled and training is not None:
                given, outputs = jax.tree.map(_batch_spec, (y, y_pred))
                self._objectives.build(given, outputs, getattr(self, "output_names", []))
        if training:
            self.optimizer.build(self.trainable_variables)

    def _prepare(self, specs: tuple, training: bool | None) -> None:
        x, y, _ = specs
        if training is None:
            self._spec_of_outputs(x)
            return
        usual = Trainer.train_step if training else Trainer.test_step
        kind = usual.__name__
        own_step = self.compiled and getattr(type(self), kind) is not usual
        if self.compiled and own_step and self._objectives.empty:
            # Such a step need not call the model on x at all (a GAN gives it noise).
            self._objectives.built = True
        elif not self.built or (self.compiled and not self._objectives.built):
            y_pred = self._spec_of_outputs(x)
            if self.compiled:
                if not own_step:
                    self._trace_comparisons(specs, training)
                self._build_objectives(y, y_pred)
        if own_step:
            if training and takes_state(self.train_step):
                self.optimizer.build(self.trainable_variables)
            # It may make variables of its own, such as a second optimizer's.
            self._trace_once(self.step(kind), specs)
            self.built = True
        if training:
            self.optimizer.build(self.trainable_variables)

    def _build_objectives(self, y: Any, y_pred: Any, losses_alone: bool = False) -> None:
        graph = getattr(self, "_graph", None)
        written = self._written_outputs if graph is None else graph.outputs

        def form(part: Any) -> Any:
            return jax.tree.structure(part, is_leaf=lambda leaf: leaf is None)

        if form(written) != form(y_pred):
            written = None  # a compute_loss of the user's own passes on something else
        build = self._objectives.build_losses if losses_alone else self._objectives.build
        build(y, y_pred, getattr(self, "output_names", []), written)

    def _trace_comparisons(self, specs: tuple, training: bool) -> None:
        """Find out what overrides of `compute_loss` and `compute_metrics` pass on.

        Losses and metrics are matched to that, which need not have the form of the outputs.
        """
        own_loss = type(self).compute_loss is not Trainer.compute_loss
        own_metrics = type(self).compute_metrics is not Trainer.compute_metrics
        if not own_loss and not own_metrics:
            return

        def compare(x: Any, y: Any, sample_weight: Any) -> None:
            y_pred = self(x, training=False)
            if own_loss:
                computed_loss(self, x, y, y_pred, sample_weight, training)
            if not self._objectives.losses_built:
                self._build_objectives(y, y_pred, losses_alone=True)
            if own_metrics:
                self.compute_metrics(x, y, y_pred, sample_weight)

        trace_spec(compare, *specs)
        self._forget_losses()

    def _spec_of_outputs(self, x: Any) -> Any:
        """Shapes of the outputs; builds the model on the way."""
        graph = getattr(self, "_graph", None)
        known = isinstance(x, Preprocessed) or (graph is not None and _like(graph.inputs, x))
        if graph is not None and self.built and known:
            return graph.outputs  # known since the graph was drawn
        return self._trace_forward(x)

    def _trace_forward(self, x: Any) -> Any:
        def forward(x: Any) -> Any:
            outputs = self(x, training=False)
            # JAX gives dicts back in alphabetical order.
            written = tree.map_structure(lambda _: None, outputs)
            object.__setattr__(self, "_written_outputs", written)
            return outputs

        outputs = trace_spec(forward, x)
        self._note_added_losses()
        self._forget_losses()
        return outputs

    def _note_added_losses(self) -> None:
        added = any(layer._own_losses for layer in self._flatten_layers())
        object.__setattr__(self, "_adds_losses", bool(self._adds_losses or added))

    def _trace_once(self, step: Callable, specs: Any) -> None:
        x, y, sample_weight = specs
        data = x if y is None else (x, y) if sample_weight is None else (x, y, sample_weight)
        trace_spec(lambda data: step(data), data)
        self._forget_losses()

    def get_state_tree(self, value_format: str = "backend_tensor") -> dict[str, dict]:
        """All state as nested dicts of arrays by path, in Keras's four groups.

        Args:
            value_format: `"backend_tensor"` for JAX arrays, `"numpy_array"` for NumPy's.

        Returns:
            Dict with `trainable_variables`, `non_trainable_variables`, `optimizer_variables` and
            `metrics_variables`.
        """
        return state_tree(self._state_groups(), value_format)

    def set_state_tree(self, state_tree: Mapping[str, Any]) -> None:
        """Put back what `get_state_tree` gave; groups and paths may be left out."""
        assign_state_tree(self._state_groups(), state_tree)

    def _state_groups(self) -> dict[str, list[Variable]]:
        groups = self.state_variables()
        order = ("trainable", "non_trainable", "optimizer", "metrics")
        return {f"{name}_variables": groups[name] for name in order}

    def optimizers(self) -> list[Optimizer]:
        """The model's optimizer, and any others that it keeps as attributes."""
        return each_once(v for v in vars(self).values() if isinstance(v, Optimizer))

    def state_variables(self) -> dict[str, list[Variable]]:
        """The Variables of the training state, by kind."""
        trainable = self.trainable_variables
        return {
            "trainable": trainable,
            "non_trainable": self.non_trainable_variables,
            "optimizer": each_once(v for o in self.optimizers() for v in o.variables),
            "metrics": self.metrics_variables if self.compiled else [],
        }

    def program(self, kind: str) -> tuple[CompiledFunction, dict[str, list[Variable]]]:
        """The compiled program (`"train"`, `"test"` or `"predict"`) and the state it works on.

        A program is made anew only if the model has changed: compiled again, other layers, or
        layers frozen, unfrozen or adapted. Not for another number of epochs or learning rate.
        """
        return self._held_program(kind)

    def _held_program(self, kind: str) -> tuple[CompiledFunction, dict[str, list[Variable]]]:
        held, found = self._found.get(kind, (None, None))
        if held is structure.version():
            return found
        with building:
            version = structure.version()
            found = self._find_program(kind)
            self._found[kind] = (version, found)
        return found

    def _find_program(self, kind: str) -> tuple[CompiledFunction, dict[str, list[Variable]]]:
        key, variables = self._key_of_program(kind)
        if key not in self._programs and kind == "train" and isinstance(self.optimizer, Optimizer):
            # A callback may have unfrozen a layer, whose weights have no slots yet.
            self.optimizer.build(self.trainable_variables)
            key, variables = self._key_of_program(kind)
        if key not in self._programs:
            self._programs[key] = self._make_program(kind, variables)
        return self._programs[key], variables

    def _key_of_program(self, kind: str) -> tuple[tuple, dict[str, list[Variable]]]:
        variables = self.state_variables()
        if kind == "predict":
            variables = {k: variables[k] for k in ("trainable", "non_trainable")}
        elif kind == "test":
            variables.pop("optimizer")
        layers = [(o.trainable, getattr(o, "adaptations", 0)) for o in self._flatten_layers()]
        return (
            kind,
            self._precision.chosen,
            tuple(layers),
            tuple(id(v) for group in variables.values() for v in group),
        ), variables

    def step(self, kind: str) -> Callable:
        """`train_step`, `test_step` or `predict_step` as a function of one batch alone."""
        step = object_style(self, getattr(self, kind))
        return self._precision.applied(step, self) if kind == "train_step" else step

    def _make_program(self, kind: str, variables: dict) -> CompiledFunction:
        if kind == "predict":
            return predicting_program(stateless(self.step("predict_step"), variables))
        read_results = stateless(self.get_metrics_result, variables)

        def results(state: Any) -> Any:
            return read_results(state)[0]

        if kind == "test":
            custom = type(self).test_step is not Trainer.test_step
            step = pure_step(self._without_leftovers(self.step("test_step")), variables)
            return testing_program(step, None if custom else results)
        custom = type(self).train_step is not Trainer.train_step
        step = pure_step(self._without_leftovers(self.step("train_step")), variables)
        place = {id(v): i for i, v in enumerate(variables["metrics"])}
        total = place[id(self._objectives.loss_tracker.variables[0])]

        def loss_of(state: Any, logs: Any) -> Any:
            if custom and isinstance(logs, dict) and "loss" in logs:
                return logs["loss"]
            return state["metrics"][total]

        return training_program(step, None if custom else results, loss_of)

    def _without_leftovers(self, step: Callable) -> Callable:
        """Losses added while tracing must not be found there afterwards."""

        def clean(data: Any) -> Any:
            try:
                return step(data)
            finally:
                self._forget_losses()

        return clean


def _batch_spec(array: Any) -> KerasTensor:
    return KerasTensor((None, *array.shape[1:]), array.dtype)


def _like(inputs: Any, x: Any) -> bool:
    """Whether data fits symbolic inputs as it is, batch axis aside."""
    one, other = jax.tree.leaves(inputs), jax.tree.leaves(x)
    return [t.shape[1:] for t in one] == [t.shape[1:] for t in other]


def _are_metrics(given: Any) -> bool:
    return isinstance(given, (list, tuple)) and any(
        isinstance(item, (str, Metric)) for item in given
    )


def _batch_size(x: Any) -> int:
    return jax.tree.leaves(x)[0].shape[0]


def _taken_by(compile: Callable) -> set[str] | None:
    """The usual arguments that a `compile` takes; None where it has others beside them."""
    _, *parameters = inspect.signature(compile).parameters.values()
    named = {p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    if not named <= set(_COMPILE_ARGUMENTS):
        return None
    return set(_COMPILE_ARGUMENTS) if any(p.kind is p.VAR_KEYWORD for p in parameters) else named
