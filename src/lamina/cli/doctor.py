"""`lamina doctor`: checks the installation, and shows problems with their fixes."""

import typer

from lamina.cli import console
from lamina.cli.options import AsJson


def doctor(json: AsJson = False) -> None:
    """Check the installation: versions, devices, caches, data, room on the disk.

    The exit code is 1 if something does not work; suggestions do not count.
    """
    from lamina import installation

    findings = installation.run_all()
    broken = [f for f in findings if f.state == "broken"]
    if json:
        console.print_json({"ok": not broken, "findings": [f._asdict() for f in findings]})
    else:
        marks = {"ok": "[green]✓[/green]", "note": "[yellow]![/yellow]", "broken": "[red]✗[/red]"}
        width = max(len(f.subject) for f in findings)
        for finding in findings:
            _show(finding, marks[finding.state], width)
        console.say()
        console.say(
            f"{len(broken)} {'thing does' if len(broken) == 1 else 'things do'} not work."
            if broken
            else "Everything works."
        )
    if broken:
        raise typer.Exit(1)


def _show(finding: object, mark: str, width: int) -> None:
    from rich.markup import escape

    from lamina.installation import Finding

    assert isinstance(finding, Finding)
    console.say(f"{mark} {finding.subject:{width}}  {escape(finding.text)}")
    if finding.remedy:
        console.say(f"  {'':{width}}  [bold]→ {escape(finding.remedy)}[/bold]")
