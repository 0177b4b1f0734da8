"""The functions of `nn` as users get them: for the symbolic tensors of functional models, too.

Layers and losses call `nn` itself, which knows arrays only.
"""

from collections.abc import Callable
from typing import TypeVar, cast

from lamina.core import registry
from lamina.core.operation import symbolic
from lamina.ops import nn

F = TypeVar("F", bound=Callable)


def _export(function: F, class_name: str, *tensors: str) -> F:
    """Let a function take symbolic tensors; `class_name` is what Keras writes in files."""
    wrapper, operation = symbolic(function, class_name, tensors or ("x",))
    registry.register_namespace("keras.src.ops.nn", {class_name: operation})
    return cast(F, wrapper)


average_pool = _export(nn.average_pool, "AveragePool", "inputs")
batch_normalization = _export(
    nn.batch_normalization, "BatchNorm", "x", "mean", "variance", "offset", "scale"
)
celu = _export(nn.celu, "Celu")
conv = _export(nn.conv, "Conv", "inputs", "kernel")
elu = _export(nn.elu, "Elu")
gelu = _export(nn.gelu, "Gelu")
glu = _export(nn.glu, "Glu")
hard_shrink = _export(nn.hard_shrink, "HardShrink")
hard_sigmoid = _export(nn.hard_sigmoid, "HardSigmoid")
hard_silu = hard_swish = _export(nn.hard_silu, "HardSilu")
hard_tanh = _export(nn.hard_tanh, "HardTanh")
layer_normalization = _export(nn.layer_normalization, "LayerNorm", "x", "gamma", "beta")
leaky_relu = _export(nn.leaky_relu, "LeakyRelu")
log_sigmoid = _export(nn.log_sigmoid, "LogSigmoid")
log_softmax = _export(nn.log_softmax, "LogSoftmax")
max_pool = _export(nn.max_pool, "MaxPool", "inputs")
moments = _export(nn.moments, "Moments")
multi_hot = _export(nn.multi_hot, "MultiHot")
normalize = _export(nn.normalize, "Normalize")
one_hot = _export(nn.one_hot, "OneHot")
relu = _export(nn.relu, "Relu")
relu6 = _export(nn.relu6, "Relu6")
rms_normalization = _export(nn.rms_normalization, "RMSNorm", "x", "scale")
selu = _export(nn.selu, "Selu")
sigmoid = _export(nn.sigmoid, "Sigmoid")
silu = swish = _export(nn.silu, "Silu")
soft_shrink = _export(nn.soft_shrink, "SoftShrink")
softmax = _export(nn.softmax, "Softmax")
softplus = _export(nn.softplus, "Softplus")
softsign = _export(nn.softsign, "Softsign")
sparse_plus = _export(nn.sparse_plus, "SparsePlus")
sparse_sigmoid = _export(nn.sparse_sigmoid, "SparseSigmoid")
sparsemax = _export(nn.sparsemax, "Sparsemax")
squareplus = _export(nn.squareplus, "Squareplus")
tanh_shrink = _export(nn.tanh_shrink, "TanhShrink")
threshold = _export(nn.threshold, "Threshold")
