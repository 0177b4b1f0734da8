"""The suite's arithmetic, that its models agree, and the page it writes; nothing is timed."""

import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def _benchmarks_can_be_imported(monkeypatch):
    before = set(sys.modules)
    monkeypatch.syspath_prepend(BENCHMARKS)
    yield
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(BENCHMARKS)):
            del sys.modules[name]


def _rounds(first, later, steps=100, memory=300e6):
    """Two rounds; in the second the machine is half as fast, for everybody."""
    return [
        {
            "epochs": [first * slowness, later * slowness, later * slowness],
            "loss": 0.5,
            "steps": steps,
            "import": 0.5,
            "peak_memory": memory,
            "parameters": 1_000_000,
            "versions": {"some": "1.0"},
            "used_by_others": 0.1,
            "cold": True,
        }
        for slowness in (1, 2)
    ]


@pytest.fixture
def measured():
    return {
        "workload": "mlp",
        "title": "784-128-128-10",
        "machine": "2 cores, AVX-512",
        "date": "2020-01-01",
        "steps": 100,
        "rounds": 2,
        "flops_per_step": 1e9,
        "activation_bytes": 1e6,
        "data_bytes": 100e6,
        "runs": {
            "Lamina": _rounds(first=3, later=1),
            "Lamina, second start": _rounds(first=1.5, later=1),
            "JAX by hand": _rounds(first=4, later=1.1),
            "Keras on JAX, default": _rounds(first=2, later=1, steps=20),
            "Keras on JAX, 10 steps": _rounds(first=2, later=0.28, steps=20),
        },
        "not_installed": ["PyTorch by hand"],
        "failed": {"scikit-learn": "no such module"},
    }


@pytest.fixture
def results(measured):
    return {
        "machine": "2 cores, AVX-512",
        "date": "2020-01-01",
        "machine_limits": {
            "flops_per_second": 200e9,
            # Timing the smallest set is the least exact: it is no slower than the next.
            "bandwidth": {"1000000": 20e9, "16000000": 50e9, "500000000": 10e9},
            "jax_memory": 100e6,
        },
        "training": {"mlp": measured},
    }


def _by_key(results):
    import targets

    return {target.key: target for target in targets.all_targets(results)}


def test_contenders_with_shorter_epochs_are_compared_by_the_step(results):
    found = _by_key(results)["mlp.peer"]
    # 0.28 s for 20 steps against 1 s for 100.
    assert found.value == pytest.approx(1.4)
    assert "Keras on JAX, 10 steps" in found.text
    assert found.verdict() == "missed by 7%"


def test_a_first_epoch_is_what_compiling_adds_and_all_its_steps(results):
    import training_report

    default = results["training"]["mlp"]["runs"]["Keras on JAX, default"]
    # (2 - 1) + 100 × 0.05 s in the first round, twice that in the second.
    assert training_report.first_epoch(default, steps=100) == pytest.approx(9)
    assert _by_key(results)["mlp.second_start"].value == pytest.approx(4)


def test_a_first_epoch_does_not_count_where_the_library_was_warm(results):
    import targets
    import training_report

    tuned = results["training"]["mlp"]["runs"]["Keras on JAX, 10 steps"]
    for run in tuned:
        run["cold"] = False
    assert training_report.first_epoch(tuned, steps=100) is None
    name, seconds = targets.quickest_first_epoch(results["training"]["mlp"])
    assert (name, seconds) == ("Keras on JAX, default", pytest.approx(9))
    cells = dict(
        zip(
            training_report.COLUMNS,
            training_report.measured_rows(results["training"]["mlp"])[4],
            strict=True,
        )
    )
    assert cells["first epoch, s"] == cells["peak memory, MB"] == ""


def test_the_limit_of_a_step_is_its_products_or_its_memory_traffic_whichever_is_longer(measured):
    import targets

    limits = {"flops_per_second": 200e9, "bandwidth": {"1000000": 20e9, "50000000": 50e9}}
    found = targets.limit_seconds(measured, limits)
    assert found["compute"] == pytest.approx(5e-3)
    # Six passes over 4 MB of parameters, 1 MB of batch, 2 MB of activations.
    assert found["memory"] == pytest.approx(27e6 / 50e9)
    assert found["limit"] == found["compute"]


def test_memory_allowed_is_jax_and_half_more_than_what_is_needed(results):
    import targets

    allowed = targets.memory_bound(results["training"]["mlp"], results["machine_limits"])
    assert allowed == pytest.approx(100e6 + 1.5 * (100e6 + 16e6 + 1e6))
    assert not _by_key(results)["mlp.memory"].met  # 300 MB


def test_what_was_not_measured_is_neither_met_nor_missed():
    import targets

    verdicts = {target.verdict() for target in targets.all_targets({})}
    assert verdicts == {"not measured"}


@pytest.mark.parametrize(
    ("aim", "value", "at_least", "verdict"),
    [
        (1.5, 1.5, True, "met"),
        (1.5, 1.2, True, "missed by 20%"),
        (1.0, 0.995, True, "missed by less than 1%"),
        (100, 150, False, "missed by 50%"),
        (10, 9, False, "met"),
    ],
)
def test_a_verdict_says_by_how_much_a_target_is_missed(aim, value, at_least, verdict):
    import targets

    assert targets.Target("key", "text", aim, value, at_least=at_least).verdict() == verdict


def test_the_page_keeps_its_prose_and_says_who_is_missing(results, tmp_path, monkeypatch):
    import page
    import targets

    monkeypatch.setattr(targets, "reasons", lambda: {"mlp.peer": "Because of the weather."})
    path = tmp_path / "performance.md"
    path.write_text("Before.\n<!-- suite: begin -->\nstale\n<!-- suite: end -->\n## Levers\nkept\n")
    page.write(path, results)
    page.write(path, results)  # and a second time
    text = path.read_text()
    assert text.startswith("Before.\n")
    assert text.endswith("\n## Levers\nkept\n")
    assert "stale" not in text
    assert text.count("Because of the weather.") == 1
    assert "| PyTorch by hand | not installed |" in text
    assert "| scikit-learn | no such module |" in text
    assert "not measured" in text
    assert "Keras on JAX" in path.with_suffix(".svg").read_text()


def test_a_layer_is_compared_with_the_best_of_its_peers():
    import targets

    results = {
        "Lamina": {"Conv1D": 2.0, "GRU": 1.0},
        "Lamina with kernels": {"Conv1D": 0.1, "GRU": 0.1},
        "Keras on JAX": {"Conv1D": 8.0, "GRU": 3.0},
        "PyTorch by hand": {"Conv1D": 1.0, "GRU": 9.0},
    }
    assert targets.layer_ratios(results) == {"Conv1D": 0.5, "GRU": 3.0}
    del results["PyTorch by hand"]
    assert targets.layer_ratios(results) == {"Conv1D": 4.0, "GRU": 3.0}
    (target,) = (t for t in targets.all_targets({"layers": results}) if t.key == "layers.slowest")
    assert (target.value, target.met) == (3.0, True)
    assert target.text.endswith("GRU")


def test_what_was_measured_of_layers_and_models_is_on_the_page():
    import building
    import page

    tasks = dict.fromkeys(building.TASKS, 0.25)
    results = {
        "machine": "2 cores",
        "date": "2020-01-01",
        "layers": {
            "Lamina": {"GRU": 0.001},
            "Keras on JAX": {"GRU": 0.003},
            "PyTorch by hand": {"failed": "not installed"},
        },
        "building": {"Lamina": tasks, "Keras on JAX": {"failed": "not installed"}},
    }
    sections = page.sections(results, "picture.svg")
    assert list(sections) == ["layers", "building"]  # the rest of the page stays as it is
    assert "| GRU | 1.000 | 3.000 | 3.00× |" in sections["layers"]
    assert "| Lamina | 250.000 |" in sections["building"]


@pytest.mark.parametrize("axis", ["samples", "length", "classes", "vocabulary", "depth"])
def test_a_network_that_grows_is_the_same_in_both_libraries(axis, monkeypatch):
    import keras

    monkeypatch.syspath_prepend(BENCHMARKS / "peers")
    import scale_cases

    value = scale_cases.VALUES[axis][0]
    model = scale_cases.keras_model(keras, axis, value)
    case = scale_cases.make_case(axis, value)
    assert model(case.x[:2]).shape == (2, case.classes or 1)
    assert len(case.x) % case.batch_size == 0


def test_the_growth_of_costs_is_drawn_and_listed(tmp_path):
    import page
    import scale

    results = {
        "length": {
            "Lamina": {"64": {"step": 0.002, "memory": 5e6}, "256": {"failed": "not done"}},
            "PyTorch by hand": {"64": {"step": 0.004, "memory": 6e6}, "256": {"failed": "memory"}},
        }
    }
    path = tmp_path / "performance.md"
    path.write_text("<!-- scale: begin -->\n<!-- scale: end -->\n")
    page.write(path, {"machine": "2 cores", "date": "2020-01-01", "scale": results})
    text = path.read_text()
    assert "| 64 | 2 (5) | 4 (6) |" in text
    assert "| 256 | not done | memory |" in text
    assert "PyTorch by hand" in (tmp_path / "performance-scale.svg").read_text()
    assert scale.TITLES["length"][1:] in text


def test_a_page_without_markers_is_refused(results, tmp_path):
    import page

    path = tmp_path / "page.md"
    path.write_text("Nothing to fill in.\n")
    with pytest.raises(ValueError, match="no markers"):
        page.write(path, results)


@pytest.mark.parametrize(
    ("chosen", "message"), [("lamina,tensor-flow", "no contender 'tensor-flow'"), ("", "there are")]
)
def test_an_unknown_contender_is_named(chosen, message):
    import argparse

    import train

    with pytest.raises(argparse.ArgumentTypeError, match=message):
        train.names(chosen)


@pytest.mark.extra
@pytest.mark.parametrize("key", ["lamina", "jax"])
def test_contenders_of_our_own_environment_train(key, tmp_path):
    import contender
    import train
    import training_report
    import workloads

    x, y = workloads.load("table").arrays(np.random.default_rng(seed=0), 512)
    np.savez(tmp_path / "data.npz", x=x, y=y)
    arguments = ("table", tmp_path / "data.npz", "--steps", 2, "--later", 2)
    result = contender.run(train.CONTENDERS[key], arguments, tmp_path / "run")
    (row,) = training_report.rows_of("Some", {**result, "steps": 2})
    assert len(row["epochs"]) == 3
    assert row["peak_memory"] > 1e7
    assert 0 < row["loss"] < 2


def test_a_contender_that_fails_gives_its_last_words(tmp_path):
    import contender
    import train

    found = contender.attempt(train.CONTENDERS["jax"], ("nonsense", "data", "--steps", 1), tmp_path)
    assert found == {"failed": "ModuleNotFoundError: No module named 'workloads.nonsense'"}


def test_a_contender_that_takes_too_long_is_ended(tmp_path):
    import contender

    script = tmp_path / "slow.py"
    script.write_text("import time; time.sleep(60)")
    slow = contender.Contender("slow", str(script))
    assert contender.attempt(slow, (), tmp_path, limit=0.01) == {"failed": "not done within 0 s"}


@pytest.mark.parametrize("name", ["mlp", "table", "cnn", "lstm", "transformer", "gpt", "deep_cnn"])
def test_the_model_in_jax_has_the_parameters_of_the_one_in_keras_words(name):
    import jax
    import workloads

    import lamina

    workload = workloads.load(name)
    init, logits = workload.jax_model()
    params, state = jax.eval_shape(init, jax.random.key(0))
    model = workload.keras_model(lamina)
    counted = sum(a.size for a in jax.tree.leaves((params, state)))
    # MultiHeadAttention has one bias more than it needs, of the keys; so does the hand's.
    assert counted == model.count_params()
    x, _ = workload.arrays(np.random.default_rng(seed=0), 2)
    outputs, _ = jax.eval_shape(logits, params, state, x, jax.random.key(0))
    assert outputs.shape == model.compute_output_shape(x.shape)


@pytest.mark.parametrize("name", ["cnn", "deep_cnn"])
def test_every_place_of_an_image_costs_the_size_of_the_kernel(name):
    import workloads

    import lamina

    workload = workloads.load(name)
    layers = [layer for layer in workload.keras_model(lamina).layers if hasattr(layer, "kernel")]
    counted = sum(np.prod(la.output.shape[1:-1]) * np.prod(la.kernel.shape) for la in layers)
    assert sum(cost.multiply_adds for cost in workload.costs()) == counted


# Not lstm: its loop over time is written once, whatever its length.
@pytest.mark.parametrize("name", ["mlp", "table", "transformer", "gpt"])
def test_operations_of_a_step_agree_with_what_the_compiler_counts(name):
    import jax
    import workloads

    workload = workloads.load(name)
    init, logits = workload.jax_model()
    x, _ = workload.arrays(np.random.default_rng(seed=0), workload.BATCH_SIZE)
    params, state = jax.eval_shape(init, jax.random.key(0))

    def loss(params, state, x, key):
        return logits(params, state, x, key)[0].sum()

    lowered = jax.jit(jax.grad(loss)).lower(params, state, x, jax.random.key(0))
    products = sum(_operations(line) for line in lowered.as_text().splitlines())
    assert workloads.training_flops(workload) == pytest.approx(products, rel=0.05)


@pytest.mark.parametrize("name", ["mlp", "cnn", "deep_cnn", "lstm", "transformer", "gpt"])
def test_products_of_a_step_in_bfloat16_have_results_of_float32(name):
    import jax
    import workloads

    import lamina
    from lamina.training.precision import Precision

    workload = workloads.load(name)
    model = workload.keras_model(lamina)
    x, _ = workload.arrays(np.random.default_rng(seed=0), 2)
    weights, others = (
        [v.value for v in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    )

    def loss(weights):
        call = Precision("mixed_bfloat16").apply_to(
            lambda x: model.stateless_call(weights, others, x, training=True), model.outputs
        )
        return call(x)[0].sum()

    text = jax.jit(jax.grad(loss)).lower(weights).as_text()
    found = {_types(line) for line in text.splitlines() if "stablehlo.dot_general" in line}
    assert {types for types in found if "bf16" in types} == {("bf16", "bf16", "f32")}


def _types(line):
    """The types of the operands and of the result of a product in StableHLO."""
    import re

    return tuple(re.findall(r"tensor<(?:\d+x)*(\w+)>", line))


def _operations(line):
    """Of a matrix product in StableHLO: two for each multiplication."""
    import re

    if "stablehlo.dot_general" not in line:
        return 0
    contracting = re.search(r"contracting_dims = \[([\d, ]*)\]", line)[1]
    left, _, result = re.findall(r"tensor<([\dx]*)xf32>", line)
    sizes = [int(n) for n in left.split("x")]
    summed = np.prod([sizes[int(axis)] for axis in contracting.split(",")])
    return 2 * summed * np.prod([int(n) for n in result.split("x")])
