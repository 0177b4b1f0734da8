"""Peak speed of this machine: the best of several large float32 matrix products, all cores."""

import json
import time

import jax
import jax.numpy as jnp

SIZE, REPEATS = 4096, 8

a = jax.random.normal(jax.random.key(0), (SIZE, SIZE), jnp.float32)
product = jax.jit(jnp.matmul)
product(a, a).block_until_ready()
seconds = []
for _ in range(REPEATS):
    start = time.perf_counter()
    product(a, a).block_until_ready()
    seconds.append(time.perf_counter() - start)
print(json.dumps({"flops_per_second": 2 * SIZE**3 / min(seconds)}))
