"""Everything that the documentation tells people to type is typed here."""

import ast
import re
import runpy
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(p for d in ("docs", "benchmarks", "examples") for p in (ROOT / d).rglob("*.md")),
    ]
)
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
# They take longer than five seconds each.
LONG_EXAMPLES = {
    "autoencoder", "fashion_mnist_augmented", "gan", "mini_gpt", "mnist_cnn", "spam",
    "text_generation", "transformer_classifier", "vae",
}  # fmt: skip

FENCE = re.compile(r"^```python *\n(.*?)^``` *$", re.MULTILINE | re.DOTALL)
NOT_RUN = re.compile(r"<!-- not run:(.*?)-->\s*\Z", re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


@dataclass(frozen=True)
class Block:
    """One Python block of a page."""

    code: str
    line: int
    reason_not_run: str | None


def _blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    blocks = []
    for fence in FENCE.finditer(text):
        before = text[: fence.start()]
        excuse = NOT_RUN.search(before)
        reason = excuse.group(1).strip() if excuse else None
        blocks.append(Block(fence.group(1), before.count("\n") + 2, reason))
    return blocks


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


# Pages whose blocks train for many seconds; `make test-extra` runs them.
LONG_PAGES = ("explaining", "diagnosis")


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=pytest.mark.extra if page.stem in LONG_PAGES else ())
        for page in PAGES
        if _blocks(page)
    ],
    ids=_name,
)
def test_every_block_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}  # later blocks go on where earlier ones ended
    for block in _blocks(page):
        if block.reason_not_run is None:
            # Tracebacks name the line of the page.
            tree = ast.increment_lineno(ast.parse(block.code), block.line - 1)
            exec(compile(tree, page, "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_a_block_that_is_not_run_says_why(page):
    silent = [block.line for block in _blocks(page) if block.reason_not_run == ""]
    assert not silent


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_between_pages_lead_somewhere(page):
    links = LINK.findall(page.read_text(encoding="utf-8"))
    local = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_every_test_that_a_page_names_exists():
    files = (ROOT / "tests").rglob("test_*.py")
    known = {
        name for file in files for name in re.findall(r"def (test_\w+)", file.read_text("utf-8"))
    }
    named = {
        (_name(page), name)
        for page in (ROOT / "docs").glob("*.md")
        for name in re.findall(r"`(test_\w+)`", page.read_text("utf-8"))
    }
    assert [pair for pair in sorted(named) if pair[1] not in known] == []


PROMISE = re.compile(r"\bat\s+(least|most)\s+(\d[\d.]*\d|\d)")
NEEDS_DATA = re.compile(r"get_file\(|mnist\.load_data")


@pytest.mark.usefixtures("optimized")
@pytest.mark.parametrize(
    "script",
    [
        pytest.param(path, marks=pytest.mark.extra if path.stem in LONG_EXAMPLES else ())
        for path in EXAMPLES
    ],
    ids=_name,
)
def test_every_example_runs_and_reaches_its_figure(script, tmp_path, monkeypatch, request):
    if NEEDS_DATA.search(script.read_text(encoding="utf-8")):
        request.getfixturevalue("real_data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [str(script), "--short"])
    names = runpy.run_path(str(script), run_name="__main__")
    promised = PROMISE.search(names["__doc__"])
    assert promised, "its docstring must say what it reaches: 'at least 0.9' or 'at most 2.5'"
    reached, figure = names["reached"], float(promised.group(2))
    assert reached >= figure if promised.group(1) == "least" else reached <= figure


@pytest.mark.parametrize("script", EXAMPLES, ids=_name)
def test_every_example_is_in_the_list(script):
    assert f"({script.name})" in (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
