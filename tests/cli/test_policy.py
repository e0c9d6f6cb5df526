"""`voltgate policy check|test|explain`, as they are typed and printed."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from gateway.app import policy_tools
from gateway.cli import app
from gateway.cli.output import Failed, fail
from policies.engine import BUNDLED
from policies.rehearsal import Rehearsal

POLICY = """
name: site
rules:
- id: vendor
  threat: "C6: nobody's data"
  stage: from_station
  match: {action: DataTransfer, station: "CS-*"}
  when: payload.vendorId == "bad"
  deny: {status: UnknownVendorId, text: "a bad vendor"}
- id: profiled
  stage: from_station
  match: {action: DataTransfer, group: depot}
  when: station.security_profile > 2
  deny: {error: SecurityError}
- id: stale
  stage: from_station
  match: {action: StatusNotification}
  fields: [{path: timestamp, not: {timestamp: {past: 60}}}]
  deny: {error: SecurityError}
"""
CASES = """
policy: site.yaml
cases:
- name: bad
  stage: from_station
  action: DataTransfer
  payload: {vendorId: bad}
  expect: {outcome: denied, rule: vendor}
"""
BAD = '[2,"1","DataTransfer",{"vendorId":"bad"}]'
STATUS = '{"timestamp":"2026-01-01T00:00:00Z","connectorStatus":"Available","evseId":1,"connectorId":1}'


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # so that no voltgate.yaml of this machine is found
    (tmp_path / "site.yaml").write_text(POLICY)
    (tmp_path / "site.tests.yaml").write_text(CASES)
    (tmp_path / "other.yaml").write_text("name: other\n")
    return tmp_path / "site.yaml"


def policy(*arguments: object, stdin: str | None = None) -> Result:
    result = CliRunner().invoke(app, ["policy", *map(str, arguments)], input=stdin)
    if isinstance(result.exception, Failed):
        result.exit_code = fail(str(result.exception))
    return result


def test_a_policy_that_is_in_order(site: Path) -> None:
    result = policy("check", "site.yaml")

    assert result.exit_code == 0
    assert result.stdout.startswith("site.yaml: ok, 3 rules, sha256 ")


def test_each_error_has_its_line_and_all_are_told(site: Path) -> None:
    site.write_text(POLICY.replace("DataTransfer,", "DataTransfers,").replace("path: timestamp,", "path: timestam,"))
    result = policy("check", "site.yaml", "other.yaml")

    assert result.exit_code == 1
    assert "site.yaml:7: error: rule vendor: match.action" in result.stderr
    assert "site.yaml:18: error: rule stale: " in result.stderr
    assert result.stdout.startswith("other.yaml: ok")


def test_a_warning_is_no_error(site: Path) -> None:
    site.write_text("values: {unused: 1}" + POLICY)
    result = policy("check", "site.yaml")

    assert result.exit_code == 0
    assert "site.yaml:1: warning: " in result.stdout


def test_the_rules_of_a_policy(site: Path) -> None:
    result = policy("check", "site.yaml", "--verbose")

    assert "call; action DataTransfer; station CS-*" in result.stdout
    assert "C6: nobody's data" in result.stdout
    assert " us " in result.stdout
    assert "sha256" in result.stdout.splitlines()[-1]


def test_what_was_found_as_json(site: Path) -> None:
    shown = json.loads(policy("check", "site.yaml", "--json", "--verbose").stdout)
    (checked,) = shown["policies"]

    assert shown["ok"]
    assert (checked["policy"], checked["name"], checked["mode"], checked["problems"]) == (
        "site.yaml",
        "site",
        "enforce",
        [],
    )
    assert [(rule["id"], rule["line"], rule["effect"]) for rule in checked["rules"]] == [
        ("vendor", 4, "deny"),
        ("profiled", 10, "deny"),
        ("stale", 15, "deny"),
    ]
    assert checked["rules"][0]["condition_seconds"] > 0
    assert checked["rules"][2]["condition_seconds"] is None


def test_errors_as_json(site: Path) -> None:
    site.write_text("name: site\nrules: 5\n")
    result = policy("check", "site.yaml", "--json")
    shown = json.loads(result.stdout)
    (problem,) = shown["policies"][0]["problems"]

    assert (result.exit_code, shown["ok"]) == (1, False)
    assert (problem["file"], problem["line"], problem["severity"], problem["rule"]) == ("site.yaml", 2, "error", None)


def test_the_policies_of_a_configuration(site: Path) -> None:
    backend = {"url": "wss://csms.example.com/{identity}", "policy": "site.yaml"}
    tree = {
        "backends": {"legacy": backend},
        "policy": "other.yaml",
        "policies": [{"group": "a", "policy": "site.yaml"}],
    }
    site.with_name("voltgate.yaml").write_text(yaml.safe_dump(tree))

    shown = json.loads(policy("check", "--json").stdout)

    assert [Path(each["policy"]).name for each in shown["policies"]] == ["other.yaml", "site.yaml"]


@pytest.mark.parametrize("command", [["check"], ["explain", "--stage", "from_station", "--action", "Heartbeat"]])
def test_no_policy_and_no_configuration(site: Path, command: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert policy(*command, stdin="{}").exit_code == 1
    assert capfd.readouterr().err.startswith("which policy? Name a bundled one or a file")


def test_cases_that_hold(site: Path) -> None:
    result = policy("test", "site.yaml")

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "site: 1 of 1 cases hold; 1 of 3 rules exercised (33.3 %)",
        "site.yaml:10: rule profiled was never exercised",
        "site.yaml:15: rule stale was never exercised",
        "site.yaml:4: rule vendor: no case shows what it lets be",
    ]


@pytest.mark.parametrize(("least", "status"), [("33.3", 0), ("33.4", 1), ("100", 1)])
def test_a_minimum_of_coverage(site: Path, least: str, status: int) -> None:
    assert policy("test", "site.yaml", "--min-coverage", least).exit_code == status


def test_a_case_that_fails(site: Path) -> None:
    site.with_name("site.tests.yaml").write_text(CASES.replace("rule: vendor", "payload: {status: Rejected, data: 1}"))
    result = policy("test", "site.tests.yaml")

    assert result.exit_code == 1
    assert result.stdout.splitlines()[:6] == [
        "site.tests.yaml:4: failed: bad",
        "  message 1, time 1: from_station ocpp2.0.1 DataTransfer call",
        '  payload.status: expected "Rejected", was "UnknownVendorId"',
        "  payload.data: expected 1, was nothing",
        "  it says: a bad vendor",
        "site: 0 of 1 cases hold; 1 of 3 rules exercised (33.3 %)",
    ]


def test_cases_as_json(site: Path) -> None:
    site.with_name("site.tests.yaml").write_text(CASES.replace("rule: vendor", "payload: {status: Rejected, data: 1}"))
    site.with_name("right.tests.yaml").write_text(CASES)
    result = policy("test", "site.yaml", "right.tests.yaml", "--json")
    shown = json.loads(result.stdout)
    ours, right = shown["policies"]
    (failure,) = ours["failures"]

    assert (result.exit_code, shown["ok"], ours["ok"], right["ok"]) == (1, False, False, True)
    assert (failure["line"], failure["case"], failure["step"], failure["repetition"]) == (4, "bad", 1, 1)
    assert failure["differences"] == [
        {"what": "payload.status", "expected": "Rejected", "actual": "UnknownVendorId"},
        {"what": "payload.data", "expected": 1},
    ]
    assert [rule["rule"] for rule in ours["coverage"]["missing"]] == ["profiled", "stale"]


def test_cases_that_cant_be_read_dont_hide_those_that_can(site: Path) -> None:
    result = policy("test", "nowhere.yaml", "site.yaml")

    assert result.exit_code == 1
    assert "nowhere.yaml:" in result.stderr
    assert "site: 1 of 1 cases hold" in result.stdout


def test_without_a_name_all_bundled_policies_are_tested(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    came = policy_tools.play(site)
    asked: list[str] = []

    def play(name: str) -> Rehearsal:
        asked.append(name)
        return came

    monkeypatch.setattr(policy_tools, "play", play)

    assert policy("test").exit_code == 0  # with their own cases: tests/policies/test_bundled_cases.py
    assert tuple(asked) == BUNDLED


def test_a_frame_explained(site: Path) -> None:
    result = policy("explain", "site.yaml", "--stage", "from_station", stdin=BAD)

    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("from_station ocpp2.0.1 DataTransfer call, policy site (sha256 ")
    assert lines[1:6] == [
        "official schema: fits",
        "site.yaml:4 vendor deny: denied",
        "site.yaml:10 profiled deny: not for this station (match.group)",
        "verdict: denied by vendor (matched): a bad vendor",
        "answer:",
    ]
    assert json.loads("".join(lines[6:])) == {"status": "UnknownVendorId"}


def test_what_of_a_rule_doesnt_hold(site: Path) -> None:
    of = "stage: from_station, match: {action: DataTransfer}"
    rule = f"{{id: one, {of}, any: [{{path: vendorId, one_of: [x]}}], audit: true}}"
    watched = f"{{id: two, {of}, mode: observe, deny: {{error: SecurityError}}}}"
    site.write_text(f"name: site\nrules:\n- {rule}\n- {watched}\n")
    result = policy("explain", "site.yaml", "--stage", "from_station", stdin=BAD)

    assert result.stdout.splitlines()[2:] == [
        "site.yaml:3 one audit: any in line 3 doesn't hold: none of its entries does",
        "site.yaml:4 two deny (observed): denied",
        "verdict: passed by default (no_rule)",
    ]


def test_a_condition_and_the_rules_behind_a_decision(site: Path) -> None:
    site.write_text(POLICY.replace("group: depot", "group: '*'"))
    ours = policy("explain", "site.yaml", "--stage", "from_station", "--group", "x", stdin=BAD)
    other = policy("explain", "site.yaml", "--stage", "from_station", "--group", "x", stdin=BAD.replace("bad", "x"))

    assert "site.yaml:10 profiled deny: not asked, for it was decided before" in ours.stdout
    assert 'site.yaml:4 vendor deny: when in line 8 doesn\'t hold: payload.vendorId == "bad"' in other.stdout


def test_a_message_that_no_rule_is_for(site: Path) -> None:
    result = policy("explain", "site.yaml", "--stage", "to_station", "--action", "ClearCache", stdin="{}")

    assert "no rule is for such messages\nverdict: passed by default (no_rule)\n" in result.stdout


def test_what_goes_on_of_a_message(site: Path) -> None:
    drop = "{id: x, stage: from_station, match: {action: DataTransfer}, transform: [{drop: messageId}]}"
    site.write_text(f"name: site\nrules:\n- {drop}\n")
    frame = '[2,"1","DataTransfer",{"vendorId":"\u009b","messageId":"m"}]'
    result = policy("explain", "site.yaml", "--stage", "from_station", stdin=frame)

    assert result.stdout.endswith('goes on as:\n{\n  "vendorId": "\\u009b"\n}\n')


def test_a_payload_in_a_file_explained(site: Path) -> None:
    site.with_name("status.json").write_text(STATUS)
    said = ("--stage", "from_station", "--action", "StatusNotification")
    late = policy("explain", "site.yaml", "status.json", *said)
    in_time = policy("explain", "site.yaml", "status.json", *said, "--now", "2026-01-01T00:00:30Z")

    assert "verdict: denied by stale (matched), CALLERROR SecurityError" in late.stdout
    assert "site.yaml:15 stale deny: fields[0] in line 18 doesn't hold" in in_time.stdout
    assert in_time.stdout.endswith("verdict: passed by default (no_rule)\n")


def test_by_what_is_known_of_the_station(site: Path) -> None:
    def verdict(*known: str) -> str:
        result = policy(
            "explain", "site.yaml", "-", "--stage", "from_station", "--json", *known, stdin=BAD.replace("bad", "x")
        )
        shown = json.loads(result.stdout)["verdict"]
        return f"{shown['outcome']} {shown['rule']} {shown['error']}"

    assert verdict("--group", "depot", "--fact", "security_profile=3") == "denied profiled SecurityError"
    assert verdict("--group", "depot", "--fact", "security_profile=2") == "passed default None"
    assert verdict("--fact", "security_profile=3") == "passed default None"


def test_a_decision_path_as_json(site: Path) -> None:
    result = policy("explain", "site.yaml", "--stage", "from_station", "--station", "X", "--json", stdin=BAD)
    shown = json.loads(result.stdout)

    assert (shown["policy"], shown["action"], shown["kind"], shown["schema"]) == ("site", "DataTransfer", "call", None)
    assert [(rule["rule"], rule["held"], rule["unmet"]) for rule in shown["rules"]] == [
        ("vendor", False, "match.station"),
        ("profiled", False, "match.group"),
    ]
    assert shown["verdict"]["outcome"] == "passed"


def test_a_message_that_breaks_its_schema(site: Path) -> None:
    result = policy("explain", "site.yaml", "--stage", "from_station", stdin='[2,"1","DataTransfer",{}]')

    assert result.exit_code == 0
    assert result.stdout.splitlines()[1] == (
        "official schema: broken: DataTransfer: the payload: the field vendorId is missing; no policy sees it"
    )


def test_the_policy_of_the_configuration_that_governs_the_station(site: Path) -> None:
    (site.parent / "deployment").mkdir()
    file = site.parent / "deployment" / "voltgate.yaml"
    backends = {"one": {"url": "wss://csms.example.com/{identity}"}}
    policies = [{"group": "depot", "policy": "../site.yaml"}]
    file.write_text(yaml.safe_dump({"backends": backends, "policy": "../other.yaml", "policies": policies}))
    said = ("--stage", "from_station", "--config", file, "--json")

    named = [
        json.loads(policy("explain", *said, *more, stdin=BAD).stdout)["policy"] for more in ((), ("--group", "depot"))
    ]

    assert named == ["other", "site"]


@pytest.mark.parametrize(
    ("stdin", "said", "words"),
    [
        ("{", ("--action", "Heartbeat"), "not acceptable as JSON"),
        ("[2]", (), "no OCPP-J frame"),
        ("{}", (), "the action isn't known: give --action"),
        ("{}", ("--action", "Beat"), "ocpp2.0.1 has no action 'Beat'"),
        ("{}", ("--action", "TransactionEvent", "--protocol", "ocpp1.6"), "ocpp1.6 has no action 'TransactionEvent'"),
    ],
)
def test_what_cant_be_explained_is_one_clear_line(
    site: Path, stdin: str, said: tuple[str, ...], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert policy("explain", "site.yaml", "--stage", "from_station", *said, stdin=stdin).exit_code == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert words in line


def test_files_that_arent_there(site: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert policy("explain", "site.yaml", "no.json", "--stage", "from_station").exit_code == 1
    assert capfd.readouterr().err == "no.json: No such file or directory\n"
    result = policy("explain", "no.yaml", "-", "--stage", "from_station", stdin=BAD)
    assert (result.exit_code, "no.yaml" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    "wrong",
    [
        ("explain", "site.yaml"),
        ("explain", "site.yaml", "--stage", "nowhere"),
        ("explain", "site.yaml", "--stage", "from_station", "--protocol", "ocpp9"),
        ("explain", "site.yaml", "--stage", "from_station", "--fact", "shoe=9"),
        ("explain", "site.yaml", "--stage", "from_station", "--fact", "security_profile=x"),
        ("explain", "site.yaml", "--stage", "from_station", "--fact", "booted"),
        ("explain", "site.yaml", "--stage", "from_station", "--now", "today"),
        ("test", "site.yaml", "--min-coverage", "101"),
        ("check", "--nothing"),
    ],
    ids=str,
)
def test_wrong_usage(site: Path, wrong: tuple[str, ...]) -> None:
    assert policy(*wrong, stdin="{}").exit_code == 2
