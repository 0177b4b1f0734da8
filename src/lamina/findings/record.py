"""Record: facts about a training, as plain data that checks read.

`lamina.training.recorder` fills it while `fit` runs, and `lamina.diagnosis.diagnose` fills it for
a model that was trained before. Checks use nothing else, so they also run on a record that was made
by hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class LayerFacts:
    """Facts about one layer.

    Args:
        name: Its name.
        kind: Name of its class, e.g. `"Dense"`.
        is_from_lamina: Whether the class is one of Lamina's, so that its settings have the meaning
            that checks rely on.
        activation: Name of its activation function, if it has one.
        units: Units or filters, if it has them.
        settings: Its other settings that checks read: `rate`, `axis`, `momentum`, `stateful`, ….
        initializer: `(class, settings)` of the initializer of its kernel.
        regularizer: The largest of its L1 and L2 factors.
        parameters: Number of its weights.
        trainable: Whether they are trained.
    """

    name: str
    kind: str
    is_from_lamina: bool = True
    activation: str | None = None
    units: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    initializer: tuple[str, Mapping[str, Any]] | None = None
    regularizer: float = 0.0
    parameters: int = 0
    trainable: bool = True


@dataclass(frozen=True)
class Values:
    """Statistics of an array with one row for each sample; large arrays are sampled.

    Args:
        name: Its name.
        shape: Shape of one sample.
        kind: NumPy's character for the kind of its dtype: `"i"`, `"u"`, `"f"` or `"b"`.
        samples: Number of rows.
        low: The smallest value.
        high: The largest value.
        mean: Mean of all values.
        std: Standard deviation of all values.
        large: Fraction of values beyond ±25.
        constant: Fraction of columns with a single value.
    """

    name: str
    shape: tuple[int, ...]
    kind: str
    samples: int
    low: float
    high: float
    mean: float
    std: float
    large: float = 0.0
    constant: float = 0.0


@dataclass(frozen=True)
class Targets:
    """The targets of one output.

    Args:
        form: `"class indices"`, `"one-hot"`, `"zeros and ones"`, `"several classes"` (zeros and
            ones in several columns) or `"numbers"`.
        values: Statistics of the targets.
        counts: Number of samples of each class; for `"several classes"`, number of ones in each
            column.
        distinct: Number of distinct values if there are few; else None.
        is_sorted: Whether the samples of each class are contiguous.
    """

    form: str
    values: Values
    counts: tuple[int, ...] = ()
    distinct: int | None = None
    is_sorted: bool = False


@dataclass(frozen=True)
class OutputFacts:
    """Facts about one output of the model, its loss and its targets.

    Args:
        name: Its name.
        units: Size of its last axis.
        activation: The last activation function; None if it is not known.
        loss: Name of its loss; None if it has none, or a loss that the user wrote.
        from_logits: The `from_logits` of the loss.
        metrics: Names of its metrics.
        targets: Its targets in training, if they are available.
        validation_targets: Its targets in validation, if they are available.
    """

    name: str
    units: int | None
    activation: str | None
    loss: str | None
    from_logits: bool = False
    metrics: tuple[str, ...] = ()
    targets: Targets | None = None
    validation_targets: Targets | None = None


@dataclass(frozen=True)
class LayerStatistics:
    """Statistics of a layer on one batch, after some training steps.

    Args:
        layer: Its name.
        step: Number of steps so far.
        gradient: Root mean square of the gradient of its kernel.
        update: Norm of an update of its kernel, relative to the norm of the kernel.
        dead: Fraction of its units whose output is 0 for every sample.
        saturated: Fraction of its outputs where its sigmoid or tanh saturates.
        rank: The effective rank of its kernel: in how many directions it acts about equally
            strongly; None if the kernel is too large.
        largest_rank: The largest rank that the kernel can have.
    """

    layer: str
    step: int
    gradient: float | None = None
    update: float | None = None
    dead: float | None = None
    saturated: float | None = None
    rank: float | None = None
    largest_rank: int | None = None


@dataclass(frozen=True)
class Record:
    """Facts about a training.

    Args:
        model: Name of the model.
        layers: Its layers, in the order of their calls.
        is_chain: Whether the input of each layer is the output of the previous one.
        inputs: Values of the input arrays, if they are available.
        outputs: The outputs.
        optimizer: Name of the optimizer.
        learning_rate: Its learning rate at the beginning; None for a schedule.
        usual_rate: The default learning rate of that optimizer, if it is one of Lamina's.
        momentum: Its momentum, if it has one.
        samples: Number of training samples, if it is known.
        batch_size: Samples in a step.
        planned_epochs: The `epochs` of `fit`.
        shuffle: Whether samples are shuffled.
        class_weight: Whether classes are weighted.
        validation_split: Fraction of the training data that is used for validation, or None.
        epochs: Losses and metrics, by name, of every epoch that has ended.
        steps: Number of steps that were made.
        ended: `"running"`, `"finished"`, `"stopped"`, `"not finite"` or `"refused"`.
        statistics: Statistics of layers, if they were recorded.
        called_from: File and line of the user's call of `fit`, as `"file.py:12"`.
        unchecked: What could not be checked, and why.
    """

    model: str
    layers: tuple[LayerFacts, ...] = ()
    is_chain: bool = False
    inputs: tuple[Values, ...] = ()
    outputs: tuple[OutputFacts, ...] = ()
    optimizer: str | None = None
    learning_rate: float | None = None
    usual_rate: float | None = None
    momentum: float | None = None
    samples: int | None = None
    batch_size: int | None = None
    planned_epochs: int | None = None
    shuffle: bool = True
    class_weight: bool = False
    validation_split: float | None = None
    epochs: tuple[Mapping[str, float], ...] = ()
    steps: int | None = None
    ended: str = "finished"
    statistics: tuple[LayerStatistics, ...] = ()
    called_from: str | None = None
    unchecked: tuple[str, ...] = ()
