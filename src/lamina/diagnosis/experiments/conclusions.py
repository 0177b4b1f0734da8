"""Conclusions: from trials and findings of checks to findings whose changes were tried."""

from collections.abc import Sequence
from dataclasses import replace

from lamina.diagnosis.experiments.baselines import Baseline
from lamina.diagnosis.experiments.candidates import Candidate
from lamina.diagnosis.experiments.scores import Task, shown
from lamina.diagnosis.experiments.search import GAIN, Search, Tried
from lamina.diagnosis.experiments.trials import Trial
from lamina.findings import Finding

# A gain that makes it a problem: absolute, and as a share of what is missing.
_LARGE_GAIN, _LARGE_SHARE = 0.08, 0.25
# Changes that gain this share of the best gain may be the cause.
_AS_GOOD = 0.6
# Two causes are reported; others are named.
_REPORTED = 2
# Findings that only describe losses; a cause that was found explains them.
_SYMPTOMS = {"labels-unrelated", "too-few-epochs", "class-imbalance", "overfitting"}
_POOR = 0.4
_SIGNAL = 3.0
# The score in training above that in validation by this much is memorising.
_GAP = 0.25
# Fewer samples than this for each class are few.
_FEW_SAMPLES = 30


def conclude(
    static: Sequence[Finding], search: Search, simple: Baseline | None, task: Task
) -> list[Finding]:
    """Findings of checks, confirmed or weakened by trials, and those that only trials show.

    Args:
        static: What checks found.
        search: The changes that were tried.
        simple: The best simple model, if there is one.
        task: What the first output predicts.
    """
    baseline = search.baseline
    causes = _causes(search.helping)
    reported = [*causes[:1], *search.further, *causes[1:]][:_REPORTED]
    findings = [_found_jointly(candidate, task, search) for candidate in search.jointly]
    findings += [_found(result, task, search) for result in reported]
    codes = {finding.code for finding in findings}
    singly = {
        result.candidate.finding.code: result
        for result in search.results
        if result.candidate.finding is not None
    }
    for finding in static:
        if finding.code in codes:
            continue
        if finding.code in search.dismissed:
            findings.append(replace(finding, severity="hint", confidence=finding.confidence / 3))
        elif not (codes and finding.code in _SYMPTOMS):
            result = singly.get(finding.code)
            kept = _weighed(finding, result, baseline, simple, bool(codes))
            if kept is not None:
                findings.append(kept)
    few = [finding for finding in static if finding.code == "too-few-samples"]
    if few:  # other changes gain a little then, and are not the cause
        rest = [finding for finding in findings if finding.code != "too-few-samples"]
        return few + [
            replace(finding, severity="warning") if finding.severity == "problem" else finding
            for finding in rest
        ]
    if not codes:
        findings = _unexplained(findings, search, simple, task)
    return findings


def _causes(helping: Sequence[Tried]) -> list[Tried]:
    """The likeliest causes first: what gains most, and was likeliest before."""
    if not helping:
        return []
    best = helping[0].gain
    chosen: dict[str, Tried] = {}
    for result in helping:
        if result.gain >= _AS_GOOD * best:
            chosen.setdefault(result.candidate.code, result)
    return sorted(
        chosen.values(),
        key=lambda result: -(result.gain / best + 1.5 * result.candidate.prior),
    )


def _found(result: Tried, task: Task, search: Search) -> Finding:
    candidate, known = result.candidate, result.candidate.finding
    before = result.reference
    others = [
        other.candidate.code
        for other in search.helping
        if other.candidate.code != candidate.code and result not in search.further
    ]
    title = known.title if known else candidate.title[:1].upper() + candidate.title[1:] + "."
    missing = max(1 - before.score, 1e-6)
    large = result.gain > _LARGE_GAIN and result.gain / missing > _LARGE_SHARE
    evidence = {
        "score": round(before.score, 4),
        "score with the change": round(result.trial.score, 4),
    }
    besides = " besides" if result in search.further else ""
    return Finding(
        candidate.code,
        "problem" if large else "warning",
        title=f"{title} With {candidate.change.describe()}{besides}, a copy reached a "
        f"{task.measure} of {shown(result.trial.score, task)} instead of "
        f"{shown(before.score, task)}.",
        fix=candidate.fix,
        evidence={**(known.evidence if known else {}), **evidence},
        where=known.where if known else candidate.change.layer or candidate.change.name,
        change=candidate.change,
        confidence=0.9 if len(others) < 2 else 0.75,
        others=tuple(dict.fromkeys(others))[:4],
    )


def _found_jointly(candidate: Candidate, task: Task, search: Search) -> Finding:
    """The finding of a change that helped together with others."""
    assert search.joint is not None
    known, others = candidate.finding, len(search.jointly) - 1
    title = known.title if known else candidate.title[:1].upper() + candidate.title[1:] + "."
    together = f" and {others} other change{'s' if others > 1 else ''}" if others else ""
    return Finding(
        candidate.code,
        "problem",
        title=f"{title} With {candidate.change.describe()}{together}, a copy reached a "
        f"{task.measure} of {shown(search.joint.score, task)} instead of "
        f"{shown(search.baseline.score, task)}.",
        fix=candidate.fix,
        evidence={
            **(known.evidence if known else {}),
            "score": round(search.baseline.score, 4),
            "score with all changes": round(search.joint.score, 4),
        },
        where=known.where if known else candidate.change.layer or candidate.change.name,
        change=candidate.change,
        confidence=0.8,
    )


def _weighed(
    finding: Finding,
    result: Tried | None,
    baseline: Trial,
    simple: Baseline | None,
    has_cause: bool,
) -> Finding | None:
    """A finding of a check, in the light of the trials; None to leave it out."""
    if finding.code == "labels-unrelated":
        return None  # `_unexplained` decides
    if result is not None and result.trial.failed is None and not result.helps:
        if result.gain < -GAIN or finding.code in _SYMPTOMS:
            return None
        if baseline.score < _POOR and not has_cause:
            return finding  # with several faults, one change may not be enough
        return replace(finding, severity="hint", confidence=finding.confidence / 3)
    if has_cause and finding.severity == "problem":
        return replace(finding, severity="warning", confidence=finding.confidence / 2)
    good = baseline.score > 0.9 or (simple is not None and baseline.score > simple.score > _POOR)
    if good and finding.severity == "problem" and result is None and finding.change is not None:
        return replace(finding, severity="warning", confidence=finding.confidence / 2)
    return finding


def _unexplained(
    findings: list[Finding], search: Search, simple: Baseline | None, task: Task
) -> list[Finding]:
    """Findings where no change helped: nothing to learn, or too little of it."""
    baseline, samples = search.baseline, search.samples
    unconfirmed = [
        finding
        for finding in findings
        if finding.severity == "problem" and finding.code not in _SYMPTOMS
    ]
    nothing = simple is not None and simple.score < max(_SIGNAL * simple.error, 0.05)
    if simple is not None and nothing and baseline.score < 0.15 and not unconfirmed:
        rest = [finding for finding in findings if finding.code not in _SYMPTOMS]
        return [_unrelated(baseline, simple, task), *rest]
    if any(finding.severity == "problem" for finding in findings):
        return findings
    gap = baseline.train_score - baseline.score
    if gap < _GAP or any(finding.code == "overfitting" for finding in findings):
        return findings
    few = samples < _FEW_SAMPLES * max(task.classes, 2)
    others = ("overfitting" if few else "too-few-samples", "label-noise")
    return [
        *findings,
        Finding(
            "too-few-samples" if few else "overfitting",
            "problem" if few else "warning",
            title=f"On {samples:,} training samples the {task.measure} is "
            f"{shown(baseline.train_score, task)}, on others {shown(baseline.score, task)}.",
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


def _unrelated(baseline: Trial, simple: Baseline, task: Task) -> Finding:
    return Finding(
        "labels-unrelated",
        "problem",
        title=f"Nothing was learned that holds for other samples, and {simple.name} finds nothing "
        f"either: a {task.measure} of {shown(baseline.score, task)} and "
        f"{shown(simple.score, task)}.",
        fix="Check that each row of y belongs to the row of x with the same index.",
        evidence={"score": baseline.score, f"score of {simple.name}": simple.score},
        where="y",
        confidence=0.8,
        others=("too-few-samples",),
    )
