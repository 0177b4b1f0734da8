"""What `lamina.optimizers` offers, and where each name lives."""

from lamina.optimizers import (
    legacy,
    schedules,
)
from lamina.optimizers.adadelta import (
    Adadelta,
)
from lamina.optimizers.adafactor import (
    Adafactor,
)
from lamina.optimizers.adagrad import (
    Adagrad,
)
from lamina.optimizers.adam import (
    Adam,
)
from lamina.optimizers.adamax import (
    Adamax,
)
from lamina.optimizers.adamw import (
    AdamW,
)
from lamina.optimizers.ftrl import (
    Ftrl,
)
from lamina.optimizers.get_optimizer import (
    deserialize,
    get,
    serialize,
)
from lamina.optimizers.lamb import (
    Lamb,
)
from lamina.optimizers.lion import (
    Lion,
)
from lamina.optimizers.loss_scale_optimizer import (
    LossScaleOptimizer,
)
from lamina.optimizers.multi_optimizer import (
    MultiOptimizer,
    OptimizerMap,
)
from lamina.optimizers.muon import (
    Muon,
)
from lamina.optimizers.nadam import (
    Nadam,
)
from lamina.optimizers.optax_optimizer import (
    OptaxOptimizer,
)
from lamina.optimizers.optimizer import (
    Optimizer,
)
from lamina.optimizers.rmsprop import (
    RMSprop,
)
from lamina.optimizers.schedule_free_adamw import (
    ScheduleFreeAdamW,
)
from lamina.optimizers.sgd import (
    SGD,
)

__all__ = [
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "LossScaleOptimizer",
    "MultiOptimizer",
    "Muon",
    "Nadam",
    "OptaxOptimizer",
    "Optimizer",
    "OptimizerMap",
    "RMSprop",
    "SGD",
    "ScheduleFreeAdamW",
    "deserialize",
    "get",
    "legacy",
    "schedules",
    "serialize",
]
