"""Attention maps: how much each step of a sequence attends to each other step."""

from typing import Any

import numpy as np

from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import Data
from lamina.explanation.forward import Forward
from lamina.explanation.hooks import call_with_attributes
from lamina.explanation.sample import one_sample
from lamina.layers import Attention, GroupQueryAttention, MultiHeadAttention
from lamina.models import Model

_LAYERS = (Attention, GroupQueryAttention, MultiHeadAttention)  # AdditiveAttention is an Attention


@filter_traceback
def attention_maps(model: Model, x: Data) -> dict[str, np.ndarray]:
    """The attention weights of every attention layer.

    They are the softmax of the products of queries and keys. A large weight says that a query
    attended to a step, not that the step mattered for the answer.

    Args:
        model: A built model with attention layers.
        x: One sample, `(…)` or `(1, …)`.

    Returns:
        A dict from the name of a layer to an array `(heads, queries, steps)`, whose rows add up to
        1; layers without heads have one head. The key of a layer's second call is `name (2)`.

    Raises:
        ValueError: If the model has no attention layer.

    Source: Vaswani et al., 2017, "Attention Is All You Need", arXiv:1706.03762.

    Example:
        >>> import lamina
        >>> from lamina.explanation import attention_maps
        >>> x = lamina.Input((5, 8))
        >>> attention = lamina.layers.MultiHeadAttention(num_heads=2, key_dim=4, name="attention")
        >>> model = lamina.Model(x, attention(x, x))
        >>> attention_maps(model, np.ones((5, 8)))["attention"].shape
        (2, 5, 5)
    """
    forward = Forward(model, one_sample(model, x).inputs)
    maps = compute_maps(forward)
    if not maps:
        raise ValueError(
            f"Model {model.name!r} has no attention layer: none of MultiHeadAttention, "
            "GroupQueryAttention, Attention and AdditiveAttention."
        )
    return maps


def compute_maps(forward: Forward) -> dict[str, np.ndarray]:
    """The weights of all attention layers by name; empty if the model has none."""
    calls = [
        call
        for call in forward.calls
        if isinstance(call.layer, _LAYERS) and not call.is_inside_layer
    ]
    if not calls:
        return {}

    def program(run: Any, inputs: Any) -> Any:
        scores: dict[Any, Any] = {}

        def hook_for(key: Any) -> Any:
            def hook(layer: Any, own_call: Any, args: Any, kwargs: Any) -> Any:
                kwargs = {**kwargs, "return_attention_scores": True}
                # Fused kernels do not return the attention weights.
                outputs, scores[key] = call_with_attributes(
                    layer, {"_flash_attention": False}, args, kwargs
                )
                return outputs

            return hook

        run(inputs, hooks={call.key: hook_for(call.key) for call in calls})
        return [scores[call.key] for call in calls]

    maps: dict[str, np.ndarray] = {}
    for call, scores in zip(calls, forward.compiled(program)(), strict=True):
        weights = np.asarray(scores, dtype="float32")[0]
        number = call.key[1] + 1
        name = call.layer.name + (f" ({number})" if number > 1 else "")
        maps[name] = weights if weights.ndim > 2 else weights[None]
    return maps
