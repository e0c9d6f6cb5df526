"""KV secrets read from a real OpenBao, over TLS."""

import http.server
import json
import threading
from collections.abc import Iterator

import pytest

from gateway.config.secrets import SecretRef
from gateway.config.secrets_vault import VaultFailed, read_field
from tests.bao import Bao, running_bao


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    with running_bao(tmp_path_factory.mktemp("bao")) as server:
        fill(server)
        yield server


def fill(bao: Bao) -> None:
    bao.ask("POST", "sys/mounts/old", {"type": "kv", "options": {"version": "1"}})
    bao.ask("POST", "secret/data/volt/gate", {"data": {"token": "two", "count": 2}})
    bao.ask("POST", "secret/data/backend/a%252Fb", {"data": {"password": "of a/b"}})
    bao.ask("POST", "secret/data/gone", {"data": {"token": "x"}})
    bao.ask("DELETE", "secret/data/gone")
    bao.ask("POST", "old/volt/gate", {"token": "one"})
    bao.ask("PUT", "sys/policies/acl/old", {"policy": 'path "old/volt/gate" { capabilities = ["read"] }'})
    bao.ask("POST", "sys/namespaces/team")
    bao.ask("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}}, namespace="team")
    bao.ask("POST", "secret/data/x", {"data": {"token": "of the team"}}, namespace="team")


@pytest.mark.parametrize(("mount", "value"), [("secret", "two"), ("old", "one")])
def test_both_versions_of_the_engine(bao: Bao, mount: str, value: str) -> None:
    assert read_field(mount, "volt/gate", "token", bao.environ) == value


def test_a_namespace(bao: Bao) -> None:
    assert read_field("secret", "x", "token", {**bao.environ, "VAULT_NAMESPACE": "team"}) == "of the team"


def test_a_reference_per_station(bao: Bao) -> None:
    reference = SecretRef.parse("vault:secret/backend/{identity}#password")

    assert reference.resolve("a/b", bao.environ) == "of a/b"


def test_a_token_that_may_read_one_path_alone(bao: Bao) -> None:
    answer = bao.ask("POST", "auth/token/create", {"policies": ["old"]})
    environ = {**bao.environ, "VAULT_TOKEN": answer["auth"]["client_token"]}

    assert read_field("old", "volt/gate", "token", environ) == "one"
    with pytest.raises(VaultFailed, match="the token may not read secret/volt/gate; give its policy"):
        read_field("secret", "volt/gate", "token", environ)


@pytest.mark.parametrize(
    ("mount", "path", "field", "words"),
    [
        ("secret", "nothing", "token", "there is no secret secret/nothing"),
        ("secret", "gone", "token", "there is no secret secret/gone"),
        ("nowhere", "x", "token", "there is no secret nowhere/x"),
        ("secret", "volt/gate", "nothing", "has no text field 'nothing'"),
        ("secret", "volt/gate", "count", "has no text field 'count'"),
    ],
)
def test_what_is_not_there(bao: Bao, mount: str, path: str, field: str, words: str) -> None:
    with pytest.raises(VaultFailed, match=words):
        read_field(mount, path, field, bao.environ)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"VAULT_ADDR": ""}, "VAULT_ADDR is unset"),
        ({"VAULT_TOKEN": ""}, "VAULT_TOKEN is unset"),
        ({"VAULT_CACERT": ""}, "isn't trusted; set VAULT_CACERT"),
        ({"VAULT_CACERT": "/nowhere.pem"}, "can't be reached"),
        ({"VAULT_ADDR": "https://127.0.0.1:1"}, "can't be reached"),
        ({"VAULT_ADDR": "nonsense"}, "can't be reached"),
        ({"VAULT_TOKEN": "wrong"}, "may not read"),
    ],
)
def test_a_connection_that_fails(bao: Bao, change: dict[str, str], words: str) -> None:
    with pytest.raises(VaultFailed, match=words) as caught:
        read_field("secret", "volt/gate", "token", {**bao.environ, **change})

    assert "root" not in str(caught.value).replace("its root", "")


class Answering(http.server.BaseHTTPRequestHandler):
    """Answers every request with the status and body that its path names."""

    def do_GET(self) -> None:
        status, body = {
            "/v1/sealed/data/x": (503, {"errors": ["Vault is sealed"]}),
            "/v1/limited/data/x": (429, {"errors": ["slow down"]}),
            "/v1/strange/data/x": (200, {"data": None}),
        }[self.path]
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing on stderr."""


@pytest.fixture
def troubled() -> Iterator[dict[str, str]]:
    with http.server.HTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="troubled vault")
        thread.start()
        yield {"VAULT_ADDR": f"http://127.0.0.1:{server.server_port}", "VAULT_TOKEN": "t"}
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("mount", "words"),
    [
        ("sealed", "is sealed or down; unseal it"),
        ("limited", "refused: "),
        ("strange", "strange doesn't answer like a KV engine; check the mount's name"),
    ],
)
def test_a_vault_in_trouble(troubled: dict[str, str], mount: str, words: str) -> None:
    with pytest.raises(VaultFailed, match=words):
        read_field(mount, "x", "token", troubled)
