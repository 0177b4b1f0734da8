"""Trains a workload by hand in PyTorch: data in tensors, fused Adam, channels last."""

import workloads

from training import LEARNING_RATE, Record, arguments, data

options = arguments()
record = Record()
with record.timed("import"):
    import torch
    from torch.nn import functional

workload = workloads.load(options.workload)
host_x, host_y = data(options, workload)
on_gpu = torch.cuda.is_available()
device = "cuda" if on_gpu else "cpu"


def loss_of(logits, y):
    if workload.LOSS == "binary_crossentropy":
        logits = logits[:, 0]
        return functional.binary_cross_entropy_with_logits(logits, y), (logits > 0) == (y > 0.5)
    return functional.cross_entropy(logits.flatten(0, -2), y.flatten()), logits.argmax(-1) == y


def train(compiled=False):
    model = workload.torch_model().to(device)
    if compiled:
        # On a GPU the whole step as one CUDA graph, so that starting kernels costs nothing.
        model = torch.compile(model, mode="reduce-overhead" if on_gpu else None)
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=True)
    x, y = workload.torch_inputs(host_x), torch.from_numpy(host_y)
    if y.dtype != torch.float32:
        y = y.long()
    x, y = x.to(device), y.to(device)
    for _ in range(1 + options.later):
        # Stay on the tensor's side: .item() after every step would be slower.
        total, hits = torch.zeros((), device=device), torch.zeros((), device=device)
        for batch in torch.randperm(len(x), device=device).split(workload.BATCH_SIZE):
            loss, right = loss_of(model(x[batch]), y[batch])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            total += loss.detach()
            hits += right.sum()
        record.epoch_ends(total / options.steps)


for setting in options.settings:
    record.begin(**setting)
    train(**setting)
    record.end()

record.finish(torch=torch.__version__)
