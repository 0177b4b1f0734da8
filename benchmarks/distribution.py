"""What training on several devices costs: messages, their bytes, and time of the host per step.

    XLA_FLAGS=--xla_force_host_platform_device_count=8 python benchmarks/distribution.py

Simulated devices of a CPU share its cores, so their speed means nothing. What does not depend on
them is measured: the messages of a compiled step, their bytes, the memory of each device, and the
time that Python spends per step. From bytes and published speeds a table estimates how three models
would scale; its assumptions are printed with it.
"""

import argparse
import json
import re
import time
from pathlib import Path

import jax
import numpy as np

import lamina
from lamina import layers
from lamina.distribution import DataParallel, list_devices, set_distribution
from lamina.training import engine

COLLECTIVES = "all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute"
BYTES = {"f64": 8, "f32": 4, "bf16": 2, "f16": 2, "s32": 4, "u32": 4, "pred": 1, "s64": 8}
BATCH, STEPS = 64, 64

# Each epoch is one call of the program. A call usually lasts 0.2 seconds, and simulated devices,
# which share the cores of the CPU, compute fewer steps in this time the more of them there are.
engine._CALL_SECONDS = 60.0

# Published figures, per accelerator: NVIDIA H100 SXM (data sheet: 989 Tflop/s of dense bfloat16
# products; NVLink 900 GB/s in both directions, so 450 in one), and one 400 Gb/s InfiniBand port for
# each between hosts of eight.
PEAK_FLOPS = 989e12
SHARE_OF_PEAK = 0.4
LINK_INSIDE, LINK_BETWEEN, DEVICES_OF_HOST = 450e9, 50e9, 8
# Parameters, and floating-point operations of one sample forward (twice that backward).
MODELS = {
    "ResNet-50, 256 images of 224 pixels each": (25.6e6, 4.1e9 * 2, 256),
    "BERT-large, 32 texts of 512 tokens each": (335e6, 2 * 335e6 * 512, 32),
    "GPT of 7 billion, 4 texts of 4,096 tokens each": (7e9, 2 * 7e9 * 4096, 4),
}


def mlp():
    stack = [lamina.Input((784,)), *(layers.Dense(128, activation="relu") for _ in range(2))]
    model = lamina.Sequential([*stack, layers.Dense(10, activation="softmax")])
    return model, np.random.rand(BATCH * STEPS, 784).astype("float32")


def cnn():
    stack = [lamina.Input((16, 16, 1)), layers.Conv2D(16, 3, activation="relu")]
    stack += [layers.BatchNormalization(), layers.MaxPooling2D(), layers.Flatten()]
    model = lamina.Sequential([*stack, layers.Dense(10, activation="softmax")])
    return model, np.random.rand(BATCH * STEPS, 16, 16, 1).astype("float32")


def transformer():
    inputs = lamina.Input((32,), dtype="int32")
    x = layers.Embedding(1000, 64)(inputs)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(8, 8, name="attention")(x, x))
    y = layers.Dense(64, name="down")(layers.Dense(256, activation="relu", name="up")(x))
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x + y))
    model = lamina.Model(inputs, layers.Dense(10, activation="softmax")(x))
    return model, np.random.randint(0, 1000, (BATCH * STEPS, 32))


def distributions(count):
    """By name, what to measure on so many devices."""
    devices = list_devices()[:count]
    if count == 1:
        return {"one device": None}
    return {
        "DataParallel": DataParallel(devices=devices),
        "shard_optimizer": DataParallel(devices=devices, shard_optimizer=True),
        "shard_parameters": DataParallel(devices=devices, shard_parameters=True),
    }


def measure(make, distribution):
    """Messages, bytes, memory and host time of a step."""
    set_distribution(distribution)
    lamina.set_random_seed(1)
    model, x = make()
    y = np.random.randint(0, 10, len(x))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, batch_size=BATCH, verbose=0)
    # The difference of a long and a short training leaves out what is done once per call of fit.
    seconds = []
    for _ in range(5):
        short, long = (host_time(model, x, y, epochs) for epochs in (1, 9))
        seconds.append((long - short) / (8 * STEPS))
    program, variables = model._learner.program("train")
    (compiled,) = program._programs.values()
    messages = re.findall(rf"= (.*?) ({COLLECTIVES})(?:-start)?\(", compiled.as_text())
    state = [*variables.trainable, *variables.non_trainable, *variables.optimizer]
    device = jax.devices()[0]
    held = (s for v in state for s in v.value.addressable_shards if s.device == device)
    set_distribution(None)
    return {
        "messages": len(messages),
        "bytes": sum(map(bytes_of, (shapes for shapes, _ in messages))),
        "memory": sum(shard.data.nbytes for shard in held),
        "host_us": 1e6 * float(np.median(seconds)),
    }


def host_time(model, x, y, epochs):
    """Seconds of the processor that the thread of `fit` takes."""
    began = time.thread_time()
    model.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0)
    return time.thread_time() - began


def bytes_of(shapes):
    """Bytes of the results of a message, from their text in the program."""
    found = re.findall(r"(\w+)\[([\d,]*)\]", shapes)
    return sum(
        BYTES.get(dtype, 4) * int(np.prod([int(n) for n in sizes.split(",") if n]))
        for dtype, sizes in found
    )


def estimate(parameters, flops, samples, devices):
    """Efficiency of data parallelism, if messages follow the computation, and if they overlap.

    Gradients are float32, in a ring: first inside each host, then between hosts.
    """
    computing = 3 * flops * samples / (PEAK_FLOPS * SHARE_OF_PEAK)
    size = 4 * parameters
    inside = min(devices, DEVICES_OF_HOST)
    sending = 2 * (inside - 1) / inside * size / LINK_INSIDE
    hosts = devices // DEVICES_OF_HOST
    if hosts > 1:
        sending += 2 * (hosts - 1) / hosts * (size / inside) / LINK_BETWEEN
    return computing / (computing + sending), computing / max(computing, sending)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="a JSON file for the figures")
    arguments = parser.parse_args()
    rows = {}
    print("| model | devices | how | messages | sent per step | state per device | host per step |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for make in (mlp, cnn, transformer):
        for count in (1, 2, 4, 8):
            for name, distribution in distributions(count).items():
                result = rows[f"{make.__name__}/{count}/{name}"] = measure(make, distribution)
                print(
                    f"| {make.__name__} | {count} | {name} | {result['messages']} | "
                    f"{result['bytes'] / 1e3:,.1f} kB | {result['memory'] / 1e3:,.0f} kB | "
                    f"{result['host_us']:,.0f} µs |",
                    flush=True,
                )
    print("\n| model | on 8 | on 64 | on 512 |\n| --- | --- | --- | --- |")
    for name, (parameters, flops, samples) in MODELS.items():
        shares = [estimate(parameters, flops, samples, count) for count in (8, 64, 512)]
        cells = " | ".join(f"{apart:.0%} to {overlapped:.0%}" for apart, overlapped in shares)
        print(f"| {name} | {cells} |")
    if arguments.out:
        arguments.out.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
