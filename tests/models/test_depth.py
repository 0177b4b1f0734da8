"""Large models: what building, drawing, reading and calling cost grows with the layers alone."""

import cProfile
import pstats
from functools import partial

import numpy as np
import pytest

import lamina
from lamina.layers import Activation, Identity, Input


def calls_of(action):
    """How many functions an action calls: unlike seconds, the same on any machine."""
    profile = cProfile.Profile()
    profile.enable()
    action()
    profile.disable()
    return pstats.Stats(profile).total_calls


def stack(depth):
    return lamina.Sequential([Input((4,)), *(Identity() for _ in range(depth))])


def chain(depth):
    x = y = Input((4,))
    for _ in range(depth):
        y = Activation("linear")(y)
    return lamina.Model(x, y)


def backwards(depth):
    config = chain(depth).get_config()
    return {**config, "layers": config["layers"][::-1]}


class Blocks(lamina.Model):
    def __init__(self, depth):
        super().__init__()
        self.blocks = [Identity() for _ in range(depth)]

    def call(self, x):
        for block in self.blocks:
            x = block(x)
        return x


def called(model):
    model(np.ones((1, 4)))  # what is found out at the first call counts once
    return lambda: model(np.ones((1, 4)))


# From a depth to an action; what is made before it does not count.
ACTIONS = {
    "stack": lambda depth: partial(stack, depth),
    "stack to config": lambda depth: stack(depth).get_config,
    "stack from config": lambda depth: partial(
        lamina.Sequential.from_config, stack(depth).get_config()
    ),
    "graph": lambda depth: partial(chain, depth),
    "graph to config": lambda depth: chain(depth).get_config,
    "graph from config": lambda depth: partial(lamina.Model.from_config, chain(depth).get_config()),
    "backwards": lambda depth: partial(lamina.Model.from_config, backwards(depth)),
    "call of a stack": lambda depth: called(stack(depth)),
    "call of a graph": lambda depth: called(chain(depth)),
    "call of a list": lambda depth: called(Blocks(depth)),
    "first call of a list": lambda depth: partial(Blocks(depth), np.ones((1, 4))),
    "weights": lambda depth: partial(getattr, stack(depth), "weights"),
}


@pytest.mark.parametrize("name", ACTIONS)
def test_the_cost_grows_no_faster_than_the_number_of_layers(name):
    ACTIONS[name](5)()  # imports and tables
    few, many = (calls_of(ACTIONS[name](depth)) for depth in (40, 160))
    assert many < 4.6 * few
