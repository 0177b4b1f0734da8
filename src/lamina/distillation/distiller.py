"""Distiller: the model that trains a student with its teacher."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from lamina import losses
from lamina.core.layer import masking
from lamina.core.serialization import registry
from lamina.core.types import (
    Array,
    CustomObjects,
    Data,
    LossLike,
    MetricsLike,
    OptimizerLike,
    Outputs,
    Targets,
)
from lamina.distillation.losses import DistillationLoss
from lamina.metrics import Mean
from lamina.models import Model
from lamina.training.objectives import Objectives

_OUTPUTS = "final_output"


class Distiller(Model):
    """Trains a student on labels and on the outputs of its teacher for the same inputs.

    `loss = w · student loss + (1 - w) · Σ weight · distillation loss`. The teacher is frozen. After
    training, `distiller.student` is the model to keep.

    Args:
        teacher: A trained model.
        student: The model to train; its inputs and outputs have the shapes of the teacher's.
        distillation_losses: A `DistillationLoss`, or a list of them.
        distillation_loss_weights: Factor for each of them; 1 if None.
        student_loss_weight: `w`, the weight of the loss on the labels, from 0 to 1.
        name: Name of the model.
        **kwargs: See `Model`.

    Raises:
        ValueError: If the models do not fit each other or the losses, or a weight is wrong.

    Source: Hinton, Vinyals and Dean, 2015, "Distilling the Knowledge in a Neural Network",
    arXiv:1503.02531.

    Example:
        >>> import lamina
        >>> import numpy as np
        >>> from lamina.distillation import LogitsDistillation
        >>> def network(units):
        ...     return lamina.Sequential([
        ...         lamina.Input((4,)), lamina.layers.Dense(units, activation="relu"),
        ...         lamina.layers.Dense(3)])
        >>> distiller = Distiller(network(16), network(2), LogitsDistillation())
        >>> loss = lamina.losses.SparseCategoricalCrossentropy(from_logits=True)
        >>> distiller.compile("adam", loss, metrics=["accuracy"])
        >>> history = distiller.fit(np.ones((4, 4)), np.array([0, 1, 2, 0]), verbose=0)
        >>> sorted(history.history)
        ['accuracy', 'distillation_loss', 'loss', 'student_loss', 'total_loss']
    """

    def __init__(
        self,
        teacher: Model,
        student: Model,
        distillation_losses: DistillationLoss | Sequence[DistillationLoss],
        distillation_loss_weights: Sequence[float] | None = None,
        student_loss_weight: float = 0.5,
        name: str = "distiller",
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        _check_same_shapes(teacher, student)
        weight = student_loss_weight
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 <= weight <= 1:
            raise ValueError(
                f"Distiller: student_loss_weight is a fraction from 0 to 1; received {weight!r}."
            )
        if distillation_losses is None:
            raise ValueError(
                "Distiller needs distillation_losses, such as LogitsDistillation(); received None."
            )
        if isinstance(distillation_losses, DistillationLoss):
            distillation_losses, distillation_loss_weights = [distillation_losses], None
        if distillation_loss_weights is None:
            distillation_loss_weights = [1.0] * len(distillation_losses)
        if len(distillation_loss_weights) != len(distillation_losses):
            raise ValueError(
                f"Distiller has {len(distillation_losses)} distillation_losses and "
                f"{len(distillation_loss_weights)} distillation_loss_weights."
            )
        for loss in distillation_losses:
            loss.validate_model_compatibility(teacher, student)
        self.teacher = teacher
        self.student = student
        self.distillation_losses = list(distillation_losses)
        self.distillation_loss_weights = list(distillation_loss_weights)
        self.student_loss_weight = student_loss_weight
        self.teacher.trainable = False
        # Set without tracking, because their layers already belong to the two models.
        extractors = {role: self._extractor(role) for role in ("teacher", "student")}
        object.__setattr__(self, "_extractors", extractors)
        self.student_loss_tracker = Mean(name="student_loss")
        self.distillation_loss_tracker = Mean(name="distillation_loss")
        self.total_loss_tracker = Mean(name="total_loss")
        self.built = bool(teacher.built and student.built)

    def _extractor(self, role: str) -> Model | None:
        """A model that gives the features of the named layers with the outputs."""
        model = getattr(self, role)
        layer_names = [
            getattr(loss, f"{role}_layer_name", None) for loss in self.distillation_losses
        ]
        names = [name for name in dict.fromkeys(layer_names) if name]
        if not names:
            return None
        outputs = {name: model.get_layer(name=name).output for name in names}
        return Model(model.inputs, {_OUTPUTS: model.output, **outputs})

    @property
    def output_names(self) -> list[str]:
        """Names of the student's outputs."""
        return self.student.output_names

    def compile(  # type: ignore[override]
        self,
        optimizer: OptimizerLike = "adam",
        loss: LossLike = None,
        metrics: MetricsLike = None,
        **kwargs: Any,
    ) -> None:
        """Configure the training of the student.

        Args:
            optimizer: Name or object.
            loss: The student's loss on the labels; for several outputs a structure of them.
            metrics: List of metrics.
            **kwargs: See `Model.compile`.
        """
        if loss is None:
            raise ValueError("Distiller.compile() needs the student's loss; received None.")
        if metrics is not None and not isinstance(metrics, (list, tuple)):
            raise ValueError(f"Distiller: metrics must be a list; received {metrics!r}.")
        super().compile(optimizer=optimizer, loss=None, metrics=metrics, **kwargs)
        is_config = isinstance(loss, dict) and "class_name" in loss
        tree: Any = loss
        resolved = losses.get(tree) if is_config else jax.tree.map(losses.get, tree)
        object.__setattr__(self, "_label_objectives", Objectives(resolved, None, None, None))
        assert self._learner.compile_config is not None
        self._learner.compile_config["loss"] = loss

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The student's outputs; the teacher is used only in training.

        Args:
            inputs: Array or structure of arrays, as the student takes them.
            training: Whether layers such as Dropout behave as in training.
            mask: Mask of the inputs, or None.

        Returns:
            What the student gives for the inputs.
        """
        # Masks are stored with the tensors, so the student's own call need not take one.
        masking.set_masks(inputs, mask)
        return self.student(inputs, training=training)

    def compute_loss(
        self,
        x: Data = None,
        y: Targets = None,
        y_pred: Outputs = None,
        sample_weight: Targets = None,
        training: bool = True,
    ) -> Array:
        """The weighted sum of the student's own loss and the distillation losses.

        Args:
            x: Inputs, as the models take them.
            y: Targets, in the structure of the student's outputs.
            y_pred: The student's outputs.
            sample_weight: Weights of the samples, `(batch,)`, or None.
            training: Whether the losses are those of training.

        Returns:
            A scalar.
        """
        if y_pred is None:
            y_pred = self(x, training=training)
        student_weight = self.student_loss_weight
        student_loss: Any = (
            self._loss_on_labels(y, y_pred) if student_weight > 0 and y is not None else 0.0
        )
        distillation_loss: Any = (
            self._loss_on_teacher(x, y_pred, training) if student_weight < 1 else 0.0
        )
        total = student_weight * student_loss + (1 - student_weight) * distillation_loss
        for layer_loss in self.losses:  # of the student's layers
            total += jnp.sum(layer_loss)
        self.student_loss_tracker.update_state(student_loss)
        self.distillation_loss_tracker.update_state(distillation_loss)
        self.total_loss_tracker.update_state(total)
        return total

    def _loss_on_labels(self, y: Targets, y_pred: Outputs) -> Any:
        objectives = self._label_objectives  # type: ignore[attr-defined]
        objectives.build(y, y_pred, getattr(self.student, "output_names", []))
        targets, predictions = objectives.targets(y), jax.tree.leaves(y_pred)
        values = [jnp.mean(loss(targets[i], predictions[i])) for i, loss in objectives.losses]
        return jnp.sum(jnp.stack(values))

    def _loss_on_teacher(self, x: Data, y_pred: Outputs, training: bool) -> Any:
        extractors = self._extractors  # type: ignore[attr-defined]
        teacher = (
            extractors["teacher"](x, training=False)
            if extractors["teacher"] is not None
            else {_OUTPUTS: self.teacher(x, training=False)}
        )
        student = {_OUTPUTS: y_pred}
        if extractors["student"] is not None:
            student = {**extractors["student"](x, training=training), _OUTPUTS: y_pred}
        total: Any = 0.0
        pairs = zip(self.distillation_losses, self.distillation_loss_weights, strict=True)
        for loss, weight in pairs:
            teacher_features = teacher[getattr(loss, "teacher_layer_name", None) or _OUTPUTS]
            student_features = student[getattr(loss, "student_layer_name", None) or _OUTPUTS]
            loss.validate_outputs(teacher_features, student_features)
            value = loss.compute_loss(teacher_features, student_features)
            if jnp.ndim(value):
                raise ValueError(
                    f"{type(loss).__name__}.compute_loss must give one number; received an array "
                    f"of shape {jnp.shape(value)}.\n  Fix: return lamina.ops.mean(…) of it."
                )
            total += weight * value
        return total

    def get_config(self) -> dict:
        return {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": registry.serialize(self.dtype_policy),
            "teacher": registry.serialize(self.teacher),
            "student": registry.serialize(self.student),
            "distillation_losses": [registry.serialize(loss) for loss in self.distillation_losses],
            "distillation_loss_weights": self.distillation_loss_weights,
            "student_loss_weight": self.student_loss_weight,
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: CustomObjects | None = None) -> "Distiller":
        objects = ("teacher", "student", "distillation_losses", "dtype")
        arguments = {
            key: registry.deserialize(config[key], custom_objects)
            for key in objects
            if key in config
        }
        return cls(**{**config, **arguments})


def _check_same_shapes(teacher: Any, student: Any) -> None:
    """Refuse two models whose inputs or outputs differ in shapes or dtypes."""
    for role, model in (("teacher", teacher), ("student", student)):
        if not isinstance(model, Model):
            raise ValueError(f"Distiller: the {role} must be a Model; received {model!r}.")
    for side in ("inputs", "outputs"):
        of_teacher, of_student = getattr(teacher, side, None), getattr(student, side, None)
        if not of_teacher or not of_student:
            continue  # the shapes of a subclassed model are known only when it is called
        shapes = [
            [tuple(t.shape) for t in jax.tree.leaves(tensors)]
            for tensors in (of_teacher, of_student)
        ]
        types = [
            [t.dtype for t in jax.tree.leaves(tensors)] for tensors in (of_teacher, of_student)
        ]
        if not _have_equal_shapes(*shapes):
            raise ValueError(
                f"The {side} of teacher and student must have the same shapes; the teacher's are "
                f"{shapes[0]}, the student's {shapes[1]}."
            )
        if types[0] != types[1]:
            raise ValueError(
                f"The {side} of teacher and student must have the same dtypes; the teacher's are "
                f"{types[0]}, the student's {types[1]}."
            )


def _have_equal_shapes(shapes: list[tuple], other_shapes: list[tuple]) -> bool:
    return len(shapes) == len(other_shapes) and all(
        len(a) == len(b) and all(m == n or None in (m, n) for m, n in zip(a, b, strict=True))
        for a, b in zip(shapes, other_shapes, strict=True)
    )
