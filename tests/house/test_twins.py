"""Every source file has its twin test file, which covers it by itself (CONTRIBUTING.md)."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

EXEMPT = {
    "gateway/app/foundation.py": "a record of parts without any code",
    "gateway/bridge/ports.py": "Protocols and an empty exception: nothing of it runs",
}
"""Source file without a twin -> why none is possible."""


def sources(root: Path) -> list[str]:
    """Return the source files under ``root`` that want a twin, as POSIX paths relative to it."""
    files = (
        path.relative_to(root)
        for folder in ("gateway", "pki", "policies")
        for path in (root / folder).rglob("*.py")
        if path.name not in {"__init__.py", "__main__.py"} and path.parts[-3:-1] != ("migrations", "versions")
    )
    return sorted(file.as_posix() for file in files)


def twin_of(source: str) -> str:
    """Return the twin's path: gateway/wire/rpc.py -> tests/wire/test_rpc.py, pki/csr.py -> tests/pki/test_csr.py."""
    folder, _, name = source.removeprefix("gateway/").rpartition("/")
    return "/".join(part for part in ("tests", folder, f"test_{name}") if part)


@pytest.mark.parametrize(
    ("source", "twin"),
    [
        ("gateway/wire/rpc.py", "tests/wire/test_rpc.py"),
        ("gateway/config.py", "tests/test_config.py"),
        ("gateway/bridge/v201_v16/boot.py", "tests/bridge/v201_v16/test_boot.py"),
        ("pki/csr.py", "tests/pki/test_csr.py"),
        ("policies/engine.py", "tests/policies/test_engine.py"),
    ],
)
def test_where_a_twin_stands(source: str, twin: str) -> None:
    assert twin_of(source) == twin


def test_packages_entry_points_and_migrations_want_no_twin(tmp_path: Path) -> None:
    for name in (
        "gateway/__main__.py",
        "gateway/store/migrations/versions/0001_stations.py",
        "pki/__init__.py",
        "pki/csr.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    assert sources(tmp_path) == ["pki/csr.py"]


def test_every_source_has_its_twin() -> None:
    found = sources(ROOT)
    missing = {
        source: twin_of(source) for source in found if source not in EXEMPT and not (ROOT / twin_of(source)).is_file()
    }

    assert found
    assert not missing, "\n".join(f"{source} has no {twin}" for source, twin in missing.items())


def test_no_exemption_is_stale() -> None:
    stale = [source for source in EXEMPT if not (ROOT / source).is_file() or (ROOT / twin_of(source)).is_file()]

    assert not stale
