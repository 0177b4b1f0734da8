"""`lamina summary`: the layers of a saved model."""

from lamina.cli import console
from lamina.cli.options import AsJson, ModelFile, load


def summary(model: ModelFile, json: AsJson = False) -> None:
    """Show a saved model's layers, shapes, parameters and memory."""
    from lamina.models.summary import shape_of_output

    network = load(model, "summary")
    if not json:
        network.summary()
        return
    trainable = sum(v.size for v in network.trainable_weights)
    console.print_json(
        {
            "name": network.name,
            "class": type(network).__name__,
            "parameters": network.count_params(),
            "trainable": trainable,
            "layers": [
                {
                    "name": layer.name,
                    "class": type(layer).__name__,
                    "output_shape": shape_of_output(layer),
                    "parameters": layer.count_params() if layer.built else None,
                }
                for layer in network.layers
            ],
        }
    )
