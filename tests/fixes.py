"""Applies the fixes that messages print, as a user would who does what he is told.

A fix is lines of Python, or one of a few phrases around a piece of Python, such as
`Dense(3) as the last layer`. What cannot be read so fails: a fix must say what to type.
"""

import re

import lamina

_STATEMENT = re.compile(r"^[a-z_]+(, [a-z_]+)*(\['\w+'\])? = .+$")


# Where one offer ends and the next begins.
_OR = re.compile(
    r",?\s+or (?=\w+=|put 0 there|[xy] = |lamina\.|for a model|one-hot labels)|\n  If "
    r"|;\s+(?=for a regression)"
)
# Whom an offer is for.
_FOR = re.compile(
    r"^(leave those rows out( everywhere)?:?|put 0 there:|for a model with .*?:|for classes,"
    r"|for a regression,|.*? a class like the others:)\s*",
    re.DOTALL,
)


def printed_in(message):
    """The fixes that a message offers: each a list of instructions."""
    text = message.partition("Fix: ")[2]
    text = re.split(r"\n  (?:In |model\.history)|; a model that was trained", text)[0]
    offers = [_FOR.sub("", offer.strip()) for offer in _OR.split(text)]
    assert offers[0], f"The message offers nothing: {message}"
    return [_instructions(offer) for offer in offers]


def _instructions(offer):
    lines = [line.strip().rstrip(".;,") for line in offer.splitlines()]
    parts = [
        part
        for line in lines
        for part in re.split(
            r",? (?:and|(?<!the model )with) (?=Dense|loss=|lamina|y = |normalization)", line
        )
    ]
    return [re.sub(r"^(with|and) ", "", part).strip().rstrip(".;,") for part in parts if part]


def apply(instructions, scope):
    """Do what a fix says to the names of a script: x, y, model."""
    for instruction in instructions:
        if _STATEMENT.match(instruction):
            exec(instruction, scope)
        elif found := re.match(r"model\.fit\(x, y, (.+)\)$", instruction):
            scope["more"] = eval(f"dict({found[1]})")
        else:
            scope["model"] = _changed(scope["model"], instruction, scope)


def _changed(model, instruction, scope):
    """The model made anew, with one thing changed."""
    layers = [type(layer).from_config(layer.get_config()) for layer in model.layers]
    shape = model.input_shape[1:]
    arguments = dict(model._learner.compile_config)
    names = {"lamina": lamina, "Dense": lamina.layers.Dense, **scope}
    if found := re.match(
        r"(?:end the model with )?(Dense\(.*?\))( as the last layer)?$", instruction
    ):
        layers[-1] = eval(found[1], names)
    elif found := re.match(r"(lamina\.layers\.\w+\(\)) before the last layer$", instruction):
        layers.insert(-1, eval(found[1], names))
        layers[-1] = type(layers[-1]).from_config(
            {k: v for k, v in layers[-1].get_config().items() if k != "build_config"}
        )
    elif found := re.match(r"lamina\.Input\((\(.*?\))\) as the input of the model", instruction):
        shape = eval(found[1])
    elif found := re.match(r"activation=('\w+'|None) on the last layer$", instruction):
        layers[-1].activation = lamina.activations.get(eval(found[1]))
    elif found := re.match(r"(lamina\.layers\..*|\w+) as the first layer$", instruction):
        layers.insert(0, eval(found[1], names))
    elif found := re.match(r"(loss|optimizer|metrics)=(.+)$", instruction):
        arguments[found[1]] = eval(found[2], names)
    elif found := re.match(r"use ('\w+')$", instruction):
        name = eval(found[1])
        is_loss = hasattr(lamina.losses, name) and name != arguments["loss"]
        arguments.update({"loss": name} if is_loss else {"metrics": [name]})
    else:
        raise AssertionError(f"Nobody could type this: {instruction!r}")
    made = lamina.Sequential([lamina.Input(shape), *layers])
    metrics = arguments["metrics"] or []
    arguments["metrics"] = [_again(metric) for metric in metrics]
    arguments["optimizer"] = _again(arguments["optimizer"])
    made.compile(**arguments)
    return made


def _again(part):
    return part if isinstance(part, str) else type(part).from_config(part.get_config())
