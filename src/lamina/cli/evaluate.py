"""`lamina evaluate`: evaluates a saved model on your own data or a named data set."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lamina.cli import console
from lamina.cli.options import RANGE_REMARK, AsJson, ModelFile, PixelMax, load
from lamina.core.messages.messages import escape_control_characters


def evaluate(
    model: ModelFile,
    dataset: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="What the model was trained on: a folder with a subfolder for every class, a "
            "table with the target in it; or mnist, fashion_mnist or digits.",
        ),
    ],
    batch_size: Annotated[int, typer.Option(min=1, help="Samples per step.")] = 256,
    pixel_max: PixelMax = None,
    json: AsJson = False,
) -> None:
    """Measure a saved model on your own data, or on the test samples of a named data set."""
    network = load(model, "evaluate", [dataset])
    contract = network.input_contract
    if contract is not None and contract.kind != "arrays":
        _evaluate_own(network, dataset, batch_size, json)
        return
    if Path(dataset).exists() and ("." in dataset or "/" in dataset):
        raise ValueError(
            f"{dataset} is a file or folder, but evaluate measures on the named sets mnist, "
            "fashion_mnist and digits.\n"
            f"  Fix: in Python, lamina.models.load_model({str(model)!r}).evaluate(x, y), with the "
            "data read as you read them for training."
        )
    from lamina import datasets
    from lamina.diagnosis.verdict import percent, wilson_interval
    from lamina.jobs import evaluate_job
    from lamina.prediction.named_sets import dataset_of

    data = datasets.load(dataset)
    trained_on = dataset_of(network)
    if trained_on is not None and trained_on != data.name:
        console.remark(
            f"The model was trained on {trained_on}, by its name {network.name!r}, and is "
            f"evaluated on {data.name}: its classes mean other things there."
        )
    evaluation = evaluate_job.evaluate(network, data, batch_size, pixel_max)
    if evaluation.range_was_guessed:
        console.remark(RANGE_REMARK)
    if evaluation.was_compiled:
        console.remark("The model was saved without a loss: crossentropy and accuracy are used.")
    results, labels = evaluation.results, data.test[1]
    if json:
        console.print_json({"samples": len(labels), **results})
        return
    console.say(f"{model} on {len(labels):,} test images of {data.title}:")
    for name, value in results.items():
        if name.endswith("accuracy"):
            low, high = wilson_interval(value, len(labels))
            console.say(
                f"  {name:10} {percent(value)}  (95 % sure: {percent(low)} to {percent(high)})"
            )
        else:
            console.say(f"  {name:10} {value:.4f}")


def _evaluate_own(network: Any, source: str, batch_size: int, json: bool) -> None:
    from lamina.diagnosis.verdict import percent, wilson_interval
    from lamina.jobs.evaluate_own import evaluate_own

    evaluation = evaluate_own(network, source, batch_size)
    if json:
        console.print_json(
            {
                "samples": evaluation.samples,
                **evaluation.results,
                "left_out": [f"{what} {why}" for what, why in evaluation.left_out.items()],
                "remarks": evaluation.remarks,
            }
        )
        return
    for what, why in list(evaluation.left_out.items())[:10]:
        console.remark(escape_control_characters(f"Left out: {what} {why}."))
    for remark in evaluation.remarks:
        console.remark(escape_control_characters(remark))
    console.say_plain(f"On {evaluation.samples:,} samples of {source}:")
    for name, value in evaluation.results.items():
        if name.endswith("accuracy"):
            low, high = wilson_interval(value, evaluation.samples)
            console.say_plain(
                f"  {name:20} {percent(value)}  (95 % sure: {percent(low)} to {percent(high)})"
            )
        else:
            console.say_plain(f"  {name:20} {value:,.4g}")
