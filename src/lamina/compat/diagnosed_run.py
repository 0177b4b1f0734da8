"""DiagnosedRun: collects the findings about every `fit` of a script, and about its error."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lamina import config
from lamina.findings import Finding, Findings, Record, finding_of_error
from lamina.training.events import Listener


@dataclass
class DiagnosedRun(Listener):
    """A listener that is active while a script runs.

    Args:
        script: The script.
        json_file: Where to write the findings as JSON; None for nowhere.
        apply: Whether to train a copy with the change of the first finding of each `fit`.
    """

    script: Path
    json_file: Path | None = None
    apply: bool = False
    applied: list[str | None] = field(default_factory=list)
    fits: list[tuple[Record, Findings]] = field(default_factory=list)
    error: Finding | None = None

    def on_findings(self, record: Any, findings: Any) -> None:
        self.fits.append((record, findings))
        self.applied.append(self._apply_first_change(findings) if self.apply else None)

    def _apply_first_change(self, findings: Findings) -> str | None:
        """Train a copy with the first change that a finding suggests; return the result as text."""
        changes = [finding.change for finding in findings if finding.change is not None]
        if not changes or findings.apply is None:
            return "There is no change that could be applied." if len(findings) else None
        try:
            return str(findings.apply(changes[0]))
        except ValueError as error:
            return f"{changes[0].describe()}: cannot be applied, {error}"

    def on_error(self, error: BaseException) -> None:
        """Explain the error that ended the script, unless the findings of its last `fit` do."""
        if isinstance(error, KeyboardInterrupt):
            return
        is_explained = self.fits and self.fits[-1][0].ended in ("refused", "not finite")
        finding = finding_of_error(error)
        if not is_explained or finding.code not in ("non-finite", "refused"):
            self.error = finding

    @property
    def findings(self) -> Findings:
        """All findings, the most severe first, each once."""
        unique = [] if self.error is None else [self.error]
        for _, findings in self.fits:
            unique += [finding for finding in findings if finding not in unique]
        unchecked = [note for _, findings in self.fits for note in findings.unchecked]
        return Findings(unique, list(dict.fromkeys(unchecked)))

    def to_json(self) -> dict[str, Any]:
        """Everything as plain data: `findings` of the script, and `fits` one by one."""
        all_findings = json.loads(self.findings.to_json())
        fits = [
            {
                "called_from": record.called_from,
                "model": record.model,
                "ended": record.ended,
                "epochs": [dict(epoch) for epoch in record.epochs],
                "applied": applied,
                **json.loads(findings.to_json()),
            }
            for (record, findings), applied in zip(self.fits, self.applied, strict=True)
        ]
        return {"script": str(self.script), **all_findings, "fits": fits}

    def report(self) -> str:
        """The findings as text for the terminal."""
        lines = []
        for (record, findings), applied in zip(self.fits, self.applied, strict=True):
            location = record.called_from or record.model
            lines.append(f"fit at {location}:\n{findings[:3]}")
            if applied is not None:
                lines[-1] += f"\n  Applied: {applied}"
        if self.error is not None:
            lines.append(f"The script ended with an error:\n{self.error}")
        return "\n\n".join(lines) or "The script never called fit, so there is nothing to diagnose."

    def finish(self) -> None:
        """Write the file and print the findings."""
        if self.json_file is not None:
            text = json.dumps(self.to_json(), indent=2, default=str)
            self.json_file.write_text(text, encoding="utf-8")
        print(self.report())


def begin(script: Path, json_file: Path | None, apply: bool = False) -> DiagnosedRun:
    """Turn diagnosis on for a script.

    Args:
        script: The script.
        json_file: Where to write the findings as JSON; None for nowhere.
        apply: Whether to train a copy with the change of the first finding of each `fit`.

    Raises:
        ValueError: If the file cannot be written.
    """
    if json_file is not None and not json_file.resolve().parent.is_dir():
        raise ValueError(
            f"{json_file} cannot be written: there is no folder {str(json_file.parent)!r}.\n"
            f"  Fix: mkdir -p {json_file.parent}"
        )
    config.set_diagnosis("full")
    return DiagnosedRun(script, json_file, apply)
