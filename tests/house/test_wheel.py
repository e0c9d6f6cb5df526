"""What an installed Voltgate has: its packages with their data, and no key of a development PKI."""

import importlib.resources
import shutil
from pathlib import Path
from zipfile import ZipFile

import pytest
from hatchling.builders.wheel import WheelBuilder

import gateway

ROOT = Path(__file__).parents[2]


DIST_INFO = f"voltgate-{gateway.__version__}.dist-info"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The wheel's files, built from a copy of the sources in which the key of a development PKI lies around."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("out")
    for folder in ("gateway", "pki", "policies", "certs"):
        shutil.copytree(ROOT / folder, source / folder)
    for file in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / file, source)
    key = source / "certs" / "dev" / "ca" / "ca.key"
    key.parent.mkdir(parents=True, exist_ok=True)
    key.touch()
    with ZipFile(next(WheelBuilder(str(source)).build(directory=str(out), versions=["standard"]))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_its_version_is_the_gateways(wheel: dict[str, bytes]) -> None:
    assert f"\nVersion: {gateway.__version__}\n" in wheel[f"{DIST_INFO}/METADATA"].decode()


def test_every_module_and_all_data_is_in_it(wheel: dict[str, bytes]) -> None:
    data = [
        "certs/profiles/*.yaml",
        "policies/*.yaml",
        "policies/*.json",
        "gateway/store/migrations/**/*",
        "pki/iso15118/exi/grammar/*.json",
    ]
    wanted = {
        path.relative_to(ROOT).as_posix()
        for folder in ("gateway", "pki", "policies", "certs")
        for path in (ROOT / folder).rglob("*.py")
    } | {
        path.relative_to(ROOT).as_posix()
        for pattern in data
        for path in ROOT.glob(pattern)
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert {"certs/__init__.py", "gateway/__main__.py", "policies/legacy-1.6.yaml"} <= wanted
    assert {"policies/policy.schema.json", "policies/cases.schema.json"} <= wanted
    assert "pki/iso15118/exi/grammar/iso_2.json" in wanted
    assert wanted <= wheel.keys()


def test_nothing_else_is_in_it(wheel: dict[str, bytes]) -> None:
    tops = {name.partition("/")[0] for name in wheel}

    assert tops == {"gateway", "pki", "policies", "certs", DIST_INFO}
    assert not [name for name in wheel if "certs/dev" in name or "__pycache__" in name]


def test_the_command_is_the_clis_main(wheel: dict[str, bytes]) -> None:
    assert wheel[f"{DIST_INFO}/entry_points.txt"].decode().split() == [
        "[console_scripts]",
        "voltgate",
        "=",
        "gateway.cli:main",
    ]


@pytest.mark.parametrize("package", ["certs", "policies"])
def test_data_is_found_beside_the_code_that_runs(package: str) -> None:
    assert (importlib.resources.files(package) / "__init__.py").is_file()
