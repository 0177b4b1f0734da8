"""`lamina doctor`: checks the installation, and shows problems with their fixes."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lamina.cli import console
from lamina.cli.options import AsJson

if TYPE_CHECKING:
    from lamina.installation import Finding

_MARKS = {"ok": "[green]✓[/green]", "note": "[yellow]![/yellow]", "broken": "[red]✗[/red]"}


def doctor(
    script: Annotated[
        Path | None,
        typer.Argument(help="With --distributed: a script to compare between processes."),
    ] = None,
    distributed: Annotated[
        bool,
        typer.Option(
            "--distributed",
            help="Check what several processes need: the launcher's variables, names of hosts, "
            "the port, equal versions, seeds and scripts.",
        ),
    ] = False,
    processes: Annotated[
        int | None,
        typer.Option(
            min=1, help="With --distributed: start so many processes of this machine, and compare."
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Check the installation: versions, devices, caches, data, free disk space.

    The exit code is 1 if something does not work; suggestions do not count.

    With `--distributed`, check a job of several processes instead. In each process of a launcher,
    as in `srun lamina doctor --distributed`, it connects them and compares them.
    """
    if not distributed and (script is not None or processes is not None):
        raise typer.BadParameter(
            "a script and --processes are for it; add it.", param_hint="--distributed"
        )
    if processes is not None:
        _start(processes, script, json)
    from lamina import installation

    if distributed:
        _check_job(script, json)
        return
    findings = installation.run_all()
    if json:
        broken = _print_json(findings)
    else:
        broken = _show_all(findings)
        _print_conclusion(broken)
    if broken:
        raise typer.Exit(1)


def _check_job(script: Path | None, json: bool) -> None:
    """Check this process, and the job if it is of one; process 0 shows what is found."""
    from lamina import job_checks

    findings, cluster, facts = job_checks.check_this_process(os.environ, script)
    has_others = cluster is not None and cluster.num_processes not in (None, 1)
    if not has_others:
        broken = _print_json(findings) if json else _show_all(findings)
        if not json:
            _print_conclusion(broken)
        raise typer.Exit(bool(broken))
    is_first = cluster.process_id == 0
    broken = 0
    if is_first and not json:
        broken += _show_all(findings)  # before JAX ends this process, if the others do not start
    findings_of_all = job_checks.check_all_processes(cluster, findings, facts)
    if json:
        broken = _print_json([*findings, *findings_of_all]) if is_first else len(findings_of_all)
    else:
        broken += _show_all(findings_of_all)
        if is_first:
            _print_conclusion(broken)
    raise typer.Exit(bool(broken))


def _start(processes: int, script: Path | None, json: bool) -> None:
    """Run this command in several processes of this machine."""
    from lamina.jobs.several_processes import SeveralProcesses

    words = ["--distributed", *(["--json"] if json else []), *([str(script)] if script else [])]
    command = [sys.executable, "-m", "lamina", "doctor", *words]
    raise typer.Exit(SeveralProcesses(command, processes).run())


def _print_json(findings: "Sequence[Finding]") -> int:
    """Print findings as JSON; the number of broken things."""
    broken = sum(f.state == "broken" for f in findings)
    console.print_json({"ok": not broken, "findings": [f._asdict() for f in findings]})
    return broken


def _show_all(findings: "Sequence[Finding]") -> int:
    """Show findings, one in a line; the number of broken things."""
    width = max((len(f.subject) for f in findings), default=0)
    for finding in findings:
        _show(finding, _MARKS[finding.state], width)
    return sum(f.state == "broken" for f in findings)


def _print_conclusion(broken: int) -> None:
    console.say()
    console.say(
        f"{broken} {'thing does' if broken == 1 else 'things do'} not work."
        if broken
        else "Everything works."
    )


def _show(finding: Any, mark: str, width: int) -> None:
    from rich.markup import escape

    console.say(f"{mark} {finding.subject:{width}}  {escape(finding.text)}")
    if finding.remedy:
        console.say(f"  {'':{width}}  [bold]→ {escape(finding.remedy)}[/bold]")
