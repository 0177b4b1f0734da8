"""A layout map for transformers: attention divided by heads, feed-forward layers by units."""

from lamina.core.messages.tracebacks import filter_traceback
from lamina.distribution.layouts import DeviceMesh, LayoutMap


@filter_traceback
def transformer_layout_map(
    device_mesh: DeviceMesh,
    model_axis: str = "model",
    feed_forward: tuple[str, str] | None = None,
) -> LayoutMap:
    """The usual layouts of a transformer's weights.

    Each device computes its own heads of every attention layer, and its own units of every
    feed-forward layer. So a block adds up the results of the devices twice: once after attention,
    once after the feed-forward layers. Embeddings are divided along their vectors.

    Args:
        device_mesh: The devices.
        model_axis: The axis of the mesh that divides weights; the number of heads and the units
            must be multiples of its size.
        feed_forward: Patterns of the names of the two `Dense` layers of a block, such as
            `("up.*", "down.*")`: the first one widens, the second one narrows. None leaves them on
            every device.

    Returns:
        A `LayoutMap`, to which more patterns may be added.

    References:
        - Shoeybi et al., 2019, https://arxiv.org/abs/1909.08053

    Example:
        >>> mesh = DeviceMesh((1, 1), ["batch", "model"], ["cpu:0"])
        >>> layouts = transformer_layout_map(mesh, feed_forward=("up", "down"))
        >>> layouts["gpt/attention/query/kernel"].axes, layouts["gpt/down/kernel"].axes
        ((None, 'model', None), ('model', None))
    """
    layouts = LayoutMap(device_mesh)
    layouts["(.*/)?(query|key|value)/kernel"] = (None, model_axis, None)
    layouts["(.*/)?(query|key|value)/bias"] = (model_axis, None)
    layouts["(.*/)?attention_output/kernel"] = (model_axis, None, None)
    layouts["(.*/)?embeddings"] = (None, model_axis)
    if feed_forward is not None:
        wide, narrow = feed_forward
        layouts[f"(.*/)?{wide}/kernel"] = (None, model_axis)
        layouts[f"(.*/)?{wide}/bias"] = (model_axis,)
        layouts[f"(.*/)?{narrow}/kernel"] = (model_axis, None)
    return layouts
