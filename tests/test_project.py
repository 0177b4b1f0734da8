"""Rules of the project that linters do not check: imports between packages, public names, speed."""

import ast
import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.quick

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "lamina"

# A package may import only from its own level and from earlier levels.
LEVELS = (
    ("version", "core"),
    ("contract", "findings"),
    (
        "applications",
        "backend",
        "config",
        "dtype_policies",
        "export",
        "ops",
        "tree",
    ),
    ("activations", "constraints", "initializers", "quantizers", "random", "regularizers"),
    ("layers", "losses", "metrics", "optimizers"),
    ("saving", "training"),
    ("callbacks", "distribution", "mixed_precision", "models"),
    ("distillation", "utils", "wrappers"),
    ("legacy",),
    ("data", "datasets"),
    ("preprocessing", "visualization"),
    ("prediction",),
    ("explanation",),
    ("diagnosis",),
    ("jobs",),
    ("compat",),
    ("installation",),
    ("job_checks",),
    ("cli",),
)
LEVEL = {package: number for number, level in enumerate(LEVELS) for package in level}

# Optional packages, and packages that are slow to import.
HEAVY = {
    "IPython", "PIL", "filelock", "google", "h5py", "jax", "jinja2", "keras", "matplotlib", "optax",
    "orbax", "pandas", "pooch", "ray", "requests", "rich", "scipy", "sklearn", "tensorboard",
    "tensorflow", "torch",
}  # fmt: skip
# Packages that must work before the library is imported (`lamina --help`), or if that fails.
LAZY_PACKAGES = {"cli", "compat", "installation", "job_checks"}


@dataclass(frozen=True)
class Import:
    """One import statement of the package."""

    file: Path
    line: int
    module: str
    inside_function: bool
    explained: bool

    @property
    def package(self) -> str:
        return self.file.relative_to(SOURCE).parts[0].removesuffix(".py")

    @property
    def target_package(self) -> str | None:
        """Package of `lamina` that is imported; None for other libraries."""
        parts = self.module.split(".")
        return parts[1] if parts[0] == "lamina" and len(parts) > 1 else None

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line}: {self.module}"


def _imports_of(file: Path) -> Iterator[Import]:
    text = file.read_text(encoding="utf-8")
    lines = text.splitlines()

    def walk(node: ast.AST, inside: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue  # never run
            if isinstance(child, (ast.Import, ast.ImportFrom)):
                # The reason is on the line itself or on the line above it.
                near = lines[max(child.lineno - 2, 0) : child.end_lineno]
                explained = any("#" in line for line in near)
                for module in _modules(child, file):
                    yield Import(file, child.lineno, module, inside, explained)
            function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            lazy_package = getattr(child, "name", "") == "__getattr__"
            yield from walk(child, inside or (function and not lazy_package))

    yield from walk(ast.parse(text), inside=False)


def _modules(node: ast.Import | ast.ImportFrom, file: Path) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if node.level:
        package = ("lamina", *file.relative_to(SOURCE).parent.parts)
        base = ".".join(package[: len(package) - node.level + 1])
        return [f"{base}.{node.module}" if node.module else base]
    if node.module == "lamina":
        return [f"lamina.{alias.name}" for alias in node.names]
    return [str(node.module)]


SOURCE_FILES = sorted(SOURCE.rglob("*.py"))
IMPORTS = [found for file in SOURCE_FILES for found in _imports_of(file)]
PACKAGES = [
    ".".join(("lamina", *file.relative_to(SOURCE).parent.parts))
    for file in SOURCE_FILES
    if file.name == "__init__.py"
]


def test_every_package_has_a_level():
    packages = {file.relative_to(SOURCE).parts[0].removesuffix(".py") for file in SOURCE_FILES}
    unknown = sorted(packages - {"__init__", "__main__"} - set(LEVEL))
    assert not unknown, f"add these packages to LEVELS: {', '.join(unknown)}"


def test_imports_point_one_way():
    upwards = [
        f"{found} (from {found.package} up to {found.target_package})"
        for found in IMPORTS
        if found.package in LEVEL
        and found.target_package in LEVEL
        and LEVEL[found.target_package] > LEVEL[found.package]
        and not (found.inside_function and found.explained)
    ]
    assert not upwards, "these lines point up:\n" + "\n".join(upwards)


def test_an_import_inside_a_function_is_heavy_or_explained():
    unexplained = [
        str(found)
        for found in IMPORTS
        if found.inside_function
        and not found.explained
        and found.module.split(".")[0] not in HEAVY
        and found.package not in LAZY_PACKAGES
    ]
    assert not unexplained, (
        "move these to the top of the file, or say why not in a comment on or above the line:\n"
        + "\n".join(unexplained)
    )


def _inside_lowering(file: Path) -> bool:
    return file.is_relative_to(SOURCE / "ops" / "lowering")


def test_only_lowerings_use_the_default_platform():
    """A program is lowered for its own target, not for the default platform of the process."""
    asking = {
        str(file.relative_to(SOURCE))
        for file in SOURCE_FILES
        if "default_backend" in file.read_text(encoding="utf-8") and not _inside_lowering(file)
    }
    assert asking == set()


def test_only_lowerings_use_the_compiled_kernels():
    knowing = {
        str(file.relative_to(SOURCE))
        for file in SOURCE_FILES
        if "lamina_kernels" in file.read_text(encoding="utf-8")
    }
    assert knowing == {"ops/lowering/compiled_kernels.py"}


def test_layers_optimizers_and_programs_use_lowerings_by_name():
    """Only operations use the settings of lowerings, and no code calls an implementation itself."""
    single = [
        f"{file.relative_to(SOURCE)}: {node.module} import {alias.name}"
        for file in SOURCE_FILES
        if file.relative_to(SOURCE).parts[0] != "ops"
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("lamina.ops.lowering")
        for alias in node.names
        if alias.name not in ("run_lowering", "lowering_for", "fusion", "current_target")
        and (file.name, alias.name) != ("installation.py", "compiled_kernels")
    ]
    assert not single


def test_import_lamina_loads_nothing_heavy():
    code = "import lamina, sys; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert not sorted(set(loaded) & (HEAVY | {"numpy", "typer"}))


def test_import_lamina_is_quick():
    def seconds(code: str) -> float:
        start = os.times()
        subprocess.run([sys.executable, "-c", code], check=True)
        end = os.times()
        return sum(end[2:4]) - sum(start[2:4])  # CPU time: the machine may be busy

    bare = min(seconds("pass") for _ in range(3))
    assert min(seconds("import lamina") for _ in range(3)) - bare < 0.15


@pytest.mark.parametrize("name", PACKAGES)
def test_all_is_sorted_and_true(name):
    package = importlib.import_module(name)
    listed = getattr(package, "__all__", None)
    if listed is None:
        pytest.skip(f"{name} has no public names of its own")
    assert list(listed) == sorted(listed)
    assert len(set(listed)) == len(listed)
    missing = [public for public in listed if not hasattr(package, public)]
    assert not missing


@pytest.mark.parametrize("name", PACKAGES)
def test_all_lists_every_class_and_function_that_a_package_imports(name):
    package = importlib.import_module(name)
    if not hasattr(package, "__all__"):
        pytest.skip(f"{name} has no public names of its own")
    tree = ast.parse(Path(package.__file__).read_text(encoding="utf-8"))
    gathered = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith(f"{name}.")
        for alias in node.names
        if alias.name != "*"  # lists of namespaces, which are complete by construction
    }
    forgotten = gathered - set(package.__all__)
    assert not {n for n in forgotten if not n.startswith("_") and not n.isupper()}


STUBS = sorted(SOURCE.rglob("*.pyi"))


@pytest.mark.parametrize("stub", STUBS, ids=lambda file: str(file.relative_to(SOURCE)))
def test_a_package_that_loads_lazily_lists_what_it_imports(stub):
    tree = ast.parse(stub.read_text(encoding="utf-8"))
    imported = [
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    listed = next(ast.literal_eval(n.value) for n in tree.body if isinstance(n, ast.Assign))
    assert listed == sorted(imported)
    package = importlib.import_module(f"lamina.{'.'.join(stub.relative_to(SOURCE).parent.parts)}")
    assert package.__all__ == listed


def test_what_is_not_used_is_not_loaded():
    code = (
        "import lamina, sys\n"
        "model = lamina.Sequential([lamina.Input((2,)), lamina.layers.Dense(1)])\n"
        "model.compile('adam', 'mse')\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.split())
    unused = {
        "h5py", "pandas", "matplotlib", "sklearn", "rich", "PIL",
        "lamina.layers.recurrent", "lamina.layers.attention", "lamina.saving.model_file",
        "lamina.layers.preprocessing.text_vectorization", "lamina.layers.preprocessing.images",
        "lamina.training.callbacks.tensorboard", "lamina.layers.convolution",
    }  # fmt: skip
    assert not sorted(loaded & unused)


# A model file is untrusted: nothing that reads it may be able to run code from it.
LOADER_FILES = [
    SOURCE / "core" / "serialization" / "registry.py",
    *sorted((SOURCE / "saving").rglob("*.py")),
]
FORBIDDEN_MODULES = {
    "cloudpickle", "code", "codeop", "ctypes", "dill", "imp", "importlib", "joblib", "marshal",
    "pickle", "pydoc", "runpy", "shelve", "subprocess", "types", "yaml",
}  # fmt: skip
FORBIDDEN_CALLS = {"__import__", "compile", "eval", "exec", "execfile"}


def _forbidden(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [str(node.module)]
        elif isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in FORBIDDEN_CALLS:
                yield node.lineno, f"{node.func.id}()"
            for keyword in node.keywords:
                if keyword.arg == "allow_pickle" and ast.unparse(keyword.value) != "False":
                    yield node.lineno, "allow_pickle"
            continue
        elif isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.modules":
            yield node.lineno, "sys.modules"
            continue
        else:
            continue
        for name in names:
            if name.split(".")[0] in FORBIDDEN_MODULES:
                yield node.lineno, f"import {name}"


@pytest.mark.parametrize("file", LOADER_FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_loading_a_model_can_run_no_code(file):
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = [f"{file.relative_to(ROOT)}:{line}: {what}" for line, what in _forbidden(tree)]
    assert not found


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from importlib import import_module",
        "import yaml.constructor",
        "eval(config)",
        "np.load(path, allow_pickle=True)",
        "sys.modules[name]",
    ],
)
def test_the_check_above_finds_what_it_forbids(code):
    assert list(_forbidden(ast.parse(code)))


# Composed from parts, so that this file does not contain what it looks for.
MACHINE_PATHS = re.compile("|".join(f"/{folder}/" for folder in ("work", "root", "home", "Users")))


def test_no_file_names_a_path_of_somebodys_machine():
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    found = []
    for name in filter(None, listed.stdout.split("\0")):
        file = ROOT / name
        if not file.is_file():
            continue  # deleted, not yet committed
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue  # a picture
        found += [f"{name}:{n}" for n, line in enumerate(lines, 1) if MACHINE_PATHS.search(line)]
    assert not found


def test_the_library_does_not_assume_that_a_model_has_inputs():
    """As in Keras, a model without a graph lacks them: getattr(model, "inputs", ())."""
    asking = re.compile(r"\bmodel\.(inputs|outputs)\b")
    found = {
        f"{path.relative_to(SOURCE)}:{number}"
        for path in sorted(SOURCE.rglob("*.py"))
        if path.parent.name not in ("models", "distillation")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if asking.search(line)
    }
    assert found == set()
