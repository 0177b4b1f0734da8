"""A contract is plain data: it goes to JSON and back, and a damaged one is refused."""

import json

import pytest
from hypothesis import given, strategies as st

from lamina.contract import (
    Column,
    Contract,
    Drawing,
    ImageInput,
    InputRange,
    Novelty,
    SeriesInput,
    TargetRange,
)

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.text(max_size=8)
COLUMNS = st.builds(
    Column,
    name=NAMES,
    kind=st.sampled_from(["number", "category", "date", "text"]),
    why=NAMES,
    missing=st.integers(0, 10**6),
    categories=st.lists(NAMES, max_size=3).map(tuple),
    day_first=st.booleans(),
)
RANGES = st.builds(
    InputRange,
    name=NAMES,
    shape=st.lists(st.integers(1, 99), max_size=3).map(tuple),
    dtype=st.sampled_from(["float32", "uint8"]),
    low=NUMBERS,
    high=NUMBERS,
    mean=NUMBERS,
    spread=NUMBERS,
    sample_spread=NUMBERS,
    channels=st.lists(NUMBERS, max_size=3).map(tuple),
)
CONTRACTS = st.builds(
    Contract,
    kind=st.sampled_from(["images", "table", "text", "series", "arrays"]),
    inputs=st.lists(RANGES, max_size=2).map(tuple),
    columns=st.lists(COLUMNS, max_size=2, unique_by=lambda column: column.name).map(tuple),
    image=st.none()
    | st.builds(
        ImageInput,
        st.integers(5, 9),
        st.integers(1, 9),
        st.just(3),
        st.none()
        | st.builds(
            Drawing,
            longest=st.integers(1, 5),
            centred_by=st.sampled_from(["mass", "box"]),
            strokes=st.booleans(),
            is_dark=st.booleans(),
        ),
    ),
    series=st.none() | st.builds(SeriesInput, st.integers(1, 9), st.integers(1, 9)),
    target=st.none() | NAMES,
    class_names=st.none() | st.lists(NAMES, max_size=3, unique=True).map(tuple),
    target_range=st.none() | st.builds(TargetRange, NUMBERS, NUMBERS, NUMBERS, NUMBERS),
    split=st.none() | NAMES,
    novelty=st.none()
    | st.builds(
        Novelty,
        inputs=st.lists(NAMES, max_size=2).map(tuple),
        mean=st.lists(NUMBERS, max_size=2).map(tuple),
        scale=st.lists(NUMBERS, max_size=2).map(tuple),
        components=NAMES,
        variances=st.lists(NUMBERS, max_size=2).map(tuple),
        rest=NUMBERS,
        threshold=NUMBERS,
        expected=NUMBERS,
    ),
)


@given(CONTRACTS)
def test_a_contract_goes_to_json_and_back(contract):
    text = json.dumps(contract.to_json())
    assert Contract.from_json(json.loads(text)) == contract


def test_what_a_later_version_has_besides_is_passed_over():
    record = {**Contract(target="price").to_json(), "colour": "red"}
    assert Contract.from_json(record) == Contract(target="price")


DAMAGED = [
    [],
    "contract",
    {},
    {"version": "1"},
    {"version": 2},
    {"version": 1, "kind": 3},
    {"version": 1, "class_names": "cat"},
    {"version": 1, "class_names": ["cat", 1]},
    {"version": 1, "class_names": ["a"] * 200_000},
    {"version": 1, "class_names": ["cat", "cat"]},
    {"version": 1, "image": {"height": 10**6, "width": 10**6, "channels": 3}},
    {"version": 1, "target_range": {"low": 10**400, "high": 1, "mean": 1, "spread": 1}},
    {"version": 1, "target_range": {"low": float("nan"), "high": 1, "mean": 1, "spread": 1}},
    {"version": 1, "image": {"height": 3}},
    {"version": 1, "image": {"height": "3", "width": 3, "channels": 1}},
    {"version": 1, "columns": {"name": "x"}},
    {"version": 1, "columns": [{"name": "x", "kind": "number", "missing": True}]},
    {"version": 1, "columns": [{"name": "x", "kind": "colour"}]},
    {"version": 1, "columns": [{"name": "x", "kind": "number"}] * 2},
]


@pytest.mark.parametrize("record", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_record_is_refused(record):
    with pytest.raises(ValueError):
        Contract.from_json(record)
