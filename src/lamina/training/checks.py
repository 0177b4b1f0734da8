"""Checks before the first step: errors and warnings about models and data."""

import inspect
import math
from collections.abc import Collection
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.configuration import config
from lamina.core.messages.errors import warn_at_user
from lamina.core.serialization.naming import to_snake_case
from lamina.core.types import Data, Outputs, PyTree, Shape, Targets
from lamina.core.user_data.text import Preprocessed
from lamina.core.variable.changes import last_change
from lamina.core.variable.stateless import discard_assignments
from lamina.layers import Embedding
from lamina.training import label_checks
from lamina.training.label_checks import format_shape
from lamina.training.trainable import Signature, Trainable


def warn(message: str) -> None:
    """Issue a warning that points to the line of the user's code that called Lamina."""
    warn_at_user(message)


def warn_once(key: str, message: str, learner: Trainable) -> None:
    """Issue a warning once per model."""
    if key not in learner.warned:
        learner.warned.add(key)
        warn_at_user(message)


def check_compiled(learner: Trainable, method: str) -> None:
    """Refuse methods that need `compile`, such as `fit`, before it was called."""
    if not learner.compiled:
        raise RuntimeError(
            f"Model {learner.model.name!r} must be compiled before {method}().\n"
            "  Fix: model.compile(optimizer='adam', loss='sparse_categorical_crossentropy', "
            "metrics=['accuracy']), with the loss that fits the task."
        )


def warn_not_compiled(model: Any) -> None:
    """Warn that a loaded model is not compiled, because the user has overridden `compile`."""
    cls = type(model).__name__
    arguments = ", ".join(list(inspect.signature(type(model).compile).parameters)[1:])
    warn(
        f"{cls} {model.name!r} is loaded uncompiled: its compile({arguments}) has its own "
        "arguments, which the file does not have.\n"
        f"  Fix: call compile after loading, or write {cls}.get_compile_config() and "
        f"{cls}.compile_from_config(config)."
    )


def warn_of_large_batch(size: int, samples: int) -> None:
    """Warn that a single batch is larger than the budget for resident data.

    Args:
        size: Bytes of one batch.
        samples: Number of samples in it.
    """
    budget = config.resident_budget()
    if 0 < budget < size:
        max_samples = budget * samples // size
        warn(
            f"One batch of {samples} samples takes {size / 1e6:,.1f} MB, and "
            f"{budget / 1e6:,.1f} MB may stay on the device. Training continues, with a few such "
            "batches in memory at a time.\n"
            f"  Fix: batch_size={max(1, max_samples)}, or lamina.config.set_resident_budget("
            f"{size}).",
        )


def warn_if_all_frozen(learner: Trainable) -> None:
    """Warn once that training has no effect, because all weights of a model are frozen."""
    version = last_change()
    if learner.trainable_checked_at is version:
        return  # nothing was frozen or unfrozen since the last check
    learner.trainable_checked_at = version
    # An overridden step may assign any weights.
    model = learner.model
    if learner.overrides.train_step or model.trainable_variables or not model.weights:
        return
    warn_once(
        "frozen",
        f"All weights of model {learner.model.name!r} are frozen, so training does not change it.\n"
        "  Likely cause: trainable = False, on the model or on its layers; here, as in Keras 3, it "
        "takes effect at once, even after compile().\n"
        "  Fix: model.trainable = True before it is trained, False before a model around it is.",
        learner,
    )


# Common names of the targets, in dicts that contain inputs and targets.
_TARGET_NAMES = {"y", "label", "labels", "target", "targets"}


def check_inputs(learner: Trainable, x: Data, prefix: str = "") -> None:
    """Refuse inputs whose shapes do not match the model.

    Args:
        learner: A model; if its inputs are not known yet, all shapes are accepted.
        x: Arrays, or anything with their structure and `shape`s.
        prefix: Prefix of the message, such as `"validation_data: "`.
    """
    learner.accept_shapes(x)
    signature = learner.signature
    expected = signature.inputs
    arrays = jax.tree.leaves(x, is_leaf=lambda leaf: leaf is None)
    if not expected or x is None or isinstance(x, Preprocessed):
        return
    if len(expected) > 1 and (isinstance(x, dict) or len(arrays) == len(expected)):
        arrays = signature.arrange(x)  # by name if there are names
    elif len(arrays) != len(expected) or (isinstance(x, dict) and not _has_names(signature, x)):
        names = ", ".join(repr(name) for name in signature.input_names)
        shapes = " and ".join(str(getattr(leaf, "shape", None)) for leaf in arrays)
        description = f"holds {_count(len(arrays), 'array')} of shape {shapes}"
        if isinstance(x, dict):
            description = f"is a dict of {', '.join(map(repr, x))}"
        fix = "pass x as a list of the inputs"
        if len(expected) == 1:
            fix = _fix_for_one_input(x, arrays, expected[0].shape[-1])
        raise ValueError(
            f"{prefix}model {learner.model.name!r} takes {_count(len(expected), 'input')} "
            f"({names}), and x {description}.\n  Fix: {fix}."
        )
    if any(leaf is None for leaf in arrays):
        return  # None is an optional input; if the input is required, the model's call raises
    for i, (leaf, tensor) in enumerate(zip(arrays, expected, strict=True)):
        key = signature.input_names[i] if isinstance(x, dict) else i
        name = "x" if len(arrays) == 1 else f"x[{key!r}]"
        shape, expected_shape = tuple(leaf.shape), tuple(tensor.shape)
        if np.dtype(leaf.dtype).kind == "c" and not str(tensor.dtype).startswith("complex"):
            raise TypeError(
                f"{prefix}{name} holds complex numbers, and model {learner.model.name!r} "
                f"computes with {tensor.dtype}.\n"
                f"  Fix: {name} = numpy.abs({name}), or real and imaginary parts as two features."
            )
        if not _accepts_shape(shape, expected_shape):
            label = "" if len(arrays) == 1 else f" as its input {tensor.name!r}"
            raise ValueError(
                f"{prefix}model {learner.model.name!r} takes arrays of shape "
                f"{format_shape(expected_shape)}{label}.\n"
                f"  Received: {name} of shape {shape}.\n"
                f"{_explain_wrong_shape(name, shape, expected_shape, _is_trained(learner))}"
            )


def _has_names(signature: Signature, x: dict[Any, Any]) -> bool:
    """Whether a dict has exactly the name of the only input, or the key in the model's dict."""
    tree = signature.input_tree
    keys = tuple(tree.children) if tree is not None and tree.is_keyed else ()
    return (*x,) in (signature.input_names, keys)


def _fix_for_one_input(x: Data, arrays: list[Any], features: int | None) -> str:
    """The fix if x contains several arrays, and the model has one input."""
    if not isinstance(x, dict):
        return f"x = x[{next((i for i, array in enumerate(arrays) if array is not None), 0)}]"
    target = next((key for key in x if key in _TARGET_NAMES), None)
    first = next((key for key in x if key not in _TARGET_NAMES), target)
    if target is not None:
        return (
            f"fit(x[{first!r}], x[{target!r}]); from a generator, batches of "
            f"(batch[{first!r}], batch[{target!r}])"
        )
    if 1 < len(x) == features:
        return "x = numpy.stack(list(x.values()), axis=-1)"  # x is a dict of columns
    return f"x = x[{first!r}]"


def check_embedding_indices(learner: Trainable, x: Data, prefix: str = "") -> None:
    """Refuse indices that are out of range for an Embedding; JAX would return NaN."""
    signature = learner.signature
    if not signature.nodes or isinstance(x, Preprocessed) or x is None:
        return
    arrays = signature.arrange(x)
    # Tensors are compared by identity.
    index_of = {id(tensor): i for i, tensor in enumerate(signature.inputs)}
    for node in signature.nodes:
        layer = node.operation
        if not isinstance(layer, Embedding) or id(node.input_tensors[0]) not in index_of:
            continue
        i = index_of[id(node.input_tensors[0])]
        if arrays[i] is None:
            continue  # an optional input
        max_index = np.max(arrays[i], initial=0)
        if max_index >= layer.input_dim:
            raise ValueError(
                f"{prefix}{'x' if len(arrays) == 1 else f'x[{i}]'} holds the number {max_index:g}, "
                f"and Embedding {layer.name!r} has rows for 0 to {layer.input_dim - 1}.\n"
                "  Likely cause: input_dim is not the largest index plus one; indices begin at 0.\n"
                f"  Fix: Embedding(input_dim={int(max_index) + 1}, …)."
            )


def _accepts_shape(shape: Shape, expected: Shape) -> bool:
    """Whether a model accepts a shape; as in Keras, a last axis of size 1 is optional."""
    if len(shape) == len(expected) + 1 and shape[-1] == 1:
        shape = shape[:-1]
    elif len(shape) == len(expected) - 1 and expected[-1] == 1:
        shape = (*shape, 1)
    return len(shape) == len(expected) and _shapes_match(shape[1:], expected[1:])


def _shapes_match(shape: Shape, expected: Shape) -> bool:
    return len(shape) == len(expected) and all(
        w is None or w == s for s, w in zip(shape, expected, strict=True)
    )


def _is_trained(learner: Trainable) -> bool:
    """Whether a model has been trained, so that its input shapes should not be changed."""
    iterations = getattr(learner.model.optimizer, "iterations", None)
    return not learner.compiled or (iterations is not None and int(iterations) > 0)


def _explain_wrong_shape(
    name: str, shape: tuple[int, ...], expected: Shape, is_batch_size_fixed: bool
) -> str:
    """The likely cause and the fix, for an array of a shape that the model does not accept."""
    sample, size = expected[1:], math.prod(shape[1:])
    known_sizes = [s for s in sample if s is not None]
    if _shapes_match(shape, sample):
        cause, fix = "one sample without its batch axis", f"{name} = {name}[None]"
    elif len(sample) > 1 and _shapes_match(shape, sample[:-1]):
        cause = "one sample without its batch axis and its channel axis"
        fix = f"{name} = {name}[None, ..., None]"
    elif len(sample) > 1 and _shapes_match(shape[1:], sample[:-1]):
        cause = "images without their channel axis"
        fix = f"{name} = numpy.repeat({name}[..., None], {sample[-1]}, axis=-1)"
    elif len(sample) == 3 and len(shape) == 4 and _shapes_match((*shape[2:], shape[1]), sample):
        cause, fix = "the channels come first", f"{name} = numpy.moveaxis({name}, 1, -1)"
    elif len(known_sizes) == len(sample) and len(shape) > 1 and size == math.prod(known_sizes):
        cause = "the same numbers in another shape"
        fix = f"{name} = {name}.reshape({', '.join(map(str, (-1, *sample)))})"
    elif len(shape) == len(expected):
        cause, fix = _explain_wrong_size(name, shape, sample, is_batch_size_fixed)
    else:
        cause = "one axis too many or too few"
        fix = f"reshape {name} to {format_shape(expected)}"
    return f"  Likely cause: {cause}.\n  Fix: {fix}."


def _explain_wrong_size(
    name: str, shape: Shape, sample: Shape, is_batch_size_fixed: bool
) -> tuple[str, str]:
    new_input = f"lamina.Input({shape[1:]}) as the input of the model"
    if len(sample) == 3 and None not in sample and shape[-1] == sample[-1]:
        cause = "images of another size than the model was made for"
        resized = f"{name} = lamina.ops.image.resize({name}, {sample[:2]})"
        return cause, resized if is_batch_size_fixed else f"{resized}, or {new_input}"
    if len(sample) > 1:
        cause = "samples of another size than the model was made for"
        needed = f"samples of shape {sample}, as it was made for"
    else:
        cause = "other columns than the model was made for"
        needed = f"the {sample[0]} columns that it was made for, in the same order"
    if is_batch_size_fixed:
        return cause, f"pass the model {needed}"
    return cause, f"{new_input}; a model that was trained needs {needed}"


def refuse_sample_count_in_input(learner: Trainable, x: Data, y: Targets) -> None:
    """Refuse a model whose `Input` contains the number of samples, as in `Input(x_train.shape)`."""
    arrays, targets = jax.tree.leaves(x), jax.tree.leaves(y)
    inputs = learner.signature.inputs
    if len(inputs) != 1 or len(arrays) != 1 or not targets:
        return
    expected = tuple(*(tensor.shape[1:] for tensor in inputs))
    shape, rows = np.shape(arrays[0]), np.shape(targets[0])[:1]
    if len(shape) > 1 and shape == expected and rows == shape[:1]:
        raise ValueError(
            f"model {learner.model.name!r} takes arrays of shape "
            f"{format_shape((None, *expected))}, and x has shape {shape}.\n"
            f"  Likely cause: the number of samples, {shape[0]:,}, was passed to Input.\n"
            f"  Fix: lamina.Input({shape[1:]}) as the input of the model."
        )


def swapped_x_and_y_message(
    learner: Trainable, known_inputs: Any, x: Data, y: Targets
) -> str | None:
    """A message, if refused data would match the model with x and y swapped; else None.

    Args:
        learner: The model.
        known_inputs: The inputs of the model before `x` was checked.
        x: Inputs.
        y: Targets.
    """
    arrays, targets = jax.tree.leaves(x), jax.tree.leaves(y)
    if len(arrays) != 1 or len(targets) != 1 or isinstance(x, Preprocessed):
        return None
    x_shape, y_shape = np.shape(arrays[0]), np.shape(targets[0])
    fix = "x, y = y, x"
    if known_inputs:
        expected = tuple(known_inputs[0].shape)
        y_fits = len(known_inputs) == 1 and _accepts_shape(y_shape, expected)
        is_swapped = y_fits and not _accepts_shape(x_shape, expected)
        needs = f"takes inputs of shape {format_shape(expected)}"
    else:
        units = next((getattr(layer, "units", None) for layer in learner.model.layers[-1:]), None)
        y_is_input = len(y_shape) > 1 and y_shape[1:] not in ((1,), (units,))
        is_swapped = y_is_input and _is_target(arrays[0], units)
        needs = "ends in one output" if units == 1 else f"ends in {units} outputs"
        fix += ", with the model created again" if learner.model.built else ""
    if not is_swapped:
        return None
    return (
        f"x and y seem to be swapped: model {learner.model.name!r} {needs}.\n"
        f"  Received: x of shape {x_shape}, y of shape {y_shape}.\n"
        f"  Fix: {fix}."
    )


def _is_target(array: Any, units: Any) -> bool:
    """Whether an array could contain targets for a number of outputs: numbers or classes."""
    shape = np.shape(array)
    if not isinstance(units, int):
        return False
    if len(shape) == 2 and shape[1] == units > 1:
        return bool(np.isin(np.asarray(array), (0, 1)).all())
    is_one_per_sample = len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)
    return is_one_per_sample and (units == 1 or np.asarray(array).dtype.kind in "iub")


def refuse_pair_of_arrays(learner: Trainable, x: Data) -> None:
    """Refuse (x, y) passed as one argument, if the model has one input or unknown inputs."""
    inputs = len(learner.signature.inputs)
    may_be_pair = isinstance(x, tuple) or (isinstance(x, list) and inputs == 1)
    if not may_be_pair or len(x) not in (2, 3) or hasattr(x, "_fields") or inputs > 1:
        return
    if len({np.shape(array)[:1] for array in jax.tree.leaves(x)}) == 1:
        raise ValueError(
            f"x holds {len(x)} arrays, y is None, and model {learner.model.name!r} has one input.\n"
            "  Likely cause: x and y in one argument.\n"
            "  Fix: model.fit(*x)."
        ) from None


def check_finite(structure: PyTree, what: str, prefix: str = "") -> None:
    """Refuse data that contain NaN or infinite numbers.

    Args:
        structure: Arrays on the host.
        what: Name of the argument: `"x"`.
        prefix: Prefix of the message, such as `"validation_data: "`.
    """
    for path, leaf in jax.tree_util.tree_leaves_with_path(structure):
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            continue
        # Computing a sum is several times faster than checking each number. If it is finite, all
        # are.
        with np.errstate(all="ignore"):
            total = leaf.sum()
        if np.isfinite(total):
            continue
        not_finite = ~np.isfinite(np.asarray(leaf))
        count = int(not_finite.sum())
        if count == 0:
            continue  # the sum overflowed
        first = tuple(int(i) for i in np.argwhere(not_finite)[0])
        name = what + jax.tree_util.keystr(path)
        value = np.asarray(leaf)[first]
        raise ValueError(
            f"{prefix}{name} holds {_count(count, 'number')} that {'is' if count == 1 else 'are'} "
            f"NaN or infinite; the first is {value} at {name}{list(first)}.\n"
            "  Likely cause: missing values in a table, or a division by zero.\n"
            f"{_fix_for_not_finite(name)}"
        )


def _fix_for_not_finite(name: str) -> str:
    """The fix for NaN and infinite numbers; in `y` they must not be replaced by 0."""
    zeros = f"{name} = numpy.nan_to_num({name}, posinf=0, neginf=0)"
    if name not in ("x", "y"):  # one of several arrays
        return f"  Fix: leave those rows out everywhere, or put 0 there: {zeros}."
    return (
        "  Fix: leave those rows out:\n"
        f"  keep = numpy.isfinite(numpy.asarray({name}, 'float32')).reshape(len({name}), -1)"
        ".all(axis=1)\n"
        "  x, y = numpy.asarray(x)[keep], numpy.asarray(y)[keep]"
        + (f"\n  or put 0 there: {zeros}" if name == "x" else "")
    )


def check_targets(learner: Trainable, y: Targets, y_pred: Outputs, prefix: str = "") -> None:
    """Refuse targets for which losses would return wrong values without an error.

    Args:
        learner: A compiled and prepared model.
        y: Targets on the host.
        y_pred: Outputs, as arrays or shapes.
        prefix: Prefix of the message, such as `"validation_data: "`.
    """
    outputs = jax.tree.leaves(y_pred)
    try:
        arrays = learner.objectives.targets(y)
    except ValueError:
        return  # raised again when losses are computed; an overridden step may not compute them
    pairs = zip(arrays, outputs, strict=True)
    for loss, (target, output) in learner.objectives.losses_with(pairs):
        name = loss_name(loss)
        if name == "sparse_categorical_crossentropy":
            label_checks.check_class_indices(loss, target, output, prefix)
        elif name == "categorical_crossentropy":
            label_checks.check_one_hot(loss, target, output, prefix)
        elif name == "binary_crossentropy":
            label_checks.check_between_zero_and_one(loss, target, output, prefix)


def check_targets_given(learner: Trainable, y: Targets, prefix: str = "") -> None:
    """Refuse data without targets if there is a loss."""
    losses = [loss for _, loss in learner.objectives.losses]
    if y is None and losses:
        name = loss_name(losses[0]) or losses[0]
        raise ValueError(
            f"{prefix}model {learner.model.name!r} was compiled with the loss {name}, which "
            "compares the outputs with targets, and y is None.\n"
            "  Fix: pass x and y, e.g. model.fit(x, y, validation_data=(x_val, y_val)) or "
            "model.evaluate(x, y)."
        )


def check_objectives(learner: Trainable, y: Targets, sample_weight: Targets) -> None:
    """Trace losses and metrics on the shapes of the targets, so that they raise errors early."""
    compiled_objectives = learner.objectives
    if y is None:
        return
    rows = jax.tree.leaves(y)[0].shape[0]

    def spec(leaf: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(tuple(leaf.shape), leaf.dtype)

    def compute_all(y: Targets, y_pred: Outputs, sample_weight: Targets) -> None:
        with discard_assignments():
            compiled_objectives.compute(y, y_pred, sample_weight)
            compiled_objectives.update_metrics(y, y_pred, sample_weight)

    outputs = compiled_objectives.outputs
    y_pred = [jax.ShapeDtypeStruct((rows, *o.shape[1:]), o.dtype) for o in outputs]
    jax.eval_shape(compute_all, jax.tree.map(spec, y), y_pred, jax.tree.map(spec, sample_weight))


def check_validation_freq(frequency: int | Collection[int]) -> None:
    """Refuse a `validation_freq` that is neither a number of epochs nor a list of epochs."""
    if isinstance(frequency, (int, np.integer)) and frequency >= 1:
        return
    if isinstance(frequency, Collection) and not isinstance(frequency, str):
        return
    raise ValueError(
        "validation_freq is a number of epochs, 1 or more, or a list of epochs; received "
        f"{frequency!r}.\n  Fix: validation_freq=1 validates after every epoch."
    )


def check_class_weight(learner: Trainable, weights: Any) -> None:
    """Refuse class weights for classes that the model does not have."""
    outputs = learner.objectives.outputs
    if weights is None or len(outputs) != 1:
        return
    classes = outputs[0].shape[-1] if len(outputs[0].shape) > 1 else 1
    classes = 2 if classes == 1 else classes
    unknown = sorted(key for key in weights if not 0 <= key < classes)
    if unknown:
        raise ValueError(
            f"class_weight has a weight for class {unknown[0]}, and the model has {classes} "
            f"classes, numbered 0 to {classes - 1}.\n"
            "  Likely cause: classes that are counted from 1.\n"
            f"  Fix: class_weight = {{0: 1.0, 1: 1.0, …}}, with numbers up to {classes - 1}."
        )


def check_logits(learner: Trainable) -> None:
    """Refuse probabilities if a loss expects logits, and warn of the reverse."""
    final = zip(final_activations(learner), learner.signature.outputs, strict=True)
    for loss, (activation, tensor) in learner.objectives.losses_with(final):
        name = loss_name(loss)
        # A loss that is a function has no such setting, and needs probabilities.
        from_logits = getattr(loss, "from_logits", False)
        if activation == "softmax" and tensor.shape[-1] == 1:
            warn_once(
                "one-softmax",
                f"The last layer of {learner.model.name!r} applies softmax to one unit, which "
                "always gives 1.\n"
                "  Fix: Dense(1, activation='sigmoid') as the last layer, with "
                "loss='binary_crossentropy'.",
                learner,
            )
        if from_logits and activation in ("softmax", "sigmoid"):
            raise ValueError(
                f"The loss {name} was made with from_logits=True, but the last layer already "
                f"applies {activation}, so it would be applied twice and training would be slow.\n"
                f"  Fix: loss={name!r}, or remove the activation of the last layer."
            )
        if not from_logits and activation == "linear" and "crossentropy" in str(name):
            probability_loss = _probabilities_for(name)
            warn_once(
                "logits",
                f"The loss {name} expects probabilities, but the last layer of "
                f"{learner.model.name!r} has no activation, so its outputs are logits.\n"
                f"  Fix: activation={probability_loss!r} on the last layer, or from_logits=True "
                "in the loss.",
                learner,
            )
        elif not from_logits and activation in _NOT_PROBABILITIES and "crossentropy" in str(name):
            warn_once("probabilities", explain_missing_probabilities(learner) or "", learner)


# Activations whose outputs are not probabilities, so a crossentropy of them is wrong.
_NOT_PROBABILITIES = frozenset(
    "relu relu6 leaky_relu elu selu celu gelu silu mish tanh hard_tanh softsign log_softmax".split()
)


def _probabilities_for(loss: str | None) -> str:
    return "sigmoid" if "binary" in str(loss) else "softmax"


def explain_missing_probabilities(learner: Trainable) -> str | None:
    """A message, if the loss is a crossentropy of outputs that are not probabilities; else None."""
    final = final_activations(learner)
    for loss, activation in learner.objectives.losses_with(final):
        name = loss_name(loss)
        if activation in _NOT_PROBABILITIES and "crossentropy" in str(name):
            if not getattr(loss, "from_logits", False):
                return (
                    f"The loss {name} takes the logarithm of probabilities, but the last layer of "
                    f"{learner.model.name!r} has the activation {activation}.\n"
                    f"  Fix: activation={_probabilities_for(name)!r} on the last layer."
                )
    return None


def explain_not_finite(learner: Trainable) -> str:
    """The likely cause of a loss that is NaN or infinite, and the fix."""
    wrong_loss = explain_missing_probabilities(learner)
    if wrong_loss is not None:
        return f"  Likely cause: {wrong_loss}"
    optimizer = learner.model.optimizer
    try:
        rate = float(optimizer.learning_rate)
        rate_text = f"The learning rate is {rate:g}. "
    except (AttributeError, TypeError):
        rate, rate_text = None, ""
    default_rate = default_learning_rate(optimizer)
    fix = "a tenth of the learning rate, clipnorm=1.0 in the optimizer"
    if rate is not None and default_rate is not None:
        module = f"{type(optimizer).__module__.partition('.')[0]}.optimizers"
        arguments = f"{min(rate / 10, default_rate):g}, clipnorm=1.0"
        fix = f"optimizer={module}.{type(optimizer).__name__}({arguments})"
    return (
        f"  {rate_text}Likely cause: it is too high, or the inputs are not scaled, so that the "
        f"weights diverged.\n  Fix: {fix}, or inputs between 0 and 1."
    )


def default_learning_rate(optimizer: Any) -> float | None:
    """The default learning rate of an optimizer's class; None if it has none."""
    parameter = inspect.signature(type(optimizer).__init__).parameters.get("learning_rate")
    default = None if parameter is None else parameter.default
    return default if isinstance(default, float) else None


def final_activations(learner: Trainable) -> list[str | None]:
    """The name of the activation of each output's layer; None if it is unknown."""
    names: list[str | None] = []
    for tensor in learner.signature.outputs:
        assert tensor.history is not None
        layer: Any = tensor.history.operation
        while hasattr(layer, "outputs") and getattr(layer, "outputs", None):  # a nested model
            layer = layer.outputs[0].history.operation
        if type(layer).__name__ == "Softmax":
            names.append("softmax")
            continue
        activation = getattr(layer, "activation", None)
        names.append(getattr(activation, "__name__", None))
    return names


def loss_name(loss: Any) -> str | None:
    """The name of one of Lamina's losses; None for a user's own loss."""
    function = getattr(loss, "fn", None)
    name = getattr(function, "__name__", None) or to_snake_case(type(loss).__name__)
    owner = function if function is not None else type(loss)
    return name if str(getattr(owner, "__module__", "")).startswith("lamina.") else None


def _count(number: int, noun: str) -> str:
    """`1 input`, `2 inputs`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
