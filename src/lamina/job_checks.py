"""Checks of a job of several processes, as `lamina doctor --distributed` shows them.

`check_this_process` checks what one process can see; `check_all_processes` connects the processes
and compares what they report.
"""

import ast
import contextlib
import errno
import hashlib
import importlib.metadata
import ipaddress
import json
import os
import platform
import socket
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lamina.core.ports import can_connect
from lamina.installation import Finding
from lamina.version import __version__

# How long processes wait for each other.
_SECONDS = 60
# Name of the fact that a process sees the working folder of process 0.
_SEES_FOLDER = "sees the folder"


def check_this_process(
    environ: Mapping[str, str], script: Path | None = None
) -> tuple[list[Finding], Any, dict[str, str]]:
    """Check what one process can see.

    Args:
        environ: The environment.
        script: The script of the job, if it is to be compared.

    Returns:
        The findings, the `Cluster` or None, and what must be equal in all processes.
    """
    found, cluster = check_environment(environ)
    address = None if cluster is None else cluster.address
    is_first = cluster is None or cluster.process_id in (0, None)
    findings = [found, *check_host_name(address), check_port(address, is_first)]
    versions = find_versions()
    findings.append(Finding("Versions", "ok", ", ".join(f"{n} {v}" for n, v in versions.items())))
    if script is not None:
        of_script, described = check_script(script)
        findings.append(of_script)
        versions |= described
    return findings, cluster, versions


def check_environment(environ: Mapping[str, str]) -> tuple[Finding, Any]:
    """Find the job in the variables of launchers; also return its `Cluster`, or None."""
    from lamina.distribution.cluster import detect

    try:
        cluster = detect(environ)
    except ValueError as error:
        return _from_error("Job", error), None
    if cluster is None:
        text = "one process: no variable of a launcher tells of others"
        return Finding("Job", "ok", text), None
    return Finding("Job", "ok", cluster.describe()), cluster


def check_host_name(
    address: str | None, resolve: Callable[[str], list[str]] | None = None
) -> list[Finding]:
    """Check that other machines reach this one by its host name.

    On CPUs, JAX's collectives (gloo) use the address that the host name has on its own machine.

    Args:
        address: `host:port` of process 0; None for one process.
        resolve: Returns the addresses of a name; the system's resolver by default.
    """
    resolve = resolve or _resolve
    name = socket.gethostname()
    own = resolve(name)
    if not own:
        fix = f"add a line to /etc/hosts: {_outward_address(None)} {name}"
        return [Finding("Host name", "broken", f"{name} has no address", fix)]
    text = f"{name} is {', '.join(own)}"
    if address is None:
        return [Finding("Host name", "ok", text)]
    host = address.rpartition(":")[0].strip("[]")
    of_first = resolve(host)
    if not of_first:
        fix = "the name or address of the machine of process 0, as this machine knows it"
        return [
            Finding("Host name", "ok", text),
            Finding("Process 0", "broken", f"{host} has no address", fix),
        ]
    if all(map(_is_loopback, own)) and not any(map(_is_loopback, of_first)):
        fix = (
            f"in /etc/hosts, replace the line of {name} by: {_outward_address(of_first[0])} {name}"
        )
        text += f", which other machines cannot reach, and process 0 is at {of_first[0]}"
        return [Finding("Host name", "broken", f"{text} (JAX on CPUs needs it)", fix)]
    return [Finding("Host name", "ok", f"{text}; process 0 is at {', '.join(of_first)}")]


def check_port(address: str | None, is_first: bool) -> Finding:
    """Check that process 0 can listen at its port.

    Args:
        address: `host:port` of process 0; None for any port.
        is_first: Whether this is process 0.
    """
    host, number = "127.0.0.1", 0
    if address is not None:
        text, _, digits = address.rpartition(":")
        host, number = text.strip("[]"), int(digits)
    if not is_first:
        return Finding("Port", "ok", f"{number} of {host}, where process 0 will listen")
    resolved = next(iter(_resolve(host)), host)
    family = socket.AF_INET6 if ":" in resolved else socket.AF_INET
    try:
        with socket.socket(family) as listener:
            listener.bind((resolved, number))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            fix = "another port, or end what listens there; `ss -ltnp` shows it"
            return Finding("Port", "broken", f"{number} is taken by another program", fix)
        if error.errno == errno.EADDRNOTAVAIL:
            fix = "an address of the machine on which process 0 runs"
            return Finding("Port", "broken", f"{host} is not an address of this machine", fix)
        return Finding("Port", "broken", f"{number} cannot be listened at: {error.strerror}")
    if address is None or _is_loopback(resolved):
        return Finding("Port", "ok", "process 0 can listen")
    text = f"process 0 can listen at {number}, to everybody who reaches this machine"
    fix = f"only in a private network; JAX_COORDINATOR_BIND_ADDRESS={address} narrows it"
    return Finding("Port", "note", text, fix)


def find_versions() -> dict[str, str]:
    """The versions that must be equal in all processes."""
    from lamina.compat.imports import KERAS_VERSION, TENSORFLOW_VERSION

    names = ("jax", "jaxlib", "numpy")
    versions = {name: importlib.metadata.version(name) for name in names}
    return {
        "Python": platform.python_version(),
        "Lamina": __version__,
        **versions,
        "names of Keras": KERAS_VERSION.partition("+")[0],
        "names of TensorFlow": TENSORFLOW_VERSION.partition("+")[0],
    }


def check_script(script: Path) -> tuple[Finding, dict[str, str]]:
    """Find the digest of a script and the seed that it sets, and return both as text to compare.

    Args:
        script: The script.
    """
    try:
        content = script.read_bytes()
        tree = ast.parse(content)
    except (OSError, SyntaxError, ValueError) as error:
        return Finding("Script", "broken", f"{script}: {error}"), {}
    digest = hashlib.sha256(content).hexdigest()[:12]
    seeds = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).rpartition(".")[2] in ("set_random_seed", "set_seed")
    ]
    compared = {"script": digest, "seed": "; ".join(seeds) or "none"}
    text = (
        f"{script}, digest {digest}; {', '.join(seeds) or 'it sets no seed: process 0 gives one'}"
    )
    constant = all(_is_constant(seed) for seed in seeds)
    if constant:
        return Finding("Script", "ok", text), compared
    return Finding("Script", "note", text, "a number that is equal in all processes"), compared


def _is_constant(call: str) -> bool:
    node = ast.parse(call, mode="eval").body
    assert isinstance(node, ast.Call)
    return all(isinstance(a, ast.Constant) for a in (*node.args, *(k.value for k in node.keywords)))


def check_all_processes(
    cluster: Any, findings: Sequence[Finding], facts: dict[str, str]
) -> list[Finding]:
    """Connect the processes of a job, and compare them; every process calls it.

    Args:
        cluster: The place of this process.
        findings: The findings of this process.
        facts: What must be equal in all processes.

    Returns:
        The findings about all processes, only in process 0, unless the connection fails.
    """
    if cluster.process_id != 0 and not can_connect(cluster.address, _SECONDS):
        text = f"process 0 did not answer at {cluster.address} within {_SECONDS} s"
        fix = "start process 0, and let no firewall be between the machines"
        return [Finding("Connection", "broken", text, fix)]
    import jax

    jax.distributed.initialize(
        cluster.address,
        cluster.num_processes,
        cluster.process_id,
        cluster_detection_method="deactivate",
        initialization_timeout=_SECONDS,
        heartbeat_timeout_seconds=10,
        shutdown_timeout_seconds=10,
    )
    client: Any = jax._src.distributed.global_state.client
    key = f"lamina/doctor/{cluster.process_id}"
    wrong = [f._asdict() for f in findings if f.state != "ok"]
    folder, marker = Path(os.getcwd()), None
    if cluster.process_id == 0:
        marker = _create_marker_file(folder)
        client.key_value_set("lamina/doctor/mark", marker.name if marker.exists() else "")
    else:
        name = client.blocking_key_value_get("lamina/doctor/mark", _SECONDS * 1000)
        if name:
            facts = {**facts, _SEES_FOLDER: str((folder / name).exists())}
    client.key_value_set(key, json.dumps({"facts": facts, "findings": wrong}))
    reports: list[dict[str, Any]] = []
    if cluster.process_id == 0:
        for process in range(cluster.num_processes):
            text = client.blocking_key_value_get(f"lamina/doctor/{process}", _SECONDS * 1000)
            reports.append(json.loads(text))
    if marker is not None:
        marker.unlink(missing_ok=True)
    exchanged = _check_collective()
    return [] if cluster.process_id else [*compare(reports, folder), exchanged]


def compare(reports: Sequence[Mapping[str, Any]], folder: Path) -> list[Finding]:
    """Find what differs between processes.

    Args:
        reports: For each process its `facts` and the `findings` that are not ok.
        folder: The working folder of process 0.
    """
    findings = []
    for process, report in enumerate(reports[1:], 1):
        for found in report["findings"]:
            subject = f"{found['subject']} of process {process}"
            findings.append(Finding(subject, found["state"], found["text"], found["remedy"]))
    names = list(reports[0]["facts"])
    for name in names:
        values = [str(report["facts"].get(name, "missing")) for report in reports]
        different = [i for i, value in enumerate(values) if value != values[0]]
        if different:
            text = f"{values[0]} in process 0, {values[different[0]]} in process {different[0]}"
            fix = f"the same {name} for all processes"
            findings.append(Finding(f"Equal {name}", "broken", text, fix))
    if not any(found.state == "broken" for found in findings):
        findings.append(
            Finding("Equal", "ok", f"in all {len(reports)} processes: {', '.join(names)}")
        )
    answers = [report["facts"].get(_SEES_FOLDER) for report in reports]
    without_access = [str(process) for process, answer in enumerate(answers) if answer == "False"]
    if without_access:
        text = f"process {', '.join(without_access)} does not see the files of {folder}"
        fix = "a folder that all machines share, for checkpoints and models"
        findings.append(Finding("Folder", "note", text, fix))
    elif "True" in answers:
        findings.append(Finding("Folder", "ok", f"all processes see the files of {folder}"))
    return findings


def _create_marker_file(folder: Path) -> Path:
    """Create a file in the folder of process 0, which the other processes look for."""
    marker = folder / f".lamina-doctor-{uuid.uuid4().hex[:8]}"
    with contextlib.suppress(OSError):
        marker.touch()
    return marker


def _check_collective() -> Finding:
    """Run one collective over all processes."""
    import jax
    import numpy as np
    from jax.experimental import multihost_utils

    start = time.perf_counter()
    try:
        numbers = multihost_utils.process_allgather(np.int32(jax.process_index()))
    except Exception as error:
        text = str(error).partition("\n")[0]
        return Finding("Exchange", "broken", text, "see the lines on host names above")
    seconds = time.perf_counter() - start
    text = f"{len(numbers)} processes with {jax.device_count()} devices, {seconds:.2f} s"
    return Finding("Exchange", "ok", text)


def _resolve(host: str) -> list[str]:
    try:
        return sorted({str(info[4][0]) for info in socket.getaddrinfo(host, None)})
    except OSError:
        return []


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _outward_address(target: str | None) -> str:
    """The address of this machine from which it reaches another; nothing is sent."""
    try:
        with socket.socket(
            socket.AF_INET6 if target and ":" in target else socket.AF_INET, socket.SOCK_DGRAM
        ) as probe:
            probe.connect((target or "192.0.2.1", 9))
            return str(probe.getsockname()[0])
    except OSError:
        return "ADDRESS-OF-THIS-MACHINE"


def _from_error(subject: str, error: Exception) -> Finding:
    text, _, fix = str(error).partition("\n  Fix: ")
    return Finding(subject, "broken", text, fix.rstrip(".") or None)
