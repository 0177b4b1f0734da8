"""`lamina evaluate`: a saved model on the test part of a named data set."""

from pathlib import Path
from typing import Annotated

import typer

from lamina.cli import console
from lamina.cli.options import RANGE_REMARK, AsJson, DatasetName, ModelFile, PixelMax, load


def evaluate(
    model: ModelFile,
    dataset: DatasetName,
    batch_size: Annotated[int, typer.Option(min=1, help="Samples per step.")] = 256,
    pixel_max: PixelMax = None,
    json: AsJson = False,
) -> None:
    """Measure a saved model on the test samples of a data set."""
    network = load(model, "evaluate", [dataset])
    if Path(dataset).exists() and ("." in dataset or "/" in dataset):
        raise ValueError(
            f"{dataset} is a file or folder, and evaluate measures on the named sets mnist, "
            "fashion_mnist and digits.\n"
            f"  Fix: in Python, lamina.models.load_model({str(model)!r}).evaluate(x, y), with the "
            "data read as you read them for training."
        )
    from lamina import datasets
    from lamina.diagnosis.verdict import percent, wilson
    from lamina.jobs import evaluate_job
    from lamina.prediction.named_sets import set_of

    data = datasets.load(dataset)
    learnt = set_of(network)
    if learnt is not None and learnt != data.name:
        console.remark(
            f"The model was trained on {learnt}, by its name {network.name!r}, and is measured on "
            f"{data.name}: its classes mean other things there."
        )
    measured = evaluate_job.evaluate(network, data, batch_size, pixel_max)
    if measured.range_was_guessed:
        console.remark(RANGE_REMARK)
    if measured.was_compiled:
        console.remark("The model was saved without a loss: crossentropy and accuracy are taken.")
    results, labels = measured.results, data.test[1]
    if json:
        console.print_json({"samples": len(labels), **results})
        return
    console.say(f"{model} on {len(labels):,} test images of {data.title}:")
    for name, value in results.items():
        if name.endswith("accuracy"):
            low, high = wilson(value, len(labels))
            console.say(
                f"  {name:10} {percent(value)}  (95 % sure: {percent(low)} to {percent(high)})"
            )
        else:
            console.say(f"  {name:10} {value:.4f}")
