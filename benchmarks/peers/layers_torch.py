"""Trains single layers with SGD and a squared error, in PyTorch by hand."""

import argparse

import torch
from gauges import finish, median_seconds
from layer_cases import BATCHES, CASES, IMAGES

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=9)
options = parser.parse_args()


def seconds_per_step(name):
    torch.manual_seed(0)
    shape, _, make_module = CASES[name]
    module, batches = make_module(torch.nn), [torch.randn(shape) for _ in range(BATCHES)]
    if name in IMAGES:
        batches = [batch.movedim(-1, 1).contiguous() for batch in batches]
    if len(shape) == 4:  # the order of axes that is fastest on CPUs
        module = module.to(memory_format=torch.channels_last)
        batches = [batch.contiguous(memory_format=torch.channels_last) for batch in batches]
    optimizer = torch.optim.SGD(module.parameters(), 0.01)

    def forward(batch):
        return module(batch) if name in IMAGES else module(batch)[0][:, -1]

    with torch.no_grad():
        targets = [torch.rand_like(forward(batch)) for batch in batches]

    def epoch():
        for batch, target in zip(batches, targets, strict=True):
            optimizer.zero_grad(set_to_none=True)
            torch.nn.functional.mse_loss(forward(batch), target).backward()
            optimizer.step()

    return median_seconds(epoch, options.epochs) / BATCHES


finish({name: seconds_per_step(name) for name in CASES})
