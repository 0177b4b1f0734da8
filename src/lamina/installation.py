"""Checks of the installation, whose results `lamina doctor` shows.

Each function checks one thing, and its findings say how to fix it.
"""

import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from lamina.version import __version__

# With less free space, saving models and caching compiled programs may soon fail.
MIN_FREE_BYTES = 2 * 2**30


class Finding(NamedTuple):
    """The result of one check.

    Args:
        subject: Name of the thing that was checked.
        state: `"ok"`, `"note"` if it works but could be better, or `"broken"`.
        text: Description of the result.
        remedy: The command or step that fixes it, if something is wrong.
    """

    subject: str
    state: str
    text: str
    remedy: str | None = None


def run_all() -> list[Finding]:
    """The findings of all checks; an error in a check becomes a finding, too."""
    findings = []
    for check in CHECKS:
        try:
            findings += check()
        except Exception as error:
            subject = check.__name__.replace("_", " ")
            findings.append(Finding(subject, "broken", f"{type(error).__name__}: {error}"))
    return findings


def python() -> list[Finding]:
    """Check that Python is a 64-bit version."""
    version = platform.python_version()
    text = f"{version}, {sys.prefix}"
    if sys.maxsize < 2**32:
        return [Finding("Python", "broken", f"{text}, 32 bits", "install a 64-bit Python")]
    return [Finding("Python", "ok", text)]


def packages() -> list[Finding]:
    """Check that every required package is installed, in a supported version."""
    from packaging.requirements import Requirement

    findings = [Finding("Lamina", "ok", f"{__version__}, {Path(__file__).parent}")]
    versions = []
    for line in importlib.metadata.requires("lamina") or ():
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        if requirement.name == "lamina-kernels":  # see `kernels`: everything works without them
            continue
        fix = f'pip install "{requirement.name}{requirement.specifier}"'
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            findings.append(Finding(requirement.name, "broken", "not installed", fix))
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            text = f"{version}, and Lamina needs {requirement.specifier}"
            findings.append(Finding(requirement.name, "broken", text, fix))
            continue
        versions.append(f"{requirement.name} {version}")
    if versions:
        findings.append(Finding("Packages", "ok", ", ".join(versions)))
    return findings


def jax_versions() -> list[Finding]:
    """Check that jax and jaxlib have the same version, since JAX rejects a newer jaxlib."""
    jax = importlib.metadata.version("jax")
    jaxlib = importlib.metadata.version("jaxlib")
    if jax != jaxlib:
        text = f"jax {jax} with jaxlib {jaxlib}"
        return [Finding("JAX", "note", text, f"pip install jax=={jax} jaxlib=={jax}")]
    return [Finding("JAX", "ok", f"jax and jaxlib {jax}")]


def devices() -> list[Finding]:
    """Check that JAX finds its devices, computes correctly, and uses a GPU if there is one."""
    platforms = os.environ.get("JAX_PLATFORMS")
    try:
        import jax
        import jax.numpy as jnp

        available = jax.devices()
        start = time.perf_counter()
        result = float(jax.jit(jax.grad(lambda x: jnp.sum(x**2)))(jnp.ones(3))[0])
        seconds = time.perf_counter() - start
    except Exception as error:
        remedy = "unset JAX_PLATFORMS" if platforms else "pip install --upgrade jax jaxlib"
        return [Finding("Devices", "broken", f"JAX cannot compute: {error}", remedy)]
    kinds = sorted({f"{d.platform}: {d.device_kind}" for d in available})
    text = f"{len(available)} ({', '.join(kinds)}); compiled and ran in {seconds:.2f} s"
    if result != 2:
        remedy = "pip install --force-reinstall jax jaxlib"
        return [Finding("Devices", "broken", f"{text}, with a wrong result: {result}", remedy)]
    findings = [Finding("Devices", "ok", text)]
    if all(d.platform == "cpu" for d in available) and has_nvidia_gpu():
        if platforms and "cuda" not in platforms and "gpu" not in platforms:
            remedy = f"unset JAX_PLATFORMS (it is {platforms})"
        else:
            remedy = 'pip install --upgrade "jax[cuda12]"'
        findings.append(Finding("GPU", "note", "there is one, and JAX does not use it", remedy))
    return findings


def kernels() -> list[Finding]:
    """Check that the compiled kernels for CPUs are used, or say why not."""
    from lamina.ops.lowering import compiled_kernels, current_target

    platform_name = current_target().platform
    if platform_name != "cpu":
        return [Finding("Kernels", "ok", f"for CPUs alone, and programs run on {platform_name}")]
    package, reason = compiled_kernels.found()
    if package is None:
        text = f"not used, programs are plain JAX: {reason}"
        return [Finding("Kernels", "note", text, _remedy_for_kernels(reason))]
    used = package.instructions()
    asked = os.environ.get("LAMINA_KERNELS_INSTRUCTIONS")
    text = f"compiled kernels are used, with {used} instructions"
    if asked and asked.lower() != used.lower().replace("-", ""):
        text += f"; LAMINA_KERNELS_INSTRUCTIONS asks for {asked}, which cannot be had here"
        return [Finding("Kernels", "note", text, "unset LAMINA_KERNELS_INSTRUCTIONS")]
    return [Finding("Kernels", "ok", text)]


def _remedy_for_kernels(reason: str) -> str | None:
    """The line to type so that kernels are used."""
    if "LAMINA_KERNELS" in reason:
        return "unset LAMINA_KERNELS"
    if "devices" in reason:
        return None
    clone = Path(__file__).parents[2]
    if Path(sys.prefix) == clone / ".venv":
        return "make kernels (with a C++17 compiler, such as g++)"
    return "pip install --force-reinstall --no-deps ./kernels (in a clone, with a C++17 compiler)"


def has_nvidia_gpu() -> bool:
    """Whether the machine has an NVIDIA GPU with a driver."""
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


def cache() -> list[Finding]:
    """Check that the cache can be written, and that the disk has free space."""
    from lamina.core.configuration import config

    folder = config.cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"can be written")
    except OSError as error:
        text = (
            f"{folder} cannot be written ({error.strerror}): programs are compiled again each time"
        )
        return [
            Finding("Cache", "broken", text, "export LAMINA_CACHE=a-folder-that-can-be-written")
        ]
    sizes = {name: _size(folder / name) for name in ("programs", "datasets")}
    folder_sizes = ", ".join(f"{name} {_megabytes(size)}" for name, size in sizes.items())
    free = shutil.disk_usage(folder).free
    findings = [Finding("Cache", "ok", f"{folder}: {folder_sizes}")]
    damaged = [f for f in (folder / "programs").rglob("*-cache") if is_damaged(f)]
    if damaged:
        text = f"{len(damaged)} compiled programs are damaged, and compiled again at every start"
        remedy = f"rm {damaged[0]}" if len(damaged) == 1 else f"rm -r {folder / 'programs'}"
        findings.append(Finding("Programs", "note", text, remedy))
    if free < MIN_FREE_BYTES:
        remedy = f"rm -r {folder / 'programs'}" if sizes["programs"] > 2**27 else "free some space"
        findings.append(Finding("Disk", "note", f"only {_megabytes(free)} free", remedy))
    else:
        findings.append(Finding("Disk", "ok", f"{_megabytes(free)} free"))
    return findings


def is_damaged(program: Path) -> bool:
    """Whether JAX cannot read a compiled program that it has cached, compressed by zlib."""
    content = program.read_bytes()
    if not content:
        return True
    if content[0] & 0x0F != zlib.DEFLATED or int.from_bytes(content[:2], "big") % 31:
        return False  # compressed by another method
    reader = zlib.decompressobj()
    try:
        reader.decompress(content)
    except zlib.error:
        return True
    return not reader.eof


def data() -> list[Finding]:
    """Check the folder of data sets, and list the data sets that are on this machine."""
    from lamina.core.configuration import config
    from lamina.datasets import fashion_mnist, locate, mnist

    findings = []
    folder = config.datasets_folder()
    if folder is not None and not folder.is_dir():
        findings.append(
            Finding(
                "Data", "broken", f"LAMINA_DATASETS names {folder}, which is not a folder",
                "export LAMINA_DATASETS=the-folder-with-mnist.npz, or unset it",
            )
        )  # fmt: skip
    available = ["Digits (bundled)"]
    for module in (mnist, fashion_mnist):
        source = module.SOURCE
        if not locate.is_on_this_machine(source):
            continue
        try:
            module.load_data()
        except (OSError, ValueError) as error:
            problem, *details = str(error).splitlines()
            remedy = details[-1].strip().removeprefix("Fix: ") if details else None
            findings.append(Finding("Data", "broken", problem, remedy))
        else:
            available.append(source.title)
    findings.append(Finding("Data", "ok", ", ".join(available)))
    missing = [
        m.SOURCE.title for m in (mnist, fashion_mnist) if not locate.is_on_this_machine(m.SOURCE)
    ]
    if missing:
        text = f"{' and '.join(missing)} would be fetched when first used"
        findings.append(Finding("Data", "ok", text))
    return findings


def extras() -> list[Finding]:
    """List the optional packages that are installed."""
    if find_spec("pandas") is None:
        return [Finding("Extras", "ok", 'tables: not installed; pip install "lamina[data]"')]
    return [Finding("Extras", "ok", "tables: pandas")]


def pictures() -> list[Finding]:
    """Check that Matplotlib can draw a figure."""
    from lamina.compat.figures import has_screen
    from lamina.diagnosis.charts import data_uri, training_curves

    data_uri(training_curves({"loss": [1.0, 0.5]}))
    screen = has_screen(os.environ, sys.platform, sys.stdout.isatty())
    plot_text = "plt.show() opens windows" if screen else "no screen: `lamina run` saves figures"
    return [Finding("Pictures", "ok", plot_text)]


CHECKS: tuple[Callable[[], list[Finding]], ...] = (
    python, packages, jax_versions, devices, kernels, cache, data, extras, pictures,
)  # fmt: skip


def _size(folder: Path) -> int:
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())


def _megabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
