"""What a model knows of its inputs and of what its outputs mean, as plain data in its file."""

from lamina.contract.contract import (
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
    "Column",
    "Contract",
    "Drawing",
    "ImageInput",
    "InputRange",
    "Novelty",
    "SeriesInput",
    "TargetRange",
]
