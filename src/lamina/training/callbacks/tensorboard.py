"""TensorBoard: writes logs for TensorBoard, with the event writer of the tensorboard package."""

import io
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from lamina.core import processes
from lamina.core.layer.layer_state import all_layers
from lamina.core.types import Logs, PathLike
from lamina.core.user_data.arguments import check_integer, explain_arguments
from lamina.core.user_data.paths import path_as_text
from lamina.findings import Findings, Record, findings_of
from lamina.layers import Embedding
from lamina.saving.atomic import make_folder
from lamina.training.callbacks.callback import Callback
from lamina.training.callbacks.tensorboard_diagnosis import findings_as_text, last_statistics


class TensorBoard(Callback):
    """Writes logs for TensorBoard: `tensorboard --logdir logs` shows them while training runs.

    The folder `train` contains losses and metrics of every epoch (`epoch_loss` …), the learning
    rate, the graph of layers, what diagnosis finds (`findings`, as text), and what the arguments
    select. With `lamina.config.set_diagnosis("full")` it also contains what layers do
    (`layers/dense/gradient`, `update`, `dead`, `saturated` and `rank`), after 1, 2, 4, 8 … epochs.
    The folder `validation` contains the results on validation data. Needs
    `pip install 'lamina[tensorboard]'`; TensorFlow is not needed.

    Args:
        log_dir: Folder of the logs.
        histogram_freq: Number of epochs between histograms of the weights; 0 for none.
        write_graph: Write the graph of layers.
        write_images: Write the weights as images whenever histograms are written.
        write_steps_per_second: Write the number of steps per second.
        update_freq: `"epoch"`, `"batch"`, or a number of batches after which the losses and
            metrics so far are written (`batch_loss` …). A number does not slow down training.
        profile_batch: Number of the batch (from 1) to profile with JAX, or the first and last; 0
            for none.
        embeddings_freq: Number of epochs between writing the vectors of Embedding layers, for the
            projector; 0 for none.
        embeddings_metadata: File with a line for each vector, or a dict of files by the names of
            layers; relative to `log_dir`.

    Raises:
        ImportError: If the tensorboard package is missing.
        ValueError: If an argument is wrong.

    Example:
        >>> import lamina
        >>> import numpy as np
        >>> import tempfile
        >>> model = lamina.Sequential([lamina.Input((2,)), lamina.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> folder = tempfile.mkdtemp()
        >>> x = np.ones((4, 2), "float32")
        >>> history = model.fit(x, x[:, :1], verbose=0, callbacks=[TensorBoard(folder)])
        >>> os.listdir(folder)
        ['train']
    """

    @explain_arguments
    def __init__(
        self,
        log_dir: PathLike = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: str | int = "epoch",
        profile_batch: int | Sequence[int] | str = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: str | Mapping[str, str] | None = None,
    ):
        _writer_class()  # raises an error now if the package is missing, not after an epoch
        self.log_dir = path_as_text(log_dir, "TensorBoard")
        self.histogram_freq = _check_frequency("histogram_freq", histogram_freq)
        self.write_graph = write_graph
        self.write_images = write_images
        self.write_steps_per_second = write_steps_per_second
        if update_freq not in ("epoch", "batch"):
            update_freq = _check_frequency("update_freq", update_freq, minimum=1)
        self.update_freq: Any = 1 if update_freq == "batch" else update_freq
        self.embeddings_freq = _check_frequency("embeddings_freq", embeddings_freq)
        self.embeddings_metadata = embeddings_metadata
        self._profiled_batches = _first_and_last(profile_batch)
        self._profiling = False
        self._writers: dict[str, Any] = {}
        self._steps = 0
        self._last_written = (0, 0.0)  # step and time
        self._epoch_start = (0, 0.0)
        self._measured_at = -1  # the step of the statistics that were written last
        self._codes: list[str] = []  # of the findings that were written last

    # -- hooks -----------------------------------------------------------------------------------

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._steps = 0
        self._last_written = (0, time.perf_counter())
        self._measured_at, self._codes = -1, []
        if self.write_graph:
            self._write_graph()
        if self.embeddings_freq:
            self._write_projector()
        if self._profiled_batches[0] == 1:
            self._start_profile()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch_start = (self._steps, time.perf_counter())

    def _steps_to_checkpoint(self) -> int | None:
        limits = []
        if self.update_freq != "epoch":
            limits.append(self.update_freq - self._steps % self.update_freq)
        first, last = self._profiled_batches
        limits += [step - self._steps for step in (first - 1, last) if step > self._steps]
        return min(limits, default=None)

    def _at_checkpoint(self, checkpoint: Any) -> None:
        """Write the logs so far, and start or stop the profiler."""
        self._steps = checkpoint.steps
        if checkpoint.step and self.update_freq != "epoch" and self._steps % self.update_freq == 0:
            logs = dict(checkpoint.logs)
            if self.write_steps_per_second:
                logs["steps_per_second"] = self._steps_per_second(*self._last_written)
            self._last_written = (self._steps, time.perf_counter())
            self._write_scalars("train", {f"batch_{k}": v for k, v in logs.items()}, self._steps)
        first, last = self._profiled_batches
        if first and self._steps == first - 1:
            self._start_profile()
        elif self._profiling and self._steps >= last:
            self._stop_profile()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        training_values = {k: v for k, v in logs.items() if not k.startswith("val_")}
        if training_values:
            training_values.update(_learning_rates(self.model.optimizer))
            if self.write_steps_per_second:
                self._steps = max(self._steps, self._epoch_start[0])
                training_values["steps_per_second"] = self._steps_per_second(*self._epoch_start)
        validation_values = {
            k.removeprefix("val_"): v for k, v in logs.items() if k.startswith("val_")
        }
        self._write_scalars("train", {f"epoch_{k}": v for k, v in training_values.items()}, epoch)
        self._write_scalars(
            "validation", {f"epoch_{k}": v for k, v in validation_values.items()}, epoch
        )
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_weights(epoch)
        if self.embeddings_freq and epoch % self.embeddings_freq == 0:
            self._write_embeddings()
        record = getattr(getattr(self.model, "history", None), "record", None)
        if record is not None:
            self._write_diagnosis(record, findings_of(record), epoch)
        for writer in self._writers.values():
            writer.flush()

    def on_test_end(self, logs: Logs | None = None) -> None:
        step = int(getattr(self.model.optimizer, "iterations", 0))
        named = {f"evaluation_{k}_vs_iterations": v for k, v in (logs or {}).items()}
        self._write_scalars("validation", named, step)
        if "validation" in self._writers:
            self._writers["validation"].flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self._profiling:
            self._stop_profile()
        self._close()

    def _on_findings(self, record: Record, findings: Findings) -> None:
        self._write_diagnosis(record, findings, max(len(record.epochs) - 1, 0))
        self._close()

    def _close(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    # -- writing ---------------------------------------------------------------------------------

    def _steps_per_second(self, steps: int, start_time: float) -> float:
        return (self._steps - steps) / max(time.perf_counter() - start_time, 1e-9)

    def _write_scalars(self, folder: str, values: Mapping[str, Any], step: int) -> None:
        from tensorboard.plugins.scalar.summary_v2 import scalar_pb

        for name, value in values.items():
            if np.ndim(value) == 0:
                self._write(folder, scalar_pb(name, float(value)), step)

    def _write(self, folder: str, summary: Any, step: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        if not processes.is_first():
            return
        if folder not in self._writers:
            make_folder(os.path.join(self.log_dir, folder))
            self._writers[folder] = _writer_class()(os.path.join(self.log_dir, folder))
        event = Event(wall_time=time.time(), step=step, summary=summary)
        self._writers[folder].add_event(event)

    def _write_diagnosis(self, record: Record, findings: Findings, epoch: int) -> None:
        """Statistics that are new, and findings if there are others than before."""
        from tensorboard.plugins.text.summary_v2 import text_pb

        self._measured_at, statistics = last_statistics(record, self._measured_at)
        self._write_scalars("train", statistics, epoch)
        if findings.codes != self._codes:
            self._codes = findings.codes
            text = findings_as_text(findings) or "Nothing is wrong any more."
            self._write("train", text_pb("findings", text), epoch)

    def _write_graph(self) -> None:
        """Write the layers as JSON, which TensorBoard draws, if the model has a graph."""
        from tensorboard.plugins.graph.metadata import PLUGIN_NAME_KERAS_MODEL

        if not hasattr(self.model, "inputs"):
            return
        try:
            text = self.model.to_json()
        except (TypeError, ValueError):  # a layer of the user that cannot be serialized
            return
        metadata = _metadata(PLUGIN_NAME_KERAS_MODEL, b"1")
        self._write("train", _text_summary("keras", [text.encode()], metadata, scalar=True), 0)

    def _write_weights(self, epoch: int) -> None:
        from tensorboard.plugins.histogram.summary_v2 import histogram_pb

        for layer in self.model.layers:
            for weight in layer.weights:
                value = weight.numpy().astype("float32")
                self._write("train", histogram_pb(f"{weight.path}/histogram", value), epoch)
                images = _weight_images(value) if self.write_images else []
                if images:
                    self._write("train", _image_summary(f"{weight.path}/image", images), epoch)

    def _embedding_layers(self) -> list[Embedding]:
        return [layer for layer in all_layers(self.model) if isinstance(layer, Embedding)]

    def _write_projector(self) -> None:
        """Write the configuration of TensorBoard's projector: the files with the vectors."""
        from google.protobuf import text_format
        from tensorboard.plugins import projector

        labels = self.embeddings_metadata
        layers = self._embedding_layers()
        if isinstance(labels, Mapping):
            unknown = sorted(set(labels) - {layer.name for layer in layers})
            if unknown:
                raise ValueError(
                    f"TensorBoard: embeddings_metadata names {', '.join(unknown)}; the Embedding "
                    f"layers are {', '.join(layer.name for layer in layers) or 'none'}."
                )
        config = projector.ProjectorConfig()
        for layer in layers:
            file = labels.get(layer.name) if isinstance(labels, Mapping) else labels
            entry = config.embeddings.add(tensor_name=layer.name, tensor_path=_vectors_file(layer))
            if file:
                entry.metadata_path = file
        if not processes.is_first():
            return
        folder = Path(self.log_dir)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "projector_config.pbtxt").write_text(text_format.MessageToString(config))

    def _write_embeddings(self) -> None:
        for layer in self._embedding_layers():
            vectors = np.asarray(layer.embeddings.numpy(), "float32")
            if processes.is_first():
                file = Path(self.log_dir, _vectors_file(layer))
                np.savetxt(file, vectors, "%.6g", delimiter="\t")

    def _start_profile(self) -> None:
        jax.profiler.start_trace(os.path.join(self.log_dir, "train"))
        self._profiling = True

    def _stop_profile(self) -> None:
        jax.profiler.stop_trace()
        self._profiling = False


def _writer_class() -> Any:
    try:
        # An optional package that is slow to import.
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
    except ImportError:
        raise ImportError(
            "The TensorBoard callback needs the tensorboard package.\n"
            "  Fix: pip install 'lamina[tensorboard]'"
        ) from None
    return EventFileWriter


def _check_frequency(name: str, value: Any, minimum: int = 0) -> int:
    alternatives = ", 'epoch' or 'batch'" if name == "update_freq" else ""
    return check_integer(name, value, minimum, owner="TensorBoard", also=alternatives)


def _first_and_last(profile_batch: Any) -> tuple[int, int]:
    """First and last batch to profile, `(0, 0)` for none; text is `"5"` or `"10,20"`."""
    try:
        parts = profile_batch.split(",") if isinstance(profile_batch, str) else profile_batch
        batches = [int(n) for n in (parts if isinstance(parts, (list, tuple)) else [parts])]
    except (TypeError, ValueError):
        batches = []
    if len(batches) not in (1, 2) or not 0 <= batches[0] <= batches[-1]:
        raise ValueError(
            "TensorBoard: profile_batch must be the number of a batch, or the first and the last "
            f"of several; received {profile_batch!r}."
        )
    return batches[0], batches[-1]


def _learning_rates(optimizer: Any) -> dict[str, float]:
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if hasattr(optimizer, "optimizers"):
        return {f"learning_rate_{o.name}": float(o.learning_rate) for o in optimizer.optimizers}
    rate = getattr(optimizer, "learning_rate", None)
    return {} if rate is None else {"learning_rate": float(rate)}


def _vectors_file(layer: Any) -> str:
    return f"{layer.name.replace('/', '_')}.tsv"


def _weight_images(weight: np.ndarray) -> list[np.ndarray]:
    """A weight as grey images `(height, width)`, 0 to 255; none if it has too many axes."""
    weight = np.squeeze(weight)
    if weight.ndim == 1:
        weight = weight[:, None]
    elif weight.ndim == 2 and weight.shape[0] > weight.shape[1]:
        weight = weight.T
    elif weight.ndim == 3:  # the kernel of a 1D convolution: an image per filter
        weight = np.moveaxis(weight, -1, 0)
    if weight.ndim not in (2, 3):
        return []
    minimum, span = weight.min(), np.ptp(weight) or 1.0
    grey = ((weight - minimum) / span * 255).astype("uint8")
    return list(grey) if weight.ndim == 3 else [grey]


def _image_summary(tag: str, images: list[np.ndarray]) -> Any:
    from PIL import Image
    from tensorboard.plugins.image.metadata import create_summary_metadata

    height, width = images[0].shape
    parts = [str(width).encode(), str(height).encode()]
    for image in images[:16]:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, format="PNG")
        parts.append(buffer.getvalue())
    metadata = create_summary_metadata(display_name=None, description=None)
    return _text_summary(tag, parts, metadata)


def _metadata(plugin: str, content: bytes) -> Any:
    from tensorboard.compat.proto.summary_pb2 import SummaryMetadata

    return SummaryMetadata(
        plugin_data=SummaryMetadata.PluginData(plugin_name=plugin, content=content)
    )


def _text_summary(tag: str, parts: list[bytes], metadata: Any, scalar: bool = False) -> Any:
    """A summary whose tensor holds byte strings."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
    from tensorboard.compat.proto.types_pb2 import DT_STRING

    axes = [] if scalar else [TensorShapeProto.Dim(size=len(parts))]
    tensor = TensorProto(dtype=DT_STRING, string_val=parts, tensor_shape=TensorShapeProto(dim=axes))
    return Summary(value=[Summary.Value(tag=tag, metadata=metadata, tensor=tensor)])
