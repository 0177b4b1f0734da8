"""The arrays of floats that a score is attributed to, and their names.

Such an array is an input of floats, such as pixels, or the output of a layer. Integers, such as
word indices, have no gradient; the output of the Embedding that receives them is used instead. The
output of UnitNormalization is used in place of its input: it is constant on the straight line from
zeros to the input, so integrated gradients would attribute nothing to the input.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.types import PyTree
from lamina.core.user_data.text import Preprocessed
from lamina.explanation.forward import Call, Forward, Key
from lamina.layers import Embedding, UnitNormalization


@dataclass(frozen=True)
class FeatureArray:
    """An input of floats, or the output of a layer such as Embedding, for one sample.

    Args:
        name: Name of the input that the array comes from; `""` if the model has one input.
        key: Index of a leaf of the inputs, or the call of the layer whose output is the array.
        value: The array, `(1, …)`.
        indices: The integers that an Embedding received, `(1, …)`; None for an input.
        words: The vocabulary that indices or columns refer to; None without one.
    """

    name: str
    key: int | Key
    value: np.ndarray
    indices: np.ndarray | None = None
    words: tuple[str, ...] | None = None

    @property
    def is_input(self) -> bool:
        """Whether the array is an input of the model, rather than the output of a layer."""
        return isinstance(self.key, int)


def feature_arrays(forward: Forward) -> list[FeatureArray]:
    """The arrays of a sample that its score can be attributed to.

    Raises:
        ValueError: If there are none: the inputs are integers that no layer turns into floats.
    """
    leaves = jax.tree.leaves(forward.inputs)
    floats = [jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in leaves]
    names, words = _names_of_leaves(forward.model, forward.inputs)
    calls = [call for call in forward.calls if _makes_floats(call) or _is_normalized(call)]
    if not calls and not any(floats):
        raise ValueError(
            f"The inputs of model {forward.model.name!r} are integers, which have no "
            "gradient, and no layer, such as Embedding, turns them into floats.\n"
            "  Fix: x.astype('float32'), if they are amounts, such as pixels."
        )
    keys = [call.key for call in calls]

    def program(run: Any, inputs: Any) -> Any:
        run_result = run(inputs, capture=keys)
        outputs = [run_result.captured[key] for key in keys]
        return outputs, [run_result.first_inputs[key] for key in keys]

    outputs, layer_inputs = forward.compiled(program)() if calls else ([], [])
    integer_leaves = [i for i, is_float in enumerate(floats) if not is_float]
    layer_outputs, replaced_leaves = [], set()
    for call, output, layer_input in zip(calls, outputs, layer_inputs, strict=True):
        if _is_normalized(call):
            normalized = _normalized_vector(call, output, layer_input, leaves, names, words)
            if normalized is not None:
                layer_outputs.append(normalized[0])
                replaced_leaves.add(normalized[1])
            continue
        # Which input the layer received: the one with the same numbers, perhaps as floats.
        same = [i for i, leaf in enumerate(leaves) if np.array_equal(leaf, layer_input)]
        only_integers = integer_leaves[0] if len(integer_leaves) == 1 else None
        source = same[0] if same else only_integers
        replaced_leaves.update(same)
        layer_outputs.append(
            FeatureArray(
                names[source] if source is not None else call.layer.name,
                call.key,
                np.asarray(output, dtype="float32"),
                np.asarray(layer_input),
                words[source] if source is not None else None,
            )
        )
    inputs = [
        FeatureArray(names[i], i, np.asarray(leaf), words=words[i])
        for i, leaf in enumerate(leaves)
        if floats[i] and i not in replaced_leaves
    ]
    return inputs + layer_outputs


def _normalized_vector(
    call: Call, output: Any, layer_input: Any, leaves: list[Any], names: list[str], words: list[Any]
) -> tuple[FeatureArray, int] | None:
    """The output of a UnitNormalization, and the index of the input that it replaces.

    None if the layer does not receive an input of the model. It may receive the input without its
    first column, the count of unknown words.
    """
    for i, leaf in enumerate(leaves):
        for first_column in (0, 1):
            if leaf.ndim == 2 and np.array_equal(leaf[:, first_column:], layer_input):
                vocabulary = None if words[i] is None else words[i][first_column:]
                value = np.asarray(output, dtype="float32")
                return FeatureArray(names[i], call.key, value, words=vocabulary), i
    return None


def replace_features(
    inputs: PyTree, features: Sequence[FeatureArray], values: Sequence[Any]
) -> tuple[PyTree, dict[Key, Any]]:
    """The inputs, and the outputs of layers, with other values of the features.

    Returns:
        The arguments `inputs` and `replacements` of `Forward.run`.
    """
    leaves, structure = jax.tree.flatten(inputs)
    replacements: dict[Key, Any] = {}
    for feature, value in zip(features, values, strict=True):
        if isinstance(feature.key, int):
            leaves[feature.key] = value.astype(leaves[feature.key].dtype)
        else:
            replacements[feature.key] = value
    return jax.tree.unflatten(structure, leaves), replacements


def _is_normalized(call: Call) -> bool:
    """Whether a layer returns vectors of length 1."""
    return isinstance(call.layer, UnitNormalization) and not call.is_inside_layer


def _makes_floats(call: Call) -> bool:
    """Whether a layer turns integers into floats; an Embedding also accepts integers as floats."""
    if call.is_inside_layer or not call.inputs or call.output is None:
        return False
    takes_integers = isinstance(call.layer, Embedding) or all(
        not jnp.issubdtype(spec.dtype, jnp.floating) for spec in call.inputs
    )
    return takes_integers and jnp.issubdtype(call.output.dtype, jnp.floating)


def _names_of_leaves(model: Any, inputs: PyTree) -> tuple[list[str], list[Any]]:
    """For each leaf of the inputs: the name of the input it comes from, and its vocabulary."""
    if isinstance(inputs, Preprocessed):
        return _names_of_preprocessed(model, inputs)
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(inputs)]
    if len(paths) == 1 and not isinstance(inputs, Mapping):
        return [""], [None]
    input_names = model._learner.signature.input_names
    names = [str(getattr(path[-1], "key", getattr(path[-1], "idx", i))) if path else ""
             for i, path in enumerate(paths)]  # fmt: skip
    if not isinstance(inputs, Mapping) and len(input_names) == len(names):
        names = list(input_names)
    return names, [None] * len(names)


def _names_of_preprocessed(model: Any, inputs: Preprocessed) -> tuple[list[str], list[Any]]:
    """`_names_of_leaves` for a model whose text is turned into integers on the host."""
    leaves = jax.tree.leaves(inputs)
    graph = model._graph
    keys = graph.host_part.boundary
    if len(keys) != len(leaves):  # a nested model takes text, too
        return ["" if len(leaves) == 1 else f"input {i + 1}" for i in range(len(leaves))], [
            None for _ in leaves
        ]
    operations = {id(node.operation): node.operation for node in graph.nodes}
    input_names = _names_of_input_layers(graph)
    names, words = [], []
    for operation_id, node_index, _ in keys:
        operation = operations.get(operation_id)
        name = input_names.get(operation_id) or _source_input(operation, node_index, input_names)
        names.append(name)
        vocabulary = getattr(operation, "get_vocabulary", None)
        words.append(None if vocabulary is None else tuple(map(str, vocabulary())))
    return names if len(set(names)) > 1 or len(input_names) > 1 else [""] * len(names), words


def _names_of_input_layers(graph: Any) -> dict[int, str]:
    """From the id of an input layer to the key or name of the input."""
    paths = jax.tree_util.tree_leaves_with_path(graph.inputs)
    names = {}
    for (path, tensor), name in zip(paths, graph.input_names, strict=True):
        names[id(tensor.history.operation)] = str(getattr(path[-1], "key", name)) if path else name
    return names


def _source_input(operation: Any, node_index: int, input_names: dict[int, str]) -> str:
    """The input that the result of an operation comes from; the first, if there are several."""
    while operation is not None and id(operation) not in input_names:
        tensors = operation._inbound_nodes[node_index].input_tensors
        if not tensors or tensors[0].history is None:
            return str(operation.name)
        operation, node_index, _ = tensors[0].history
    return input_names.get(id(operation), "")
