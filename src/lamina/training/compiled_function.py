"""Compiled functions: compiled once for each kind of arguments, and once for all equal models.

Tracing a function takes Python a tenth of a second, compiling it takes XLA seconds. Models that are
built again and again – for every fold of a cross-validation, every trial of a search – give XLA
the same program, so what it made of it is kept under the text of the program.
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
from collections.abc import Callable, Iterator
from typing import Any

import jax
from jax.stages import Compiled, Lowered

from lamina.core.variable.stateless import own_values_of, values_of
from lamina.core.variable.threads import exchange

# Programs that outlive their models: a few models' worth, some megabytes each.
_KEPT = 16

# A compilation that took less leaves little memory behind.
_LONG_SECONDS = 0.5

_LEVEL = "xla_backend_optimization_level"
_EMITTERS = "xla_cpu_use_fusion_emitters"
# Models built alike and dropped go round in circles, as do their traces. Collected every so many,
# they leave 0.6 MB after 60 rounds, and else 24; each time costs 20-70 ms.
_COLLECT_EVERY = 8
_reuses = itertools.count(1)
# Padding of four axes or more, as by a convolution's lowering for the CPU or its gradient.
_PADDED_IMAGES = re.compile(r"stablehlo\.pad [^\n]*: \(tensor<(?:\d+x){4,}")

# Keys are digests; a program goes when no model has it and it is not among the last few.
_shared: "weakref.WeakValueDictionary[bytes, Compiled]" = weakref.WeakValueDictionary()
_recent: "collections.deque[Compiled]" = collections.deque(maxlen=_KEPT)
_recent_lock = threading.Lock()


class CompiledFunction:
    """A pure function of a state and other arrays, as a compiled program for every kind of them.

    Args:
        function: `function(state, *arguments, batch_size=…)`; the state has one structure and
            one set of shapes for as long as this object lives.
        platform: What it is compiled for: `"cpu"`, `"gpu"` or `"tpu"`.
        donate: Whether the memory of the state becomes that of the results.
    """

    def __init__(self, function: Callable, platform: str, donate: bool = False):
        self._platform = platform
        self._jit = jax.jit(
            function, donate_argnums=0 if donate else (), static_argnames="batch_size"
        )
        self._programs: dict[Any, Compiled] = {}
        # For each key of these, all that JAX looks at when the program is called.
        self._signatures: dict[Any, Any] = {}
        self._compiling = threading.RLock()  # what several threads want is compiled once
        # Results of analyses of the function, such as whether its rows are independent.
        self.properties: dict[Any, Any] = {}

    def __call__(self, state: Any, *arguments: Any, batch_size: int) -> Any:
        return self.ready(lambda: state, *arguments, batch_size=batch_size)(state)

    def ready(
        self, read: Callable[[], Any], *arguments: Any, batch_size: int
    ) -> Callable[[Any], Any]:
        """A function of the state alone, compiled already.

        Args:
            read: Gives a state to compile for, where that is to be done.
            *arguments: As for a call.
        """
        if jax.config.jax_disable_jit:  # type: ignore[attr-defined]
            return lambda state: self._jit(state, *arguments, batch_size=batch_size)
        program = self._compiled_for(read, arguments, batch_size)

        def run(state: Any) -> Any:
            try:
                return program(state, *arguments)
            except (TypeError, ValueError):
                # Compiled for arrays of another kind, such as on another device? To look at that
                # in every call would take longer than a small network does.
                key = self._key(arguments, batch_size)
                if _full_signature((state, arguments)) == self._signatures.get(key):
                    raise
                self._programs.pop(key, None)  # another thread may have met the same
                return self._compiled_for(lambda: state, arguments, batch_size)(state, *arguments)

        return run

    def _key(self, arguments: tuple, batch_size: int) -> Any:
        return (_signature(arguments), batch_size, *_settings())

    def executable(self, state: Any, *arguments: Any, batch_size: int) -> Compiled:
        """What a call with these arguments runs: to look at, or to call without further ado."""
        return self._compiled_for(lambda: state, arguments, batch_size)

    def _compiled_for(self, read: Callable, arguments: tuple, batch_size: int) -> Compiled:
        key = self._key(arguments, batch_size)
        program = self._programs.get(key)
        if program is not None:
            return program
        with self._compiling:
            if key not in self._programs:
                state = read()
                with _no_garbage_collection():
                    lowered = self._jit.lower(state, *arguments, batch_size=batch_size)
                # The trace is not needed again, and goes through the model in a circle: building
                # and fitting 60 models took 28 MB more with it, 1 MB without.
                self._jit.clear_cache()  # type: ignore[attr-defined]
                self._signatures[key] = _full_signature((state, arguments))
                self._programs[key] = _compiled(lowered, (state, arguments), self._platform)
        return self._programs[key]


def run_program(
    program: CompiledFunction,
    variables: Any,
    *arguments: Any,
    batch_size: int,
    overwrites: bool = False,
    assign: Callable[[Any], None],
) -> Any:
    """Run a program on the values of Variables, with no other thread between.

    What it gives may still be under way when this returns.

    Args:
        program: A CompiledFunction.
        variables: Pytree of Variables that the state is read from.
        overwrites: Whether the program overwrites the arrays of the state.
        assign: Puts what the program gives into Variables.
    """
    # Compiling takes seconds, in which others may go on.
    run = program.ready(lambda: values_of(variables), *arguments, batch_size=batch_size)
    if jax.config.jax_disable_jit:  # type: ignore[attr-defined]
        result = run(values_of(variables))
        assign(result)
        return result
    with exchange:
        result = run((own_values_of if overwrites else values_of)(variables))
        assign(result)
    return result


def forget_programs() -> None:
    """Share no more with what was compiled so far; models keep what they have."""
    _shared.clear()
    _recent.clear()


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Tracing makes many objects and drops few: looking for garbage takes 10–17 % of its time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _compiled(lowered: Lowered, arguments: Any, platform: str) -> Compiled:
    """The compiled program, from here or from an earlier model that asked for the same."""
    text = lowered.as_text()
    digest = _digest(lowered, text, arguments)
    if digest is None:
        return _compile(lowered, text, platform)
    program = _shared.get(digest)
    if program is None:
        program = _shared[digest] = _compile(lowered, text, platform)
    elif next(_reuses) % _COLLECT_EVERY == 0:
        gc.collect()
    with _recent_lock:
        if program in _recent:
            _recent.remove(program)
        _recent.append(program)
    return program


def _compile(lowered: Lowered, text: str, platform: str) -> Compiled:
    began = time.perf_counter()
    program = lowered.compile(compiler_options=_compiler_options(text, platform))
    if time.perf_counter() - began > _LONG_SECONDS:
        _trim_memory()
    return program


def _trim_memory() -> None:
    """What the compiler has freed goes back to the system, where the C library can do that."""
    # It would be kept for later, and training would take its own beside it: 118 MB after the small
    # CNN, 255 MB after a ResNet-20, whose peak comes down from 0.8 to 0.63 GB.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)


def _compiler_options(text: str, platform: str) -> dict[str, Any] | None:
    # LLVM's first level of optimisation: XLA has vectorised the loops by itself. Measured against
    # the second on 2 cores: compiling takes 7–15 % less (mlp 0.43 s for 0.48, transformer 1.49 for
    # 1.75, ResNet-20 3.66 for 3.76), a step as long or up to 10 % less. Not so where values are
    # padded, as around images: the gradient of pooling 128 images of 11x11x64 takes 1.9 ms at the
    # first level and 0.5 above it, a step of the small CNN 22.4 and 19.2.
    # Images go through XLA's older code generator, at the default level: the small CNN takes 1.2 s
    # of processor time and 20 MB to compile, not 2.6 and 120, a ResNet-20 7.9 s and 93 MB, not 7.2
    # and 313; steps 0.98 and 1.02 times as long. Others lose by it: an mlp's step 1.6 times as
    # long, LSTM, table, transformer 1.10–1.17; a GPT 1.6 times as long to compile.
    flags = os.environ.get("XLA_FLAGS", "")
    chosen_by_user = _LEVEL in flags or _EMITTERS in flags
    unoptimised = jax.config.values.get("jax_disable_most_optimizations")
    if platform != "cpu" or chosen_by_user or unoptimised:
        return None
    if _PADDED_IMAGES.search(text):
        return {_EMITTERS: False}
    return None if "stablehlo.pad" in text else {_LEVEL: 1}


def _digest(lowered: Lowered, text: str, arguments: Any) -> bytes | None:
    """A name for all that decides what is compiled; None for a program not to be shared."""
    # Functions in Python that a program calls stand in it as numbers only; so would constants, if
    # JAX were told to keep them outside.
    if "callback" in text or jax.config.values.get("jax_use_simplified_jaxpr_constants", True):
        return None
    leaves = jax.tree.leaves(arguments)
    # An argument that the program does not use is not in its text, and yet compared in a call.
    signatures = _full_signature(leaves)
    outputs = [(o.shape, o.dtype, o.weak_type) for o in jax.tree.leaves(lowered.out_info)]
    settings = sorted(jax.config.values.items())
    rest = (lowered.in_tree, lowered.out_tree, signatures, outputs, settings, _settings())
    return hashlib.sha256(f"{text}\0{rest}".encode()).digest()


def _signature(arguments: tuple) -> Any:
    """What a program is compiled for: structure, shapes and types, not values."""
    leaves, structure = jax.tree.flatten(arguments)
    return structure, tuple((a.shape, a.dtype) if hasattr(a, "dtype") else type(a) for a in leaves)


def _full_signature(arrays: Any) -> Any:
    """The kind and where the arrays are: all that JAX compares with what it compiled for."""
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


def _settings() -> tuple:
    """JAX's settings that may be changed between two calls and make another program."""
    config: Any = jax.config
    return (
        config.jax_default_device,
        config.jax_default_matmul_precision,
        config.jax_enable_x64,
    )
