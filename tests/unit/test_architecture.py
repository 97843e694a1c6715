"""Imports go one way, as the design draws it; nothing but the CLI imports the lab."""

import ast
from pathlib import Path

import pytest

import skipstone

ROOT = Path(skipstone.__file__).parent

# package -> packages of Skipstone that it may import, besides itself and what is FREE
ALLOWED: dict[str, set[str]] = {
    "catalog": set(),
    "cloud": {"catalog"},
    "toolchain": {"catalog"},
    "convert": {"catalog"},
    "validation": {"catalog", "cloud", "convert", "toolchain"},
    "notes": {"catalog", "cloud", "convert"},
    "checks": {"catalog", "cloud"},
    "steps": {"catalog", "cloud"},
    "plan": {"catalog", "cloud", "checks", "steps", "rehearsal", "convert"},
    "run": {"catalog", "cloud", "checks", "steps", "plan"},
    "impact": {"catalog", "cloud", "checks", "steps", "plan", "run"},
    "rehearsal": {"catalog", "cloud", "steps", "toolchain"},
    "views": {
        *("catalog", "cloud", "checks", "steps", "plan", "run", "impact", "rehearsal", "convert", "notes"),
        "drain",
    },
    "drain": {"catalog", "cloud"},
    "reinstall": {"catalog", "cloud", "drain"},
    "lab": set(),
    "cli": {
        *("catalog", "cloud", "checks", "steps", "plan", "run", "impact", "views", "lab"),
        *("toolchain", "rehearsal", "convert", "notes", "drain", "reinstall", "validation"),
    },
}
FREE = {"errors", "settings", "apart", "archives", "collecting", "__version__"}


def imported(path: Path) -> set[str]:
    """Return the top packages of Skipstone that a module imports, at any depth of its code."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "skipstone":
                names = [f"skipstone.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("skipstone.")}
    return found


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_imports_go_one_way(package: str) -> None:
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in (ROOT / package).rglob("*.py")
        for name in imported(path) - {package} - ALLOWED[package] - FREE
    }
    assert not wrong


def test_every_package_is_in_the_table() -> None:
    packages = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    assert packages == set(ALLOWED)


def test_only_main_exits() -> None:
    exits = {
        str(path.relative_to(ROOT))
        for path in ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"sys.exit", "exit", "os._exit"}
    }
    assert exits <= {"cli/main.py", "impact/__main__.py", "run/faults.py"}


def test_files_stay_readable() -> None:
    long = {str(path): len(path.read_text().splitlines()) for path in ROOT.rglob("*.py")}
    assert {path: lines for path, lines in long.items() if lines > 500} == {}
