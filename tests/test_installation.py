"""Each check of the installation finds what it looks for, and names what mends it."""

import importlib.metadata
import types
import zlib

import numpy as np
import pytest

from lamina import installation as checks
from lamina.ops.lowering import compiled_kernels


def found(check, subject, state):
    findings = [f for f in check() if f.subject == subject and f.state == state]
    assert len(findings) == 1, check()
    return findings[0]


def test_a_check_that_fails_itself_is_a_finding(monkeypatch):
    def cannot_look():
        raise OSError("no access")

    monkeypatch.setattr(checks, "CHECKS", (cannot_look, checks.python))
    first, second = checks.run_all()
    assert first == ("cannot look", "broken", "OSError: no access", None)
    assert second.state == "ok"


def test_a_missing_package_is_found(monkeypatch):
    version = importlib.metadata.version

    def without_optax(name):
        if name == "optax":
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", without_optax)
    assert found(checks.packages, "optax", "broken").remedy.startswith('pip install "optax>=')


def test_a_package_that_is_too_old_is_found(monkeypatch):
    version = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata, "version", lambda name: "0.1" if name == "h5py" else version(name)
    )
    finding = found(checks.packages, "h5py", "broken")
    assert "0.1, and Lamina needs >=" in finding.text


def test_jax_and_jaxlib_that_differ_are_found(monkeypatch):
    versions = {"jax": "0.10.2", "jaxlib": "0.9.0"}
    monkeypatch.setattr(importlib.metadata, "version", versions.__getitem__)
    assert found(checks.jax_versions, "JAX", "note").remedy == (
        "pip install jax==0.10.2 jaxlib==0.10.2"
    )


def test_a_gpu_that_jax_does_not_use_is_found(monkeypatch):
    if {d.platform for d in __import__("jax").devices()} != {"cpu"}:
        pytest.skip("JAX uses a GPU here")
    monkeypatch.setattr(checks, "has_nvidia_gpu", lambda: True)
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    assert found(checks.devices, "GPU", "note").remedy == 'pip install --upgrade "jax[cuda12]"'
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    assert found(checks.devices, "GPU", "note").remedy.startswith("unset JAX_PLATFORMS")


@pytest.mark.parametrize(
    ("chosen", "remedy"),
    [("tpu", "unset JAX_PLATFORMS"), (None, "pip install --upgrade jax jaxlib")],
)
def test_a_jax_that_finds_no_device_is_found(monkeypatch, chosen, remedy):
    def devices():
        raise RuntimeError("Unable to initialize backend")

    monkeypatch.setattr("jax.devices", devices)
    if chosen:
        monkeypatch.setenv("JAX_PLATFORMS", chosen)
    else:
        monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    finding = found(checks.devices, "Devices", "broken")
    assert finding.remedy == remedy
    assert "Unable to initialize backend" in finding.text


def test_a_jax_that_computes_wrongly_is_found(monkeypatch):
    monkeypatch.setattr("jax.grad", lambda function: lambda x: x * 5)
    assert "wrong result: 5.0" in found(checks.devices, "Devices", "broken").text


def kernels_that_run(instructions):
    package = types.SimpleNamespace(instructions=lambda: instructions)
    return compiled_kernels.Kernels(package)


def test_kernels_that_are_used_are_named_with_their_instructions(monkeypatch):
    monkeypatch.delenv("LAMINA_KERNELS_INSTRUCTIONS", raising=False)
    monkeypatch.setattr(compiled_kernels, "found", lambda: kernels_that_run("AVX-512"))
    assert found(checks.kernels, "Kernels", "ok").text.endswith("with AVX-512 instructions")
    monkeypatch.setenv("LAMINA_KERNELS_INSTRUCTIONS", "avx512")
    assert found(checks.kernels, "Kernels", "ok")


def test_instructions_that_are_asked_for_and_not_there_are_found(monkeypatch):
    monkeypatch.setenv("LAMINA_KERNELS_INSTRUCTIONS", "avx512")
    monkeypatch.setattr(compiled_kernels, "found", lambda: kernels_that_run("AVX2"))
    finding = found(checks.kernels, "Kernels", "note")
    assert "with AVX2 instructions; LAMINA_KERNELS_INSTRUCTIONS asks for avx512" in finding.text
    assert finding.remedy == "unset LAMINA_KERNELS_INSTRUCTIONS"


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("LAMINA_KERNELS is 0", "unset LAMINA_KERNELS"),
        ("the package was installed without its library", "kernels"),
        ("liblamina_kernels.so is not the file that was installed", "kernels"),
        ("lamina-kernels is not installed", "kernels"),
        ("there are 8 devices, and they serve one CPU", None),
    ],
)
def test_kernels_that_are_not_used_are_found_with_the_reason(monkeypatch, reason, remedy):
    kernels = compiled_kernels.Kernels(None, reason)
    monkeypatch.setattr(compiled_kernels, "found", lambda: kernels)
    finding = found(checks.kernels, "Kernels", "note")
    assert finding.text == f"not used, programs are plain JAX: {reason}"
    assert remedy is None and finding.remedy is None or remedy in finding.remedy


def test_lamina_works_without_the_package_of_kernels(monkeypatch):
    version = importlib.metadata.version

    def without_kernels(name):
        if name == "lamina-kernels":
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", without_kernels)
    assert {finding.state for finding in checks.packages()} == {"ok"}


def test_a_cache_that_cannot_be_written_is_found(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LAMINA_CACHE", str(tmp_path / "file" / "below"))
    assert "LAMINA_CACHE" in found(checks.cache, "Cache", "broken").remedy


def test_a_full_disk_is_found_with_what_to_delete(monkeypatch, tmp_path):
    monkeypatch.setenv("LAMINA_CACHE", str(tmp_path))
    usage = checks.shutil.disk_usage(tmp_path)._replace(free=10**8)
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda path: usage)
    assert found(checks.cache, "Disk", "note").remedy == "free some space"
    monkeypatch.setattr(checks, "_size", lambda folder: 2**30)
    assert found(checks.cache, "Disk", "note").remedy == f"rm -r {tmp_path / 'programs'}"


def test_a_damaged_program_in_the_cache_is_found(monkeypatch, tmp_path):
    monkeypatch.setenv("LAMINA_CACHE", str(tmp_path))
    folder = tmp_path / "programs" / "machine"
    folder.mkdir(parents=True)
    whole = zlib.compress(bytes(range(256)) * 100)
    (folder / "whole-cache").write_bytes(whole)
    (folder / "another-way-cache").write_bytes(b"\x28\xb5\x2f\xfd")
    assert [f.state for f in checks.cache() if f.subject == "Programs"] == []
    (folder / "half-cache").write_bytes(whole[: len(whole) // 2])
    assert found(checks.cache, "Programs", "note").remedy == f"rm {folder / 'half-cache'}"
    (folder / "changed-cache").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    finding = found(checks.cache, "Programs", "note")
    assert finding.text.startswith("2 compiled programs are damaged")
    assert finding.remedy == f"rm -r {tmp_path / 'programs'}"


def test_a_data_folder_that_is_none_is_found(monkeypatch, tmp_path):
    monkeypatch.setenv("LAMINA_DATASETS", str(tmp_path / "nowhere"))
    assert "LAMINA_DATASETS" in found(checks.data, "Data", "broken").remedy


def test_a_wrong_file_in_the_data_folder_is_found(monkeypatch, tmp_path):
    np.savez(tmp_path / "mnist.npz", x_train=np.zeros(3))
    monkeypatch.setenv("LAMINA_DATASETS", str(tmp_path))
    finding = found(checks.data, "Data", "broken")
    assert "is not MNIST" in finding.text
    assert "put the right file there" in finding.remedy


def test_data_that_is_there_is_listed(real_data):
    assert checks.data()[0].text == "Digits (bundled), MNIST, Fashion-MNIST"


def test_a_matplotlib_that_cannot_draw_is_found(monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("no fonts")

    monkeypatch.setattr("lamina.diagnosis.charts.training_curves", fail)
    monkeypatch.setattr(checks, "CHECKS", (checks.pictures,))
    assert checks.run_all() == [("pictures", "broken", "RuntimeError: no fonts", None)]
