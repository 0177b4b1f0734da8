"""Options: the arguments of `lamina.data.load`, with checks."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lamina.contract import COLUMN_KINDS
from lamina.core.user_data.arguments import check_integer, is_number
from lamina.data.loading.splits import SPLIT_METHODS

# What each argument applies to, for messages.
_APPLIES_TO = {
    "text": "a table",
    "time": "a table",
    "group": "a table that is split by groups",
    "columns": "a table of several columns",
    "drop": "a table of several columns",
    "kinds": "a table of several columns",
    "target": "a table",
    "task": "a table",
    "split": "other data than a series, whose parts follow each other in time",
    "forecast": "a series in a table",
    "window": "a series, of which forecast=… steps are predicted",
    "image_size": "pictures",
}
# Values of arguments that are allowed for a series, since they apply to every series.
_IMPLIED_BY_SERIES = (("task", "number"), ("split", "tail"))


@dataclass(frozen=True)
class Options:
    """The arguments of `load`, without the source.

    Args:
        target: Column to predict.
        text: Column with texts to predict from.
        time: Column to sort by, for a series.
        forecast: Steps of a series to predict.
        window: Steps of a series to predict from.
        columns: Input columns; all useful ones if None.
        drop: Columns not to use.
        kinds: The kinds of columns by name; other kinds are guessed.
        day_first: Whether ambiguous dates begin with the day.
        decimal_comma: Whether ambiguous numbers in texts have a decimal comma.
        task: Whether the target is `"classes"` or a `"number"`; guessed if None.
        split: How to split the rows.
        group: Column with groups of rows that stay in one part, for `split="group"`.
        validation: Fraction for validation.
        test: Fraction for testing.
        image_size: `(height, width)` of pictures.
        max_memory: Bytes of pictures that are kept in memory.
        batch_size: Rows in a batch.
        seed: Seed of the split and of the order of batches.
    """

    target: str | None = None
    text: str | None = None
    time: str | None = None
    forecast: int | None = None
    window: int | None = None
    columns: Sequence[str] | None = None
    drop: Sequence[str] | None = None
    kinds: Mapping[str, str] | None = None
    day_first: bool | None = None
    decimal_comma: bool | None = None
    task: str | None = None
    split: str | None = None
    group: str | None = None
    validation: float = 0.15
    test: float = 0.15
    image_size: tuple[int, int] | None = None
    max_memory: int | None = None
    batch_size: int = 32
    seed: int = 0

    def named_columns(self) -> list[str]:
        """All columns that the user has named in any argument."""
        single = (self.target, self.text, self.time, self.group)
        named = [name for name in single if name is not None]
        return [*named, *(self.columns or ()), *(self.drop or ()), *(self.kinds or ())]

    def refuse_unused(self, kind: str) -> None:
        """Refuse arguments that would have no effect.

        Args:
            kind: `"pictures"`, `"texts"`, `"a table"`, `"texts of a table"` or `"a series"`.

        Raises:
            ValueError: The message names the argument and what it is for.
        """
        table_arguments = ("text", "time", "group", "columns", "drop", "kinds")
        unused = {
            "pictures": ("forecast", "window", *table_arguments),
            "texts": ("image_size", "forecast", "window", "target", *table_arguments),
            "a table": ("image_size", "window"),
            "texts of a table": ("image_size", "window", "columns", "drop", "kinds"),
            "a series": ("image_size", "text", "group", "task", "split"),
        }[kind]
        for name in unused:
            value = getattr(self, name)
            if value is None or (name, value) in _IMPLIED_BY_SERIES:
                continue
            raise ValueError(
                f"{name}={value!r} is for {_APPLIES_TO[name]}, and has no effect on {kind}.\n"
                f"  Fix: leave {name} out."
            )
        if self.task == "number" and kind in ("pictures", "texts"):
            raise ValueError(
                f"task='number' predicts a number, and of {kind} in a folder only classes can be "
                "learnt.\n  Fix: leave task out."
            )

    def __post_init__(self) -> None:
        if self.split is not None and self.split not in SPLIT_METHODS:
            raise ValueError(
                f"split must be one of {', '.join(SPLIT_METHODS)}; received {self.split!r}."
            )
        if (self.split == "group") != (self.group is not None):
            raise ValueError(
                "split='group' keeps rows with one value of a column together.\n"
                "  Fix: both, e.g. split='group', group='patient'."
            )
        if self.task not in ("classes", "number", None):
            raise ValueError(f"task must be 'classes' or 'number'; received {self.task!r}.")
        for name in ("day_first", "decimal_comma"):
            value = getattr(self, name)
            if value not in (True, False, None):
                raise ValueError(f"{name} must be True, False or None; received {value!r}.")
        self._check_columns()
        for name, fraction in (("validation", self.validation), ("test", self.test)):
            if not is_number(fraction) or not 0 <= fraction < 1:
                raise ValueError(f"{name} is a fraction from 0 to 1; received {fraction!r}.")
        if self.validation + self.test >= 1:
            raise ValueError(
                f"validation={self.validation} and test={self.test} leave nothing to train on."
            )
        check_integer("batch_size", self.batch_size, owner="load")
        check_integer("seed", self.seed, minimum=0, owner="load")
        for name in ("forecast", "window"):
            if getattr(self, name) is not None:
                check_integer(name, getattr(self, name), owner="load")
        if self.max_memory is not None:
            check_integer("max_memory", self.max_memory, minimum=0, owner="load", also=", or None")
        if self.image_size is not None:
            size = self.image_size
            if not isinstance(size, (tuple, list)) or len(size) != 2:
                side = size if isinstance(size, int) else 64
                raise ValueError(
                    f"image_size is the height and width of pictures; received {size!r}.\n"
                    f"  Fix: image_size=({side}, {side})."
                )
            for side in size:
                check_integer("image_size", side, owner="load")

    def _check_columns(self) -> None:
        for role in ("columns", "drop"):
            names = getattr(self, role)
            if isinstance(names, str) or not isinstance(names, (Sequence, type(None))):
                raise ValueError(
                    f"{role} is a list of names; received {names!r}.\n"
                    f"  Fix: {role}={[str(names)]!r}."
                )
        if self.columns is not None and not self.columns:
            raise ValueError(
                "columns=[] leaves nothing to predict from.\n"
                "  Fix: leave it out, and all useful columns are used."
            )
        repeated = [name for name, count in Counter(self.columns or ()).items() if count > 1]
        if repeated:
            distinct = list(dict.fromkeys(self.columns or ()))
            raise ValueError(
                f"columns names {repeated[0]!r} more than once.\n  Fix: columns={distinct!r}."
            )
        if not isinstance(self.kinds, (Mapping, type(None))):
            raise ValueError(
                f"kinds is a dict from columns to what they hold; received {self.kinds!r}.\n"
                "  Fix: kinds={'postcode': 'category'}."
            )
        for name, kind in (self.kinds or {}).items():
            if kind not in COLUMN_KINDS:
                known = ", ".join(COLUMN_KINDS)
                raise ValueError(
                    f"kinds gives column {name!r} the kind {kind!r}; kinds are {known}."
                )
        both = [name for name in self.drop or () if name in (self.columns or ())]
        if both:
            raise ValueError(
                f"columns and drop both name {both[0]!r}.\n  Fix: leave it out of one of them."
            )
        for role in ("target", "text", "time", "group"):
            if getattr(self, role) is not None and getattr(self, role) in (self.drop or ()):
                raise ValueError(
                    f"drop names {getattr(self, role)!r}, which is the {role}.\n"
                    "  Fix: leave it out of drop; only input columns are dropped."
                )
        if self.target is None:
            return
        for role in ("text", "time", "group"):
            if getattr(self, role) == self.target:
                raise ValueError(
                    f"target and {role} are both {self.target!r}: a column cannot be predicted and "
                    f"be the {role} as well.\n  Fix: another target, or another {role}."
                )
        if self.target in (self.columns or ()):
            raise ValueError(
                f"columns names {self.target!r}, which is the target and known only afterwards.\n"
                "  Fix: leave it out of columns, or name another target."
            )
