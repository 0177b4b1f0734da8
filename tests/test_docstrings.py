"""Every public function and method says what it does and what each of its arguments is."""

import inspect
import re
import sys
from pathlib import Path
from typing import NoReturn

import pytest

TOOLS = Path(__file__).parents[1] / "tools"

# `x: …`, `a, b: …` and `*args: …`, as entries of a section `Args`.
ENTRY = re.compile(r"^ {4}((?:\*{0,2}\w+(?:, )?)+):", re.MULTILINE)
ARGS = re.compile(r"^Args:\n((?: {4}.*\n|\n)+)", re.MULTILINE)
SAYS_WHAT_COMES = re.compile(r"^\s*(Returns|Yields):$", re.MULTILINE)


@pytest.fixture(scope="module")
def surface():
    sys.path.insert(0, str(TOOLS))
    try:
        import public_surface
    finally:
        sys.path.remove(str(TOOLS))
    return public_surface


def explained(docstring):
    """Names of the arguments that a docstring explains."""
    sections = "".join(ARGS.findall(inspect.cleandoc(docstring) + "\n"))
    return {name.strip(" *") for entry in ENTRY.findall(sections) for name in entry.split(",")}


def parameters(function):
    names = list(inspect.signature(function).parameters)
    return [name for name in names if name not in ("self", "cls") and name[0] != "_"]


def docstring(member):
    """That of a method, or else that of the method it overrides, if that says what it does."""
    for cls in member.owner.__mro__:
        if member.name in vars(cls):
            value = vars(cls)[member.name]
            found = getattr(value, "__func__", value).__doc__
            if found and (cls is member.owner or "to be written by subclasses" not in found):
                return found
    return None


def unexplained(function, text):
    if text.startswith("Not available yet."):
        return []  # it takes anything, and refuses
    known = explained(text)
    if "args" in known and not function.__doc__:
        return []  # inherited from one that takes any arguments
    return [name for name in parameters(function) if name not in known]


def test_every_public_method_has_a_docstring(surface):
    silent = [str(member) for member in surface.members() if docstring(member) is None]
    assert not silent, "these have none:\n" + "\n".join(silent)


def test_the_docstring_of_a_method_explains_every_argument(surface):
    found = {
        str(member): missing
        for member in surface.members()
        if member.takes_arguments and docstring(member)
        if (missing := unexplained(member.function, docstring(member)))
    }
    assert not found, _listed(found)


def test_every_public_function_has_a_docstring_that_explains_every_argument(surface):
    found = {
        name.path: missing
        for name in surface.functions()
        if (missing := unexplained(name.value, name.value.__doc__ or ""))
    }
    assert not found, _listed(found)


def test_what_takes_arguments_and_gives_something_says_what_it_gives(surface):
    methods = {str(m): m.function for m in surface.members() if m.takes_arguments}
    functions = {name.path: name.value for name in surface.functions()}
    silent = [
        name
        for name, function in (methods | functions).items()
        if function.__doc__ and parameters(function) and _gives_something(function)
        if not SAYS_WHAT_COMES.search(function.__doc__)
    ]
    assert not silent, "these have no section Returns:\n" + "\n".join(silent)


def test_every_public_class_explains_the_arguments_of_its_constructor(surface):
    found = {}
    for name in surface.classes():
        init = name.value.__init__
        if not inspect.isfunction(init) or not init.__module__.startswith("lamina."):
            continue  # that of `object`, say
        known = set().union(*(explained(cls.__doc__ or "") for cls in name.value.__mro__))
        known |= {"args"}  # in place of arguments that have names
        if missing := [argument for argument in parameters(init) if argument not in known]:
            found[name.path] = missing
    assert not found, _listed(found)


def _gives_something(function):
    given = inspect.signature(function).return_annotation
    refuses = function.__doc__.startswith("Not available yet.")
    return given not in (None, "None", NoReturn, inspect.Signature.empty) and not refuses


def _listed(found):
    return "\n".join(f"{name}: {', '.join(names)}" for name, names in found.items())
