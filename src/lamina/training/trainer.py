"""Trainer: the methods `compile`, `fit`, `evaluate` and `predict` of a model.

`Model` inherits from it. It has only Keras's methods: `requests.py` converts the arguments of a
call, `engine.py` runs the request, and `learner.py` stores the state that is kept between calls.
"""

import contextlib
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from lamina import optimizers as optimizers_module
from lamina.contract import Contract
from lamina.core.configuration.runtime import refuse_after_fork
from lamina.core.layer import masking
from lamina.core.layer.layer import Layer
from lamina.core.layer.layer_state import LayerState, all_layers
from lamina.core.messages.errors import unknown_argument
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.serialization import registry
from lamina.core.types import (
    Config,
    Data,
    LossLike,
    MetricsLike,
    OptimizerLike,
    Outputs,
    Scores,
    Targets,
)
from lamina.core.user_data.arguments import explain_arguments
from lamina.core.variable.changes import last_change
from lamina.core.variable.stateless import snapshot, stateless, value_and_grad
from lamina.core.variable.threads import is_training_in_other_thread, mark_training
from lamina.core.variable.variable import Variable
from lamina.metrics import Metric
from lamina.optimizers import LossScaleOptimizer, Optimizer
from lamina.training import checks
from lamina.training.callbacks import Callback, History
from lamina.training.engine import Engine
from lamina.training.feeds.conversion import unpack_x_y_sample_weight
from lamina.training.feeds.table_columns import column_names_of
from lamina.training.feeds.user_data import SINGLE_BATCH
from lamina.training.input_contract import UNKNOWN, likeliest_class_names
from lamina.training.learner import Learner
from lamina.training.objectives import Objectives
from lamina.training.overrides import Overrides, accept_state, call_compute_loss
from lamina.training.placement_mesh import on_devices
from lamina.training.precision import Precision
from lamina.training.requests import (
    batch_feed,
    evaluate_request,
    fit_request,
    predict_request,
)
from lamina.training.sanity_checks import learning_rate_range, one_batch
from lamina.training.sanity_checks.learning_rate_range import LearningRateRange
from lamina.training.sanity_checks.one_batch import OneBatchTrial
from lamina.training.state_tree import assign_state_tree, state_tree
from lamina.training.trainable import Signature

_COMPILE_ARGUMENTS = (
    "optimizer", "loss", "loss_weights", "metrics", "weighted_metrics",
    "run_eagerly", "steps_per_execution", "jit_compile", "auto_scale_loss", "precision",
)  # fmt: skip


class Trainer(Layer):
    """Base class of `Model`, with the methods for training, evaluation and prediction."""

    optimizer: Any
    loss: Any
    stop_training: bool
    history: History | None
    _own_learner: Learner

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.optimizer = None
        self.loss = None
        self.stop_training = self.stop_evaluating = self.stop_predicting = False
        object.__setattr__(self, "history", None)
        object.__setattr__(self, "_own_learner", _TrainerLearner(self))
        self.run_eagerly = False
        self.jit_compile = True

    @property
    def _learner(self) -> Learner:
        """The learner of this model."""
        learner = self._own_learner
        if learner.model is not self:  # this model is a shallow copy of another one
            learner = learner.copy_for(self)
            object.__setattr__(self, "_own_learner", learner)
        return learner

    # -- compile ---------------------------------------------------------------------------------

    @filter_traceback
    def compile(
        self,
        optimizer: OptimizerLike = "rmsprop",
        loss: LossLike = None,
        loss_weights: float | Sequence[float] | Mapping[str, float] | None = None,
        metrics: MetricsLike = None,
        weighted_metrics: MetricsLike = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str | None = "auto",
        auto_scale_loss: bool = True,
        precision: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Configure training: set the optimizer, the loss and the metrics.

        Args:
            optimizer: Name, Optimizer, or any `optax` transformation.
            loss: Name, function `(y_true, y_pred) → loss`, Loss, or a list or dict of them for
                several outputs.
            loss_weights: Factor for each loss.
            metrics: List of names, functions or Metrics; for several outputs a list of lists or a
                dict. The kind of `"accuracy"` depends on the shapes; the progress line shows it.
            weighted_metrics: Metrics that take the sample weights into account.
            run_eagerly: Run every step in Python, without compilation: slow, for debugging `call`.
            steps_per_execution, jit_compile: Accepted for compatibility with Keras, without effect:
                the training loop is always compiled, and the number of steps per call is chosen by
                timing.
            auto_scale_loss: If the model or one of its layers has the policy `mixed_float16`, wrap
                the optimizer in a `LossScaleOptimizer`, which keeps small gradients from
                becoming zero.
            precision: The precision in which layers with the policy `float32` compute during
                training: None for no change, `"mixed_bfloat16"`, `"mixed_float16"`, or `"auto"`.
                With `"auto"`, `fit` times a few steps in float32 and in bfloat16 on copies of the
                weights. It chooses bfloat16 if it is at least 1.1 times as fast and the mean loss
                differs by at most 2 %, and reports its choice. Weights, output layers, `evaluate`
                and `predict` stay in float32. Keras does not have this argument. It is not saved,
                because the best choice depends on the machine.
            **kwargs: Not supported; an unknown argument is an error.

        Raises:
            ValueError: If the name of an optimizer, loss, metric or precision is unknown.

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
        requested_precision = Precision(precision)
        optimizer = optimizers_module.get(optimizer)
        needs_scaling = requested_precision.scales_losses or self._loses_small_gradients()
        if auto_scale_loss and optimizer is not None and needs_scaling:
            if not isinstance(optimizer, LossScaleOptimizer):
                optimizer = LossScaleOptimizer(optimizer, name="loss_scale_optimizer")
        self.optimizer = optimizer
        self.run_eagerly = run_eagerly
        self.jit_compile = not run_eagerly  # programs are always compiled otherwise
        self.stop_training = False
        object.__setattr__(self, "loss", loss)
        overrides = Overrides.of(self, Trainer)
        self._learner.set_compiled(objectives, requested_precision, overrides, arguments)

    def _loses_small_gradients(self) -> bool:
        # The layers are checked, too: files do not have the policy of a functional model.
        return any(layer.dtype_policy.name == "mixed_float16" for layer in all_layers(self))

    @property
    def compiled(self) -> bool:
        """Whether `compile` was called."""
        return self._learner.compiled

    @property
    def input_contract(self) -> Contract | None:
        """Description of the training data: ranges of inputs, names of classes and columns.

        `fit` fills it, and the model's file contains it. It is None before the first `fit`.

        Example:
            >>> import numpy as np
            >>> from lamina import Sequential
            >>> from lamina.layers import Dense
            >>> model = Sequential([Dense(1)])
            >>> model.compile("sgd", loss="mse")
            >>> _ = model.fit(np.linspace(0, 1, 8)[:, None], np.ones(8), verbose=0)
            >>> model.input_contract.inputs[0].high
            1.0
        """
        return self._learner.contract

    @input_contract.setter
    def input_contract(self, contract: Contract | None) -> None:
        self._learner.contract, self._learner.calls_checked = contract, 0

    @property
    def metrics(self) -> list[Any]:
        """All metrics: the loss, those given to `compile`, then metrics that are attributes."""
        compiled = self._learner.objectives.metrics if self.compiled else []
        return [*compiled, *super().metrics]

    @property
    def metrics_names(self) -> list[str]:
        """Names of `metrics`, in their order."""
        return [metric.name for metric in self.metrics]

    def reset_metrics(self) -> None:
        """Reset the state of all metrics."""
        for metric in self.metrics:
            metric.reset_state()

    def get_metrics_result(self) -> dict[str, Any]:
        """Current results of the metrics, by name."""
        results: dict[str, Any] = {}
        for metric in self.metrics:
            value = metric.result()
            parts = value if isinstance(value, Mapping) else {metric.name: value}
            for name, part in parts.items():
                # Two metrics that return dicts may use the same names.
                unique = f"{metric.name}_{name}" if name in results else name
                results[unique] = part.value if isinstance(part, Variable) else part
        return results

    def get_compile_config(self) -> Config | None:
        """The arguments of `compile` as plain data; None if the model is not compiled."""
        if self._learner.compile_config is None:
            return None
        config = dict(self._learner.compile_config)
        config["optimizer"] = self.optimizer
        try:
            written: Config = registry.serialize(config)
            return written
        except (TypeError, ValueError) as error:
            checks.warn_once(
                "uncompilable",
                "The model is saved without its loss and optimizer, because they cannot be "
                f"written as data: {error}",
                self._learner,
            )
            return None

    def compile_from_config(self, config: Config) -> None:
        """Call `compile` with a config, and create the optimizer's variables.

        A class that overrides `compile` with other arguments must override this method and
        `get_compile_config`, too.

        Args:
            config: Result of `get_compile_config`, as plain data.
        """
        arguments = _arguments_of(type(self).compile)
        if arguments is None:
            checks.warn_not_compiled(self)
            return
        arguments_of_compile = {k: v for k, v in config.items() if k in arguments and v is not None}
        self.compile(**registry.deserialize(arguments_of_compile))
        if self.built and isinstance(self.optimizer, Optimizer):
            self.optimizer.build(self.trainable_variables)

    # -- steps -----------------------------------------------------------------------------------

    @accept_state
    def train_step(self, data: Data) -> dict[str, Any]:
        """Train on one batch; may be overridden.

        An override may read and assign Variables, and take gradients with `lamina.value_and_grad`.
        It returns a dict of scalars for the logs. The whole loop is compiled as usual.

        Args:
            data: A batch: `x`, `(x, y)` or `(x, y, sample_weight)`.

        Returns:
            Dict of scalars by name: the loss and the metrics so far.

        Example:
            >>> import lamina
            >>> class Halved(lamina.Model):
            ...     def train_step(self, data):
            ...         x, y = data
            ...         def loss():
            ...             return ((self(x, training=True) - y) ** 2).mean() / 2
            ...         value, gradients = lamina.value_and_grad(loss, self.trainable_variables)()
            ...         self.optimizer.apply(gradients, self.trainable_variables)
            ...         return {"loss": value}
        """
        x, y, sample_weight = unpack_x_y_sample_weight(data)

        def forward() -> tuple[Any, Any]:
            y_pred = self(x, training=True)
            loss = call_compute_loss(self, x, y, y_pred, sample_weight, training=True)
            return self.optimizer.scale_loss(loss), (loss, y_pred, masking.get_masks(y_pred))

        variables = self.trainable_variables
        (_, (loss, y_pred, masks)), gradients = value_and_grad(forward, variables)()
        masking.set_masks(y_pred, masks)  # value_and_grad returns arrays without masks
        self.optimizer.apply(gradients, variables)
        loss_and_weight: tuple[Any, Any] = (loss, _batch_size(x))
        if isinstance(self.optimizer, LossScaleOptimizer):
            loss_and_weight = self.optimizer.loss_and_weight(*loss_and_weight)
        self._learner.objectives.loss_tracker.update_state(*loss_and_weight)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    @accept_state
    def test_step(self, data: Data) -> dict[str, Any]:
        """Evaluate one batch; may be overridden like `train_step`.

        Args:
            data: A batch: `x`, `(x, y)` or `(x, y, sample_weight)`.

        Returns:
            Dict of scalars by name: the loss and the metrics so far.
        """
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        y_pred = self(x, training=False)
        loss = call_compute_loss(self, x, y, y_pred, sample_weight, training=False)
        self._learner.objectives.loss_tracker.update_state(loss, sample_weight=_batch_size(x))
        return self.compute_metrics(x, y, y_pred, sample_weight)

    @accept_state
    def predict_step(self, data: Data) -> Outputs:
        """Compute the outputs for one batch; may be overridden.

        Args:
            data: A batch of inputs, `x` or `(x,)`.

        Returns:
            The outputs, `(batch, …)`.
        """
        x, _, _ = unpack_x_y_sample_weight(data)
        return self(x, training=False)

    def compute_loss(
        self,
        x: Data = None,
        y: Targets = None,
        y_pred: Outputs = None,
        sample_weight: Targets = None,
        training: bool = True,
    ) -> jax.Array:
        """The total loss: the losses of `compile` plus those added by layers.

        May be overridden; call `super().compute_loss(…)` for the usual loss.

        Args:
            x: Inputs of the batch, `(batch, …)`.
            y: Targets, `(batch, …)`.
            y_pred: Outputs for `x`, `(batch, …)`.
            sample_weight: Weight of each sample, `(batch,)`.
            training: Whether the loss is for a training step.

        Returns:
            The loss as one number.

        Raises:
            RuntimeError: If the model is not compiled.
            ValueError: If there is no loss, neither from `compile` nor from a layer.
        """
        learner = self._learner
        checks.check_compiled(learner, "compute_loss")
        if not learner.objectives.losses_built and y_pred is not None:
            learner.build_objectives(y, y_pred, losses_only=True)
        total = learner.objectives.compute(y, y_pred, sample_weight)
        learner.record_added_losses()
        added_losses = self.losses
        if total is None and not added_losses:
            raise ValueError(
                f"Model {self.name!r} has no loss to minimise: compile() received no loss and no "
                "layer adds one.\n  Fix: model.compile(loss='sparse_categorical_crossentropy'), or "
                "another loss for the task."
            )
        for value in added_losses:
            value = jnp.sum(value)
            total = value if total is None else total + value
        return jnp.asarray(total)

    def compute_metrics(
        self,
        x: Data = None,
        y: Targets = None,
        y_pred: Outputs = None,
        sample_weight: Targets = None,
    ) -> dict[str, Any]:
        """Update the metrics with a batch and return them; may be overridden.

        Args:
            x: Inputs of the batch, `(batch, …)`.
            y: Targets, `(batch, …)`.
            y_pred: Outputs for `x`, `(batch, …)`.
            sample_weight: Weight of each sample, `(batch,)`, for weighted metrics.

        Returns:
            Dict of scalars by name, the result of `get_metrics_result`.

        Raises:
            RuntimeError: If the model is not compiled.
        """
        checks.check_compiled(self._learner, "compute_metrics")
        if not self._learner.objectives.built and y_pred is not None:
            self._learner.build_objectives(y, y_pred)
        self._learner.objectives.update_metrics(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def stateless_compute_loss(
        self,
        trainable_variables: Sequence[Any],
        non_trainable_variables: Sequence[Any],
        metrics_variables: Sequence[Any],
        x: Data = None,
        y: Targets = None,
        y_pred: Outputs = None,
        sample_weight: Targets = None,
        training: bool = True,
    ) -> tuple[Any, ...]:
        """`compute_loss` with the given values of the Variables, for your own training loops.

        As in Keras, losses that layers add while they are called are not included. They are
        returned by `stateless_call`.

        Args:
            trainable_variables, non_trainable_variables, metrics_variables: Arrays in the order
                of the model's lists of these names.
            x, y, y_pred, sample_weight, training: As for `compute_loss`.

        Returns:
            `(loss, (trainable_variables, non_trainable_variables, metrics_variables))`.
        """
        checks.check_compiled(self._learner, "stateless_compute_loss")
        groups = (self.trainable_variables, self.non_trainable_variables, self.metrics_variables)
        variable_values = tuple(
            map(list, (trainable_variables, non_trainable_variables, metrics_variables))
        )
        self._clear_losses()
        try:
            result: tuple[Any, ...] = stateless(call_compute_loss, groups)(
                variable_values, self, x, y, y_pred, sample_weight, training
            )
        finally:
            self._clear_losses()
        return result

    # -- training, evaluation and prediction -----------------------------------------------------

    @filter_traceback
    @explain_arguments
    def fit(
        self,
        x: Data = None,
        y: Targets = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: str | int | bool = "auto",
        callbacks: Iterable[Callback] | Callback | None = None,
        validation_split: float = 0.0,
        validation_data: Data = None,
        shuffle: bool | str = True,
        class_weight: Mapping[int, float] | str | None = None,
        sample_weight: Targets = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Collection[int] = 1,
        split: str | tuple[str, Any] | None = None,
        devices: str | int | Sequence[Any] | None = None,
    ) -> History:
        """Train the model.

        The loop over steps is compiled: many steps run as one program, and the data are on the
        device if they fit. Ctrl-C or SIGTERM stops training after the current steps, and the model
        keeps its weights.

        Args:
            x: Inputs, `(samples, …)`: an array, a list, tuple or dict of arrays, a table (pandas,
                polars, pyarrow, Hugging Face `datasets`), a generator, a `PyDataset`, a data set or
                loader of PyTorch, or any iterable of batches `(x, y)`. The keys of a dict are the
                names of the model's inputs.
            y: Targets, `(samples, …)`, one row per sample; for several outputs a list in their
                order or a dict by their names. Not used if `x` yields batches.
            batch_size: Samples per step; 32 if None.
            epochs: Number of the last epoch. An epoch is one pass over the data, unless
                `steps_per_epoch` is given.
            verbose: 0 for silent, 1 for a live line, 2 for one line per epoch; `"auto"` for a live
                line in a terminal or notebook, else one line per epoch.
            callbacks: Callbacks.
            validation_split: Fraction (0 to 1) of the data for validation, from their end unless
                `split` says otherwise.
            validation_data: `(x, y)` or `(x, y, sample_weight)` or an iterable of batches.
            shuffle: Whether to shuffle the samples in every epoch; `"batch"` shuffles whole
                batches.
            class_weight: Dict from class index to weight in the loss; or `"balanced"`, with which
                every class has the same total weight.
            sample_weight: Weight of each sample in the loss, `(samples,)`.
            initial_epoch: Epoch to start at, counted from 0.
            steps_per_epoch: Maximum number of steps in an epoch. An epoch continues where the
                previous one stopped in the data. If the data end, the epoch ends too, with a
                warning.
            validation_steps: Steps of a validation, which always begins with the first batch.
            validation_batch_size: `batch_size` if None.
            validation_freq: Number of epochs between validations, or a list of epochs (from 1).
            split: How `validation_split` selects samples: `"tail"`, the last ones; `"random"`;
                `"stratified"`, random with the same class proportions in both parts; or `("group",
                groups)`, random with all samples of a group in one part, where `groups` has a name
                or number for every sample. The rows only depend on the data and
                `lamina.utils.set_random_seed`. None means `"tail"`, with a warning if the last
                samples differ from those before. Keras does not have this argument.
            devices: The devices to divide every batch over: `"all"`, their number, or a list of
                names such as `"gpu:0"`. `batch_size` is that of all devices together, and results
                do not depend on the number of devices, apart from rounding. By default the
                distribution that is set decides; without one it is the first device. Not in Keras.

        Returns:
            The History: `history.history["loss"]` is the list of losses, one per epoch;
            `history.split` has the rows for training and validation.

        Raises:
            RuntimeError: If the model is not compiled.
            ValueError, TypeError: If the data do not match the model, the loss or each other. This
                is checked before the first step, and the message shows how to fix it.
            FloatingPointError: If the loss becomes NaN or infinite.

        Example:
            >>> import numpy as np
            >>> from lamina import Sequential
            >>> from lamina.layers import Dense
            >>> x = np.linspace(-1, 1, 64)[:, None]
            >>> model = Sequential([Dense(1)])
            >>> model.compile("sgd", "mse")
            >>> history = model.fit(x, 3 * x, epochs=2, validation_split=0.25, verbose=0)
            >>> sorted(history.history), len(history.history["loss"])
            (['loss', 'val_loss'], 2)
        """
        checks.check_compiled(self._learner, "fit")
        refuse_after_fork("fit")
        with on_devices(devices), mark_training(self):
            request = fit_request(
                self._learner,
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
                split=split,
            )
            return Engine(self._learner).fit(request)

    @filter_traceback
    @explain_arguments
    def evaluate(
        self,
        x: Data = None,
        y: Targets = None,
        batch_size: int | None = None,
        verbose: str | int | bool = "auto",
        sample_weight: Targets = None,
        steps: int | None = None,
        callbacks: Iterable[Callback] | Callback | None = None,
        return_dict: bool = False,
    ) -> Scores:
        """Compute the loss and the metrics on data.

        Args:
            x: Inputs, as for `fit`.
            y: Targets, as for `fit`.
            batch_size: Samples per step. If None, Lamina chooses a size if the size does not affect
                the result, and uses 32 otherwise.
            verbose: As for `fit`.
            sample_weight: Weight of each sample in the loss and in weighted metrics, `(samples,)`.
            steps: Maximum number of batches; None for all.
            callbacks: Callbacks.
            return_dict: Whether to return a dict by name.

        Returns:
            The loss if there are no metrics, else a list `[loss, metric, …]` in the order of
            `metrics_names`. Other results, such as the entries of a metric that returns a dict,
            follow in order of their names. With `return_dict=True`, a dict by name.

        Raises:
            RuntimeError: If the model is not compiled.
            ValueError, TypeError: If the data do not match the model, the loss or each other.

        Example:
            >>> import numpy as np
            >>> from lamina import Sequential
            >>> from lamina.layers import Dense
            >>> model = Sequential([Dense(1, kernel_initializer="zeros")])
            >>> model.compile("sgd", "mse", metrics=["mae"])
            >>> model.evaluate(np.ones((4, 2)), 3 * np.ones((4, 1)), verbose=0)
            [9.0, 3.0]
        """
        checks.check_compiled(self._learner, "evaluate")
        refuse_after_fork("evaluate")
        with self._consistent_weights():
            request = evaluate_request(
                self._learner,
                x,
                y,
                batch_size=batch_size,
                verbose=verbose,
                sample_weight=sample_weight,
                steps=steps,
                callbacks=callbacks,
            )
            logs = Engine(self._learner).evaluate(request)
        return logs if return_dict else self._as_list(logs)

    @filter_traceback
    @explain_arguments
    def predict(
        self,
        x: Data,
        batch_size: int | None = None,
        verbose: str | int | bool = "auto",
        steps: int | None = None,
        callbacks: Iterable[Callback] | Callback | None = None,
    ) -> Outputs:
        """Compute the outputs for inputs, as NumPy arrays.

        A single sample without a batch axis is treated as a batch of one, with one warning.

        The result equals that of `model(batch)` for consecutive batches of `batch_size` rows; the
        last batch may be shorter. A scalar output gives one number per batch. Several threads may
        call this method, also while another thread trains the model: all outputs of a call are
        computed with the same weights.

        Args:
            x: Inputs, `(samples, …)`, as for `fit`.
            batch_size: Samples in a batch; 32 if None, or the fixed batch size of a model with
                stateful layers.
            verbose: Accepted for compatibility with Keras, without effect.
            steps: Maximum number of batches; None for all.
            callbacks: Callbacks.

        Returns:
            The outputs, `(samples, …)`, in the structure of the model's outputs. The caller may
            change the arrays.

        Raises:
            ValueError, TypeError: If the inputs do not match the model, or the outputs of several
                batches cannot be joined to one array.

        Example:
            >>> import numpy as np
            >>> from lamina import Sequential
            >>> from lamina.layers import Dense
            >>> model = Sequential([Dense(3, activation="softmax", kernel_initializer="zeros")])
            >>> model.predict(np.ones((2, 4))).round(2)
            array([[0.33, 0.33, 0.33],
                   [0.33, 0.33, 0.33]], dtype=float32)
        """
        refuse_after_fork("predict")
        learner = self._learner
        request = predict_request(learner, x, batch_size, verbose, steps, callbacks)
        return Engine(learner).predict(request)

    @filter_traceback
    @explain_arguments
    def predict_labels(
        self,
        x: Data,
        batch_size: int | None = None,
        verbose: str | int | bool = 0,
        unknown: str | None = UNKNOWN,
    ) -> Outputs:
        """Predict the name of the class of each sample.

        The class names are those of the training data, and the model's file contains them. Samples
        that are far from all training samples get the name `unknown`, because the class that a
        model computes for them is unreliable. One or two in a hundred samples that are like the
        training samples get it, too. Text and streams are not examined.

        Args:
            x: Inputs, as for `predict`.
            batch_size: Samples per step, as for `predict`.
            verbose: As for `predict`.
            unknown: The name for samples that are far from the training samples; None to use the
                likeliest class of every sample.

        Returns:
            The name of the likeliest class of each sample, `(samples,)`, as strings.

        Raises:
            ValueError: If the class names are not known, or their number differs from the outputs.

        Example:
            >>> import numpy as np
            >>> from lamina import Sequential
            >>> from lamina.contract import Contract
            >>> from lamina.layers import Dense
            >>> model = Sequential([Dense(2, kernel_initializer="zeros")])
            >>> model.input_contract = Contract(class_names=("cat", "dog"))
            >>> model.predict_labels(np.ones((1, 4))).tolist()
            ['cat']
        """
        outputs = self.predict(x, batch_size=batch_size, verbose=verbose)
        return likeliest_class_names(self.input_contract, x, outputs, self.name, unknown)

    @filter_traceback
    @explain_arguments
    def train_on_batch(
        self,
        x: Data,
        y: Targets = None,
        sample_weight: Targets = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Scores:
        """Train on one batch.

        Args:
            x: Inputs of the batch, `(batch, …)`, as for `fit`.
            y: Targets of the batch, `(batch, …)`.
            sample_weight: Weight of each sample in the loss, `(batch,)`.
            class_weight: Dict from class index to weight in the loss.
            return_dict: Whether to return a dict by name.

        Returns:
            The loss and the metrics of the batch, as `evaluate` returns them.

        Raises:
            RuntimeError: If the model is not compiled.
            ValueError, TypeError: If the data do not match the model, the loss or each other.
            FloatingPointError: If the loss is NaN or infinite.

        Example:
            >>> import numpy as np
            >>> from lamina import Sequential
            >>> from lamina.layers import Dense
            >>> model = Sequential([Dense(1, kernel_initializer="zeros")])
            >>> model.compile("sgd", "mse")
            >>> model.train_on_batch(np.ones((4, 2)), 3 * np.ones((4, 1)))
            9.0
        """
        checks.check_compiled(self._learner, "train_on_batch")
        refuse_after_fork("train_on_batch")
        feed = batch_feed(self._learner, x, y, sample_weight, class_weight)
        logs = Engine(self._learner).train_on_batch(feed, class_weight)
        self._learner.columns.update(column_names_of(x, y))
        return logs if return_dict else self._as_list(logs)

    @filter_traceback
    @explain_arguments
    def test_on_batch(
        self, x: Data, y: Targets = None, sample_weight: Targets = None, return_dict: bool = False
    ) -> Scores:
        """Compute the loss and the metrics on one batch.

        Args:
            x: Inputs of the batch, `(batch, …)`, as for `fit`.
            y: Targets of the batch, `(batch, …)`.
            sample_weight: Weight of each sample in the loss, `(batch,)`.
            return_dict: Whether to return a dict by name.

        Returns:
            The loss and the metrics of the batch, as `evaluate` returns them.

        Raises:
            RuntimeError: If the model is not compiled.
            ValueError, TypeError: If the data do not match the model, the loss or each other.

        Example:
            >>> import numpy as np
            >>> from lamina import Sequential
            >>> from lamina.layers import Dense
            >>> model = Sequential([Dense(1, kernel_initializer="zeros")])
            >>> model.compile("sgd", "mse", metrics=["mae"])
            >>> model.test_on_batch(np.ones((4, 2)), 3 * np.ones((4, 1)), return_dict=True)
            {'loss': 9.0, 'mae': 3.0}
        """
        checks.check_compiled(self._learner, "test_on_batch")
        refuse_after_fork("test_on_batch")
        with self._consistent_weights():
            feed = batch_feed(self._learner, x, y, sample_weight)
            logs = Engine(self._learner).test_on_batch(feed)
        return logs if return_dict else self._as_list(logs)

    @filter_traceback
    @explain_arguments
    def predict_on_batch(self, x: Data) -> Outputs:
        """Compute the outputs for one batch of any size, in one call of the model.

        Args:
            x: Inputs, `(batch, …)`, as for `fit`.

        Returns:
            The outputs as NumPy arrays, in the structure of the model's outputs.

        Raises:
            ValueError, TypeError: If the inputs do not match the model.

        Example:
            >>> import numpy as np
            >>> from lamina import Sequential
            >>> from lamina.layers import Dense
            >>> model = Sequential([Dense(1, kernel_initializer="zeros")])
            >>> model.predict_on_batch(np.ones((2, 4))).shape
            (2, 1)
        """
        refuse_after_fork("predict_on_batch")
        return Engine(self._learner).predict(predict_request(self._learner, x, SINGLE_BATCH))

    # -- sanity checks, which do not change the model
    # ------------------------------------------------

    @filter_traceback
    @explain_arguments
    def find_learning_rate(
        self,
        x: Data = None,
        y: Targets = None,
        batch_size: int | None = None,
        steps: int = 100,
        min_rate: float = 1e-6,
        max_rate: float = 10.0,
        sample_weight: Targets = None,
    ) -> LearningRateRange:
        """Try increasing learning rates and suggest one: the learning rate range test.

        A copy of the model is trained for a few steps, and the rate increases by the same factor at
        every step. The suggestion is a tenth of the rate at which the smoothed loss is lowest. The
        test ends early if the loss diverges. All steps are one compiled program, which works on
        copies: weights, optimizer, metrics and seeds do not change. Keras does not have this
            method.

        Args:
            x: Inputs, as for `fit`. Arrays are shuffled. At most `steps` batches are read from a
                generator; if there are fewer batches, they are repeated.
            y: Targets, as for `fit`.
            batch_size: Samples per step; 32 if None. Use the batch size of the later training,
                because the best rate depends on it.
            steps: Number of steps, 10 or more.
            min_rate: The first rate.
            max_rate: The last rate.
            sample_weight: Weight of each sample in the loss, `(samples,)`.

        Returns:
            A `LearningRateRange`: `suggestion` is the rate, `plot()` draws the losses.

        Raises:
            RuntimeError: If the model is not compiled.
            ValueError, TypeError: As `fit`; or if the optimizer has no learning rate to set, or
                the model was compiled with `run_eagerly=True`.

        Source: Smith, 2017, "Cyclical Learning Rates for Training Neural Networks",
        arXiv:1506.01186.

        Example:
            >>> import numpy as np
            >>> from lamina import Sequential
            >>> from lamina.layers import Dense
            >>> x = np.linspace(-1, 1, 64)[:, None]
            >>> model = Sequential([Dense(1, kernel_initializer="zeros")])
            >>> model.compile("sgd", "mse")
            >>> found = model.find_learning_rate(x, 3 * x, steps=50, min_rate=1e-4)
            >>> 0.001 < found.suggestion < 1
            True
        """
        refuse_after_fork("find_learning_rate")
        return learning_rate_range.find_learning_rate(
            self._learner, x, y, sample_weight, batch_size, steps, min_rate, max_rate
        )

    @filter_traceback
    @explain_arguments
    def overfit_one_batch(
        self,
        x: Data = None,
        y: Targets = None,
        batch_size: int | None = None,
        steps: int = 200,
        sample_weight: Targets = None,
    ) -> OneBatchTrial:
        """Test whether the model can memorise one batch, the first test of a new model.

        If it cannot, there is a mistake in the data, the loss or the network, and more data will
        not help. The steps are one compiled program, which works on copies: weights, optimizer,
        metrics and seeds do not change. Keras does not have this method.

        Args:
            x: Inputs, as for `fit`. The batch contains random samples of arrays, or is the first
                batch of an iterable.
            y: Targets, as for `fit`.
            batch_size: Samples in the batch; 32 if None.
            steps: Number of steps.
            sample_weight: Weight of each sample in the loss, `(samples,)`.

        Returns:
            A `OneBatchTrial`: `learned`, the `first` and the `last` loss, a `verdict` in words.

        Raises:
            RuntimeError: If the model is not compiled.
            ValueError, TypeError: As `fit`; or if the model was compiled with `run_eagerly=True`.

        Example:
            >>> import numpy as np
            >>> from lamina import Sequential
            >>> from lamina.layers import Dense
            >>> x = np.linspace(-1, 1, 64)[:, None]
            >>> model = Sequential([Dense(1, kernel_initializer="zeros")])
            >>> model.compile("sgd", "mse")
            >>> model.overfit_one_batch(x, 3 * x).learned
            True
        """
        refuse_after_fork("overfit_one_batch")
        return one_batch.overfit_one_batch(self._learner, x, y, sample_weight, batch_size, steps)

    def _consistent_weights(self) -> contextlib.AbstractContextManager[Any]:
        """A snapshot of weights and metrics, if another thread is training the model."""
        if not is_training_in_other_thread(self):
            return contextlib.nullcontext()
        return snapshot(self._learner.variables())

    def _as_list(self, logs: dict[str, Any]) -> Any:
        names = [metric.name for metric in self.metrics if metric.name in logs]
        # Then other logs of an overridden step, and the entries of metrics that return dicts.
        names += sorted(name for name in logs if name not in names)
        values = [logs[name] for name in names]
        return values[0] if len(values) == 1 else values

    # -- the state as a tree ---------------------------------------------------------------------

    def get_state_tree(self, value_format: str = "backend_tensor") -> dict[str, dict[str, Any]]:
        """All state as nested dicts of arrays by path, in Keras's four groups.

        Args:
            value_format: `"backend_tensor"` for JAX arrays, `"numpy_array"` for NumPy's.

        Returns:
            Dict with `trainable_variables`, `non_trainable_variables`, `optimizer_variables` and
            `metrics_variables`.
        """
        return state_tree(self._state_groups(), value_format)

    def set_state_tree(self, state_tree: Mapping[str, Any]) -> None:
        """Restore the result of `get_state_tree`; groups and paths may be left out.

        Args:
            state_tree: Nested dicts of arrays, by group and path.

        Raises:
            ValueError: If a path is unknown, or an array has another shape than its Variable.
        """
        assign_state_tree(self._state_groups(), state_tree)

    def _state_groups(self) -> dict[str, list[Variable]]:
        return {f"{name}_variables": vs for name, vs in self._learner.variables().groups.items()}

    # -- used by the learner; overridden by `Model` and `Sequential` -------------------------------

    def _signature(self) -> Signature:
        return Signature()

    def _on_host(self, x: Data) -> Any:
        return x

    def _accept_shapes(self, x: Data) -> None:
        pass


class _TrainerLearner(Learner):
    """The learner of a Trainer."""

    _signature: tuple[Any, Signature] = (None, Signature())

    @property
    def signature(self) -> Signature:
        version, signature = self._signature
        if version is not last_change():
            signature = self.model._signature()
            self._signature = last_change(), signature
        return signature

    def layers(self) -> list[LayerState]:
        return [*all_layers(self.model)]

    def on_host(self, x: Data) -> Any:
        return self.model._on_host(x)

    def accept_shapes(self, x: Data) -> None:
        self.model._accept_shapes(x)

    def clear_losses(self) -> None:
        self.model._clear_losses()

    def has_added_losses(self) -> bool:
        return any(layer._own_losses for layer in all_layers(self.model))


def _are_metrics(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and any(
        isinstance(item, (str, Metric)) for item in value
    )


def _batch_size(x: Data) -> int:
    return int(jax.tree.leaves(x)[0].shape[0])


def _arguments_of(compile: Callable[..., Any]) -> set[str] | None:
    """The arguments of `Trainer.compile` that an override accepts; None if it has other ones."""
    _, *parameters = inspect.signature(compile).parameters.values()
    named = {p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    if not named <= set(_COMPILE_ARGUMENTS):
        return None
    return set(_COMPILE_ARGUMENTS) if any(p.kind is p.VAR_KEYWORD for p in parameters) else named
