"""Memory of a process that has only imported JAX and compiled the smallest program."""

import json

import jax
import jax.numpy as jnp
from job import peak_memory

jax.jit(lambda x: x + 1)(jnp.zeros(8)).block_until_ready()
print(json.dumps({"peak_memory": peak_memory()}))
