"""Converts configs in the `.h5` files of Keras 2 and 3 to the layout of a `.keras` file.

Such a config has the class name `Dense` without its module, calls of layers are lists of names, and
some arguments have since been renamed or removed.
"""

from collections.abc import Mapping
from typing import Any

from lamina import losses
from lamina.core.serialization import registry
from lamina.core.serialization.init_arguments import init_argument_names
from lamina.core.types import Config

_RENAMED_CLASSES = {
    "Model": "Functional",  # a model with a graph in Keras 2
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
}
_RENAMED_ARGUMENTS = {
    ("LeakyReLU", "alpha"): "negative_slope",
    ("InputLayer", "batch_input_shape"): "batch_shape",
}
# Arguments of Keras 2 without a meaning in Keras 3. They are dropped if the class does not have
# them.
_REMOVED_ARGUMENTS = {
    "adjustment", "fused", "implementation", "input_spec", "ragged", "sparse", "time_major",
    "query_shape", "key_shape", "value_shape", "virtual_batch_size", "batch_size",
    "inner_max_sequence_length", "synchronized",
}  # fmt: skip
_KEYS_OF_LAYERS = ("layer", "backward_layer", "cell", "cells", "layers")
_REMOVED_OPTIMIZER_ARGUMENTS = {
    "decay",
    "jit_compile",
    "is_legacy_optimizer",
    "exclude_from_weight_decay",
}
_SHORT_METRICS = ("acc", "accuracy", "ce", "crossentropy")


def model_record(config: Any) -> Config:
    """The record of a model from the `model_config` of a file.

    Raises:
        ValueError: If it is not a config.
        UnknownClassError: If it contains code.
    """
    if not _is_record(config):
        raise ValueError("it is not the config of a model.")
    return _convert_layer(_without_tuple_marks(config))


def compile_record(config: Mapping[str, Any], outputs: int) -> Config:
    """A config for `compile_from_config`, from the `training_config` of a file.

    Args:
        config: Loss, metrics and optimizer.
        outputs: Number of outputs of the model.
    """
    config = _without_tuple_marks(config)
    metrics = {}
    for name in ("metrics", "weighted_metrics"):
        metrics_config = config.get(name)
        if (
            outputs == 1
            and isinstance(metrics_config, list)
            and len(metrics_config) == 1
            and isinstance(metrics_config[0], list)
        ):
            metrics_config = metrics_config[0]  # Keras 2 has a list for each output
        metrics[name] = _with_module(metrics_config, "keras.metrics")
    return {
        "optimizer": _convert_optimizer(config.get("optimizer_config")),
        "loss": _with_module(config.get("loss"), "keras.losses"),
        "loss_weights": config.get("loss_weights"),
        **metrics,
    }


def full_names(loss: Any) -> Any:
    """The loss with full names, as Keras expects in old files: `mean_squared_error`, not `mse`."""
    if isinstance(loss, str):
        return getattr(losses.get(loss), "__name__", loss)
    if isinstance(loss, (list, tuple)):
        return [full_names(item) for item in loss]
    if _is_function(loss):
        return loss["config"]
    if isinstance(loss, dict) and not _is_record(loss):
        return {key: full_names(item) for key, item in loss.items()}
    return loss


def functions_by_name(value: Any) -> Any:
    """Metrics with functions replaced by their names, as in Keras's files."""
    if _is_function(value):
        return value["config"]
    if isinstance(value, (list, tuple)):
        return [functions_by_name(item) for item in value]
    if isinstance(value, dict):
        return {key: functions_by_name(item) for key, item in value.items()}
    return value


def _is_function(value: Any) -> bool:
    return isinstance(value, dict) and value.get("class_name") == "function"


def _without_tuple_marks(value: Any) -> Any:
    """The value with tuples as lists; old files have dicts for tuples."""
    if isinstance(value, list):
        return [_without_tuple_marks(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") == "__tuple__" and "items" in value:
        return _without_tuple_marks(value["items"])
    return {key: _without_tuple_marks(item) for key, item in value.items()}


def _is_record(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("class_name"), str) \
        and isinstance(value.get("config"), (dict, list))  # fmt: skip


# -- layers ----------------------------------------------------------------------------------------


def _convert_layer(record: Config) -> dict[str, Any]:
    if "module" in record:
        return record
    name: str = record["class_name"]
    name = _RENAMED_CLASSES.get(name, name)
    config = record["config"]
    if isinstance(config, list):  # a Sequential of Keras 2.0
        config = {"layers": config}
    config = dict(config)
    if name == "Lambda":
        raise registry.UnknownClassError(registry.FILE_HOLDS_CODE)
    _update_arguments(name, config)
    for key in _KEYS_OF_LAYERS:
        config[key] = _convert_inner_layers(config[key]) if key in config else None
        if config[key] is None:
            del config[key]
    if "layers" in config and name != "Sequential" and "input_layers" in config:
        _update_graph(config)
    graph_keys: Config = {key: record[key] for key in ("name", "inbound_nodes") if key in record}
    return {
        "module": _module_of(name, config),
        "class_name": name,
        "config": config,
        "registered_name": name,
        **graph_keys,
    }


def _convert_inner_layers(value: Any) -> Any:
    if isinstance(value, list):
        return [_convert_inner_layers(item) for item in value]
    return _convert_layer(value) if _is_record(value) else value


def _module_of(name: str, config: Config) -> str | None:
    """The namespace of a class. If an operation and a layer share a name, only the layer has
    `trainable` in its config.
    """
    namespaces = registry.namespaces_of(name)
    operations = [namespace for namespace in namespaces if namespace.startswith("keras.src.ops.")]
    if operations and "trainable" not in config and name != "InputLayer":
        return operations[0]
    known_modules = ("keras.layers", "keras.src.models.functional", "keras")
    return next((namespace for namespace in known_modules if namespace in namespaces), None)


def _update_arguments(name: str, config: Config) -> None:
    for (owner, old), new in _RENAMED_ARGUMENTS.items():
        if owner == name and old in config:
            config[new] = config.pop(old)
    axis = config.get("axis")
    if isinstance(axis, list) and len(axis) == 1:
        config["axis"] = axis[0]
    dtype = config.get("dtype")
    if isinstance(dtype, dict) and dtype.get("class_name") in ("Policy", "PolicyV1"):
        config["dtype"] = dtype.get("config", {}).get("name")
    for key, value in config.items():
        if key.endswith("_initializer") and isinstance(value, dict) and "module" not in value:
            settings = {k: v for k, v in value.get("config", {}).items() if k != "dtype"}
            config[key] = {**value, "config": settings}
    namespaces = registry.namespaces_of(name)
    if "keras.layers" in namespaces:
        known_arguments = init_argument_names(registry.find("keras.layers", name))
        for key in _REMOVED_ARGUMENTS & set(config) - known_arguments:
            del config[key]


# -- graphs ----------------------------------------------------------------------------------------


def _update_graph(config: Config) -> None:
    """Convert the calls of layers to the layout of Keras 3.

    Keras 2 writes a call as a list of its inputs: `[[layer name, call, output, arguments], …]`.
    """
    names = {_name_of(record): record["class_name"] for record in config["layers"]}
    nested = {
        name for name, class_name in names.items() if class_name in ("Functional", "Sequential")
    }
    is_old = any(isinstance(n, list) for layer in config["layers"] for n in _inbound_nodes(layer))

    def call_index(name: str, index: int) -> int:
        # Keras 2 counts the creation of a nested model as its first call.
        return index - 1 if name in nested and index else index

    def is_reference(value: Any) -> bool:
        return isinstance(value, list) and len(value) >= 3 and isinstance(value[0], str) \
            and value[0] in names and all(isinstance(n, int) for n in value[1:3])  # fmt: skip

    def convert_argument(value: Any) -> Any:
        if is_reference(value):
            history = [value[0], call_index(value[0], value[1]), value[2]]
            return {"class_name": "__keras_tensor__", "config": {"keras_history": history}}
        if isinstance(value, list):
            if len(value) >= 3 and value[0] == "_CONSTANT_VALUE":
                return value[2]
            return [convert_argument(item) for item in value]
        if isinstance(value, dict):
            return {key: convert_argument(item) for key, item in value.items()}
        return value

    def convert_node(entries: Any) -> Any:
        if isinstance(entries, dict):
            return entries
        if is_reference(entries):
            entries = [entries]
        tensors = [convert_argument(entry) for entry in entries]
        kwargs = entries[0][3] if entries and len(entries[0]) > 3 else {}
        inputs = tensors[0] if len(tensors) == 1 else tensors
        return {"args": [inputs], "kwargs": convert_argument(kwargs)}

    for record in config["layers"]:
        record["inbound_nodes"] = [convert_node(entries) for entries in _inbound_nodes(record)]
        record.setdefault("name", _name_of(record))

    if not is_old:
        return

    def convert_endpoint(value: Any) -> Any:
        if is_reference(value):
            name, index, tensor = value[:3]
            first_index = 1 if names[name] == "Functional" else 0
            return [name, call_index(name, index) + first_index, tensor]
        return [convert_endpoint(item) for item in value] if isinstance(value, list) else value

    for key in ("input_layers", "output_layers"):
        config[key] = convert_endpoint(config[key])


def _name_of(record: Any) -> str:
    name: str = record.get("name") or record["config"].get("name")
    return name


def _inbound_nodes(record: Config) -> list[Any]:
    return record.get("inbound_nodes") or []


# -- arguments of compile --------------------------------------------------------------------------


def _with_module(value: Any, namespace: str) -> Any:
    if isinstance(value, list):
        return [_with_module(item, namespace) for item in value]
    if isinstance(value, str):  # perhaps a function that the user has registered
        return registry.get_registered_object(value) or value
    if not isinstance(value, dict) or "module" in value:
        return value
    if not _is_record(value):
        return {key: _with_module(item, namespace) for key, item in value.items()}
    name, config = value["class_name"], dict(value["config"])
    if name == "MeanMetricWrapper" and isinstance(config.get("fn"), str):
        return config["name"] if config.get("name") in _SHORT_METRICS else config["fn"]
    if config.get("reduction") == "auto":
        config["reduction"] = "sum_over_batch_size"
    module = namespace if namespace in registry.namespaces_of(name) else None
    return {"module": module, "class_name": name, "config": config, "registered_name": name}


def _convert_optimizer(record: Any) -> Any:
    if not _is_record(record) or "module" in record:
        return record
    # In files of TensorFlow 2.11 and later, the name is `Custom>Adam`.
    name = record["class_name"].rpartition(">")[2]
    is_known = "keras.optimizers" in registry.namespaces_of(name)
    config = dict(record["config"])
    if "lr" in config:
        config["learning_rate"] = config.pop("lr")
    if is_known:
        config = {k: v for k, v in config.items() if k not in _REMOVED_OPTIMIZER_ARGUMENTS}
    if config.get("weight_decay") is False:
        config["weight_decay"] = None
    config["learning_rate"] = _with_module(
        config.get("learning_rate", 0.001), "keras.optimizers.schedules"
    )
    return {
        "module": "keras.optimizers" if is_known else None,
        "class_name": name if is_known else record["class_name"],
        "config": config,
        "registered_name": None if is_known else record["class_name"],
    }
