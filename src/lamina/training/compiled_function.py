"""CompiledFunction: compiles a function once per signature, and shares programs of equal models.

Tracing a function takes about a tenth of a second, and compiling it takes seconds. Models that are
built repeatedly, for every fold of a cross-validation or every trial of a search, lower to the same
program. So compiled programs are cached by the text of the program.
"""

import collections
import contextlib
import ctypes
import gc
import hashlib
import itertools
import os
import re
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
from jax.stages import Compiled, Lowered

from lamina.core.types import PyTree
from lamina.core.variable.stateless import donatable_values_of, values_of
from lamina.core.variable.threads import value_lock

# The number of programs that stay cached without a model that uses them. Each needs a few
# megabytes.
_MAX_RECENT = 16

# After a compilation that took longer, freed memory is returned to the system.
_MIN_TRIM_SECONDS = 0.5

_OPTIMIZATION_LEVEL = "xla_backend_optimization_level"
_EMITTERS = "xla_cpu_use_fusion_emitters"
# Models and their traces contain reference cycles. When many equal models are built and dropped,
# Python's collector runs too rarely; see `collected-models` in docs/performance.md.
_COLLECT_EVERY = 8
_reuse_counter = itertools.count(1)
# Padding of four axes or more, as in a convolution's lowering for the CPU or its gradient.
_PADDED_IMAGES = re.compile(r"stablehlo\.pad [^\n]*: \(tensor<(?:\d+x){4,}")

# Programs by digest. A program is freed when no model uses it and it is not among the recent ones.
_programs_by_digest: "weakref.WeakValueDictionary[bytes, Compiled]" = weakref.WeakValueDictionary()
_recent_programs: "collections.deque[Compiled]" = collections.deque(maxlen=_MAX_RECENT)
_recent_lock = threading.Lock()


class CompiledFunction:
    """A pure function of a state and other arrays, compiled for every signature of the arguments.

    Args:
        function: `function(state, *arguments, batch_size=…)`; the structure and shapes of the state
            are the same in every call.
        platform: Platform to compile for: `"cpu"`, `"gpu"` or `"tpu"`.
        donate: Whether the results may reuse the memory of the state.
    """

    def __init__(self, function: Callable[..., Any], platform: str, donate: bool = False):
        self._platform = platform
        self._jit = jax.jit(
            function, donate_argnums=0 if donate else (), static_argnames="batch_size"
        )
        self._programs: dict[Any, Compiled] = {}
        # For each key of `_programs`: everything that JAX checks when the program is called.
        self._signatures: dict[Any, Any] = {}
        self._compiling = (
            threading.RLock()
        )  # so that threads that need the same program compile it once
        # Results of analyses of the function, such as whether its rows are independent.
        self.properties: dict[Any, Any] = {}

    def __call__(self, state: PyTree, *arguments: Any, batch_size: int) -> PyTree:
        return self.bind_arguments(lambda: state, *arguments, batch_size=batch_size)(state)

    def bind_arguments(
        self, read: Callable[[], Any], *arguments: Any, batch_size: int
    ) -> Callable[[Any], Any]:
        """The compiled function for these arguments, as a function of the state alone.

        Args:
            read: Reads the current state; called only if a program must be compiled.
            *arguments: As for a call.
            batch_size: As for a call.
        """
        if jax.config.jax_disable_jit:  # type: ignore[attr-defined]
            return lambda state: self._jit(state, *arguments, batch_size=batch_size)
        program = self._get_compiled(read, arguments, batch_size)

        def run(state: PyTree) -> PyTree:
            try:
                return program(state, *arguments)
            except (TypeError, ValueError):
                # The arrays may differ in properties that the key lacks, such as the device.
                # Checking them in every call would take longer than computing a small network.
                key = self._key(arguments, batch_size)
                if _full_signature((state, arguments)) == self._signatures.get(key):
                    raise
                self._programs.pop(key, None)  # another thread may have removed it already
                return self._get_compiled(lambda: state, arguments, batch_size)(state, *arguments)

        return run

    def _key(self, arguments: tuple[Any, ...], batch_size: int) -> PyTree:
        return (_signature(arguments), batch_size, *_jax_settings())

    def executable(self, state: PyTree, *arguments: Any, batch_size: int) -> Compiled:
        """The compiled program that a call with these arguments runs."""
        return self._get_compiled(lambda: state, arguments, batch_size)

    def _get_compiled(
        self, read: Callable[..., Any], arguments: tuple[Any, ...], batch_size: int
    ) -> Compiled:
        key = self._key(arguments, batch_size)
        program = self._programs.get(key)
        if program is not None:
            return program
        with self._compiling:
            if key not in self._programs:
                state = read()
                with _no_garbage_collection():
                    lowered = self._jit.lower(state, *arguments, batch_size=batch_size)
                # The trace is not needed again, and would keep the model alive in a reference
                # cycle; see `collected-models` in docs/performance.md.
                self._jit.clear_cache()  # type: ignore[attr-defined]
                self._signatures[key] = _full_signature((state, arguments))
                self._programs[key] = _compile_or_share(lowered, (state, arguments), self._platform)
        return self._programs[key]


def run_program(
    program: CompiledFunction,
    variables: PyTree,
    *arguments: Any,
    batch_size: int,
    overwrites: bool = False,
    assign: Callable[[Any], None],
) -> PyTree:
    """Run a program on the values of Variables, atomically with respect to other threads.

    The device may still be computing the results when this returns.

    Args:
        program: A CompiledFunction.
        variables: Pytree of Variables, whose values are the state.
        *arguments: The arguments of the program after the state.
        batch_size: Rows in a batch.
        overwrites: Whether the program overwrites the arrays of the state.
        assign: Assigns the results of the program to Variables.
    """
    # Compiling takes seconds, during which other threads may continue.
    run = program.bind_arguments(lambda: values_of(variables), *arguments, batch_size=batch_size)
    if jax.config.jax_disable_jit:  # type: ignore[attr-defined]
        result = run(values_of(variables))
        assign(result)
        return result
    with value_lock:
        result = run((donatable_values_of if overwrites else values_of)(variables))
        assign(result)
    return result


def clear_programs() -> None:
    """Clear the cache of shared programs; models keep the programs that they use."""
    _programs_by_digest.clear()
    _recent_programs.clear()


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Context manager without garbage collection, since tracing allocates many objects."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _compile_or_share(lowered: Lowered, arguments: Any, platform: str) -> Compiled:
    """Compile a program, or return an equal one that was compiled for another model."""
    text = lowered.as_text()
    digest = _digest(lowered, text, arguments)
    if digest is None:
        return _compile(lowered, text, platform)
    program = _programs_by_digest.get(digest)
    if program is None:
        program = _programs_by_digest[digest] = _compile(lowered, text, platform)
    elif next(_reuse_counter) % _COLLECT_EVERY == 0:
        gc.collect()
    with _recent_lock:
        if program in _recent_programs:
            _recent_programs.remove(program)
        _recent_programs.append(program)
    return program


def _compile(lowered: Lowered, text: str, platform: str) -> Compiled:
    start = time.perf_counter()
    program = lowered.compile(compiler_options=_compiler_options(text, platform))
    if time.perf_counter() - start > _MIN_TRIM_SECONDS:
        _trim_memory()
    return program


def _trim_memory() -> None:
    """Return the memory that the compiler has freed to the system, if the C library supports it."""
    # Otherwise training would allocate memory in addition; see `freed-memory` in
    # docs/performance.md.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)


def _compiler_options(text: str, platform: str) -> dict[str, Any] | None:
    # XLA vectorises loops itself, so that LLVM's first level of optimisation is enough and compiles
    # faster, except for padding; see `first-optimization-level` in docs/performance.md. For images,
    # XLA's older code generator compiles faster and needs less memory; see `older-code-generator`.
    flags = os.environ.get("XLA_FLAGS", "")
    is_set_by_user = _OPTIMIZATION_LEVEL in flags or _EMITTERS in flags
    is_unoptimised = jax.config.values.get("jax_disable_most_optimizations")
    if platform != "cpu" or is_set_by_user or is_unoptimised:
        return None
    if _PADDED_IMAGES.search(text):
        return {_EMITTERS: False}
    return None if "stablehlo.pad" in text else {_OPTIMIZATION_LEVEL: 1}


def _digest(lowered: Lowered, text: str, arguments: Any) -> bytes | None:
    """A digest of everything that the compiled program depends on; None if it cannot be shared."""
    # The text identifies Python callbacks only by numbers. The same
    # would be true for constants if JAX kept them outside the program.
    if "callback" in text or jax.config.values.get("jax_use_simplified_jaxpr_constants", True):
        return None
    leaves = jax.tree.leaves(arguments)
    # Unused arguments are not in the text, but JAX checks them when the program is called.
    signatures = _full_signature(leaves)
    outputs = [(o.shape, o.dtype, o.weak_type) for o in jax.tree.leaves(lowered.out_info)]
    settings = sorted(jax.config.values.items())
    # The text of a mesh does not say which devices it has.
    shardings = {a.sharding for a in leaves if isinstance(a, jax.Array)}
    devices = sorted({_device_ids(sharding) for sharding in shardings})
    context = (
        lowered.in_tree,
        lowered.out_tree,
        signatures,
        outputs,
        settings,
        _jax_settings(),
        devices,
    )
    return hashlib.sha256(f"{text}\0{context}".encode()).digest()


def _device_ids(sharding: jax.sharding.Sharding) -> tuple[int, ...]:
    """Ids of the devices, in the order of the mesh if there is one."""
    devices: Iterable[Any] = sharding.device_set
    if isinstance(sharding, jax.sharding.NamedSharding):
        return tuple(device.id for device in sharding.mesh.devices.flat)
    return tuple(sorted(device.id for device in devices))


def _signature(arguments: tuple[Any, ...]) -> PyTree:
    """The structure, shapes and dtypes of arguments, for which a program is compiled."""
    leaves, structure = jax.tree.flatten(arguments)
    return structure, tuple((a.shape, a.dtype) if hasattr(a, "dtype") else type(a) for a in leaves)


def _full_signature(arrays: PyTree) -> PyTree:
    """The signature with devices and weak types: everything that JAX checks in a call."""
    leaves, structure = jax.tree.flatten(arrays)
    return structure, tuple(
        (
            getattr(a, "shape", ()),
            str(getattr(a, "dtype", type(a))),
            getattr(a, "weak_type", None),
            getattr(a, "sharding", None),
            getattr(a, "committed", None),
        )
        for a in leaves
    )


def _jax_settings() -> tuple[Any, ...]:
    """JAX's settings that change the compiled program and may differ between two calls."""
    config: Any = jax.config
    return (
        config.jax_default_device,
        config.jax_default_matmul_precision,
        config.jax_enable_x64,
    )
