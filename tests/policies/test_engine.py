"""Loading policies: what isn't understood whole isn't loaded, and the error says which file and why."""

import contextlib
import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.app.policy_schemas import OfficialSchemas
from policies import engine
from policies.engine import BUNDLED, Policy, PolicyError


def load(source: str | Path) -> Policy:
    return engine.load(source, OfficialSchemas())


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return tmp_path / "own.yaml"


def refusal_of(path: Path) -> str:
    with pytest.raises(PolicyError) as refusal:
        load(path)
    return str(refusal.value)


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_policy_loads_by_its_name(name: str) -> None:
    policy = load(name)
    text = (Path(engine.__file__).parent / f"{name}.yaml").read_bytes()

    assert policy == Policy(name, hashlib.sha256(text).hexdigest())


@pytest.mark.parametrize("as_text", [True, False], ids=["str", "Path"])
def test_a_policy_loads_from_a_file(written: Path, as_text: bool) -> None:
    text = b"name: mine\ndescription: of my own\nrules: []\n"
    written.write_bytes(text)

    assert load(str(written) if as_text else written) == Policy("mine", hashlib.sha256(text).hexdigest())


@pytest.mark.parametrize("rules", ["", "rules:\n", "rules: []\n", "rules: {}\n"])
def test_a_policy_may_have_no_rules(written: Path, rules: str) -> None:
    written.write_text(f"name: mine\n{rules}")

    assert load(written).name == "mine"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must be a mapping"),
        ("mine", "must be a mapping"),
        ("- name: mine", "must be a mapping"),
        ("name: mine\nrules: [deny]", "`rules` must be empty"),
        ("name: mine\nrules: {deny: all}", "`rules` must be empty"),
        ("name: mine\nrules: all", "`rules` must be empty"),
        ("name: mine\n<<: {rules: [deny]}", "`rules` must be empty"),
        ("name: mine\nrules: [deny]\nrules: []", "the key 'rules' is doubled"),
        ("name: mine\nname: yours", "the key 'name' is doubled"),
        ("name: mine\nrule: []", "unknown key 'rule'"),
        ("name: mine\nRules: [deny]", "unknown key 'Rules'"),
        ("name: mine\n1: x", "unknown key '1'"),
        ("name: mine\nnull: x\nz: y", "unknown key 'None'"),
        ("rules: []", "`name` is missing"),
        ("name: ''", "`name` is missing"),
        ("name: 5", "`name` is missing"),
        ("name: [mine]", "`name` is missing"),
        ("name: mine: yours", "not YAML"),
        ("{[a]: b}", "not YAML"),
        ("name: 2026-99-99", "not YAML"),
        ("name: !!int mine", "not YAML"),
        ("!!python/object/apply:os.system [id]", "not YAML"),
        ("name: mine\n---\nname: yours", "not YAML"),
        ("[" * 600, "not YAML"),
        ("name: '\0'", "not YAML"),
    ],
)
def test_what_is_not_understood_whole_is_not_loaded(written: Path, text: str, words: str) -> None:
    written.write_text(text)

    refusal = refusal_of(written)

    assert refusal.startswith(f"policy {written}: ")
    assert words in refusal


def test_a_file_that_is_not_utf8_is_not_loaded(written: Path) -> None:
    written.write_bytes(b"name: \xff\xfe")

    assert "not YAML" in refusal_of(written)


@pytest.mark.parametrize("name", ["legacy-1.5", "Legacy-1.6", "legacy-1.6.yaml", ""])
def test_a_missing_file_is_named_beside_the_bundled_policies(tmp_path: Path, name: str) -> None:
    refusal = refusal_of(tmp_path / "nowhere" / name)

    assert refusal.startswith(f"policy {tmp_path / 'nowhere' / name}: No such file or directory")
    assert refusal.endswith("give a file or a bundled name (legacy-1.6)")


def test_a_folder_is_no_policy(tmp_path: Path) -> None:
    assert "Is a directory" in refusal_of(tmp_path)


@settings(deadline=None)
@given(st.binary(max_size=60) | st.text(st.sampled_from("nameruls:[]{}-&*!? \n'\"#1"), max_size=40).map(str.encode))
def test_any_bytes_are_a_policy_or_a_policy_error(tmp_path_factory: pytest.TempPathFactory, text: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(text)
    with contextlib.suppress(PolicyError):
        assert load(path).name
