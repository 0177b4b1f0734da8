"""The benchmark's arithmetic, and that its own contenders still run."""

import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def _benchmarks_can_be_imported(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    yield
    for name in ("first_network", "machine", "report", "peers", "peers.job"):
        sys.modules.pop(name, None)


def _rounds(later, cold):
    """Three rounds; in the second the machine is half as fast, for everybody."""
    return [
        {
            "import": 0.5,
            "epochs": [2.0, later * slowness, later * slowness],
            "cold": cold * slowness,
            "peak_memory": 5e8,
            "accuracy": 0.97,
            "versions": {"some": "1.0"},
            "used_by_others": 0.1,
        }
        for slowness in (1, 2, 1)
    ]


@pytest.fixture
def results():
    return {
        "machine": "2 cores, AVX-512",
        "date": "2020-01-01",
        "data": "MNIST",
        "rounds": 3,
        "epochs": 3,
        "peak_flops_per_second": 100e9,
        "flops_per_epoch": 25e9,
        "runs": {
            "Lamina, first start": _rounds(later=0.5, cold=4),
            "Lamina, second start": _rounds(later=0.5, cold=2),
            "Keras on JAX, default": _rounds(later=2, cold=8),
            "Keras on JAX, 25 steps": _rounds(later=0.8, cold=9),
        },
        "not_installed": ["Keras on TensorFlow, default"],
        "failed": {"PyTorch loop by hand": "ImportError"},
    }


def test_ratios_are_taken_against_the_best_row_of_a_peer(results):
    import report

    by_aim = {row[0]: row[1:] for row in report.ratios(results)}
    assert by_aim["later epoch, Keras on JAX at its best"] == ("1.60", "1.8", "missed by 11%")
    assert by_aim["cold process, Keras on JAX"] == ("2.00", "3.0", "missed by 33%")
    assert by_aim["cold process, second start against the first"] == ("2.00", "1.3", "met")


def test_what_was_not_measured_is_said_and_not_made_up(results):
    import report

    verdicts = {row[0]: row[3] for row in report.ratios(results)}
    assert verdicts["later epoch, Keras on TensorFlow, default"] == "not measured"
    first_cells = {row[0]: row[1] for row in report.measured_rows(results)}
    assert first_cells["Keras on TensorFlow, default"] == "not installed"
    assert first_cells["PyTorch loop by hand"] == "failed"


def test_share_of_the_peak_counts_the_arithmetic_of_one_later_epoch(results):
    import report

    row = report.measured_rows(results)[0]
    assert row[3] == "0.500"
    assert row[-1] == "50%"  # 25 GFLOP in half a second, of 100 GFLOP/s


def test_writing_a_page_keeps_its_prose(results, tmp_path):
    import report

    page = tmp_path / "page.md"
    page.write_text("Before.\n<!-- measured: begin -->\nstale\n<!-- measured: end -->\nAfter.\n")
    report.write_page(page, results)
    report.write_page(page, results)  # and a second time
    text = page.read_text()
    assert text.startswith("Before.\n")
    assert text.endswith("\nAfter.\n")
    assert "stale" not in text
    assert text.count("| Lamina, first start |") == 1
    assert "Other programs used 10% of the machine" in text


def test_a_page_without_markers_is_refused(results, tmp_path):
    import report

    page = tmp_path / "page.md"
    page.write_text("Nothing to fill in.\n")
    with pytest.raises(ValueError, match="no markers"):
        report.write_page(page, results)


def test_operations_of_a_training_step_agree_with_what_the_compiler_counts():
    import jax
    import jax.numpy as jnp
    import machine

    sizes, batch = (784, 128, 128, 10), 32
    kernels = [jnp.zeros(shape) for shape in zip(sizes, sizes[1:], strict=False)]

    def loss(kernels, x):
        for kernel in kernels:
            x = jnp.tanh(x @ kernel)
        return x.sum()

    compiled = jax.jit(jax.grad(loss)).lower(kernels, jnp.zeros((batch, 784))).compile()
    counted = compiled.cost_analysis()["flops"]
    # The compiler also counts what is not a matrix product, about one in a hundred here.
    assert machine.training_step_flops(sizes, batch) == pytest.approx(counted, rel=0.02)


@pytest.mark.extra
@pytest.mark.parametrize("name", ["FIRST_START", "SCAN", "SKLEARN"])
def test_contenders_of_our_own_environment_run(name, tmp_path, rng):
    import first_network

    data = tmp_path / "data.npz"
    images = rng.integers(0, 256, (64, 28, 28)).astype("uint8")
    labels = np.arange(64, dtype="uint8") % 10
    np.savez(data, x_train=images, y_train=labels, x_test=images, y_test=labels)
    result = first_network.run(getattr(first_network, name), data, 2, tmp_path / "run")
    assert len(result["epochs"]) == 2
    assert result["cold"] > sum(result["epochs"])
    assert result["peak_memory"] > 1e7
