"""The job as a hand-written PyTorch loop: the data already in a tensor, fused Adam."""

from job import BATCH_SIZE, CLASSES, HIDDEN, LEARNING_RATE, Job, arguments

options = arguments()
job = Job()
with job.timed("import"):
    import torch
    from torch import nn

import numpy as np


def network() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(28 * 28, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, CLASSES),
    )


data = np.load(options.data)
# Scaled once: cheaper here than scaling every batch.
x_train, x_test = (torch.from_numpy(data[name]).float() / 255 for name in ("x_train", "x_test"))
y_train, y_test = (torch.from_numpy(data[name]).long() for name in ("y_train", "y_test"))

model = network()
optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=True)
loss_of = nn.CrossEntropyLoss()

job.epoch_begins()
for _ in range(options.epochs):
    total, right = torch.zeros(()), torch.zeros((), dtype=torch.long)
    for batch in torch.randperm(len(x_train)).split(BATCH_SIZE):
        x, y = x_train[batch], y_train[batch]
        logits = model(x)
        loss = loss_of(logits, y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        # Stay on the tensor's side: .item() would be slower.
        total += loss.detach() * len(batch)
        right += (logits.detach().argmax(1) == y).sum()
    print(f"loss {total / len(x_train):.4f}, accuracy {right / len(x_train):.4f}")
    job.epoch_ends()

with torch.inference_mode():
    accuracy = (model(x_test).argmax(1) == y_test).float().mean()
torch.save(model.state_dict(), "model.pt")
loaded = network()
loaded.load_state_dict(torch.load("model.pt", weights_only=True))
with torch.inference_mode():
    predictions = loaded(x_test).softmax(1)

job.finish(accuracy, predictions[0].argmax(), torch=torch.__version__)
