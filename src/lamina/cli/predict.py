"""`lamina predict`: what a saved model sees in image files."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lamina.cli import console
from lamina.cli.options import AsJson, ModelFile, PixelMax


def predict(
    model: ModelFile,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="PNG, JPEG, …")],
    top: Annotated[int, typer.Option(min=1, help="Classes to show, likeliest first.")] = 3,
    invert: Annotated[
        bool | None,
        typer.Option(
            "--invert/--no-invert",
            help="Swap light and dark. Left out: swap where the ground is light, because digits "
            "and clothes are learnt as light on dark.",
        ),
    ] = None,
    pixel_max: PixelMax = None,
    json: AsJson = False,
) -> None:
    """Say what images show, and how sure the model is of it.

    Any size and any colours: images are brought to what the model takes.
    """
    import numpy as np

    import lamina
    from lamina.cli import architectures, inputs

    network = lamina.models.load_model(model)
    form = inputs.input_form(network)
    pixels = inputs.expected_range(network, pixel_max)
    arrays = [inputs.read_image(path, form) for path in images]
    inverted = [inputs.looks_inverted(a) if invert is None else invert for a in arrays]
    arrays = [1 - a if swap else a for a, swap in zip(arrays, inverted, strict=True)]
    batch = np.stack(arrays).reshape(-1, *form.shape) * pixels.pixel_max
    probabilities = as_probabilities(np.asarray(network.predict(batch, verbose=0)))
    names = architectures.class_names(network, probabilities.shape[1])
    results = [
        _result(path, names, row, swap)
        for path, row, swap in zip(images, probabilities, inverted, strict=True)
    ]
    if json:
        console.print_json(results)
        return
    if pixels.remark:
        console.remark(pixels.remark)
    if invert is None and any(inverted):
        console.remark(
            f"{sum(inverted)} of {len(images)} images are dark on light and were inverted; "
            "--no-invert leaves them as they are."
        )
    for result in results:
        _show(result, top)


def as_probabilities(outputs: Any) -> Any:
    """A model's outputs as probabilities, `(samples, classes)`: softmax of logits, pairs of one.

    Args:
        outputs: `(samples, classes)`, or `(samples, 1)` for yes or no.
    """
    import numpy as np

    if outputs.ndim != 2:
        raise ValueError(
            f"The model gives outputs of shape {outputs.shape[1:]} per image; predict shows "
            "classes, one number each."
        )
    if outputs.shape[1] == 1:
        inside = ((outputs >= 0) & (outputs <= 1)).all()
        yes = outputs if inside else 1 / (1 + np.exp(-outputs))
        return np.concatenate([1 - yes, yes], axis=1)
    if (outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, atol=1e-3):
        return outputs
    powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _result(path: Path, names: tuple[str, ...], row: Any, inverted: bool) -> dict:
    best = int(row.argmax())
    return {
        "image": str(path),
        "class": names[best],
        "confidence": float(row[best]),
        "inverted": bool(inverted),
        "probabilities": {name: float(p) for name, p in zip(names, row, strict=True)},
    }


def _show(result: dict, top: int) -> None:
    from lamina.diagnosis.verdict import percent

    console.say(
        f"{result['image']}: [bold]{result['class']}[/bold] ({percent(result['confidence'])})"
    )
    likeliest = sorted(result["probabilities"].items(), key=lambda pair: -pair[1])[:top]
    width = max(len(name) for name, _ in likeliest)
    for name, probability in likeliest:
        console.say(
            f"  {name:{width}}  [blue]{console.bar(probability)}[/blue] {percent(probability):>7}"
        )
