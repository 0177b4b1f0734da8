"""Conclusions: combines the findings of checks with the results of trials."""

from collections.abc import Sequence
from dataclasses import replace

from lamina.diagnosis.experiments.baselines import Baseline
from lamina.diagnosis.experiments.candidates import Candidate
from lamina.diagnosis.experiments.scores import Task, format_score
from lamina.diagnosis.experiments.search import MIN_GAIN, Search, TriedCandidate
from lamina.diagnosis.experiments.trials import Trial
from lamina.findings import Finding

# A cause is a problem, rather than a warning, if its change gains this much, and this fraction of
# what the score lacks to 1.
_LARGE_GAIN, _LARGE_FRACTION = 0.08, 0.25
# Changes with at least this fraction of the best gain may be the cause as well.
_SIMILAR_GAIN = 0.6
# Maximum number of causes that are reported; others are named in the `others` of a finding.
_MAX_REPORTED = 2
# Findings that only describe losses; they are left out if a cause explains them.
_SYMPTOMS = {"labels-unrelated", "too-few-epochs", "class-imbalance", "overfitting"}
_POOR_SCORE = 0.4
# A score within this many standard errors of 0 is no better than guessing.
_STANDARD_ERRORS = 3.0
# The training score exceeds the validation score by at least this much if a model overfits.
_OVERFITTING_GAP = 0.25
# Fewer samples than this for each class are too few.
_FEW_SAMPLES = 30


def conclude(
    check_findings: Sequence[Finding], search: Search, simple_model: Baseline | None, task: Task
) -> list[Finding]:
    """Findings of checks, revised by the results of trials, and findings that only trials show.

    Args:
        check_findings: The findings of checks.
        search: The changes that were tried.
        simple_model: The best simple model, if there is one.
        task: What the first output predicts.
    """
    baseline = search.baseline
    causes = _causes(search.helping)
    reported = [*causes[:1], *search.additional, *causes[1:]][:_MAX_REPORTED]
    findings = [
        _finding_of_joint_trial(candidate, task, search) for candidate in search.joint_candidates
    ]
    findings += [_finding_of_trial(result, task, search) for result in reported]
    codes = {finding.code for finding in findings}
    results = {
        result.candidate.finding.code: result
        for result in search.results
        if result.candidate.finding is not None
    }
    for finding in check_findings:
        if finding.code in codes:
            continue
        if finding.code in search.dismissed:
            findings.append(replace(finding, severity="hint", confidence=finding.confidence / 3))
        elif not (codes and finding.code in _SYMPTOMS):
            result = results.get(finding.code)
            revised = _revise(finding, result, baseline, simple_model, bool(codes))
            if revised is not None:
                findings.append(revised)
    too_few = [finding for finding in check_findings if finding.code == "too-few-samples"]
    if too_few:  # with few samples many changes gain a little, but are not the cause
        rest = [finding for finding in findings if finding.code != "too-few-samples"]
        return too_few + [
            replace(finding, severity="warning") if finding.severity == "problem" else finding
            for finding in rest
        ]
    if not codes:
        findings = _add_findings_without_cause(findings, search, simple_model, task)
    return findings


def _causes(helping: Sequence[TriedCandidate]) -> list[TriedCandidate]:
    """The likeliest causes, ranked by their gains and priors."""
    if not helping:
        return []
    best = helping[0].gain
    chosen: dict[str, TriedCandidate] = {}
    for result in helping:
        if result.gain >= _SIMILAR_GAIN * best:
            chosen.setdefault(result.candidate.code, result)
    return sorted(
        chosen.values(),
        key=lambda result: -(result.gain / best + 1.5 * result.candidate.prior),
    )


def _finding_of_trial(result: TriedCandidate, task: Task, search: Search) -> Finding:
    candidate, finding = result.candidate, result.candidate.finding
    before = result.reference
    others = [
        other.candidate.code
        for other in search.helping
        if other.candidate.code != candidate.code and result not in search.additional
    ]
    title = finding.title if finding else candidate.title[:1].upper() + candidate.title[1:] + "."
    missing = max(1 - before.score, 1e-6)
    is_large = result.gain > _LARGE_GAIN and result.gain / missing > _LARGE_FRACTION
    evidence = {
        "score": round(before.score, 4),
        "score with the change": round(result.trial.score, 4),
    }
    in_addition = " in addition" if result in search.additional else ""
    return Finding(
        candidate.code,
        "problem" if is_large else "warning",
        title=f"{title} With {candidate.change.describe()}{in_addition}, a copy reached a "
        f"{task.measure} of {format_score(result.trial.score, task)} instead of "
        f"{format_score(before.score, task)}.",
        fix=candidate.fix,
        evidence={**(finding.evidence if finding else {}), **evidence},
        where=finding.where if finding else candidate.change.layer or candidate.change.name,
        change=candidate.change,
        confidence=0.9 if len(others) < 2 else 0.75,
        others=tuple(dict.fromkeys(others))[:4],
    )


def _finding_of_joint_trial(candidate: Candidate, task: Task, search: Search) -> Finding:
    """The finding of a change that helps together with other changes."""
    assert search.joint_trial is not None
    finding, others = candidate.finding, len(search.joint_candidates) - 1
    title = finding.title if finding else candidate.title[:1].upper() + candidate.title[1:] + "."
    together = f" and {others} other change{'s' if others > 1 else ''}" if others else ""
    return Finding(
        candidate.code,
        "problem",
        title=f"{title} With {candidate.change.describe()}{together}, a copy reached a "
        f"{task.measure} of {format_score(search.joint_trial.score, task)} instead of "
        f"{format_score(search.baseline.score, task)}.",
        fix=candidate.fix,
        evidence={
            **(finding.evidence if finding else {}),
            "score": round(search.baseline.score, 4),
            "score with all changes": round(search.joint_trial.score, 4),
        },
        where=finding.where if finding else candidate.change.layer or candidate.change.name,
        change=candidate.change,
        confidence=0.8,
    )


def _revise(
    finding: Finding,
    result: TriedCandidate | None,
    baseline: Trial,
    simple_model: Baseline | None,
    has_cause: bool,
) -> Finding | None:
    """Revise a finding of a check by the trials; None to leave it out."""
    if finding.code == "labels-unrelated":
        return None  # `_add_findings_without_cause` adds it where it is confirmed
    if result is not None and result.trial.failed is None and not result.helps:
        if result.gain < -MIN_GAIN or finding.code in _SYMPTOMS:
            return None
        if baseline.score < _POOR_SCORE and not has_cause:
            return finding  # with several faults, one change may not be enough
        return replace(finding, severity="hint", confidence=finding.confidence / 3)
    if has_cause and finding.severity == "problem":
        return replace(finding, severity="warning", confidence=finding.confidence / 2)
    went_well = baseline.score > 0.9 or (
        simple_model is not None and baseline.score > simple_model.score > _POOR_SCORE
    )
    is_untried = result is None and finding.change is not None
    if went_well and finding.severity == "problem" and is_untried:
        return replace(finding, severity="warning", confidence=finding.confidence / 2)
    return finding


def _add_findings_without_cause(
    findings: list[Finding], search: Search, simple_model: Baseline | None, task: Task
) -> list[Finding]:
    """Add findings where no change helped: unrelated labels, overfitting, or too few samples."""
    baseline, samples = search.baseline, search.samples
    unconfirmed = [
        finding
        for finding in findings
        if finding.severity == "problem" and finding.code not in _SYMPTOMS
    ]
    if simple_model is not None and baseline.score < 0.15 and not unconfirmed:
        if simple_model.score < max(_STANDARD_ERRORS * simple_model.error, 0.05):
            rest = [finding for finding in findings if finding.code not in _SYMPTOMS]
            return [_unrelated_labels(baseline, simple_model, task), *rest]
    if any(finding.severity == "problem" for finding in findings):
        return findings
    gap = baseline.train_score - baseline.score
    if gap < _OVERFITTING_GAP or any(finding.code == "overfitting" for finding in findings):
        return findings
    few = samples < _FEW_SAMPLES * max(task.classes, 2)
    others = ("overfitting" if few else "too-few-samples", "label-noise")
    return [
        *findings,
        Finding(
            "too-few-samples" if few else "overfitting",
            "problem" if few else "warning",
            title=f"On {samples:,} training samples the {task.measure} is "
            f"{format_score(baseline.train_score, task)}, on validation samples "
            f"{format_score(baseline.score, task)}.",
            fix="More samples, a smaller network, or dropout.",
            evidence={
                "samples": samples,
                "score in training": baseline.train_score,
                "score": baseline.score,
            },
            where="x",
            confidence=0.6,
            others=(*others, "validation-unlike-training"),
        ),
    ]


def _unrelated_labels(baseline: Trial, simple_model: Baseline, task: Task) -> Finding:
    return Finding(
        "labels-unrelated",
        "problem",
        title=f"The model predicts validation samples no better than chance, and so does "
        f"{simple_model.name}: a {task.measure} of {format_score(baseline.score, task)} and "
        f"{format_score(simple_model.score, task)}.",
        fix="Check that each row of y belongs to the row of x with the same index.",
        evidence={"score": baseline.score, f"score of {simple_model.name}": simple_model.score},
        where="y",
        confidence=0.8,
        others=("too-few-samples",),
    )
