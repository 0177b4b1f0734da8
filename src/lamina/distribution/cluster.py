"""Reads the place of this process in a job of several from environment variables.

`lamina.distribution.initialize` connects the processes that `detect` returns.
"""

from dataclasses import replace

from lamina.distribution.launchers import (
    ADDRESSES,
    COORDINATOR,
    KERAS,
    KERAS_VARIABLES,
    LAUNCHERS,
    LOCAL_DEVICES,
    NUM_PROCESSES,
    PROCESS_ID,
    PROCESS_NUMBERS,
    Cluster,
    Environment,
    check_address,
    parse_integer,
    parse_local_devices,
    raise_with_fix,
)

__all__ = ["Cluster", "detect"]


def detect(environ: Environment) -> Cluster | None:
    """The place of this process in a job, from environment variables.

    Keras's variables `KERAS_DISTRIBUTION_JOB_ADDRESSES`, `KERAS_DISTRIBUTION_NUM_PROCESSES` and
    `KERAS_DISTRIBUTION_PROCESS_ID` take precedence over all others, and complete what a launcher
    does not set. So does `JAX_COORDINATOR_ADDRESS` for the address. Then come TensorFlow's
    `TF_CONFIG`, and launchers, the innermost first: torchrun, Open MPI, Slurm, PMIx, TPU pods,
    Kubernetes.

    Args:
        environ: The environment, e.g. `os.environ`.

    Returns:
        The place, or None if no variable belongs to a job of several processes.

    Raises:
        ValueError: If a variable has an impossible value, or a necessary one is missing.

    Example:
        >>> cluster = detect(
        ...     {"MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "29500", "WORLD_SIZE": "2", "RANK": "1"}
        ... )
        >>> cluster.address, cluster.num_processes, cluster.process_id
        ('10.0.0.1:29500', 2, 1)
        >>> detect({}) is None
        True
    """
    found: Cluster | None = None
    if not all(environ.get(name) for name in KERAS_VARIABLES):
        found = next(filter(None, (launcher(environ) for launcher in LAUNCHERS)), None)
    if found is not None and found.is_left_to_jax:
        return found
    found = _with_users_variables(environ, found)
    return None if found is None else _check_complete(environ, found)


# The user's own variables


def _with_users_variables(environ: Environment, found: Cluster | None) -> Cluster | None:
    """The cluster of a launcher, changed by the user's own variables."""
    if found is None:
        if not any(environ.get(name) for name in KERAS_VARIABLES):
            return None
        found = Cluster(KERAS, None, None, None)
    address = found.address
    if environ.get(ADDRESSES):
        address = _first_address(environ)
    elif environ.get(COORDINATOR):
        address = check_address(environ[COORDINATOR], COORDINATOR)
    count, process_id = found.num_processes, found.process_id
    if environ.get(NUM_PROCESSES):
        count = parse_integer(environ, NUM_PROCESSES, least=1)
    if environ.get(PROCESS_ID):
        process_id = parse_integer(environ, PROCESS_ID)
    devices = found.local_device_ids
    if environ.get(LOCAL_DEVICES):
        devices = parse_local_devices(environ)
    return replace(
        found,
        address=address,
        num_processes=count,
        process_id=process_id,
        local_device_ids=devices,
    )


def _check_complete(environ: Environment, found: Cluster) -> Cluster:
    """The cluster itself, if nothing is missing and the numbers fit."""
    if found.num_processes == 1 and found.process_id in (0, None):
        return replace(found, process_id=0)  # a single process connects to no other
    fixes = {
        ADDRESSES: f"export {ADDRESSES}=HOST:PORT, the host of process 0 and a free port there",
        NUM_PROCESSES: f"export {NUM_PROCESSES}=2, or how many there are",
        PROCESS_ID: f"export {PROCESS_ID}=0 in the first process, 1 in the next …",
    }
    values = dict(
        zip(KERAS_VARIABLES, (found.address, found.num_processes, found.process_id), strict=True)
    )
    missing = [name for name, value in values.items() if value is None]
    if missing:
        are = "is" if len(missing) == 1 else "are"
        cause = f"{found.name} has started this process"
        if found.name == KERAS:
            cause = " and ".join(f"{n}={environ[n]}" for n in KERAS_VARIABLES if environ.get(n))
        raise_with_fix(
            f"{cause}: {' and '.join(missing)} {are} missing.",
            "; ".join(fixes[name] for name in missing),
        )
    assert found.num_processes is not None
    assert found.process_id is not None
    if not 0 <= found.process_id < found.num_processes:
        name = PROCESS_NUMBERS.get(found.name, PROCESS_ID)
        name = PROCESS_ID if environ.get(PROCESS_ID) else name
        raise_with_fix(
            f"{name}={found.process_id}: there are {found.num_processes} processes, with the "
            f"numbers 0 to {found.num_processes - 1}.",
            f"export {name}=0 in the first process, and so on; or another number of processes",
        )
    return found


def _first_address(environ: Environment) -> str:
    """The first of Keras's addresses, which have one entry, or one for each process."""
    addresses = [a.strip() for a in environ[ADDRESSES].split(",") if a.strip()]
    if environ.get(NUM_PROCESSES) and len(addresses) > 1:
        count = parse_integer(environ, NUM_PROCESSES, least=1)
        if count != len(addresses):
            raise_with_fix(
                f"{ADDRESSES} has {len(addresses)} addresses, and {NUM_PROCESSES} is {count}.",
                f"export {ADDRESSES}={addresses[0]}; the address of process 0 is enough",
            )
    return check_address(addresses[0] if addresses else "", ADDRESSES)
