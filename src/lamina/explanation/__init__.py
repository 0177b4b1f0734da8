"""Why a model gives an answer: attributions, maps of pictures and words, single neurons, filters.

`model.explain(x)` combines the most useful ones for one sample; each is also a function here.
"""

from lamina.explanation.attention_maps import attention_maps
from lamina.explanation.explanation import Explanation, explain
from lamina.explanation.grad_cam import grad_cam
from lamina.explanation.gradients import integrated_gradients, saliency
from lamina.explanation.maximization import MaximizingInput, activation_maximization
from lamina.explanation.neurons import Neuron, neuron
from lamina.explanation.receptive_fields import ReceptiveField, receptive_field

__all__ = [
    "Explanation",
    "MaximizingInput",
    "Neuron",
    "ReceptiveField",
    "activation_maximization",
    "attention_maps",
    "explain",
    "grad_cam",
    "integrated_gradients",
    "neuron",
    "receptive_field",
    "saliency",
]
