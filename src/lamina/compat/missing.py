"""Messages for names of TensorFlow and Keras that Lamina does not have."""

from collections.abc import Iterable

from lamina.core.messages.errors import did_you_mean

# From names, without the prefix `tensorflow.` or `…keras.`, to what to use instead.
_TENSORFLOW = {
    "Graph": "nothing is needed: functions run as they are written, and fit compiles them",
    "Module": "lamina.Layer or lamina.Model",
    "RaggedTensor": "arrays padded to one length, with a Masking layer or sample weights",
    "Session": "nothing is needed: this is TensorFlow 1; arrays have values at once",
    "TensorArray": "a Python list, or lamina.ops.scan",
    "app": "an ordinary main() function; this is TensorFlow 1",
    "clip_by_norm": "clipnorm=… of the optimizer",
    "compat": "the TensorFlow 2 spelling: Lamina has none of TensorFlow 1",
    "cond": "lamina.ops.cond, or an ordinary if",
    "contrib": "lamina.layers; this is TensorFlow 1",
    "data": (
        "tf.data.Dataset, of which Lamina has from_tensor_slices, from_generator, range, zip "
        "and the usual transformations; lamina.utils.PyDataset for batches that are computed when "
        "they are needed"
    ),
    "distribute": (
        "tf.distribute.MirroredStrategy, MultiWorkerMirroredStrategy or OneDeviceStrategy; "
        "lamina.distribution for weights that are divided over devices"
    ),
    "estimator": "model.fit, evaluate and predict",
    "feature_column": "lamina.utils.FeatureSpace",
    "global_variables_initializer": "nothing is needed: this is TensorFlow 1",
    "image": "lamina.ops.image (e.g. lamina.ops.image.resize), or preprocessing layers",
    "io": "Python's open(), pathlib, and Pillow for images",
    "lite": "nothing yet: Lamina does not export to TensorFlow Lite",
    "map_fn": "lamina.ops.map or lamina.ops.vectorized_map",
    "numpy_function": "plain NumPy, outside the model",
    "placeholder": "lamina.Input; this is TensorFlow 1",
    "profiler": "jax.profiler",
    "py_function": "plain Python, outside the model",
    "saved_model": "model.save(path) and lamina.models.load_model(path)",
    "signal": "lamina.ops.stft, lamina.ops.fft and their inverses",
    "sparse": "dense arrays",
    "strings": "Python's own strings before fit, or the layers TextVectorization and StringLookup",
    "summary": "the TensorBoard callback",
    "train": "lamina.optimizers, and model.save_weights in place of a Checkpoint",
    "vectorized_map": "lamina.ops.vectorized_map",
    "while_loop": "lamina.ops.while_loop, or an ordinary loop",
}

_KERAS = {
    "wrappers.scikit_learn": "lamina.wrappers.SKLearnClassifier and SKLearnRegressor",
    "wrappers.scikit_learn.KerasClassifier": "lamina.wrappers.SKLearnClassifier",
    "wrappers.scikit_learn.KerasRegressor": "lamina.wrappers.SKLearnRegressor",
}


def explain(fullname: str, known_names: Iterable[str] = ()) -> str:
    """The message for a name that Lamina does not have.

    Args:
        fullname: The name in the script, e.g. `tensorflow.GradientTape`.
        known_names: Names of the same module that exist; the most similar one is suggested.
    """
    text = f"Lamina runs this script instead of TensorFlow, and has no {fullname!r}."
    hint = _hint(fullname)
    suggestion = did_you_mean(fullname.rpartition(".")[2], known_names)
    if hint is not None:
        return f"{text}\n  Use instead: {hint}."
    if suggestion or "keras" in fullname.split("."):
        return text + suggestion
    return (
        f"{text}\n  Use instead: jax.numpy, which has most functions of arrays under NumPy's "
        "names, or lamina.ops."
    )


def explain_module(fullname: str, known_names: Iterable[str] = ()) -> str:
    """The message for a module that Lamina does not have, with another module to look in."""
    text = explain(fullname, known_names)
    parent = fullname.rpartition(".")[0]
    if known_names and "\n" not in text and "Did you mean" not in text:
        text += f"\n  Fix: its contents may be in {parent} now, e.g. from {parent} import …"
    return text


def _hint(fullname: str) -> str | None:
    parts = fullname.split(".")
    table = _TENSORFLOW
    if "keras" in parts or parts[0] == "tf_keras":
        start = parts.index("keras") if "keras" in parts else 0
        parts, table = parts[start:], _KERAS
    path = parts[1:]
    # The longest known prefix decides: the entry for `data.Dataset.range` is that of `data`.
    for length in range(len(path), 0, -1):
        entry = table.get(".".join(path[:length]))
        if entry is not None:
            return entry
    return None
