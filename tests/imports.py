"""Every import of a Python file, read from its source: what tests/test_house.py judges."""

import ast
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "icecore"

# A room imports only rooms before it in this list.
ROOMS = (
    *("errors", "keys", "plugins", "store", "data", "backbones", "prefix", "features", "heads", "evaluation"),
    *("tasks", "selection", "artifact", "explaining", "training", "reporting", "exporting"),
    *("api", "cluster", "serving", "cli", "testing"),
)


@dataclass(frozen=True)
class Import:
    """One import of one module, wherever in the file it stands."""

    file: Path
    line: int
    module: str
    eager: bool  # it happens when the file is imported: not inside a function, not for the type checker alone
    extra: str | None = None  # the extra that a call of `require` promises to bring it

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line} imports {self.module}"

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]

    @property
    def room(self) -> str | None:
        """The room it comes from; None for the facade."""
        parts = self.module.split(".")
        return parts[1] if len(parts) > 1 and parts[1] in ROOMS else None


class _Imports(ast.NodeVisitor):
    """Collects imports: statements, and calls of import_module and require with a literal name."""

    def __init__(self, file: Path) -> None:
        self.file, self.eager, self.found = file, True, list[Import]()

    def add(self, node: ast.stmt | ast.expr, module: str, extra: str | None = None) -> None:
        self.found.append(Import(self.file, node.lineno, module, self.eager, extra))

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.add(node, alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = self._absolute(node)
        if module != "icecore":
            self.add(node, module)
            return
        for alias in node.names:
            self.add(node, f"icecore.{alias.name}" if alias.name in ROOMS else "icecore")

    def visit_Call(self, node: ast.Call) -> None:
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        words = [word.value for word in node.args if isinstance(word, ast.Constant) and isinstance(word.value, str)]
        if name in {"import_module", "__import__", "require"} and words:
            self.add(node, words[0], extra=words[1] if name == "require" and len(words) > 1 else None)
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        if "TYPE_CHECKING" in ast.unparse(node.test):
            self._later(node.body)
            for other in node.orelse:
                self.visit(other)
        else:
            self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._later(node.body)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._later(node.body)

    def _later(self, body: list[ast.stmt]) -> None:
        before, self.eager = self.eager, False
        for statement in body:
            self.visit(statement)
        self.eager = before

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        base = PACKAGE.parent if self.file.is_relative_to(PACKAGE) else ROOT
        package = self.file.relative_to(base).parts[: -node.level]
        return ".".join((*package, *((node.module,) if node.module else ())))


def imports_of(file: Path) -> list[Import]:
    collector = _Imports(file)
    collector.visit(ast.parse(file.read_text(encoding="utf-8")))
    return collector.found
