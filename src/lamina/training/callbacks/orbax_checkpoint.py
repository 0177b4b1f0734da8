"""OrbaxCheckpoint: checkpoints in the format of Orbax, written in the background."""

import json
import os
from typing import Any

import jax

from lamina.core.serialization import registry
from lamina.core.types import Logs, PathLike
from lamina.core.user_data.arguments import explain_arguments
from lamina.core.user_data.paths import path_as_text
from lamina.saving.orbax_folder import CHECKSUMS, as_saved, checksums, orbax
from lamina.saving.shared_folder import check_is_shared
from lamina.training.callbacks.model_checkpoint import ModelCheckpoint


class OrbaxCheckpoint(ModelCheckpoint):
    """Saves the model with Orbax after every epoch or number of batches, while training continues.

    `lamina.saving.load_model(directory)` and `model.load_weights(directory)` read the latest
    checkpoint, also on another number of devices or processes. Of an array that is divided over
    devices, each process writes its own parts, so all processes need the same folder.
    Needs `pip install 'lamina[orbax]'`.

    Args:
        directory: Folder of the checkpoints. Each is a subfolder, named after its epoch (from 0)
            or, with `save_freq` in batches, after the number of steps.
        monitor: Name of the metric in the logs that decides which checkpoint is best.
        verbose: 1 to print a message for each checkpoint.
        save_best_only: Save only if the metric is better than in all earlier epochs.
        mode: `"min"` if lower is better, `"max"` if higher is, `"auto"` to decide by the metric.
        save_freq: `"epoch"`, or a number of batches.
        initial_value_threshold: The first checkpoint is saved when the metric is better than this.
        max_to_keep: Number of latest checkpoints to keep; None keeps all.
        save_on_background: Write the files in the background while training continues.
        save_weights_only: Save the weights alone, without optimizer, metrics and architecture.

    Raises:
        ImportError: If Orbax is missing.
        ValueError: If an argument is wrong.
    """

    @explain_arguments
    def __init__(
        self,
        directory: PathLike,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        mode: str = "auto",
        save_freq: int | str = "epoch",
        initial_value_threshold: float | None = None,
        max_to_keep: int | None = 1,
        save_on_background: bool = True,
        save_weights_only: bool = False,
    ):
        orbax()  # raises an error now if Orbax is missing, rather than after an epoch
        if max_to_keep is not None and (type(max_to_keep) is not int or max_to_keep < 1):
            raise ValueError(
                "OrbaxCheckpoint: max_to_keep must be an integer above 0, or None; received "
                f"{max_to_keep!r}."
            )
        self.directory = os.path.abspath(path_as_text(directory, "OrbaxCheckpoint"))
        super().__init__(
            os.path.join(self.directory.replace("{", "{{").replace("}", "}}"), "{epoch}"),
            monitor,
            verbose,
            save_best_only,
            save_weights_only,
            mode,
            save_freq,
            initial_value_threshold,
        )
        self.max_to_keep = max_to_keep
        self.save_on_background = save_on_background
        self.checkpointer: Any = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        super().on_train_begin(logs)
        check_is_shared(self.directory)
        training = orbax().training
        policies = training.preservation_policies
        self.checkpointer = training.Checkpointer(
            directory=self.directory,
            preservation_policy=None
            if self.max_to_keep is None
            else policies.LatestN(self.max_to_keep),
            save_decision_policy=training.save_decision_policies.FixedIntervalPolicy(1),
        )

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.checkpointer is not None:
            self.checkpointer.close()  # waits until pending checkpoints are written
            self.checkpointer = None

    def wait_until_finished(self) -> None:
        """Wait until all checkpoints are written."""
        if self.checkpointer is not None:
            self.checkpointer.wait()

    def is_multihost_enabled(self) -> bool:
        """Whether several processes train together.

        Returns:
            True or False.
        """
        return bool(jax.process_count() > 1)

    def is_primary_host(self) -> bool:
        """Whether this process is the first, or the only one.

        Returns:
            True or False.
        """
        return jax.process_index() == 0

    def _save(self, epoch: int, logs: dict[str, Any]) -> str:
        state = self.model.get_state_tree()
        if self.save_weights_only:
            kinds = ("trainable_variables", "non_trainable_variables")
            state = {group: state[group] for group in kinds}
        payload: dict[str, Any] = {"pytree": jax.tree.map(as_saved, state)}
        config = None
        if not self.save_weights_only:
            config = json.dumps(registry.serialize_with_sharing(self.model))
            payload["model_config"] = {"config": config}
        payload[CHECKSUMS] = checksums(payload["pytree"], config)
        step = epoch if self.save_freq == "epoch" else int(self.model.optimizer.iterations)
        if self.save_on_background:
            self.checkpointer.save_checkpointables_async(step, payload)
        else:
            self.checkpointer.save_checkpointables(step, payload)
        return os.path.join(self.directory, str(step))
