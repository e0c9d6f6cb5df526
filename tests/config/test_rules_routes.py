"""Routes, connector tables and mirrors: a small configuration, and every line that it earns."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.config import Config, ConfigError, load
from gateway.config.rules_routes import broken_by_routing
from gateway.config.source import spell


def _backend(host: str, **keys: Any) -> dict[str, Any]:
    return {"url": f"wss://{host}/ocpp/{{identity}}", **keys}


def faults(mirrors: dict[str, list[str]] | None = None, **keys: Any) -> dict[str, str]:
    backends = {name: _backend(name, mirrors=(mirrors or {}).get(name, [])) for name in ("a", "b", "c")}
    tree = {"backends": backends, "default_backend": "a", **keys}
    return {spell(key): text for key, text in broken_by_routing(Config.model_validate(tree))}


def test_what_is_in_order() -> None:
    routes = [{"identity": "A-*", "group": "g", "backend": "b"}, {"identity": "A-*", "backend": "c"}]
    tables = [{"group": "g", "connectors": {"1.1": 2, "1.2": 1, "2.1": 256}}]
    assert faults(routes=routes, connector_tables=tables, mirrors={"a": ["b", "c"]}) == {}


@pytest.mark.parametrize(
    ("routes", "key", "words"),
    [
        ([{"backend": "a"}], "routes[0]", "which stations it is for"),
        ([{"group": "g", "backend": "d"}], "routes[0].backend", "isn't one of the backends (a, b, c)"),
        ([{"group": "g", "backend": "a"}, {"group": "g", "backend": "b"}], "routes[1]", "never reached: routes[0]"),
        ([{"identity": "*", "backend": "a"}, {"group": "g", "backend": "b"}], "routes[1]", "never reached"),
    ],
)
def test_routes(routes: Any, key: str, words: str) -> None:
    found = faults(routes=routes)
    assert list(found) == [key]
    assert words in found[key]


def test_a_route_without_conditions_hides_no_other_fault() -> None:
    assert list(faults(routes=[{"backend": "a"}, {"group": "g", "backend": "b"}])) == ["routes[0]"]


@pytest.mark.parametrize(
    ("connectors", "key", "words"),
    [
        ({}, "", "must name 1 to 256"),
        ({f"{number}.1": number for number in range(1, 258)}, "", "must name 1 to 256"),
        ({"0.1": 1}, ".0.1", '"EVSE.CONNECTOR"'),
        ({"1": 1}, ".1", '"EVSE.CONNECTOR"'),
        ({"1.01": 1}, ".1.01", '"EVSE.CONNECTOR"'),
        ({"1.99999": 1}, ".1.99999", '"EVSE.CONNECTOR"'),
        ({"1.1": 1, "2.1": 1}, ".2.1", "the connectorId of 1.1"),
    ],
)
def test_connector_tables(connectors: Any, key: str, words: str) -> None:
    found = faults(connector_tables=[{"identity": "A*", "connectors": connectors}])
    assert list(found) == [f"connector_tables[0].connectors{key}"]
    assert words in next(iter(found.values()))


def test_a_table_that_is_never_reached() -> None:
    table = {"identity": "A*", "connectors": {"1.1": 1}}
    assert list(faults(connector_tables=[table, table])) == ["connector_tables[1]"]
    assert list(faults(connector_tables=[{"connectors": {"1.1": 1}}])) == ["connector_tables[0]"]


@pytest.mark.parametrize(
    ("mirrors", "key", "words"),
    [
        ({"a": ["a"]}, "backends.a.mirrors[0]", "the backend itself"),
        ({"a": ["d"]}, "backends.a.mirrors[0]", "isn't one of the backends"),
        ({"a": ["b", "b"]}, "backends.a.mirrors[1]", "twice"),
        ({"a": ["b"], "b": ["c"]}, "backends.a.mirrors[0]", "mirrors of its own"),
    ],
)
def test_mirrors(mirrors: Any, key: str, words: str) -> None:
    found = faults(mirrors)
    assert list(found) == [key]
    assert words in found[key]


def test_two_that_mirror_each_other() -> None:
    assert list(faults({"a": ["b"], "b": ["a"]})) == ["backends.a.mirrors[0]", "backends.b.mirrors[0]"]


def test_a_mirror_is_not_where_the_backend_is() -> None:
    backends = {"a": _backend("h", mirrors=["b"]), "b": _backend("h")}
    config = Config.model_validate({"backends": backends, "default_backend": "a"})
    assert [text for _, text in broken_by_routing(config)] == [
        "has the URL of backends.a: one would take each station's connection from the other"
    ]


def test_two_mirrors_are_not_in_one_place() -> None:
    backends = {"a": _backend("a", mirrors=["b", "c"]), "b": _backend("h"), "c": _backend("h")}
    assert faults(backends=backends) == {
        "backends.a.mirrors[1]": "has the URL of backends.b: one would take each station's connection from the other"
    }


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"routes": [{"identity": "[", "backend": "a"}]}, "routes[0].identity: has a [ without"),
        ({"routes": [{"idenity": "x", "backend": "a"}]}, "routes[0].idenity: isn't a key here; did you mean identity?"),
        ({"routes": [{"group": "a b", "backend": "a"}]}, "routes[0].group: isn't a group's name"),
        ({"connector_tables": [{"group": "g", "connectors": {"1.1": 0}}]}, "connectors.1.1: must be greater than"),
        ({"connector_tables": [{"group": "g", "connectors": {"1.1": "1"}}]}, "connectors.1.1: must be a valid integer"),
        ({"connector_tables": [{"group": "g", "connectors": {"1.1": True}}]}, "connectors.1.1: must be a valid int"),
        ({"connector_tables": [{"group": "g", "connectors": {1.1: 1}}]}, "connectors: a key must be text; put it in"),
    ],
)
def test_a_file_that_is_wrong_is_told_so_with_its_line(tmp_path: Path, tree: Any, words: str) -> None:
    path = tmp_path / "voltgate.yaml"
    path.write_text(yaml.safe_dump({"backends": {"a": _backend("h")}, **tree}))
    with pytest.raises(ConfigError) as error:
        load(path, {})
    assert words in str(error.value)
    assert f"{path}:" in str(error.value)


def test_the_environment_reaches_into_routes(tmp_path: Path) -> None:
    path = tmp_path / "voltgate.yaml"
    path.write_text(yaml.safe_dump({"backends": {"a": _backend("h")}, "routes": [{"group": "g", "backend": "a"}]}))
    environ = {"VOLTGATE__ROUTES__1__IDENTITY": "*-1", "VOLTGATE__ROUTES__1__BACKEND": "a"}
    assert [route.identity for route in load(path, environ).routes] == [None, "*-1"]
