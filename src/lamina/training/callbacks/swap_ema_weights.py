"""SwapEMAWeights: evaluates and saves the moving averages of the weights."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from lamina.core.types import Logs
from lamina.core.user_data.arguments import explain_arguments
from lamina.core.variable.variable import Variable
from lamina.training.callbacks.callback import Callback


class SwapEMAWeights(Callback):
    """Replaces the weights by their moving averages while the model is evaluated.

    For an optimizer with `use_ema=True`. Validation, `evaluate` and `predict` use the averages;
    training continues with the weights.

    Args:
        swap_on_epoch: Use the averages also from the end of an epoch to the beginning
            of the next, so that callbacks after this one, such as `ModelCheckpoint`, save them.

    Raises:
        ValueError: If the optimizer computes no averages.

    Example:
        >>> import lamina
        >>> import numpy as np
        >>> model = lamina.Sequential([lamina.Input((2,)), lamina.layers.Dense(1)])
        >>> model.compile(lamina.optimizers.SGD(0.1, use_ema=True), "mse")
        >>> x = np.ones((4, 2), "float32")
        >>> history = model.fit(x, x[:, :1], validation_data=(x, x[:, :1]), verbose=0,
        ...                     callbacks=[SwapEMAWeights()])
    """

    @explain_arguments
    def __init__(self, swap_on_epoch: bool = False):
        self.swap_on_epoch = swap_on_epoch
        # The values of the weights while the model has the averages; else None.
        self._original_values: list[jax.Array] | None = None
        self._swapped_for_test = False

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._pairs()  # raises an error now rather than after the first epoch
        self._original_values = None

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        if self.swap_on_epoch:
            self._restore_weights()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.swap_on_epoch:
            self._assign_averages()

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._original_values = None  # `fit` itself assigns the averages at its end

    def on_test_begin(self, logs: Logs | None = None) -> None:
        self._begin_evaluation()

    def on_test_end(self, logs: Logs | None = None) -> None:
        self._end_evaluation()

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._begin_evaluation()

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._end_evaluation()

    def get_state(self) -> dict[str, Any]:
        original_values = (
            None
            if self._original_values is None
            else [np.asarray(value) for value in self._original_values]
        )
        return {"kept": original_values}

    def set_state(self, state: Mapping[str, Any]) -> None:
        original_values = state["kept"]
        self._original_values = (
            None
            if original_values is None
            else [jax.numpy.asarray(value) for value in original_values]
        )

    def _begin_evaluation(self) -> None:
        if self._original_values is None:
            self._assign_averages()
            self._swapped_for_test = True

    def _end_evaluation(self) -> None:
        if self._swapped_for_test:
            self._restore_weights()
            self._swapped_for_test = False

    def _assign_averages(self) -> None:
        if self._original_values is None:
            pairs = self._pairs()
            self._original_values = [weight.value for weight, _ in pairs]
            for weight, average in pairs:
                weight.assign(average.value)

    def _restore_weights(self) -> None:
        if self._original_values is not None:
            for (weight, _), value in zip(self._pairs(), self._original_values, strict=True):
                weight.assign(value)
            self._original_values = None

    def _pairs(self) -> list[tuple[Variable, Variable]]:
        """Pairs of a weight and its moving average."""
        optimizers = _inner_optimizers(self.model.optimizer)
        pairs = [pair for optimizer in optimizers for pair in optimizer.averages()]
        if not pairs:
            raise ValueError(
                f"SwapEMAWeights: {self.model.optimizer!r} computes no moving averages.\n"
                "  Fix: compile with use_ema=True, such as optimizer=Adam(use_ema=True)."
            )
        return pairs


def _inner_optimizers(optimizer: Any) -> list[Any]:
    """The optimizers that update weights, without wrappers around other optimizers."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    return list(getattr(optimizer, "optimizers", [optimizer]))
