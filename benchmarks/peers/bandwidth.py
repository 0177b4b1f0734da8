"""Bytes a second between the cores and their memory, for several sizes of what is worked on.

Every core copies its own array; read and written bytes count. Small sets stay in the caches.
"""

import json
import sys
import threading
import time

import numpy as np

CORES = int(sys.argv[1])
SIZES = [2**20 * n for n in (1, 4, 16, 64, 512)]  # of all arrays together
SECONDS = 0.15


def bandwidth(size: int) -> float:
    elements = size // (2 * 4 * CORES)
    pairs = [(np.zeros(elements, "f4"), np.ones(elements, "f4")) for _ in range(CORES)]
    moved = [0] * CORES
    begin = threading.Barrier(CORES)

    def work(core: int) -> None:
        target, source = pairs[core]
        begin.wait()
        end = time.perf_counter() + SECONDS
        while time.perf_counter() < end:
            for _ in range(4):
                np.copyto(target, source)
            moved[core] += 4 * 2 * source.nbytes

    threads = [threading.Thread(target=work, args=(core,)) for core in range(CORES)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(moved) / (time.perf_counter() - start)


print(json.dumps({str(size): max(bandwidth(size) for _ in range(3)) for size in SIZES}))
