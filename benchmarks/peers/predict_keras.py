"""Asks a model: one sample, many, odd numbers of them; and models that come and go.

Lamina and Keras run this file. Memory and compilations are looked at for Lamina only.
"""

import argparse
import importlib

import numpy as np
import workloads
from gauges import Compilations, finish, median_seconds, resident_memory

parser = argparse.ArgumentParser()
parser.add_argument("--library", choices=["keras", "lamina"], default="keras")
parser.add_argument("--repeats", type=int, default=200)
parser.add_argument("--odd", type=int, default=20_000, help="predictions at odd batch sizes")
parser.add_argument("--lives", type=int, default=200, help="rounds of build, fit, delete")
options = parser.parse_args()

keras = importlib.import_module(options.library)
workload = workloads.load("mlp")
rng = np.random.default_rng(seed=0)
x, y = workload.arrays(rng, 10_000)
model = workload.keras_model(keras)
results = {}


def raw():
    """The same network as one compiled function of its weights, asked by hand."""
    import jax

    weights = [jax.numpy.asarray(w) for w in model.get_weights()]
    params = list(zip(weights[::2], weights[1::2], strict=True))
    _, logits = workload.jax_model()
    forward = jax.jit(lambda params, x: jax.nn.softmax(logits(params, (), x, None)[0]))
    return lambda x: np.asarray(forward(params, x))


one = x[:1]
if options.library == "lamina":
    compiled = raw()
    np.testing.assert_allclose(compiled(one), model.predict(one, verbose=0), rtol=1e-4, atol=1e-6)
    # In turn, a few times, so that a machine whose speed drifts slows both.
    pairs = [
        (
            median_seconds(lambda: compiled(one), options.repeats),
            median_seconds(lambda: model.predict(one, verbose=0), options.repeats),
        )
        for _ in range(5)
    ]
    results["raw_one"], results["one"] = (
        float(np.median(column)) for column in np.transpose(pairs)
    )
    results["one_extra"] = float(np.median([ours - theirs for theirs, ours in pairs]))
    results["raw_many"] = median_seconds(lambda: compiled(x), 5)
else:
    results["one"] = median_seconds(lambda: model.predict(one, verbose=0), options.repeats)
results["many"] = median_seconds(lambda: model.predict(x, verbose=0), 5)

if options.library == "lamina":
    sizes = rng.integers(1, 301, options.odd)
    compilations = Compilations()
    model = workload.keras_model(keras)
    model.predict(x[:1], verbose=0)
    before = resident_memory()
    for size in sizes:
        model.predict(x[:size], verbose=0)
    results["odd_predictions"] = options.odd
    results["odd_growth"] = resident_memory() - before
    results["odd_compilations"] = compilations.count("predict")

    compilations.names.clear()

    def life():
        model = workload.keras_model(keras)
        model.compile(optimizer="adam", loss=workload.LOSS, metrics=["accuracy"])
        model.fit(x[:256], y[:256], verbose=0)

    life()
    before = resident_memory()
    for _ in range(options.lives - 1):
        life()
    results["lives"] = options.lives
    results["lives_growth"] = resident_memory() - before
    results["lives_compilations"] = compilations.count("train")

finish(results)
