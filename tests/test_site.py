"""What the site is made of: a page for every public package, and links that lead to pages."""

import importlib
import inspect
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

TOOLS = Path(__file__).parents[1] / "tools"


@pytest.fixture(scope="module")
def site():
    sys.path.insert(0, str(TOOLS))
    try:
        import site_pages
    finally:
        sys.path.remove(str(TOOLS))
    return site_pages


def test_the_reference_describes_every_public_name_once(site):
    described = re.findall(r"^::: (\S+)$", "\n".join(site.reference().values()), re.MULTILINE)
    assert len(described) == len(set(described))
    for path in ("lamina.layers.Dense", "lamina.ops.numpy.exp", "lamina.models.Model"):
        assert path in described


def test_every_public_name_is_found_in_the_module_that_it_names(site):
    # Otherwise the site cannot describe it, nor pickle find it again.
    lost = []
    for name in site.public_surface.homes().values():
        if name.unavailable or not name.is_documented:
            continue
        value = inspect.unwrap(name.value)
        found = importlib.import_module(value.__module__)
        for part in value.__qualname__.split("."):
            found = getattr(found, part, None)
        if found is None or inspect.unwrap(found) is not value:
            lost.append(f"{name.path}, {value.__module__}.{value.__qualname__}")
    assert not lost, "\n".join(lost)


def test_a_page_links_to_names_that_another_page_describes(site):
    assert "- [`Layer`][lamina.layers.Layer]" in site.reference()["lamina"]


def test_every_guide_that_a_page_links_to_is_a_page_itself(site):
    left_out = [name for name in site.linked_files() if name.endswith(".md")]
    assert not left_out, f"give these a place in PAGES and in mkdocs.yml: {left_out}"


def test_every_page_that_is_made_is_in_the_navigation(site):
    navigation = (site.ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    guides = [path.name for path in (site.ROOT / "docs").glob("*.md")]
    missing = [page for page in (*site.PAGES.values(), *guides) if f": {page}\n" not in navigation]
    assert not missing


def test_what_is_not_there_yet_is_listed_with_what_to_do_meanwhile(site):
    page = site.reference()["lamina.applications"]
    assert "`ResNet50`" in page
    assert "Meanwhile: build the network of layers" in page


@pytest.mark.parametrize(
    ("page", "link", "expected"),
    [
        ("index.md", "docs/security.md", "security.md"),
        ("security.md", "../CONTRIBUTING.md#tests", "contributing.md#tests"),
        ("examples.md", "gan.py", "files/examples/gan.py"),
        ("security.md", "reliability.md", "reliability.md"),
        ("security.md", "https://example.com/a.md", "https://example.com/a.md"),
        ("security.md", "#files", "#files"),
    ],
)
def test_links_between_files_become_links_between_pages(site, page, link, expected):
    made = site.on_page_markdown(
        f"[text]({link})", SimpleNamespace(file=SimpleNamespace(src_uri=page))
    )
    assert made == f"[text]({expected})"
