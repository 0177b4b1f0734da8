"""What is trained: one file a workload, the same model in Keras's words, in PyTorch and in JAX.

The files are read in every contender's environment, so they import nothing but NumPy and the
standard library at their top. Each has:

- `TITLE`, `BATCH_SIZE`, `STEPS` (of an epoch), `STEPS_PER_EXECUTION` (tried with Keras);
- `PEER_STEPS`: steps of an epoch for contenders that would take longer than their share. Their
  epoch is that much shorter, and times are compared a step;
- `LOSS`: name in Keras, and `LOGITS`: whether the Keras model leaves out the last activation;
- `PIXELS = True` if the inputs are pixels, to be divided by 255;
- `EMBEDS = True` if the first product's inputs are learnt, too;
- `arrays(rng, samples)`: inputs and targets, with something in them to be learnt;
- `keras_model(keras)`, with pixels also `scaled=True`: in the words that Lamina and Keras share;
- `torch_inputs(x)` and `torch_model()`: as somebody would write who knows PyTorch well;
- `jax_model()`: functions `init(key) → (parameters, state)` and
  `logits(parameters, state, x, key) → (logits, state)`, with Lamina's lowerings of convolution and
  pooling, so that what differs is everything around them;
- `costs()`: the work of one sample going forward.
"""

import importlib
from types import ModuleType
from typing import NamedTuple

NAMES = ("mlp", "cnn", "deep_cnn", "lstm", "transformer", "gpt", "table")


class Cost(NamedTuple):
    """One layer's work for one sample, forward.

    Args:
        multiply_adds: In its matrix products.
        outputs: Numbers that the way back needs again.
    """

    multiply_adds: int
    outputs: int


def load(name: str) -> ModuleType:
    """The workload of this name."""
    return importlib.import_module(f"workloads.{name}")


def training_flops(workload: ModuleType) -> int:
    """Operations in the matrix products of one training step.

    Forward, gradient of the kernels and gradient of the inputs cost one product each, of two
    operations a multiplication; nobody needs the gradient of the data, so the first layer that
    multiplies has only two.
    """
    products = [cost.multiply_adds for cost in workload.costs() if cost.multiply_adds]
    spared = 0 if getattr(workload, "EMBEDS", False) else products[0]
    return 2 * workload.BATCH_SIZE * (3 * sum(products) - spared)


def activation_bytes(workload: ModuleType) -> int:
    """Bytes of what one step must keep on its way forward for its way back."""
    return 4 * workload.BATCH_SIZE * sum(cost.outputs for cost in workload.costs())


def steps_for(workload: ModuleType, contender: str) -> int:
    """Steps in an epoch of this contender."""
    return workload.PEER_STEPS.get(contender, workload.STEPS)
