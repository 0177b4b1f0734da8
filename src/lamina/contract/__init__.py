"""The input contract: what a model was trained on, as plain data that is stored in its file.

`fit` fills it, `load_model` restores it, and `prediction` uses it to convert a user's files.
"""

from lamina.contract.contract import (
    COLUMN_KINDS,
    Column,
    Contract,
    Drawing,
    ImageInput,
    InputRange,
    Novelty,
    SeriesInput,
    TargetRange,
)

__all__ = [
    "COLUMN_KINDS",
    "Column",
    "Contract",
    "Drawing",
    "ImageInput",
    "InputRange",
    "Novelty",
    "SeriesInput",
    "TargetRange",
]
