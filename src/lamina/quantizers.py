"""Names of Keras's quantizers, which are not implemented yet."""

from typing import Any

from lamina.core.messages.errors import suggest_similar_names
from lamina.core.unavailable import make_unavailable_objects

_ALTERNATIVE = (
    "dtype='mixed_bfloat16' halves the memory of activations; for inference, cast the weights "
    "with layer.set_weights()."
)
_NAMES = (
    "AWQConfig", "AbsMaxQuantizer", "Float8QuantizationConfig", "GPTQConfig",
    "Int4QuantizationConfig", "Int8QuantizationConfig", "QuantizationConfig", "Quantizer",
    "abs_max_quantize", "abs_max_quantize_grouped_with_zero_point",
    "compute_float8_amax_history", "compute_float8_scale", "deserialize",
    "fake_quant_with_min_max_vars", "get", "pack_int4", "quantize_and_dequantize",
    "serialize", "unpack_int4",
)  # fmt: skip
_symbols: dict[str, Any] = make_unavailable_objects(__name__, _NAMES, _ALTERNATIVE)
globals().update(_symbols)

__all__ = sorted(_symbols)

suggest_similar_names(__name__)
