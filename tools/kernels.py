"""Compiles the kernels of kernels/ for the environment that runs this, beside other work.

`start` begins in the background and returns at once, or installs what is ready; `finish` waits for
it, installs it and says what came of it in one line. Neither ever fails: without kernels, Lamina
does the same more slowly. `build` does all in the foreground and fails where the compiler does.

What was built is kept in the environment under a digest of the sources, so that nothing is compiled
twice, and appears there by one renaming: a build that is cut off leaves nothing.
"""

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "kernels"
FOLDER = Path(sys.prefix) / "kernels"
LOG = FOLDER / "build.log"
NO_COMPILER = (
    "The kernels need a C++17 compiler, and there is none here. Fix: install g++ or clang++."
)


def main(command: str) -> int:
    FOLDER.mkdir(exist_ok=True)
    return {"start": start, "wheel": wheel, "finish": finish, "build": build}[command]()


def start() -> int:
    """Begin in the background, unless it is done, which is then installed, or has failed before."""
    if built().exists() and not is_installed() and find_spec("lamina_kernels") is not None:
        install()
    elif has_compiler() and not built().exists() and not failed().exists():
        lock = take_lock(wait=False)
        if lock is not None:  # kept by the other process until it ends, however that is
            subprocess.Popen(
                [sys.executable, __file__, "wheel"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                pass_fds=[lock],
            )  # fmt: skip
    return 0


def wheel() -> int:
    """Build the wheel, after whatever else there is to do."""
    # A shell has what it starts in the background ignore Ctrl-C, which is to end this, too.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.nice(10)
    for left in FOLDER.glob("tmp*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder, LOG.open("w") as log:
        command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", folder]
        environment = {**os.environ, "LAMINA_KERNELS_LIBRARY": "required"}
        done = subprocess.run(
            [*command, str(SOURCES)], stdout=log, stderr=subprocess.STDOUT, env=environment
        )
        for old in [*FOLDER.glob("built-*"), *FOLDER.glob("failed-*")]:
            shutil.rmtree(old, ignore_errors=True)
        if done.returncode == 0:
            os.replace(folder, built())
            Path(folder).mkdir()  # for the context to remove
        else:
            failed().mkdir()
    return done.returncode


def finish() -> int:
    """Wait for the build, and install what it has made."""
    if is_installed():
        return 0
    if not has_compiler():
        print("Kernels  none: there is no C++ compiler (g++ or clang++). All works, more slowly.")
        return 0
    lock = take_lock(wait=False)
    if lock is None:
        print("Kernels  being compiled; Ctrl-C leaves them out until the next time.", flush=True)
        take_lock(wait=True)
    if not built().exists() and not failed().exists():  # nobody has begun, or it was cut off
        subprocess.run([sys.executable, __file__, "wheel"])
    if built().exists() and install() == 0:
        print("Kernels  compiled and installed: from now on, training uses them.")
    else:
        print(f"Kernels  none: compiling them failed, see {LOG}. All works, more slowly.")
    return 0


def build() -> int:
    """Build and install in the foreground; an error is shown and fails."""
    if not has_compiler():
        print(NO_COMPILER, file=sys.stderr)
        return 1
    take_lock(wait=True)
    shutil.rmtree(failed(), ignore_errors=True)
    if not built().exists():
        code = subprocess.run([sys.executable, __file__, "wheel"]).returncode
        if code:
            print(LOG.read_text(), file=sys.stderr)
            return code
    return 0 if is_installed() else install()


def install() -> int:
    file = next(built().glob("*.whl"))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--force-reinstall", "--no-deps"]
    code = subprocess.run([*command, str(file)]).returncode
    if code == 0:
        installed().write_text(digest())
    return code


def is_installed() -> bool:
    spec = find_spec("lamina_kernels")
    if spec is None or spec.origin is None or not list(Path(spec.origin).parent.glob("lib*")):
        return False
    return installed().exists() and installed().read_text() == digest()


def has_compiler() -> bool:
    names = [os.environ.get("CXX", "").split(" ")[0], "c++", "g++", "clang++"]
    return any(name and shutil.which(name) for name in names)


def digest() -> str:
    """Of everything that a wheel is made of, and of the compiler's name."""
    parts = [os.environ.get("CXX", ""), os.environ.get("CXXFLAGS", "")]
    for file in sorted(SOURCES.rglob("*")):
        inside = file.relative_to(SOURCES).parts[0]
        if file.is_file() and inside != "tests" and "__pycache__" not in file.parts:
            parts += [str(file.relative_to(SOURCES)), hashlib.sha256(file.read_bytes()).hexdigest()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def built() -> Path:
    return FOLDER / f"built-{digest()}"


def failed() -> Path:
    return FOLDER / f"failed-{digest()}"


def installed() -> Path:
    return FOLDER / "installed"


def take_lock(wait: bool) -> int | None:
    """The lock that whoever builds has; None if somebody else has it and nobody waits."""
    lock = os.open(FOLDER / "lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
