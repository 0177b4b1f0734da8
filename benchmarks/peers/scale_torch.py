"""A network of one size on one axis of `scale_cases.py`, in PyTorch by hand."""

import argparse
import statistics
import time

import torch
from gauges import finish, highest_memory, resident_memory
from scale_cases import make_case, torch_model
from torch.nn import functional

parser = argparse.ArgumentParser()
parser.add_argument("axis")
parser.add_argument("value", type=int)
options = parser.parse_args()

case = make_case(options.axis, options.value)
steps = len(case.x) // case.batch_size
x, y = torch.from_numpy(case.x), torch.from_numpy(case.y)
if case.classes is not None:
    y = y.long()
seconds = []
before = resident_memory()
with highest_memory() as highest:
    start = time.perf_counter()
    model = torch_model(torch.nn, options.axis, options.value)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    loss_of = functional.mse_loss if case.classes is None else functional.cross_entropy
    for _ in range(2 if options.axis == "samples" and steps > 1000 else 6):
        for batch in torch.randperm(len(x)).split(case.batch_size):
            optimizer.zero_grad(set_to_none=True)
            loss_of(model(x[batch]), y[batch]).backward()
            optimizer.step()
        now = time.perf_counter()
        seconds.append(now - start)
        start = now
finish(
    {
        "step": statistics.median(seconds[1:]) / steps,
        "first": seconds[0],
        "memory": highest[0] - before,
        "steps": steps,
    }
)
