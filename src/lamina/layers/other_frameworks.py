"""Keras's layers for models of other frameworks, which raise an error with an alternative."""

from typing import Any, NoReturn

from lamina.core.layer.layer import Layer
from lamina.core.types import DTypePolicyLike, PathLike, Shapes


class TorchModuleWrapper(Layer):
    """In Keras, runs a module of PyTorch. Lamina computes with JAX alone and cannot.

    Args:
        module, name, output_shape: As in Keras.
        **kwargs: As in Keras.

    Raises:
        NotImplementedError: Always; the message says how to transfer the weights.
    """

    def __init__(
        self, module: Any, name: str | None = None, output_shape: Shapes = None, **kwargs: Any
    ):
        _refuse(
            "TorchModuleWrapper runs a module of PyTorch, and Lamina computes with JAX alone.",
            "build the same layers in Lamina and copy the weights, e.g.\n"
            "       dense.set_weights([linear.weight.detach().numpy().T, "
            "linear.bias.detach().numpy()]).",
        )


class TFSMLayer(Layer):
    """In Keras, runs a SavedModel of TensorFlow. Lamina has no TensorFlow and cannot.

    Args:
        filepath, call_endpoint, call_training_endpoint, trainable, name, dtype: As in Keras.

    Raises:
        NotImplementedError: Always; the message says how to transfer the model.
    """

    def __init__(
        self,
        filepath: PathLike,
        call_endpoint: str = "serve",
        call_training_endpoint: str | None = None,
        trainable: bool = True,
        name: str | None = None,
        dtype: DTypePolicyLike = None,
    ):
        _refuse(
            f"TFSMLayer runs a SavedModel ({filepath!r}), which contains a TensorFlow program.",
            "where the model was made, save it with model.save('model.keras') or "
            "model.save_weights(), and open that with lamina.saving.load_model('model.keras').",
        )


def _refuse(what: str, fix: str) -> NoReturn:
    raise NotImplementedError(f"{what}\n  Fix: {fix}")
