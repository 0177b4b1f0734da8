"""Asks a model in PyTorch by hand: one sample, and many."""

import numpy as np
import torch
import workloads
from gauges import finish, median_seconds

workload = workloads.load("mlp")
x, _ = workload.arrays(np.random.default_rng(seed=0), 10_000)
model = workload.torch_model().eval()


def predict(x):
    with torch.inference_mode():
        return model(workload.torch_inputs(x)).softmax(1).numpy()


finish(
    {
        "one": median_seconds(lambda: predict(x[:1]), 200),
        "many": median_seconds(lambda: predict(x), 9),
    }
)
