"""The environment variables of launchers, such as torchrun and Slurm.

A launcher tells each process the number of processes, its own number, and the address of process 0.
Each launcher has its own variables for that. `cluster.py` tries all launchers.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import NoReturn

ADDRESSES = "KERAS_DISTRIBUTION_JOB_ADDRESSES"
NUM_PROCESSES = "KERAS_DISTRIBUTION_NUM_PROCESSES"
PROCESS_ID = "KERAS_DISTRIBUTION_PROCESS_ID"
KERAS_VARIABLES = (ADDRESSES, NUM_PROCESSES, PROCESS_ID)

# Values of `Cluster.name`.
KERAS, TPU, TF_CONFIG = "Keras's variables", "a TPU pod", "TF_CONFIG"

COORDINATOR = "JAX_COORDINATOR_ADDRESS"
COORDINATOR_PORT = "JAX_COORDINATOR_PORT"
LOCAL_DEVICES = "JAX_LOCAL_DEVICE_IDS"

# The range of ports that job ids are mapped to, as in JAX.
_FIRST_PORT, _PORTS = 61440, 4096
_KUBERNETES_PORT = 55527

_TF_EXAMPLE = (
    '{"cluster": {"worker": ["10.0.0.1:12345", "10.0.0.2:12345"]}, '
    '"task": {"type": "worker", "index": 0}}'
)

Environment = Mapping[str, str]


@dataclass(frozen=True)
class Cluster:
    """A process's place in a job of several processes.

    Args:
        name: What has started the processes, e.g. `"Slurm"`.
        address: `host:port` at which process 0 listens.
        num_processes: Number of processes.
        process_id: Number of this process, from 0.
        local_device_ids: The accelerators of this machine that belong to this process; None for
            all that it sees.

    For a TPU pod all of these are None: JAX asks the TPU runtime.
    """

    name: str
    address: str | None
    num_processes: int | None
    process_id: int | None
    local_device_ids: tuple[int, ...] | None = None

    @property
    def is_left_to_jax(self) -> bool:
        """Whether JAX finds the other processes by itself, as on a TPU pod."""
        return self.name == TPU

    def describe(self) -> str:
        """One line of text: `process 1 of 4, started by Slurm; process 0 is at node1:61445`."""
        if self.is_left_to_jax:
            return f"{self.name}: JAX asks the TPU runtime for the other processes"
        return (
            f"process {self.process_id} of {self.num_processes}, started by {self.name}; "
            f"process 0 is at {self.address}"
        )


# Launchers: each returns None if it has not started this process


def _tf_config(environ: Environment) -> Cluster | None:
    """TensorFlow's variable: a JSON object with the addresses of all workers, and the own place."""
    text = environ.get(TF_CONFIG)
    if not text:
        return None
    fix = f"export {TF_CONFIG}='{_TF_EXAMPLE}'"
    try:
        config = json.loads(text)
        cluster, task = config.get("cluster", {}), config.get("task", {})
        groups = {kind: [str(a) for a in addresses] for kind, addresses in cluster.items()}
        kind, index = str(task.get("type", "worker")), int(task.get("index", 0))
    except (ValueError, TypeError, AttributeError):
        raise_with_fix(f"{TF_CONFIG}={text!r} is not what TensorFlow writes.", fix)
    workers = [*groups.get("chief", []), *groups.get("worker", [])]
    if groups.get("ps"):
        raise_with_fix(f"{TF_CONFIG} has parameter servers, which Lamina does not use.", fix)
    if len(workers) < 2:
        return None
    if kind not in ("chief", "worker") or not 0 <= index < len(groups.get(kind, [])):
        raise_with_fix(
            f"{TF_CONFIG} says that this process is {kind} {index}, and the cluster has no such "
            "chief or worker.",
            fix,
        )
    number = index + (len(groups.get("chief", [])) if kind == "worker" else 0)
    return Cluster(TF_CONFIG, check_address(workers[0], TF_CONFIG), len(workers), number)


def _torchrun(environ: Environment) -> Cluster | None:
    names = ("MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "RANK")
    given = [name for name in names if environ.get(name)]
    # Scripts for PyTorch export some of them even if another launcher starts them.
    if len(given) < 2 or (len(given) < 4 and (_open_mpi(environ) or _slurm(environ))):
        return None
    if len(given) < 4:
        missing = [name for name in names if name not in given]
        raise_with_fix(
            f"{', '.join(given)} are set as torchrun does, and {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not.",
            "torchrun --nproc-per-node 2 SCRIPT, which sets all of them; or unset "
            f"{' '.join(given)}",
        )
    port = parse_integer(environ, "MASTER_PORT", least=1)
    if environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        port += 1  # torchrun itself listens at MASTER_PORT
    shares_machine = environ.get("LOCAL_WORLD_SIZE") != "1"
    return Cluster(
        "torchrun",
        _address(environ, environ["MASTER_ADDR"], port),
        parse_integer(environ, "WORLD_SIZE", least=1),
        parse_integer(environ, "RANK"),
        _one_device(environ, "LOCAL_RANK") if shares_machine else None,
    )


def _open_mpi(environ: Environment) -> Cluster | None:
    if not environ.get("OMPI_COMM_WORLD_SIZE") and not environ.get("OMPI_COMM_WORLD_RANK"):
        return None
    for name in ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"):
        if not environ.get(name):
            raise_with_fix(
                f"Open MPI has started this process, and {name} is not set.", "mpirun -n 2 …"
            )
    count = parse_integer(environ, "OMPI_COMM_WORLD_SIZE", least=1)
    shares_machine = environ.get("OMPI_COMM_WORLD_LOCAL_SIZE") != "1"
    return Cluster(
        "Open MPI",
        _address_of_mpi(environ, count),
        count,
        parse_integer(environ, "OMPI_COMM_WORLD_RANK"),
        _one_device(environ, "OMPI_COMM_WORLD_LOCAL_RANK") if shares_machine else None,
    )


def _address_of_mpi(environ: Environment, count: int) -> str | None:
    """The host of `mpirun`, which is that of process 0 unless the user orders hosts otherwise.

    Open MPI 4 gives its address, e.g. `1531576320.0;tcp://10.96.0.1,10.148.0.1:34911`. Open MPI 5
    gives its name and process, as `prterun-node1-4711@1` in `PMIX_NAMESPACE`.
    """
    if environ.get(COORDINATOR):
        return None  # the user's address is used
    for name in ("OMPI_MCA_orte_hnp_uri", "PRTE_MCA_prte_hnp_uri", "PMIX_MCA_prte_hnp_uri"):
        uri = environ.get(name)
        if not uri:
            continue
        host = re.search(r"tcp4?://([^,:\]]+)[,:]|tcp6://\[([^,\]]+)", uri)
        if host is None:
            raise_with_fix(
                f"{name}={uri!r} has no address in it.",
                f"mpirun -x {COORDINATOR}=HOST:PORT …, the host of process 0 and a free port",
            )
        address = host[1] or f"[{host[2]}]"
        number = re.search(r"\d+", uri.partition(";")[0])
        # The number of a job of Open MPI 4 is a multiple of 4096.
        return _address(environ, address, _port_for_job(int(number[0]) // 4096 if number else 0))
    started_by = re.fullmatch(r"[^-]+-(.+)-(\d+)@\d+", environ.get("PMIX_NAMESPACE", ""))
    port = _port_for_job(int(started_by[2]) if started_by else 0)
    if environ.get("OMPI_COMM_WORLD_LOCAL_SIZE") == str(count):
        return _address(environ, "127.0.0.1", port)
    if started_by is None:
        raise_with_fix(
            "Open MPI has started this process, and OMPI_MCA_orte_hnp_uri is not set.",
            f"mpirun -x {COORDINATOR}=HOST:PORT …, the host of process 0 and a free port there",
        )
    return _address(environ, started_by[1], port)


def _slurm(environ: Environment) -> Cluster | None:
    nodes = environ.get("SLURM_STEP_NODELIST")
    if not nodes:
        tasks = environ.get("SLURM_NTASKS", "1")
        if environ.get("SLURM_JOB_ID") and tasks != "1":
            raise_with_fix(
                f"This is a Slurm job of {tasks} tasks, and SLURM_STEP_NODELIST is not set: only "
                "srun starts a process for each task.",
                "srun python SCRIPT",
            )
        return None
    count = "SLURM_STEP_NUM_TASKS" if environ.get("SLURM_STEP_NUM_TASKS") else "SLURM_NTASKS"
    for name in (count, "SLURM_PROCID", "SLURM_JOB_ID"):
        if not environ.get(name):
            raise_with_fix(
                f"srun has started this process, and {name} is not set.", "srun python SCRIPT"
            )
    first = next(expand_nodelist(nodes), None)
    if first is None:
        raise_with_fix(f"SLURM_STEP_NODELIST={nodes!r} names no host.", "srun python SCRIPT")
    # With --gpus-per-task, each task sees only its own GPUs.
    shares_machine = environ.get("SLURM_STEP_TASKS_PER_NODE", "").partition("(")[0] != "1"
    sees_only_its_devices = bool(environ.get("SLURM_GPUS_PER_TASK")) or not shares_machine
    return Cluster(
        "Slurm",
        _address(environ, first, _port_for_job(parse_integer(environ, "SLURM_JOB_ID"))),
        parse_integer(environ, count, least=1),
        parse_integer(environ, "SLURM_PROCID"),
        None if sees_only_its_devices else _one_device(environ, "SLURM_LOCALID"),
    )


def expand_nodelist(nodes: str) -> Iterator[str]:
    """The hosts of a list in Slurm's notation, in order.

    Args:
        nodes: E.g. `"node[001-003,007],login"`.

    Raises:
        ValueError: If brackets or ranges are wrong.

    Example:
        >>> list(expand_nodelist("node[08-10],login"))
        ['node08', 'node09', 'node10', 'login']
    """
    if re.fullmatch(r"([^\[\]]|\[[^\[\]]*\])*", nodes) is None:
        raise_with_fix(f"SLURM_STEP_NODELIST={nodes!r} has unequal brackets.", "srun python SCRIPT")
    for host in re.findall(r"(?:[^,\[\]]|\[[^\]]*\])+", nodes):
        parts = re.split(r"\[([^\]]*)\]", host)
        texts, ranges = parts[::2], [_expand_ranges(part, nodes) for part in parts[1::2]]
        for numbers in product(*ranges):
            names = [a + b for a, b in zip(texts, (*numbers, ""), strict=True)]
            yield "".join(names).strip()


def _expand_ranges(ranges: str, nodes: str) -> list[str]:
    """`["001", "002", "007"]` of `001-002,007`."""
    numbers = []
    for text in ranges.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", text)
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise_with_fix(
                f"SLURM_STEP_NODELIST={nodes!r} has {text!r}, which is not a range of numbers.",
                "srun python SCRIPT",
            )
        first, last = match[1], match[2] or match[1]
        numbers += [f"{n:0{len(first)}}" for n in range(int(first), int(last) + 1)]
    return numbers


def _pmix(environ: Environment) -> Cluster | None:
    """PMIx without another launcher, as from `prun`; only the number of the process is known."""
    if not environ.get("PMIX_RANK") or not environ.get("PMIX_NAMESPACE"):
        return None
    return Cluster("PMIx", None, None, parse_integer(environ, "PMIX_RANK"))


def _tpu(environ: Environment) -> Cluster | None:
    hosts = environ.get("TPU_WORKER_HOSTNAMES") or environ.get("TPU_PROCESS_ADDRESSES") or ""
    if "," not in hosts and not environ.get("MEGASCALE_COORDINATOR_ADDRESS"):
        return None
    return Cluster(TPU, None, None, None)


def _kubernetes(environ: Environment) -> Cluster | None:
    """An indexed Job, or a JobSet. The user must set the number of pods, which no variable has."""
    if not environ.get("KUBERNETES_SERVICE_HOST") or not environ.get("JOB_COMPLETION_INDEX"):
        return None
    index = parse_integer(environ, "JOB_COMPLETION_INDEX")
    job_set, job = environ.get("JOBSET_NAME"), environ.get("REPLICATED_JOB_NAME")
    if bool(job_set) != bool(job):
        missing = "REPLICATED_JOB_NAME" if job_set else "JOBSET_NAME"
        label = "replicatedjob-name" if job_set else "jobset-name"
        raise_with_fix(
            f"This is a pod of a JobSet, and {missing} is missing.",
            f"{missing} in `env` of the container, by fieldRef from its label "
            f"jobset.sigs.k8s.io/{label}",
        )
    address = None
    if job_set:
        # A JobSet makes a service of the same name, so its pods have host names.
        address = _address(environ, f"{job_set}-{job}-0-0.{job_set}", _KUBERNETES_PORT)
        other_job = re.fullmatch(
            rf"{re.escape(f'{job_set}-{job}')}-([1-9]\d*)-\d+", environ.get("HOSTNAME", "")
        )
        if other_job is not None and not environ.get(PROCESS_ID):
            raise_with_fix(
                f"This pod is of job {other_job[1]} of the JobSet, and JOB_COMPLETION_INDEX counts "
                f"the pods of each job: {PROCESS_ID} is not set.",
                f"replicas: 1 with more pods; or {PROCESS_ID} in `env` of the container",
            )
    return Cluster("Kubernetes", address, None, index)


# Innermost first: mpirun in a Slurm job starts its processes from a Slurm step.
LAUNCHERS: tuple[Callable[[Environment], Cluster | None], ...] = (
    _tf_config, _torchrun, _open_mpi, _slurm, _pmix, _tpu, _kubernetes,
)  # fmt: skip

# The variable with the number of a process, by launcher.
PROCESS_NUMBERS = {
    "torchrun": "RANK",
    "Open MPI": "OMPI_COMM_WORLD_RANK",
    "Slurm": "SLURM_PROCID",
    "PMIx": "PMIX_RANK",
    "Kubernetes": "JOB_COMPLETION_INDEX",
}


# Parsing


def raise_with_fix(problem: str, fix: str) -> NoReturn:
    raise ValueError(f"{problem}\n  Fix: {fix}.")


def parse_integer(environ: Environment, name: str, least: int = 0) -> int:
    text = environ[name].strip()
    if not text.isdecimal() or int(text) < least:
        raise_with_fix(
            f"{name}={environ[name]!r} must be a whole number from {least}.", f"export {name}=2"
        )
    return int(text)


def parse_local_devices(environ: Environment) -> tuple[int, ...]:
    parts = [part.strip() for part in environ[LOCAL_DEVICES].split(",")]
    if not all(part.isdecimal() for part in parts):
        raise_with_fix(
            f"{LOCAL_DEVICES}={environ[LOCAL_DEVICES]!r} must be numbers with commas.",
            f"export {LOCAL_DEVICES}=0,1",
        )
    return tuple(map(int, parts))


def _one_device(environ: Environment, name: str) -> tuple[int, ...] | None:
    """The device whose index is the process's number on its machine, if it sees several devices."""
    visible = environ.get("CUDA_VISIBLE_DEVICES") or environ.get("ROCR_VISIBLE_DEVICES") or ","
    if not environ.get(name) or "," not in visible:
        return None
    return (parse_integer(environ, name),)


def _port_for_job(job: int) -> int:
    return _FIRST_PORT + job % _PORTS


def _address(environ: Environment, host: str, port: int) -> str:
    if environ.get(COORDINATOR_PORT):
        port = parse_integer(environ, COORDINATOR_PORT, least=1)
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"  # IPv6
    return f"{host}:{port}"


def is_address(text: str) -> bool:
    """Whether a text has the form `host:port`.

    Example:
        >>> is_address("node1:8476"), is_address("node1"), is_address("[::1]:8476")
        (True, False, True)
    """
    host, _, port = text.rpartition(":")
    is_host = bool(host) and (":" not in host or host.startswith("["))
    return is_host and port.isdecimal() and 0 < int(port) < 65536


def check_address(address: str, name: str) -> str:
    if not is_address(address):
        host, _, _ = address.rpartition(":")
        raise_with_fix(
            f"{name}={address!r} must be the host of process 0 and a port, as HOST:PORT.",
            f"export {name}={(host or address or '10.0.0.1').strip(':')}:12345",
        )
    return address
