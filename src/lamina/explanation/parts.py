"""Parts: the arrays of floats that an answer can be explained by, and what they are called.

A part is an input of floats, such as pixels, or the output of a layer. Integers, such as word
indices, have no gradient; there the output of the layer that turns them into floats, an Embedding,
is a part. So is the output of UnitNormalization: it is the same on the whole straight line from
zeros to a vector, so that nothing would be attributed to the vector.
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
class Part:
    """An input of floats, or the output of a layer such as Embedding, for one sample.

    Args:
        name: Name of the input that the part comes from; `""` for the only one.
        key: Index of a leaf of the inputs, or the call of the layer whose output is the part.
        value: The numbers, `(1, …)`.
        indices: The integers that an Embedding received, `(1, …)`; None for an input.
        words: The vocabulary that numbers or indices count by; None without one.
    """

    name: str
    key: int | Key
    value: np.ndarray
    indices: np.ndarray | None = None
    words: tuple[str, ...] | None = None

    @property
    def is_input(self) -> bool:
        """Whether the part is an input of the model, rather than the output of a layer."""
        return isinstance(self.key, int)


def parts_of(forward: Forward) -> list[Part]:
    """The parts of a sample.

    Raises:
        ValueError: If a sample has no parts: its inputs are integers that no layer turns into
            floats.
    """
    leaves = jax.tree.leaves(forward.inputs)
    floats = [jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in leaves]
    names, words = _names_of_leaves(forward.model, forward.inputs)
    calls = [call for call in forward.calls if _makes_floats(call) or _is_normalized(call)]
    if not calls and not any(floats):
        raise ValueError(
            f"The inputs of model {forward.model.name!r} are integers, which have no "
            "gradient, and no layer turns them into others, as Embedding does.\n"
            "  Fix: x.astype('float32'), if they are amounts, such as pixels."
        )
    keys = [call.key for call in calls]

    def program(run: Any, inputs: Any) -> Any:
        result = run(inputs, kept=keys)
        return [result.kept[key] for key in keys], [result.first_inputs[key] for key in keys]

    outputs, ids = forward.compiled(program)() if calls else ([], [])
    whole = [i for i, is_float in enumerate(floats) if not is_float]
    vectors, counted = [], set()
    for call, output, numbers in zip(calls, outputs, ids, strict=True):
        if _is_normalized(call):
            found = _normalized_part(call, output, numbers, leaves, names, words)
            if found is not None:
                vectors.append(found[0])
                counted.add(found[1])
            continue
        # Which input the layer received: the one with the same numbers, perhaps as floats.
        same = [i for i, leaf in enumerate(leaves) if np.array_equal(leaf, numbers)]
        source = same[0] if same else (whole[0] if len(whole) == 1 else None)
        counted.update(same)
        vectors.append(
            Part(
                names[source] if source is not None else call.layer.name,
                call.key,
                np.asarray(output, dtype="float32"),
                np.asarray(numbers),
                words[source] if source is not None else None,
            )
        )
    inputs = [
        Part(names[i], i, np.asarray(leaf), words=words[i])
        for i, leaf in enumerate(leaves)
        if floats[i] and i not in counted
    ]
    return inputs + vectors


def _normalized_part(
    call: Call, output: Any, numbers: Any, leaves: list[Any], names: list[str], words: list[Any]
) -> tuple[Part, int] | None:
    """The output of a UnitNormalization as a part, and the input that it replaces.

    None if the layer receives something else than an input, with or without its first number, which
    counts unknown words.
    """
    for i, leaf in enumerate(leaves):
        for left_out in (0, 1):
            if leaf.ndim == 2 and np.array_equal(leaf[:, left_out:], numbers):
                known = None if words[i] is None else words[i][left_out:]
                value = np.asarray(output, dtype="float32")
                return Part(names[i], call.key, value, words=known), i
    return None


def replace_parts(
    inputs: PyTree, parts: Sequence[Part], values: Sequence[Any]
) -> tuple[PyTree, dict[Key, Any]]:
    """The inputs, and the outputs of layers, with these values of the parts.

    Returns:
        The arguments `inputs` and `replacements` of `Forward.run`.
    """
    leaves, structure = jax.tree.flatten(inputs)
    replacements: dict[Key, Any] = {}
    for part, value in zip(parts, values, strict=True):
        if isinstance(part.key, int):
            leaves[part.key] = value.astype(leaves[part.key].dtype)
        else:
            replacements[part.key] = value
    return jax.tree.unflatten(structure, leaves), replacements


def _is_normalized(call: Call) -> bool:
    """Whether a layer returns vectors of length 1."""
    return isinstance(call.layer, UnitNormalization) and not call.is_inside_layer


def _makes_floats(call: Call) -> bool:
    """Whether a layer turns integers into floats; an Embedding takes floats for them."""
    if call.is_inside_layer or not call.inputs or call.output is None:
        return False
    counts = isinstance(call.layer, Embedding) or all(
        not jnp.issubdtype(spec.dtype, jnp.floating) for spec in call.inputs
    )
    return counts and jnp.issubdtype(call.output.dtype, jnp.floating)


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
    """The same, for a model whose text has been turned into numbers on the host."""
    leaves = jax.tree.leaves(inputs)
    graph = model._graph
    keys = graph.host_part.boundary
    if len(keys) != len(leaves):  # a model inside it takes text, too
        return ["" if len(leaves) == 1 else f"input {i + 1}" for i in range(len(leaves))], [
            None for _ in leaves
        ]
    operations = {id(node.operation): node.operation for node in graph.nodes}
    columns = _columns_of(graph)
    names, words = [], []
    for operation_id, node_index, _ in keys:
        operation = operations.get(operation_id)
        names.append(columns.get(operation_id) or _input_of(operation, node_index, columns))
        vocabulary = getattr(operation, "get_vocabulary", None)
        words.append(None if vocabulary is None else tuple(map(str, vocabulary())))
    return names if len(set(names)) > 1 or len(columns) > 1 else [""] * len(names), words


def _columns_of(graph: Any) -> dict[int, str]:
    """From the id of an input layer to the key or name of the input."""
    paths = jax.tree_util.tree_leaves_with_path(graph.inputs)
    found = {}
    for (path, tensor), name in zip(paths, graph.input_names, strict=True):
        found[id(tensor.history.operation)] = str(getattr(path[-1], "key", name)) if path else name
    return found


def _input_of(operation: Any, node_index: int, columns: dict[int, str]) -> str:
    """The input that the result of an operation comes from; the first, if there are several."""
    while operation is not None and id(operation) not in columns:
        tensors = operation._inbound_nodes[node_index].input_tensors
        if not tensors or tensors[0].history is None:
            return str(operation.name)
        operation, node_index, _ = tensors[0].history
    return columns.get(id(operation), "")
