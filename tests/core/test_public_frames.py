"""Whatever is public hides Lamina's frames: every function, every class and every method.

Each is called with something that explodes as soon as it is touched. The explosion is in a line of
this file, so a line of Lamina in the traceback is one that was not left out.
"""

import contextlib
import inspect
import traceback
import warnings
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import lamina

LAMINA = str(Path(lamina.__file__).parent)
# Of names in data sets only these are for users.
LOADERS = {"load_data", "get_word_index", "load"}


class Explosion(Exception):
    pass


def explode(*args, **kwargs):
    raise Explosion


TOUCHES = (
    "len", "iter", "next", "array", "jax_array", "eq", "lt", "gt", "le", "ge", "bool", "call",
    "getitem", "setitem", "delitem", "contains", "add", "radd", "sub", "mul", "rmul", "neg",
    "index", "int", "float", "str", "format", "fspath", "enter", "setattr",
)  # fmt: skip
Explosive = type(
    "Explosive",
    (),
    {
        **{f"__{name}__": explode for name in TOUCHES},
        "__hash__": object.__hash__,
        "__repr__": lambda self: "Explosive()",
    },
)
# As `self`, where a method begins with an attribute.
Hollow = type("Hollow", (Explosive,), {"__getattr__": explode})


def public():
    """Everything that a user can name, once."""
    waiting, seen, found = ["lamina"], set(), {}
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        module = import_module(name)
        for one in getattr(module, "__all__", LOADERS & set(dir(module))):
            value = getattr(module, one)
            if isinstance(value, ModuleType):
                waiting += [value.__name__] * value.__name__.startswith("lamina")
            elif getattr(value, "__module__", "").startswith("lamina"):
                found.setdefault(id(value), (f"{name}.{one}", value))
    return [value for _, value in sorted(found.items(), key=lambda item: item[1][0])]


@pytest.fixture(scope="module")
def names():
    return dict(public())


def frames_of_lamina(function, first=Explosive):
    """The lines of Lamina in the traceback of a call, unless the mistake was Lamina's own."""
    parameters = inspect.signature(function).parameters.values()
    places = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    named = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    needed = [p for p in places if p.default is p.empty] or places[:1]
    args = [first(), *(Explosive() for _ in needed[1:])] if needed else []
    try:
        with warnings.catch_warnings(action="ignore"), contextlib.redirect_stdout(None):
            result = function(*args, **{name: Explosive() for name in named})
        if inspect.isgenerator(result):
            next(result)
    except Exception as error:
        if getattr(error, "_lamina_bug", False):
            return []
        lines = traceback.extract_tb(error.__traceback__)
        return [f"{f.filename}:{f.lineno}" for f in lines if f.filename.startswith(LAMINA)]
    return []


def shown_by(callables, first=Explosive):
    found = {name: frames_of_lamina(one, first) for name, one in callables.items()}
    return {name: lines for name, lines in found.items() if lines}


def test_nothing_public_is_overlooked(names):
    assert {"lamina.ops.add", "lamina.layers.Dense", "lamina.datasets.mnist.load_data"} <= {*names}
    assert len(names) > 900


def test_no_function_shows_a_frame_of_lamina(names):
    assert shown_by({n: value for n, value in names.items() if not isinstance(value, type)}) == {}


def test_no_class_shows_a_frame_of_lamina_where_an_object_is_made(names):
    made = {
        name: cls
        for name, cls in names.items()
        if isinstance(cls, type)
        and not issubclass(cls, Exception)
        and any("__init__" in vars(base) for base in cls.__mro__[:-1])
    }
    assert shown_by(made) == {}


def test_no_method_shows_a_frame_of_lamina(names):
    methods = {}
    for cls in names.values():
        for owner in cls.__mro__ if isinstance(cls, type) else ():
            if owner.__module__.startswith("lamina"):
                for name, member in vars(owner).items():
                    # A layer's call() is reached through the layer.
                    if not name.startswith("_") and name != "call" and inspect.isfunction(member):
                        methods[f"{owner.__module__}.{owner.__qualname__}.{name}"] = member
    assert len(methods) > 800
    assert shown_by(methods, Hollow) == {}


def test_all_show_their_frames_where_that_is_asked_for(names):
    asked = ("lamina.ops.exp", "lamina.random.normal", "lamina.Variable", "lamina.Sequential")
    lamina.config.disable_traceback_filtering()
    try:
        shown = shown_by({name: names[name] for name in asked})
    finally:
        lamina.config.enable_traceback_filtering()
    assert {*shown} == {*asked}


@pytest.mark.parametrize("module", ["lamina", "lamina.layers", "lamina.losses", "lamina.ops"])
def test_a_missing_name_shows_no_frame_of_lamina(module):
    with pytest.raises(AttributeError) as caught:
        getattr(import_module(module), "denze")  # noqa: B009
    lines = traceback.extract_tb(caught.value.__traceback__)
    assert [f.filename for f in lines if f.filename.startswith(LAMINA)] == []
