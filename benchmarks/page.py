"""Writes docs/performance.md: the parts between its markers; the prose around them stays."""

import statistics
from pathlib import Path

import building
import chart
import scale
import targets
import training_report
import workloads
from report import markdown_table, put_between_markers


def write(path: Path, results: dict) -> None:
    """Put everything measured between the markers of the page, and the chart beside it.

    Raises:
        ValueError: If the page has no markers.
    """
    picture = path.with_suffix(".svg")
    put_between_markers(path, sections(results, picture.name))
    if results.get("training"):
        chart.write(picture, results["training"])
    if results.get("scale"):
        scale.write_chart(_scale_chart(picture), results["scale"])


def sections(results: dict, picture: str) -> dict[str, str]:
    """The generated parts, by the names of their markers; what was not measured stays as it is."""
    found = {"suite": measured(results, picture)} if results.get("training") else {}
    for name, make in (("layers", _layers), ("building", _building), ("scale", _scale)):
        if results.get(name):
            when = f"Measured on {results['machine']}, {results['date']}."
            found[name] = "\n\n".join([when, *make(results, picture)])
    return found


def measured(results: dict, picture: str) -> str:
    """The generated part of the page."""
    parts = [
        conditions(results),
        f"![Time a step of each contender at its best setting, Lamina = 1]({picture})",
        "### Targets",
        target_table(results),
        "### Training",
        overview(results),
        *(part for name in workloads.NAMES for part in _training(name, results)),
        *_limits(results),
        *_predict(results.get("predict")),
        *_stream(results.get("stream")),
        *_start(results.get("start")),
        *_overheads(results.get("overheads")),
        f"Versions: {', '.join(versions(results)) or 'unknown'}.",
    ]
    return "\n\n".join(parts)


def conditions(results: dict) -> str:
    """Where, when and how quietly it was measured."""
    sentences = [f"Measured on {results['machine']}, {results['date']}."]
    runs = [
        run for m in results.get("training", {}).values() for r in m["runs"].values() for run in r
    ]
    if runs:
        share = statistics.mean(run["used_by_others"] for run in runs)
        sentences.append(f"Other programs used {share:.0%} of the machine between the runs.")
    limits = results.get("machine_limits")
    if limits:
        speeds = limits["bandwidth"]
        most, least = max(speeds.values()) / 1e9, speeds[max(speeds, key=int)] / 1e9
        sentences.append(
            f"Peak in a large float32 matrix product: {limits['flops_per_second'] / 1e9:.0f} "
            f"GFLOP/s. Copying: {most:.0f} GB/s in the caches, {least:.0f} GB/s in memory. "
            f"JAX alone takes {limits['jax_memory'] / 1e6:.0f} MB."
        )
    return " ".join(sentences)


def target_table(results: dict) -> str:
    """Every target with what was measured and the verdict, then why those missed are missed."""
    apart = ("layers.", "building.")  # beside their own tables
    found = [t for t in targets.all_targets(results) if not t.key.startswith(apart)]
    met = sum(target.met for target in found)
    known = sum(target.value is not None for target in found)
    parts = [f"{met} of {known} measured targets are met.", *_targets_and_reasons(found)]
    return "\n\n".join(parts)


def _targets_and_reasons(found: list[targets.Target]) -> list[str]:
    head = ("target", "aim", "measured", "verdict")
    table = markdown_table(head, [target.row() for target in found])
    reasons, missed = targets.reasons(), [t for t in found if t.value is not None and not t.met]
    lines = [f"- **{t.text}: {t.measured()}.** {reasons.get(t.key, '')}".strip() for t in missed]
    return [table, "#### What is missed, and why", "\n".join(lines)] if missed else [table]


def overview(results: dict) -> str:
    """One row a workload: Lamina, the best peer, and JAX by hand."""
    rows = []
    for name, measured in results.get("training", {}).items():
        runs, steps = measured["runs"], measured["steps"]
        best, ours = targets.best_peer(measured), runs.get(targets.LAMINA)
        if not best or not ours:
            continue
        again, by_hand = runs.get(targets.AGAIN), runs.get(targets.JAX)
        compiled = targets.best_peer(measured, targets.KERNELS)
        first = targets.quickest_first_epoch(measured)
        rows.append(
            (
                name,
                f"{training_report.step_seconds(ours) * 1e3:.3f}",
                f"{best[0]}: {training_report.step_seconds(runs[best[0]]) * 1e3:.3f}",
                f"{best[1]:.2f}×",
                f"{compiled[1]:.2f}×" if compiled else "",
                f"{training_report.times_faster(ours, by_hand):.2f}×" if by_hand else "",
                f"{training_report.first_epoch(ours, steps):.2f}",
                f"{training_report.first_epoch(again, steps):.2f}" if again else "",
                f"{first[0]}: {first[1]:.2f}" if first else "",
            )
        )
    head = (
        "workload", "Lamina, ms a step", "best peer, ms a step", "faster than it",
        "with kernels",
        "than JAX by hand", "first epoch, s", "at the second start, s", "the quickest peer's, s",
    )  # fmt: skip
    return markdown_table(head, rows)


def versions(results: dict) -> list[str]:
    """Every package that took part, with its version."""
    found = {
        f"{package} {version}"
        for measured in results.get("training", {}).values()
        for runs in measured["runs"].values()
        for package, version in runs[0]["versions"].items()
    }
    return sorted(found)


def _training(name: str, results: dict) -> list[str]:
    measured = results.get("training", {}).get(name)
    if measured is None:
        return []
    rows = training_report.measured_rows(measured)
    peak = results.get("machine_limits", {}).get("flops_per_second")
    if peak:
        head = (*training_report.COLUMNS, "share of peak")
        rows = [(*row, _share(row, measured, peak)) for row in rows]
    else:
        head = training_report.COLUMNS
    intro = (
        f"{measured['title']}; {measured['steps']} steps an epoch, "
        f"{measured['flops_per_step'] / 1e6:,.0f} MFLOP a step; {measured['rounds']} rounds."
    )
    return [f"#### {name}", intro, markdown_table(head, rows)]


def _share(row: tuple[str, ...], measured: dict, peak: float) -> str:
    runs = measured["runs"].get(row[0])
    if not runs:
        return ""
    return f"{measured['flops_per_step'] / training_report.step_seconds(runs) / peak:.0%}"


def _limits(results: dict) -> list[str]:
    limits, rows = results.get("machine_limits"), []
    if not limits:
        return []
    for name in workloads.NAMES:
        measured = results.get("training", {}).get(name)
        if measured is None or "Lamina" not in measured["runs"]:
            continue
        bound = targets.limit_seconds(measured, limits)
        step = training_report.step_seconds(measured["runs"]["Lamina"])
        ours, by_hand = measured["runs"]["Lamina"], measured["runs"].get(targets.JAX)
        allowed = targets.memory_bound(measured, limits)
        rows.append(
            (
                name,
                f"{bound['compute'] * 1e3:.3f}",
                f"{bound['memory'] * 1e3:.3f}",
                f"{step * 1e3:.3f}",
                f"{step / bound['limit']:.1f}×",
                f"{allowed / 1e6:.0f}",
                f"{targets.peak_memory(ours) / 1e6:.0f}",
                f"{targets.peak_memory(by_hand) / 1e6:.0f}" if by_hand else "",
            )
        )
    head = (
        "workload", "products at peak, ms", "memory traffic, ms", "Lamina, ms a step",
        "of the limit", "memory allowed, MB", "Lamina's peak, MB", "JAX by hand's",
    )  # fmt: skip
    text = (
        "The limit of a step is the larger of two times: its matrix products at the measured peak, "
        "and its least memory traffic (parameters and both moments read and written once, the "
        "batch read once, what the way back needs written and read once) at the bandwidth measured "
        "for a set of that size. Memory allowed is JAX's own and 1.5 × (data + parameters, "
        "gradients and moments + activations)."
    )
    return ["### The machine's limit", text, markdown_table(head, rows)] if rows else []


def _predict(results: dict | None) -> list[str]:
    if not results:
        return []
    rows = [
        (name, _milliseconds(m, "one"), _milliseconds(m, "many"), m.get("failed", ""))
        for name, m in results.items()
    ]
    ours = results.get("Lamina", {})
    if "raw_one" in ours:
        raw = {"one": ours["raw_one"], "many": ours["raw_many"]}
        rows.insert(1, ("raw compiled function", *(_milliseconds(raw, k) for k in raw), ""))
    head = ("predict, mlp", "one sample, ms", "10,000 samples, ms", "")
    return ["### Prediction", markdown_table(head, rows)]


def _stream(results: dict | None) -> list[str]:
    if not results:
        return []
    sources = ("arrays", "memmap", "generator", "pngs")
    rows = []
    for name, m in results.items():
        if "failed" in m:
            rows.append((name, m["failed"], *[""] * 4))
            continue
        steps = {source: m["steps"] for source in sources} | {"pngs": m["pngs_steps"]}
        cells = [f"{m[source] / steps[source] * 1e3:.3f}" for source in sources]
        rows.append((name, *cells, f"{m['pngs_decoding'] / m['pngs_steps'] * 1e3:.3f}"))
    head = ("ms a step of mlp from", *sources, "decoding the PNGs alone, one thread")
    note = (
        "For the PNGs Lamina takes `image_dataset_from_directory`, which can resize and convert, "
        "and Keras on JAX a `PyDataset` written for these files, which can not."
    )
    parts = ["### Streams", markdown_table(head, rows), note]
    ours = results.get("Lamina", {})
    if "large_seconds" in ours:
        parts.append(
            f"A set of {ours['large_bytes'] / 1e9:.1f} GB under a budget of 2 GB: an epoch in "
            f"{ours['large_seconds']:.0f} s, {ours['large_memory'] / 1e9:.2f} GB at the highest."
        )
    return parts


def _start(results: dict | None) -> list[str]:
    if not results:
        return []
    keys = ("import", "help", "first_prediction", "prediction")
    rows = [
        (name, *(f"{m[k]:.2f}" if k in m else m.get("failed", "") for k in keys))
        for name, m in results.items()
    ]
    head = (
        "seconds of a new process",
        "import",
        "--help",
        "loaded model's first prediction, first start",
        "later starts",
    )
    return ["### Start", markdown_table(head, rows)]


def _overheads(results: dict | None) -> list[str]:
    if not results:
        return []
    keys = ("bare", "usual", "hook")
    rows = [
        (name, *(_milliseconds(m, key) for key in keys), m.get("failed", ""))
        for name, m in results.items()
    ]
    head = (
        "ms a step of mlp",
        "silent, no metrics",
        "accuracy, progress in a terminal",
        "accuracy, a hook after every batch",
        "",
    )
    return ["### Overheads", markdown_table(head, rows)]


def _layers(results: dict, picture: str) -> list[str]:
    times = {name: m for name, m in results["layers"].items() if "failed" not in m}
    ratios = targets.layer_ratios(results["layers"])
    rows = [
        (layer, *(_milliseconds(m, layer) for m in times.values()), f"{ratio:.2f}×")
        for layer, ratio in ratios.items()
    ]
    head = ("ms a training step", *times, "Lamina is faster than the best peer by")
    return [_verdicts(results, "layers."), markdown_table(head, rows)]


def _building(results: dict, picture: str) -> list[str]:
    rows = [
        (name, *(_milliseconds(m, task) for task in building.TASKS), m.get("failed", ""))
        for name, m in results["building"].items()
    ]
    table = markdown_table(("ms", *building.TASKS.values(), ""), rows)
    return [_verdicts(results, "building."), table]


def _scale(results: dict, picture: str) -> list[str]:
    chart_name = _scale_chart(Path(picture)).name
    note = "In brackets: megabytes of memory at the highest, above those before `fit`."
    return [
        f"![Time a step against each size]({chart_name})",
        note,
        *scale.markdown(results["scale"]),
    ]


def _verdicts(results: dict, prefix: str) -> str:
    """The targets whose keys begin with the prefix, and why those missed are missed."""
    found = [t for t in targets.all_targets(results) if t.key.startswith(prefix)]
    return "\n\n".join(_targets_and_reasons(found))


def _scale_chart(picture: Path) -> Path:
    return picture.with_name(f"{picture.stem}-scale.svg")


def _milliseconds(measured: dict, key: str) -> str:
    return f"{measured[key] * 1e3:.3f}" if key in measured else ""
