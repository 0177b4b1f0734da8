"""Connectionist temporal classification (CTC): labels for sequences without alignment."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from lamina.core.messages.errors import unknown_name
from lamina.core.types import Array, ArrayLike
from lamina.ops.arrays import as_array, at_least_float32, to_floats
from lamina.ops.define import operations

op = operations("nn")

_PADDING = -1


@op("target", "output", "target_length", "output_length", class_name="CTCLoss")
def ctc_loss(
    target: ArrayLike,
    output: ArrayLike,
    target_length: ArrayLike,
    output_length: ArrayLike,
    mask_index: int = 0,
) -> Array:
    """Negative log-likelihood of a label sequence, summed over all alignments, in nats.

    Frames before, between and after the labels may be blank; a label may last for several frames.

    Args:
        target: Labels, integers, `(batch, labels)`.
        output: Logits, `(batch, frames, classes)`.
        target_length: Number of valid labels, `(batch,)`.
        output_length: Number of valid frames, `(batch,)`.
        mask_index: The class of the blank.

    Returns:
        One value per sequence, `(batch,)`. It is about 1e5 if the frames are too few for the
        labels.

    Raises:
        ValueError: If the shapes don't fit together.

    Source: Graves et al., 2006, "Connectionist Temporal Classification", ICML.

    Example:
        >>> import numpy as np
        >>> sure = np.log([[[0.1, 0.9], [0.9, 0.1]]])  # label 1, then blank
        >>> loss = ctc_loss([[1]], sure, target_length=[1], output_length=[2])
        >>> round(float(np.exp(-loss[0])), 4)  # 1 blank, blank 1 and 1 1
        0.91
    """
    import optax  # slow to import, and only needed here

    target, output = as_array(target).astype("int32"), to_floats(output)
    output = output.astype(at_least_float32(output))
    _check_shapes(target, output)
    return optax.ctc_loss(
        output,
        _padding(output_length, output.shape[1]).astype(output.dtype),
        target,
        _padding(target_length, target.shape[1]).astype(output.dtype),
        blank_id=mask_index,
    )


@op("inputs", "sequence_lengths", class_name="CTCDecode")
def ctc_decode(
    inputs: ArrayLike,
    sequence_lengths: ArrayLike,
    strategy: str = "greedy",
    beam_width: int = 100,
    top_paths: int = 1,
    merge_repeated: bool = True,
    mask_index: int = 0,
) -> tuple[Array, Array]:
    """Decodes label sequences from the output of a model trained with `ctc_loss`.

    Args:
        inputs: Logits, `(batch, frames, classes)`.
        sequence_lengths: Number of valid frames, `(batch,)`.
        strategy: `"greedy"` takes the best class of every frame; `"beam_search"` keeps the
            `beam_width` likeliest sequences and sums over all alignments of each.
        beam_width: Sequences kept after every frame.
        top_paths: Sequences to return, the likeliest first; one for `"greedy"`.
        merge_repeated: Whether `"greedy"` merges equal neighbouring frames into one label.
        mask_index: The class of the blank.

    Returns:
        Labels, `(top_paths, batch, frames)`, padded with -1; and `(batch, top_paths)`: for
        `"beam_search"` the log-probability of each sequence in nats, for `"greedy"` minus the
        sum of the best logits.

    Raises:
        ValueError: If the strategy is unknown, or `top_paths` is above `beam_width`.

    Source: Graves, 2012, "Supervised Sequence Labelling with Recurrent Neural Networks", 7.5.

    Example:
        >>> import numpy as np
        >>> frames = np.eye(3)[[[1, 1, 0, 1, 2]]] * 9  # classes 1, 1, blank, 1, 2
        >>> labels, _ = ctc_decode(frames, sequence_lengths=[5])
        >>> labels[0].tolist()
        [[1, 1, 2, -1, -1]]
    """
    if strategy not in ("greedy", "beam_search"):
        raise unknown_name("strategy", strategy, ("greedy", "beam_search"))
    inputs = to_floats(inputs)
    inputs = inputs.astype(at_least_float32(inputs))
    if inputs.ndim != 3:
        raise ValueError(
            f"ctc_decode needs logits of shape (batch, frames, classes); received {inputs.shape}."
        )
    blank = mask_index % inputs.shape[-1]
    padding = _padding(sequence_lengths, inputs.shape[1])
    if strategy == "greedy":
        return _greedy(inputs, padding, merge_repeated, blank)
    if not 1 <= top_paths <= beam_width:
        raise ValueError(
            f"top_paths must be from 1 to the beam_width of {beam_width}; received {top_paths}."
        )

    def search(log_probabilities: Array, padding: Array) -> tuple[Array, Array]:
        return _beam_search(log_probabilities, padding, beam_width, top_paths, blank)

    paths, scores = jax.vmap(search)(jax.nn.log_softmax(inputs), padding)
    return jnp.swapaxes(paths, 0, 1), scores


def _greedy(inputs: Array, padding: Array, merge: bool, blank: int) -> tuple[Array, Array]:
    best = jnp.where(padding, blank, jnp.argmax(inputs, axis=-1))
    is_dropped = best == blank
    if merge:
        is_dropped = is_dropped.at[:, 1:].set(is_dropped[:, 1:] | (best[:, 1:] == best[:, :-1]))
    # A stable sort moves the labels to the front and keeps their order.
    order = jnp.argsort(is_dropped, axis=-1, stable=True)
    labels = jnp.take_along_axis(jnp.where(is_dropped, _PADDING, best), order, axis=-1)
    scores = -jnp.sum(jnp.where(padding, 0, jnp.max(inputs, axis=-1)), axis=-1, keepdims=True)
    return labels[None].astype("int32"), scores


def _beam_search(
    frames: Array, padding: Array, width: int, top_paths: int, blank: int
) -> tuple[Array, Array]:
    """Prefix beam search through one sequence.

    For each path the beam has two log-probabilities: of all alignments that end in a blank, and
    of those that end in its last label. After a blank, the same label counts again; without one
    it is a repetition.

    Args:
        frames: Log-probabilities, `(frames, classes)`.
        padding: True for padding, `(frames,)`.
    """
    length, classes = frames.shape
    no_score = jnp.full(width, -jnp.inf, frames.dtype)
    initial_beam = (
        jnp.full((width, length), _PADDING, "int32"),
        jnp.zeros(width, "int32"),
        no_score.at[0].set(0.0),
        no_score,
    )

    def step(beam: tuple, x: tuple) -> tuple[tuple, None]:
        paths, lengths, ends_blank, ends_label = beam
        frame, is_padding = x
        rows, label = jnp.arange(width), jnp.arange(classes)
        last_labels = paths[rows, lengths - 1]  # padding for the empty path
        total = jnp.logaddexp(ends_blank, ends_label)

        # The shape is `(width, classes)`.
        extended = (
            jnp.where(label == last_labels[:, None], ends_blank[:, None], total[:, None]) + frame
        )
        extended = extended.at[:, blank].set(-jnp.inf)
        same_blank = total + frame[blank]
        same_label = jnp.where(lengths > 0, ends_label + frame[last_labels], -jnp.inf)
        # A path of the beam may also be reached by extending another one.
        parents = paths.at[rows, lengths - 1].set(_PADDING)
        is_extension = jnp.all(parents[None] == paths[:, None], axis=-1)
        is_extension &= ((lengths > 0) & (total > -jnp.inf))[None]  # (from, to)
        extended_to_path = jnp.where(is_extension, extended[:, last_labels], -jnp.inf)
        same_label = jnp.logaddexp(same_label, jax.nn.logsumexp(extended_to_path, axis=0))
        has_path = (
            jnp.zeros((width, classes), bool).at[:, last_labels].max(is_extension & (lengths > 0))
        )
        extended = jnp.where(has_path, -jnp.inf, extended)

        candidates = jnp.concatenate([jnp.logaddexp(same_blank, same_label), extended.ravel()])
        _, best = lax.top_k(candidates, width)
        grows = best >= width
        origin = jnp.where(grows, (best - width) // classes, best)
        new_token = jnp.where(grows, (best - width) % classes, _PADDING)
        new_paths = paths[origin]
        old_token = new_paths[rows, lengths[origin]]
        new_paths = new_paths.at[rows, lengths[origin]].set(jnp.where(grows, new_token, old_token))
        new_beam = (
            new_paths,
            lengths[origin] + grows,
            jnp.where(grows, -jnp.inf, same_blank[origin]),
            jnp.where(grows, candidates[best], same_label[origin]),
        )
        return jax.tree.map(lambda old, new: jnp.where(is_padding, old, new), beam, new_beam), None

    (paths, _, ends_blank, ends_label), _ = lax.scan(step, initial_beam, (frames, padding))
    scores, order = lax.top_k(jnp.logaddexp(ends_blank, ends_label), top_paths)
    return paths[order], scores


def _padding(lengths: ArrayLike, size: int) -> Array:
    """True for positions after the end of a sequence, `(batch, size)`."""
    return jnp.arange(size)[None] >= as_array(lengths).astype("int32")[:, None]


def _check_shapes(target: Any, output: Any) -> None:
    if target.ndim != 2 or output.ndim != 3 or target.shape[0] != output.shape[0]:
        raise ValueError(
            "ctc_loss needs labels of shape (batch, labels) and logits of shape "
            f"(batch, frames, classes).\n  Received: labels of shape {target.shape}, logits of "
            f"shape {output.shape}."
        )
