"""The Dockerfile and what reaches the builder, read as text: no container engine is needed to see these mistakes."""

import json
import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

Instruction = tuple[str, str]


def instructions(text: str) -> list[Instruction]:
    """Return a Dockerfile's instructions, continued lines joined and comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(word.upper(), rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def stages(text: str) -> list[list[Instruction]]:
    """Return the instructions of each build stage, its FROM first."""
    found: list[list[Instruction]] = []
    for instruction in instructions(text):
        if instruction[0] == "FROM":
            found.append([])
        if found:
            found[-1].append(instruction)
    return found


def is_sent(path: str, rules: list[str]) -> bool:
    """Return whether .dockerignore lets ``path`` reach the builder: the last rule that matches it decides."""
    sent = True
    for rule in rules:
        pattern = rule.removeprefix("!").removeprefix("**/")
        parents = [path, *(parent.as_posix() for parent in Path(path).parents)]
        if any(fnmatch(parent, pattern) for parent in parents):
            sent = rule.startswith("!")
    return sent


@pytest.fixture(scope="module")
def dockerfile() -> list[list[Instruction]]:
    return stages((ROOT / "Dockerfile").read_text())


@pytest.fixture(scope="module")
def rules() -> list[str]:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def values(stage: list[Instruction], word: str) -> list[str]:
    return [rest for name, rest in stage if name == word]


def test_instructions_are_read_over_continued_lines() -> None:
    assert stages("ARG A\n# note\nFROM a AS b\nRUN x \\\n    && y\nFROM c\n") == [
        [("FROM", "a AS b"), ("RUN", "x && y")],
        [("FROM", "c")],
    ]


def test_every_copied_file_exists_and_reaches_the_builder(
    dockerfile: list[list[Instruction]], rules: list[str]
) -> None:
    copies = [rest.split()[:-1] for stage in dockerfile for rest in values(stage, "COPY") if "--from" not in rest]
    sources = [source for copy in copies for source in copy]

    assert sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert is_sent(source, rules), source


@pytest.mark.parametrize(
    "path", [".git/config", "certs/dev/ca/ca.key", "voltgate.db", ".venv/bin/python", "tests/helm/test_chart.py"]
)
def test_what_never_reaches_the_builder(rules: list[str], path: str) -> None:
    assert not is_sent(path, rules)


def test_packages_come_from_the_hashed_locks_alone(dockerfile: list[list[Instruction]]) -> None:
    commands = [part.strip() for stage in dockerfile for run in values(stage, "RUN") for part in run.split("&&")]
    installs = [command for command in commands if "pip install" in command]

    assert len(installs) == 3
    for command in installs:
        locked = "--require-hashes" in command and "-r requirements/" in command
        own = command.endswith("--no-deps --no-index /dist/*.whl")
        assert locked or own, command


def test_the_image_runs_without_root_and_writes_only_to_its_volume(dockerfile: list[list[Instruction]]) -> None:
    final = dockerfile[-1]
    (user,) = values(final, "USER")

    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert values(final, "VOLUME") == values(final, "WORKDIR") == ["/var/lib/voltgate"]
    assert final.index(("USER", user)) > max(i for i, (word, _) in enumerate(final) if word == "RUN")


def test_the_image_serves_by_default(dockerfile: list[list[Instruction]]) -> None:
    (entrypoint,), (command,) = values(dockerfile[-1], "ENTRYPOINT"), values(dockerfile[-1], "CMD")

    assert json.loads(entrypoint) == ["voltgate"]
    assert json.loads(command) == ["serve", "--config", "/etc/voltgate/voltgate.yaml"]


def test_the_health_check_is_valid_python_that_asks_healthz(dockerfile: list[list[Instruction]]) -> None:
    (check,) = values(dockerfile[-1], "HEALTHCHECK")
    python, flag, program = json.loads(check.partition("CMD ")[2])

    assert (python, flag) == ("python", "-c")
    compile(program, "HEALTHCHECK", "exec")
    assert "/healthz" in program
