"""Every row of the table of lowerings gives what the reference of its operation gives."""

import re
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lamina.ops import conv
from lamina.ops.lowering import (
    TABLE,
    Target,
    choose,
    compiled_kernels,
    fusion,
    lowering_for,
    run_lowering,
)
from lamina.ops.lowering.attention import Settings
from lamina.ops.lowering.table import Lowering

WITHOUT_GRADIENT = {"adam", "argmax", "argmin"}
OPERATIONS = list(dict.fromkeys(row.operation for row in TABLE))
REFERENCE = {row.operation: row for row in TABLE if row.suits is None}


def normal(*shape: int, dtype: str = "float32") -> jax.Array:
    values = np.random.default_rng(len(shape) + sum(shape)).normal(size=shape)
    return jnp.asarray(values, dtype)


def pooled(size: int, step: int):
    """Arguments of pooling over the two middle axes."""
    return lambda x: (x, (1, 2), (size, size), (step, step), [(0, 0), (0, 0)])


def pooled_convolution(x, kernel):
    y = conv(x, kernel)
    settings = None, False, (1, 1), "valid", "channels_last", (1, 1)
    fusion.record_convolution(y, fusion.Convolution(x, kernel, *settings))
    return pooled(2, 2)(y)


def attended(**settings):
    mask = np.array([[[[True, True, False]]], [[[True, False, True]]]])
    return lambda *parts: (*parts, Settings(**{"mask": mask, "scale": 0.5, **settings}))


def convolved(*settings):
    return lambda *arrays: (*arrays, *settings)


HEADS = [normal(2, 3, 4, 8), normal(2, 3, 4, 8), normal(2, 3, 4, 8)]
HALF_HEADS = [normal(2, 16, 4, 64, dtype="bfloat16")] * 3
WINDOWS = (1, 1), "same", "channels_last", (1, 1)
LSTM = [normal(5, 2, 4), normal(4, 12), normal(3, 12), normal(12), normal(2, 3), normal(2, 3)]
WEIGHTS = [normal(3, 4), normal(4), normal(3, 4), normal(4), abs(normal(3, 4)), abs(normal(4))]
GRADIENTS = [normal(2, 3, 2).reshape(3, 4), normal(2, 2).reshape(4)]

# Of each operation: arrays, and how its arguments are made of them.
CASES = {
    "adam": [
        (
            [*WEIGHTS, *GRADIENTS, jnp.float32(0.1)],
            lambda *a: (
                (list(a[:2]), list(a[2:4]), list(a[4:6])),
                list(a[6:8]),
                a[8],
                jnp.int32(3),
                0.9,
                0.99,
                1e-3,
                [None, 0.1],
            ),
        )
    ],
    "argmax": [([normal(3, 4)], lambda x: (x, 1, True))],
    "argmin": [([normal(3, 4)], lambda x: (x, None, False))],
    "attention": [
        (HEADS, attended()),
        (HEADS, attended(is_causal=True)),
        ([HEADS[0], HEADS[1][:, :, :2], HEADS[2][:, :, :2]], attended()),
        (HALF_HEADS, attended(mask=None)),
        ([normal(1, 4096, 1, 2), *[normal(1, 2048, 1, 2)] * 2], attended(mask=None)),
    ],
    "conv": [
        ([normal(2, 6, 5, 3), normal(3, 2, 3, 4)], convolved(*WINDOWS)),
        (
            [normal(2, 3, 6, 5), normal(3, 3, 3, 16)],
            convolved((2, 1), "same", "channels_first", (1, 1)),
        ),
        ([normal(2, 6, 3), normal(3, 3, 4)], convolved((1,), "causal", "channels_last", (2,))),
        ([normal(2, 6, 5, 4), normal(3, 2, 2, 6)], convolved(*WINDOWS)),  # two groups
        ([normal(2, 6, 5, 3), normal(3, 2, 1, 6)], convolved(*WINDOWS)),  # a group a channel
        ([normal(2, 4, 6), normal(3, 1, 8)], convolved((1,), "causal", "channels_first", (2,))),
    ],
    "conv_transpose": [
        (
            [normal(2, 4, 3, 2), normal(3, 2, 5, 2)],
            convolved((2, 1), [(2, 2), (1, 1)], [9, 4], "channels_last", (1, 1)),
        )
    ],
    "dense": [
        ([normal(4, 3), normal(3, 5)], lambda *a: a),
        ([normal(2, 1024, 3), normal(3, 2)], lambda *a: a),
        ([normal(2, 16, 3), normal(3, 16)], lambda *a: a),
    ],
    "depthwise_conv": [([normal(2, 6, 5, 3), normal(3, 2, 3, 2)], convolved(*WINDOWS))],
    "einsum_dense": [
        ([normal(4, 4, 6), normal(6, 2, 16)], lambda *a: ("abc,cde->abde", *a)),
        ([normal(4, 4, 2, 8), normal(2, 8, 16)], lambda *a: ("...abc,bcd->...ad", *a)),
    ],
    "layer_normalization": [
        ([normal(3, 2, 4), normal(2, 4), normal(2, 4)], convolved((1, 2), 1e-3)),
        ([normal(3, 2, 4)], lambda x: (x, None, None, -1, 1e-3)),
    ],
    "lstm": [
        (LSTM, convolved(None, False)),
        (LSTM, convolved(np.array([[True, False]] * 4 + [[False, True]]), True)),
    ],
    "max_pool": [
        ([normal(2, 7, 7, 3), normal(2, 2, 3, 4)], pooled_convolution),
        ([normal(2, 6, 4, 3)], pooled(2, 2)),
        ([normal(2, 7, 5, 3)], pooled(3, 2)),
    ],
    "moments": [([normal(2, 3, 4, 5)], lambda x: (x, (0, 1, 2), False))],
    "scale_and_shift": [
        ([normal(2, 3, 4, 5), normal(5), normal(5)], lambda *a: (*a, -1)),
    ],
    "sum_pool": [([normal(2, 6, 4, 3)], pooled(2, 2)), ([normal(2, 7, 5, 3)], pooled(3, 2))],
}


@pytest.fixture(autouse=True)
def _asked_anew(monkeypatch):
    monkeypatch.setenv("LAMINA_KERNELS", "1")
    compiled_kernels.found.cache_clear()
    yield
    compiled_kernels.found.cache_clear()


def outputs_and_gradients(operation, function, case):
    """What a function gives, and the gradients of a weighted sum of it by the arrays."""
    arrays, arguments = case

    def weighted(*arrays):
        found = jax.tree.leaves(function(*arguments(*arrays)))
        return sum(jnp.sum(y * jnp.cos(jnp.arange(y.size).reshape(y.shape))) for y in found), found

    if operation in WITHOUT_GRADIENT:
        return weighted(*arrays)[1]
    places = tuple(range(len(arrays)))
    (_, found), gradients = jax.value_and_grad(weighted, places, has_aux=True)(*arrays)
    return [*found, *gradients]


def cases_of(row):
    """The cases for which the table gives this row."""
    return [
        case
        for case in CASES[row.operation]
        if choose(row.operation, *case[1](*case[0])).function is row.function
    ]


def lowerings():
    """All rows but the references; `make test-extra` builds the kernels that some of them call."""
    for row in TABLE:
        if row.suits is not None:
            name = f"{row.operation}, {row.target}: {row.function.__name__}"
            marks = [pytest.mark.extra] if row.target.kernels else []
            yield pytest.param(row, id=name, marks=marks)


@pytest.mark.parametrize("row", list(lowerings()))
def test_every_lowering_and_its_gradients_are_those_of_the_reference(row):
    if row.target.platform == "gpu" and jax.default_backend() != "gpu":
        pytest.skip("there is no GPU here")
    with lowering_for(row.target.platform, kernels=row.target.kernels):
        cases = cases_of(row)
        assert cases, "no case of CASES takes this row"
        found = [outputs_and_gradients(row.operation, row.function, case) for case in cases]
    with lowering_for("portable"):
        reference = REFERENCE[row.operation].function
        expected = [outputs_and_gradients(row.operation, reference, case) for case in cases]
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        precise = one.dtype == other.dtype != "bfloat16"
        np.testing.assert_allclose(
            np.asarray(one, "float32"),
            np.asarray(other, "float32"),
            *((1e-5, 2e-5) if precise else (2e-2, 2e-2)),
        )


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_reference_comes_last_and_serves_every_target(operation):
    rows = [row for row in TABLE if row.operation == operation]
    assert [row.suits is None for row in rows] == [*[False] * (len(rows) - 1), True]
    assert [row.target is None for row in rows] == [*[False] * (len(rows) - 1), True]


# What an exporter could not take, or what is of use on a CPU only.
NOT_PORTABLE = re.compile("custom_call|callback|optimization_barrier|inlineable")


def program(operation, target):
    """The text of an operation and its gradients, lowered for a target."""
    arrays, arguments = CASES[operation][0]

    def everything(*arrays):
        return outputs_and_gradients(
            operation, partial(run_lowering, operation), (arrays, arguments)
        )

    with lowering_for(target):
        return jax.jit(everything).lower(*arrays).as_text()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_portable_programs_are_plain(operation):
    assert not NOT_PORTABLE.findall(program(operation, "portable"))


def test_the_check_above_finds_what_is_for_cpus_only():
    assert "inlineable" in NOT_PORTABLE.findall(program("layer_normalization", "cpu"))


def test_figures_that_justify_a_row_are_on_the_page():
    page = Path(__file__).parents[3] / "docs" / "performance.md"
    names = set(re.findall(r"^\| `([a-z-]+)` \|", page.read_text(encoding="utf-8"), re.MULTILINE))
    assert {row.figures for row in TABLE} - {None} <= names


def test_a_row_for_cpus_serves_programs_with_kernels_and_not_the_other_way_round():
    targets = [None, Target("cpu"), Target("cpu", kernels=True)]
    rows = [Lowering("dense", target, jnp.matmul) for target in targets]
    served = {
        str(target): [row.target for row in rows if row.supports(target)]
        for target in (Target("cpu"), Target("cpu", kernels=True), Target("gpu"))
    }
    assert served == {
        "cpu": [None, Target("cpu")],
        "cpu with compiled kernels": [None, Target("cpu"), Target("cpu", kernels=True)],
        "gpu": [None],
    }
