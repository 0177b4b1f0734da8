"""The pages of the site that are not in docs/, made when `make docs` builds it.

Pages of the repository, such as README.md, appear with the guides; every public package gets a page
of the reference, made from the list of its names. Links that lead to a file of the repository
become links to its page, and files that have none are copied into the site.
"""

import functools
import inspect
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import public_surface

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]

# From files of the repository to their pages.
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "examples/README.md": "examples.md",
    "benchmarks/README.md": "benchmarks.md",
    "kernels/README.md": "kernels.md",
}
BASES = re.compile(r"Bases: <code>.*")
BASE = re.compile(r"<code>(lamina\.[\w.]+)</code>")
LINK = re.compile(r"(\]\()([^)#\s:]+)([^):]*\))")


def on_config(config: "MkDocsConfig") -> "MkDocsConfig":
    """Add the reference, whose pages follow from the packages, to the navigation."""
    pages = [{package: page_of(package)} for package in reference()]
    config.nav.append({"Reference": pages})  # type: ignore[union-attr]
    config.watch.append(str(ROOT / "src"))
    return config


def on_files(files: "Files", config: "MkDocsConfig") -> "Files":
    """Add the pages, and the files that they link to."""
    from mkdocs.structure.files import File

    for source, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    for package, text in reference().items():
        files.append(File.generated(config, page_of(package), content=text))
    for target in linked_files():
        files.append(File.generated(config, f"files/{target}", abs_src_path=str(ROOT / target)))
    return files


def on_page_markdown(markdown: str, page: "Page", **_: Any) -> str:
    """Turn links between files of the repository into links between pages."""
    here = page.file.src_uri
    source = next((source for source, made in PAGES.items() if made == here), f"docs/{here}")

    def link(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), match[2]))
        path = posixpath.relpath(place_of(target), posixpath.dirname(here) or ".")
        return f"{match[1]}{path}{match[3]}"

    return LINK.sub(link, markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Let the bases of a class link to where they are described."""

    def link(match: re.Match[str]) -> str:
        home = _described_classes().get(match[1])
        return f'<autoref identifier="{home}" optional>{home}</autoref>' if home else match[0]

    return BASES.sub(lambda line: BASE.sub(link, line[0]), html)


def place_of(target: str) -> str:
    """Where a file of the repository is in the site, e.g. `files/examples/gan.py`."""
    if target in PAGES:
        return PAGES[target]
    return target.removeprefix("docs/") if target.startswith("docs/") else f"files/{target}"


def linked_files() -> list[str]:
    """Files of the repository that its pages link to and that are no pages themselves."""
    sources = [*PAGES, *(path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/*.md"))]
    targets = {target for source in sources for target in _targets(source)}
    return sorted(
        target
        for target in targets
        if target not in PAGES and not target.startswith("docs/") and (ROOT / target).is_file()
    )


def _targets(source: str) -> set[str]:
    """What a page of the repository links to, as paths from the root."""
    text = (ROOT / source).read_text(encoding="utf-8")
    here = posixpath.dirname(source)
    return {posixpath.normpath(posixpath.join(here, match[2])) for match in LINK.finditer(text)}


def page_of(package: str) -> str:
    return f"reference/{package}.md"


def reference() -> dict[str, str]:
    """From public packages to their pages of the reference."""
    pages = {package: _page(package) for package in public_surface.packages()}
    return {package: text for package, text in pages.items() if text}


def _page(package: str) -> str:
    """Markdown: what the package is for, the names described here, and links to its others."""
    module = public_surface.packages()[package]
    names = [name for name in public_surface.names() if name.package == package]
    if package.startswith("lamina.applications."):
        return ""  # the page of lamina.applications has all its networks
    home = public_surface.homes()
    own = [name for name in names if home[id(name.value)] == name and not name.unavailable]
    elsewhere = [name for name in names if name not in own and not name.unavailable]
    parts = [f"# {package}", inspect.getdoc(module) or ""]
    parts += [_entry(name) for name in own if name.is_documented]
    constants = [name for name in own if not name.is_documented]
    if constants:
        parts += ["## Constants", "\n".join(f"- `{n.name}` = `{n.value!r}`" for n in constants)]
    if elsewhere:
        links = [f"- [`{n.name}`][{home[id(n.value)].path}]" for n in elsewhere]
        parts += ["## Described elsewhere", "\n".join(links)]
    later = [name for name in names if name.unavailable]
    if later:
        reasons = dict.fromkeys(str(name.unavailable) for name in later)
        parts += ["## Not there yet"]
        for reason in reasons:
            those = [f"`{name.name}`" for name in later if name.unavailable == reason]
            parts += [f"{', '.join(those)}\n\n:   Meanwhile: {reason}"]
    return "\n\n".join(part for part in parts if part) + "\n"


def _entry(name: public_surface.Name) -> str:
    """The instruction that becomes the description of a class or function.

    What a class has from a base that no page describes is described with it.
    """
    entry = f"::: {name.path}"
    if not inspect.isclass(name.value):
        return entry
    bases = name.value.__mro__[1:]
    described = [base for base in bases if id(base) in public_surface.homes()]
    hidden = {
        member.name
        for member in public_surface.members()
        if member.owner in bases
        and not any(issubclass(base, member.owner) for base in described)
        and inspect.getattr_static(name.value, member.name) is member.value
    }
    listed = ", ".join(sorted(hidden))
    return f"{entry}\n    options:\n      inherited_members: [{listed}]" if hidden else entry


@functools.cache
def _described_classes() -> dict[str, str]:
    """From where a class is defined to the name it is described under."""
    return {
        f"{n.value.__module__}.{n.value.__qualname__}": n.path for n in public_surface.classes()
    }
