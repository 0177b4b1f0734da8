"""Diagnoses a saved model with the data that it was trained on, for `lamina diagnose`."""

from pathlib import Path
from typing import Any, NamedTuple

from lamina import datasets
from lamina.diagnosis import Findings, diagnose, write_report
from lamina.jobs.evaluate_own import labelled_samples
from lamina.prediction.inputs import expected_range


class Diagnosis(NamedTuple):
    """What was found, and what else the user should know.

    Args:
        findings: The findings.
        remarks: Samples that were left out, and the like.
    """

    findings: Findings
    remarks: list[str]


def diagnose_model(
    model: Any,
    source: str,
    epochs: int | None = None,
    batch_size: int = 32,
    report: Path | None = None,
) -> Diagnosis:
    """Find out what is wrong with a saved model and its training data.

    Args:
        model: A loaded model.
        source: The name of a data set, or the path of a folder or table with targets.
        epochs: Epochs of its training; 10 if they are not known.
        batch_size: Samples in a step of its training.
        report: The file for a report with the findings; None for none.

    Raises:
        FileNotFoundError: If there are no such data.
        ValueError: If the data do not fit the model.
    """
    contract = model.input_contract
    if contract is not None and contract.kind != "arrays":
        samples = labelled_samples(contract, source)
        remarks = [f"Left out: {what} {why}." for what, why in samples.left_out.items()]
        found = diagnose(model, samples.x, samples.y, epochs=epochs, batch_size=batch_size)
        if report is not None:
            write_report(
                report,
                model,
                samples.x,
                samples.y,
                class_names=contract.class_names,
                title=f"{Path(source).name}: {contract.target}",
                findings=found,
                seen=True,
            )
        return Diagnosis(found, remarks + samples.remarks)
    data = datasets.load(source)
    factor = expected_range(model, None).pixel_max / data.pixel_max
    (x, y), (x_test, y_test) = data.train, data.test
    if factor != 1:
        x, x_test = x * factor, x_test * factor
    found = diagnose(
        model, x, y, validation_data=(x_test, y_test), epochs=epochs, batch_size=batch_size
    )
    if report is not None:
        write_report(
            report,
            model,
            x_test,
            y_test,
            train=(x, y),
            class_names=data.class_names,
            title=f"{data.title} with {model.name}",
            findings=found,
        )
    return Diagnosis(found, [])
