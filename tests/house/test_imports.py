"""What the code imports is what pyproject.toml declares: nothing by accident of another package's dependencies."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

ROOT = Path(__file__).parents[2]

OWN = {"certs", "gateway", "pki", "policies"}

COMPANIONS = {"pydantic_core": "pydantic"}
"""Module -> the declared package whose documentation says to import it from there (pydantic: types of its errors)."""


def imported(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield (file, top-level module) for each absolute import below ``folder``, those under ``if`` or ``def`` too."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            else:
                continue
            yield from ((path.relative_to(ROOT).as_posix(), name.partition(".")[0]) for name in names)


def modules_of(name: str) -> set[str]:
    """Return the top-level modules that an installed package brings."""
    files = distribution(name).files or []
    return {file.parts[0].partition(".")[0] for file in files if file.suffix in {".py", ".so", ".pyd"}}


def declared() -> set[str]:
    """Return the names of the runtime dependencies, the extras of a deployment included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    named = project["dependencies"] + extras["object-store"] + extras["postgres"] + extras["otel"]
    return {re.split(r"[^A-Za-z0-9-]", requirement)[0].lower() for requirement in named}


def test_only_declared_packages_are_imported() -> None:
    found = [item for folder in ("gateway", "pki", "policies") for item in imported(ROOT / folder)]
    packages = declared()
    allowed = {module for package in packages for module in modules_of(package)}
    allowed |= {module for module, package in COMPANIONS.items() if package in packages}
    strangers = {
        f"{file} imports {module}" for file, module in found if module not in OWN | sys.stdlib_module_names | allowed
    }

    assert found
    assert not strangers, "\n".join(sorted(strangers))
