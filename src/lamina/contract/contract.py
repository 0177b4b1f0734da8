"""`Contract`: the description of the data that a model was trained on, convertible to JSON.

Each class has one level of the JSON. A field with a default may be missing in a file.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lamina.core.messages.tracebacks import filter_tracebacks_of_methods

# Increased when older versions of Lamina cannot read the written data.
VERSION = 1
# What the columns of a table hold.
COLUMN_KINDS = ("number", "category", "date", "text")
# Longer lists or texts mean that a file is damaged or malicious.
_MAX_LENGTH = 100_000


@dataclass(frozen=True)
class Column:
    """One input column of a table.

    Args:
        name: Its name.
        kind: `"number"`, `"category"`, `"date"` or `"text"`.
        why: How the kind was determined, in words.
        missing: Number of missing values.
        categories: Its values, sorted, if it is a category.
        day_first: Whether a date such as 2/3/2024 begins with the day.
        decimal_comma: Whether numbers in texts have a decimal comma.
    """

    name: str
    kind: str
    why: str = ""
    missing: int = 0
    categories: tuple[str, ...] = ()
    day_first: bool = False
    decimal_comma: bool = False

    def __str__(self) -> str:
        gaps = f", {self.missing:,} missing" if self.missing else ""
        return f"{self.name}: {self.kind} ({self.why}{gaps})"


@dataclass(frozen=True)
class InputRange:
    """Statistics of the values of one input array in training.

    Args:
        name: The input's name: `"x"`, or its key in a dict.
        shape: Shape of one sample.
        dtype: The dtype of the array given to `fit`.
        low: The smallest value.
        high: The largest value.
        mean: Mean of all values.
        spread: Their standard deviation.
        sample_spread: The standard deviation of the means of single samples.
        channels: The mean of each channel, for pictures in colour.
        quantiles: Quantiles of an input with one number for each sample and many distinct numbers.
        shares: The fraction of the numbers below each quantile.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    low: float
    high: float
    mean: float
    spread: float
    sample_spread: float
    channels: tuple[float, ...] = ()
    quantiles: tuple[float, ...] = ()
    shares: tuple[float, ...] = ()


@dataclass(frozen=True)
class Drawing:
    """Size and position of the drawing in each image, if they are the same in all images.

    Args:
        longest: The longer side of the drawing's bounding box, in pixels.
        centred_by: The point in the middle of the image: `"mass"`, the drawing's centre of mass, or
            `"box"`, the middle of its bounding box.
        strokes: Whether the drawings are strokes, without shades.
        is_dark: Whether the drawings are darker than the background.
        fullest: The maximum number of ink pixels, relative to a square of the longer side.
    """

    longest: int
    centred_by: str
    strokes: bool
    is_dark: bool
    fullest: float = 1.0


@dataclass(frozen=True)
class ImageInput:
    """The arrays that picture files are converted to.

    Args:
        height: In pixels.
        width: In pixels.
        channels: 1 for grey, 3 for red, green and blue.
        drawing: Size and position of the drawing, by which other pictures are cropped, scaled and
            centred. None if the images are not uniformly centred drawings.
        resized: How a picture with another aspect ratio is resized: `"edges"`, padded with the
            colour of its edges; `"stretch"`, `"crop"` or `"pad"`, as by
            `image_dataset_from_directory`.
        interpolation: The argument of `image_dataset_from_directory`; not used for `"edges"`.
    """

    height: int
    width: int
    channels: int
    drawing: Drawing | None = None
    resized: str = "edges"
    interpolation: str = "bilinear"


@dataclass(frozen=True)
class SeriesInput:
    """The lengths of the inputs and outputs of a forecast.

    Args:
        window: Number of steps to predict from.
        forecast: Number of steps to predict.
        time: The column that steps are sorted by, or None.
        day_first: Whether dates such as 2/3/2024 in that column begin with the day.
    """

    window: int
    forecast: int
    time: str | None = None
    day_first: bool = False


@dataclass(frozen=True)
class TargetRange:
    """Statistics of the values of a numeric target in training.

    Args:
        low: The smallest value.
        high: The largest value.
        mean: Mean of all values.
        spread: Their standard deviation.
    """

    low: float
    high: float
    mean: float
    spread: float


@dataclass(frozen=True)
class Novelty:
    """Statistics by which `lamina.contract.novelty` finds inputs far from all inputs of training.

    Args:
        inputs: Names of the input arrays.
        mean: The mean of each value, `(values,)`.
        scale: Divisors of the differences from the mean, `(values,)`.
        components: Principal components, `(components, values)`, as base64 of float32 numbers.
        variances: The variance along each component.
        rest: The variance along every other direction.
        threshold: The distance above which an input is far from the inputs of training.
        expected: The fraction of inputs like those of training that are above the threshold.
    """

    inputs: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    components: str
    variances: tuple[float, ...]
    rest: float
    threshold: float
    expected: float


@filter_tracebacks_of_methods
@dataclass(frozen=True)
class Contract:
    """Description of the data that a model was trained on, and of its outputs.

    It is plain data. `fit` fills it, and the model's file contains it. `Predictor` and the command
    line use it to convert a user's files, rows and texts to inputs.

    Args:
        kind: `"images"`, `"table"`, `"text"`, `"series"`, or `"arrays"` for arrays of unknown
            origin.
        inputs: The values of every input array.
        columns: For a table, its columns; for a series, the columns that it is made from.
        image: For pictures, the arrays that files are converted to.
        series: For a series, how long windows and forecasts are.
        target: Name of the predicted quantity, e.g. of a column.
        class_names: Names of the classes in the order of the outputs; None for numbers.
        target_range: The values of a target that is a number.
        split: How validation and test samples were chosen, if that is known.
        novelty: For classes, statistics to recognize an input of none of them.

    Example:
        >>> contract = Contract("text", target="label", class_names=("ham", "spam"))
        >>> Contract.from_json(contract.to_json()) == contract
        True
    """

    kind: str = "arrays"
    inputs: tuple[InputRange, ...] = ()
    columns: tuple[Column, ...] = ()
    image: ImageInput | None = None
    series: SeriesInput | None = None
    target: str | None = None
    class_names: tuple[str, ...] | None = None
    target_range: TargetRange | None = None
    split: str | None = None
    novelty: Novelty | None = None

    def without_inputs(self) -> "Contract":
        """The contract without its description of the inputs, for inputs that were changed."""
        return Contract(
            target=self.target,
            class_names=self.class_names,
            target_range=self.target_range,
            split=self.split,
        )

    def to_json(self) -> dict[str, Any]:
        """The contract as dicts, lists, texts and numbers."""
        return {"version": VERSION, **dataclasses.asdict(self)}

    @classmethod
    def from_json(cls, record: Any) -> "Contract":
        """The contract that `to_json` has written.

        Unknown fields are ignored: a later version may have more.

        Raises:
            ValueError: If the record is not of this form.
        """
        if not isinstance(record, Mapping) or not isinstance(record.get("version"), int):
            raise ValueError("it is not a contract")
        if record["version"] > VERSION:
            raise ValueError(
                f"its version is {record['version']}, but this Lamina reads up to {VERSION}"
            )
        contract: Contract = _read(cls, record, "contract")
        names = contract.class_names or ()
        if len(set(names)) < len(names):
            raise ValueError("two classes have one name")
        if any(column.kind not in COLUMN_KINDS for column in contract.columns):
            raise ValueError("it has a column of an unknown kind")
        if len({column.name for column in contract.columns}) < len(contract.columns):
            raise ValueError("two columns have one name")
        image = contract.image
        if image is not None and not (
            0 < image.height < 10_000 and 0 < image.width < 10_000 and image.channels in (1, 3)
        ):
            raise ValueError("the size of its images is impossible")
        drawing = None if image is None else image.drawing
        if drawing is not None and not (
            0 < drawing.longest <= max(image.height, image.width)  # type: ignore[union-attr]
            and drawing.centred_by in ("mass", "box")
        ):
            raise ValueError("its images cannot have drawings of this form")
        if image is not None and image.resized not in ("edges", "stretch", "crop", "pad"):
            raise ValueError("how its images are resized is not known")
        return contract


def _read(expected: Any, value: Any, where: str) -> Any:
    """A value of the expected type from JSON, checked, because files are untrusted."""
    if dataclasses.is_dataclass(expected):
        return _read_fields(expected, value, where)
    origin, arguments = typing.get_origin(expected), typing.get_args(expected)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        return _read(next(a for a in arguments if a is not type(None)), value, where)
    if origin is tuple:
        if not isinstance(value, (list, tuple)) or len(value) > _MAX_LENGTH:
            raise ValueError(f"{where} is not a list")
        return tuple(_read(arguments[0], item, where) for item in value)
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value) if abs(value) < 1e300 else math.inf
    if expected is float and isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{where} is not a finite number")
    if type(value) is not expected or (expected is str and len(value) > _MAX_LENGTH):
        raise ValueError(f"{where} is {type(value).__name__} and not {expected.__name__}")
    return value


def _read_fields(record_type: Any, value: Any, where: str) -> Any:
    if not isinstance(value, Mapping):
        raise ValueError(f"{where} is not a record")
    hints = typing.get_type_hints(record_type)
    known_fields = {
        field.name: _read(hints[field.name], value[field.name], f"{where}.{field.name}")
        for field in dataclasses.fields(record_type)
        if field.name in value
    }
    missing = [
        field.name
        for field in dataclasses.fields(record_type)
        if field.name not in known_fields and field.default is dataclasses.MISSING
    ]
    if missing:
        raise ValueError(f"{where} has no {missing[0]}")
    return record_type(**known_fields)
