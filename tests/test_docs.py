"""The examples that people read are true: those in docstrings run, those in pages run or at least name what exists."""

import ast
import doctest
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src" / "icecore").rglob("*.py"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)")


def module_name(file: Path) -> str:
    return ".".join(file.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")


def blocks(page: Path) -> str:
    """The Python of a page, in order, as one text."""
    return "\n".join(FENCE.findall(page.read_text(encoding="utf-8")))


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An example may write files: in a folder that goes away."""
    monkeypatch.chdir(tmp_path)


def check(tests: list[doctest.DocTest]) -> None:
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for test in tests:
        runner.run(test, out=said.append)
    assert not runner.failures, "".join(said)


@pytest.mark.parametrize("file", [f for f in SOURCES if ">>>" in f.read_text(encoding="utf-8")], ids=module_name)
def test_examples_in_docstrings_run(file: Path):
    """Each `>>>` example of a docstring prints what it says."""
    check(doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(module_name(file))))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_examples_in_pages_run(page: Path):
    """Each `>>>` example of a page prints what it says; names live on from block to block."""
    check([doctest.DocTestParser().get_doctest(blocks(page), {}, named(page), str(page), 0)])


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_code_in_pages_names_what_exists(page: Path):
    """Code without a prompt needs files or a network that are not here: it is Python, of names that icecore has."""
    import icecore  # here, so that a broken facade fails only the tests that need it

    code = "\n".join(block for block in FENCE.findall(page.read_text(encoding="utf-8")) if ">>>" not in block)
    used = {
        node.attr
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "icecore"
    }
    assert used <= {*dir(icecore), *getattr(icecore, "__all__", ())}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_between_pages_lead_somewhere(page: Path):
    """A link to another file of the repository names one that is there."""
    links = LINK.findall(page.read_text(encoding="utf-8"))
    assert not [link for link in links if not (page.parent / link).exists()]
