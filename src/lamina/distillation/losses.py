"""Distillation losses: compare the outputs or features of a student with those of its teacher."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from lamina import losses
from lamina.core.messages.tracebacks import filter_tracebacks_of_methods
from lamina.core.serialization import registry
from lamina.core.types import Array, LossLike, Outputs


@filter_tracebacks_of_methods
class DistillationLoss:
    """Base class of distillation losses.

    Override `compute_loss`; the other methods check that the models can be compared.

    Example:
        >>> class Difference(DistillationLoss):
        ...     def compute_loss(self, teacher_outputs, student_outputs, **kwargs):
        ...         return jnp.mean(jnp.abs(teacher_outputs - student_outputs))
        >>> float(Difference().compute_loss(jnp.ones(3), jnp.zeros(3)))
        1.0
    """

    def compute_loss(
        self, teacher_outputs: Outputs, student_outputs: Outputs, **kwargs: Any
    ) -> Array:
        """The loss of a batch. Outputs are arrays, or structures of them for several outputs.

        Args:
            teacher_outputs: Outputs of the teacher, `(batch, ...)`.
            student_outputs: Outputs of the student, in the same structure.
            **kwargs: For subclasses.

        Returns:
            A scalar.

        Raises:
            NotImplementedError: If a subclass has no `compute_loss`.
        """
        raise NotImplementedError(
            f"{type(self).__name__} needs a method compute_loss(self, teacher_outputs, "
            "student_outputs)."
        )

    def validate_outputs(self, teacher_outputs: Outputs, student_outputs: Outputs) -> None:
        """Refuse outputs of different structures with a ValueError.

        Args:
            teacher_outputs: Array, or structure of arrays.
            student_outputs: Array, or structure of arrays.

        Raises:
            ValueError: If the structures differ.
        """
        if _structure(teacher_outputs) != _structure(student_outputs):
            raise ValueError(
                f"{type(self).__name__} cannot compare outputs of different structures: the "
                f"teacher gives {_describe_structure(teacher_outputs)}, the student "
                f"{_describe_structure(student_outputs)}."
            )

    def validate_model_compatibility(self, teacher: Any, student: Any) -> None:
        """Refuse models that the loss cannot compare, before training.

        Args:
            teacher: The teacher, a model.
            student: The student, a model.
        """


@filter_tracebacks_of_methods
class FeatureDistillation(DistillationLoss):
    """Compares the outputs of a layer of the student with those of a layer of the teacher.

    Args:
        loss: Name, function or `Loss`; for several outputs a structure of them, with None for
            outputs to leave out.
        teacher_layer_name: The teacher's layer; None for its outputs.
        student_layer_name: The student's layer; None for its outputs. Both layers must give
            features of one shape, unless the loss takes others.

    Raises:
        ValueError: If there is no loss at all, or no such layer.

    Source: Romero et al., 2015, "FitNets: Hints for Thin Deep Nets", arXiv:1412.6550.

    Example:
        >>> loss = FeatureDistillation("mse", teacher_layer_name="wide", student_layer_name="thin")
        >>> float(loss.compute_loss(jnp.ones((2, 3)), jnp.zeros((2, 3))))
        1.0
    """

    def __init__(
        self,
        loss: LossLike = "mse",
        teacher_layer_name: str | None = None,
        student_layer_name: str | None = None,
    ):
        self.loss = _resolve_losses(loss, "FeatureDistillation")
        self.teacher_layer_name = teacher_layer_name
        self.student_layer_name = student_layer_name

    def validate_model_compatibility(self, teacher: Any, student: Any) -> None:
        roles = (("teacher", teacher, self.teacher_layer_name),
                 ("student", student, self.student_layer_name))  # fmt: skip
        for role, model, name in roles:
            if any(n for _, _, n in roles) and not hasattr(model, "inputs"):
                raise ValueError(
                    f"FeatureDistillation with names of layers needs functional or Sequential "
                    f"models; the {role} {model.name!r} is subclassed.\n"
                    "  Fix: leave the names out, to compare the outputs."
                )
            if name is not None:
                try:
                    model.get_layer(name=name)
                except ValueError as error:
                    raise ValueError(f"In the {role}: {error}") from None

    def validate_outputs(self, teacher_outputs: Outputs, student_outputs: Outputs) -> None:
        super().validate_outputs(teacher_outputs, student_outputs)
        _check_loss_structure(self.loss, teacher_outputs, "FeatureDistillation")

    def compute_loss(
        self, teacher_outputs: Outputs, student_outputs: Outputs, **kwargs: Any
    ) -> Array:
        return _sum_over_outputs(
            lambda loss, teacher, student: jnp.mean(loss(teacher, student)),
            self.loss,
            teacher_outputs,
            student_outputs,
        )

    def get_config(self) -> dict:
        """The settings as plain data, for `from_config`.

        Returns:
            A dict of the arguments of the constructor; the loss is serialized.
        """
        return {
            "loss": registry.serialize(self.loss),
            "teacher_layer_name": self.teacher_layer_name,
            "student_layer_name": self.student_layer_name,
        }

    @classmethod
    def from_config(cls, config: dict) -> "FeatureDistillation":
        """A distillation loss with the settings that `get_config` gave.

        Args:
            config: Arguments of the constructor; the loss is serialized.

        Returns:
            The distillation loss.
        """
        return cls(**{**config, "loss": registry.deserialize(config["loss"])})


@filter_tracebacks_of_methods
class LogitsDistillation(DistillationLoss):
    """Compares the logits of the student with those of the teacher, softened by a temperature.

    Both logits are divided by the temperature. For the KL divergence they then become
    probabilities, and the result is multiplied by the square of the temperature, so that the
    scale of its gradients does not depend on the temperature.

    Args:
        temperature: Above 0, no unit; the higher, the more the wrong classes count. Usually 3–5.
        loss: Name, function or `Loss`; for several outputs a structure of them, with None for
            outputs to leave out.

    Raises:
        ValueError: If the temperature is not above 0, or there is no loss at all.

    Source: Hinton, Vinyals and Dean, 2015, "Distilling the Knowledge in a Neural Network",
    arXiv:1503.02531.

    Example:
        >>> loss = LogitsDistillation(temperature=2.0)
        >>> logits = jnp.array([[2.0, 0.0]])
        >>> float(loss.compute_loss(logits, logits))
        0.0
    """

    def __init__(self, temperature: float = 3.0, loss: LossLike = "kl_divergence"):
        if isinstance(temperature, bool) or not isinstance(temperature, (int, float)) \
                or not 0 < temperature < math.inf:  # fmt: skip
            raise ValueError(
                f"LogitsDistillation: temperature must be a number above 0; received "
                f"{temperature!r}."
            )
        self.temperature = temperature
        self.loss = _resolve_losses(loss, "LogitsDistillation")

    def validate_outputs(self, teacher_outputs: Outputs, student_outputs: Outputs) -> None:
        super().validate_outputs(teacher_outputs, student_outputs)
        _check_loss_structure(self.loss, teacher_outputs, "LogitsDistillation")

    def compute_loss(
        self, teacher_outputs: Outputs, student_outputs: Outputs, **kwargs: Any
    ) -> Array:
        return _sum_over_outputs(self._loss_of_output, self.loss, teacher_outputs, student_outputs)

    def _loss_of_output(self, loss: Callable, teacher: Any, student: Any) -> Any:
        teacher, student = teacher / self.temperature, student / self.temperature
        if loss is losses.kl_divergence or isinstance(loss, losses.KLDivergence):
            teacher, student = jax.nn.softmax(teacher), jax.nn.softmax(student)
            return jnp.mean(loss(teacher, student)) * self.temperature**2
        return jnp.mean(loss(teacher, student))

    def get_config(self) -> dict:
        """The settings as plain data, for `from_config`.

        Returns:
            A dict of the arguments of the constructor; the loss is serialized.
        """
        return {"temperature": self.temperature, "loss": registry.serialize(self.loss)}

    @classmethod
    def from_config(cls, config: dict) -> "LogitsDistillation":
        """A distillation loss with the settings that `get_config` gave.

        Args:
            config: Arguments of the constructor; the loss is serialized.

        Returns:
            The distillation loss.
        """
        return cls(**{**config, "loss": registry.deserialize(config["loss"])})


def _is_none(value: Any) -> bool:
    return value is None


def _resolve_losses(loss: LossLike, owner: str) -> Any:
    """Names in a structure become losses; at least one must not be None."""
    if isinstance(loss, dict) and "class_name" in loss:
        return losses.get(loss)
    resolved = jax.tree.map(losses.get, loss, is_leaf=_is_none)
    if all(value is None for value in jax.tree.leaves(resolved, is_leaf=_is_none)):
        raise ValueError(f"{owner} needs a loss for at least one output; received {loss!r}.")
    return resolved


def _check_loss_structure(loss: LossLike, outputs: Any, owner: str) -> None:
    if _structure(loss) != _structure(outputs):
        raise ValueError(
            f"{owner} has {_describe_structure(loss)} for its loss, and the outputs are "
            f"{_describe_structure(outputs)}.\n"
            "  Fix: give one loss for each output, or None to leave one out."
        )


def _structure(value: Any) -> Any:
    return jax.tree.structure(value, is_leaf=_is_none)


def _describe_structure(structure: Any) -> str:
    if isinstance(structure, dict):
        return f"a dict of {', '.join(map(str, structure))}"
    if isinstance(structure, (list, tuple)):
        return f"a {type(structure).__name__} of {len(structure)}"
    return "one value"


def _sum_over_outputs(compute: Callable, loss: LossLike, teacher: Any, student: Any) -> Any:
    def of_output(loss: LossLike, teacher: Any, student: Any) -> Any:
        return 0.0 if loss is None else compute(loss, teacher, student)

    values = jax.tree.map(of_output, loss, teacher, student, is_leaf=_is_none)
    return jnp.sum(jnp.stack([jnp.asarray(value) for value in jax.tree.leaves(values)]))
