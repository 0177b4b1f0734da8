"""What is put on a layer is trained and saved: the same Variables in the same order as in Keras."""

import collections
import copy
import gc
import weakref

import keras
import numpy as np
import pytest

import lamina
from lamina import Variable

pytestmark = pytest.mark.quick

Pair = collections.namedtuple("Pair", "first second")


def weight(layer, name, trainable=True):
    return layer.add_weight(shape=(), initializer="zeros", name=name, trainable=trainable)


def attributes(K, self):
    self.one = K.layers.Dense(1, name="one")
    weight(self, "unassigned")
    self.two = K.layers.Dense(1, name="two")


def lists(K, self):
    self.blocks = [K.layers.Dense(1, name="a"), [K.layers.Dense(1, name="b")]]
    self.head = K.layers.Dense(1, name="head")


def appended(K, self):
    self.blocks = []
    self.head = K.layers.Dense(1, name="head")
    for name in "ab":
        self.blocks.append(K.layers.Dense(1, name=name))
    self.blocks.extend([K.layers.Dense(1, name="c")])
    self.blocks.insert(0, K.layers.Dense(1, name="first"))
    self.blocks += [K.layers.Dense(1, name="last")]


def dicts(K, self):
    self.towers = {"z": K.layers.Dense(1, name="z"), "a": [K.layers.Dense(1, name="a")]}
    self.head = K.layers.Dense(1, name="head")
    self.towers["m"] = K.layers.Dense(1, name="m")
    self.towers.update({"n": K.layers.Dense(1, name="n")})


def ordered_dicts(K, self):
    self.towers = collections.OrderedDict(z=K.layers.Dense(1, name="z"))
    self.towers["a"] = K.layers.Dense(1, name="a")


def tuples(K, self):
    self.pair = (K.layers.Dense(1, name="a"), [K.layers.Dense(1, name="b")])
    self.named = Pair(K.layers.Dense(1, name="c"), K.layers.Dense(1, name="d"))


def shared(K, self):
    self.one = K.layers.Dense(1, name="one")
    self.same = self.one
    self.all = [self.one, K.layers.Dense(1, name="two")]


def trainable_first(K, self):
    self.inner = K.layers.BatchNormalization(name="inner")
    self.mean = weight(self, "mean", trainable=False)
    self.scale = weight(self, "scale")
    self.count = weight(self, "count", trainable=False)


def own_variables(K, self):
    self.v = K.Variable(1.0, name="v")
    self.more = [K.Variable(2.0, name="w", trainable=False), K.Variable(3.0, name="x")]


def random_and_measured(K, self):
    self.drop = K.layers.Dropout(0.5, name="drop")
    self.seed = K.random.SeedGenerator(3)
    self.mean = K.metrics.Mean(name="mean")
    self.dense = K.layers.Dense(1, name="dense")


def deep(K, self):
    inner = self.inner = K.layers.Layer(name="inner")
    inner.dense = K.layers.Dense(1, name="deep")
    inner.scale = weight(inner, "scale")
    self.last = K.layers.Dense(1, name="last")


def taken_out(K, self):
    self.blocks = [K.layers.Dense(1, name=name) for name in "abcdef"]
    self.blocks.pop()
    self.blocks.pop(0)
    self.blocks.remove(self.blocks[0])
    del self.blocks[0]
    self.towers = {name: K.layers.Dense(1, name=name) for name in "uvw"}
    self.towers.pop("u")
    self.towers.popitem()
    self.gone = {"x": K.layers.Dense(1, name="x")}
    self.gone.clear()
    self.scale = weight(self, "scale")
    del self.scale


CLASSES = [
    attributes, lists, appended, dicts, ordered_dicts, tuples, shared, trainable_first,
    own_variables, random_and_measured, deep, taken_out,
]  # fmt: skip


def made(K, put):
    class Own(K.layers.Layer):
        def __init__(self):
            super().__init__(name="own")
            put(K, self)

    layer = Own()
    for inner in layer._flatten_layers(include_self=False):
        if isinstance(inner, (K.layers.Dense, K.layers.BatchNormalization)):
            inner.build((None, 2))
    return layer


@pytest.mark.parametrize("put", CLASSES, ids=lambda put: put.__name__)
def test_weights_come_in_the_order_of_keras(put):
    ours, theirs = made(lamina, put), made(keras, put)
    for kind in ("weights", "variables", "trainable_weights", "non_trainable_weights"):
        found = [v.path.split("/", 1)[-1] for v in getattr(ours, kind)]
        assert found == [v.path.split("/", 1)[-1] for v in getattr(theirs, kind)], kind


class Holder(lamina.Layer):
    def __init__(self, **attributes):
        super().__init__()
        for name, value in attributes.items():
            setattr(self, name, value)


def dense(name=None):
    layer = lamina.layers.Dense(1, name=name)
    layer.build((None, 1))
    return layer


def names(layer):
    return [inner.name for inner in layer._flatten_layers(include_self=False)]


def test_an_attribute_that_is_replaced_takes_its_layers_along():
    holder = Holder(head=dense("old"), scale=Variable(1.0))
    holder.head = dense("new")
    holder.scale = None
    assert names(holder) == ["new"]
    assert len(holder.weights) == 2


def test_a_layer_that_another_attribute_holds_stays():
    shared = dense("shared")
    holder = Holder(one=shared, two=[shared, dense("other")])
    del holder.one
    assert names(holder) == ["shared", "other"]
    holder.two.remove(shared)
    assert names(holder) == ["other"]


def test_weights_made_by_add_weight_stay_though_no_attribute_holds_them():
    holder = Holder(scale=Variable(1.0, name="scale"))
    holder.add_weight(name="kept", shape=())
    del holder.scale
    assert [v.name for v in holder.weights] == ["kept"]


@pytest.mark.parametrize(
    "change",
    [
        lambda blocks: blocks.__setitem__(slice(0, 2), [dense("x")]),
        lambda blocks: blocks.__delitem__(slice(0, 2)),
        lambda blocks: blocks.clear(),
        lambda blocks: blocks.__imul__(0),
        lambda blocks: blocks.reverse(),
        lambda blocks: blocks.__setitem__(1, dense("x")),
        lambda blocks: blocks.extend(dense(n) for n in "xy"),
    ],
)
def test_lists_keep_the_books_right_whatever_is_done_to_them(change):
    holder = Holder(blocks=[dense(n) for n in "abc"])
    change(holder.blocks)
    assert sorted(names(holder)) == sorted(layer.name for layer in holder.blocks)


@pytest.mark.parametrize(
    "change",
    [
        lambda towers: towers.__setitem__("a", dense("x")),
        lambda towers: towers.__ior__({"a": dense("x"), "d": dense("y")}),
        lambda towers: towers.setdefault("d", dense("x")),
        lambda towers: towers.setdefault("a", dense("not this one")),
        lambda towers: towers.__delitem__("b"),
        lambda towers: towers.pop("nothing", None),
        lambda towers: towers.clear(),
    ],
)
def test_dicts_keep_the_books_right_whatever_is_done_to_them(change):
    holder = Holder(towers={n: dense(n) for n in "abc"})
    change(holder.towers)
    assert sorted(names(holder)) == sorted(layer.name for layer in holder.towers.values())


def test_containers_are_still_lists_and_dicts():
    holder = Holder(sizes=[1, [2, 3]], table={"a": 1}, several=(1, [2]))
    assert holder.sizes == [1, [2, 3]]
    assert isinstance(holder.sizes, list)
    assert holder.table == {"a": 1}
    assert holder.several == (1, [2])
    assert holder.sizes + [4] == [1, [2, 3], 4]


def test_other_containers_are_tracked_for_what_they_hold():
    holder = Holder(table=collections.defaultdict(list, {"a": [dense("a")]}))
    assert isinstance(holder.table, collections.defaultdict)
    assert names(holder) == ["a"]


def test_a_set_of_layers_is_refused():
    with pytest.raises(TypeError, match="a set has no order"):
        Holder(layers_of_mine={dense(), dense()})
    assert Holder(words={"a", "b"}).words == {"a", "b"}


def test_a_layer_taken_out_is_freed():
    holder = Holder()
    holder.blocks = [dense()]
    reference = weakref.ref(holder.blocks[0])
    holder.blocks.pop()
    gc.collect()
    assert reference() is None


def test_a_layer_may_hold_itself_or_its_owner():
    outer, inner = Holder(), Holder()
    outer.inner, inner.outer, outer.self = inner, outer, outer
    assert outer._flatten_layers() == [outer, inner]


def test_a_deep_copy_has_weights_of_its_own_and_goes_on_tracking():
    holder = Holder(blocks=[dense("a")], towers={"b": dense("b")}, scale=Variable(1.0))
    twin = copy.deepcopy(holder)
    assert [v.path for v in twin.weights] == [v.path for v in holder.weights]
    twin.scale.assign(5.0)
    twin.blocks.append(dense("c"))
    twin.towers.clear()
    assert names(twin) == ["a", "c"]
    assert names(holder) == ["a", "b"]
    assert float(holder.scale) == 1
    np.testing.assert_array_equal(twin.blocks[0].kernel, holder.blocks[0].kernel)


@pytest.mark.parametrize("base", [lamina.Layer, lamina.Model])
@pytest.mark.parametrize("trainable", [True, False])
def test_what_is_assigned_before_super_init_is_tracked(base, trainable):
    class Hasty(base):
        def __init__(self):
            self.scale = Variable([1.0, 2.0])
            self.dense = lamina.layers.Dense(2)
            self.blocks = [lamina.layers.Dense(1)]
            super().__init__(trainable=trainable)

        def call(self, x):
            return self.blocks[0](self.dense(x) * self.scale)

    layer = Hasty()
    assert layer(np.ones((1, 2))).shape == (1, 1)
    assert len(layer.weights) == 5
    assert len(layer.trainable_weights) == (5 if trainable else 0)
    assert layer.scale.trainable is trainable


def test_a_name_of_laminas_own_cannot_be_assigned():
    class Clash(lamina.Model):
        def __init__(self):
            super().__init__()
            self.layers = [lamina.layers.Dense(1)]

    with pytest.raises(
        AttributeError, match=r"Clash.layers is reserved by Lamina .*\n.*self.my_layers"
    ):
        Clash()
