"""Every way to log in, on a real OpenBao; the Kubernetes API behind one of them is played by its published contract."""

import base64
import json
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hvac.api.auth_methods import Token
from hvac.api.secrets_engines import Pki

from pki.client_tls import ClientCertificate, CredentialMissing, TlsTrust
from pki.vault.adapter import VaultAdapter
from pki.vault.connection import VaultConnection
from pki.vault.failures import NoAnswer, VaultUnavailable
from pki.vault.logins import (
    CREDENTIAL_MAX,
    AppRoleLogin,
    CertificateLogin,
    Grant,
    JwtLogin,
    KubernetesLogin,
    Login,
    TokenLogin,
)
from tests.bao import Bao
from tests.bao_pki import make_pki, new_token
from tests.vault_standin import Reply, StandIn, failed

Connect = Callable[..., VaultConnection]


@pytest.fixture(scope="module")
def bao(bao: Bao) -> Bao:
    make_pki(bao)
    return bao


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed_jwt(key: ec.EllipticCurvePrivateKey, **claims: Any) -> str:
    """Return a JWT with ES256 (RFC 7518 3.4), good for a minute."""
    now = int(time.time())
    body = {"iat": now, "nbf": now, "exp": now + 60, **claims}
    said = ".".join(_text(json.dumps(part).encode()) for part in ({"alg": "ES256", "typ": "JWT"}, body))
    r, s = decode_dss_signature(key.sign(said.encode(), ec.ECDSA(SHA256())))
    return f"{said}.{_text(r.to_bytes(32) + s.to_bytes(32))}"


def who(adapter: VaultAdapter) -> Any:
    """Return the display name of the token, after a look at what its policy allows."""
    Pki(adapter).read_role("station", "pki")
    return Token(adapter).lookup_self()["data"]["display_name"]


async def test_a_token(bao: Bao, connect: Connect) -> None:
    held = new_token(bao, display_name="gateway")

    assert await connect(bao, login=TokenLogin(lambda: held)).call(who) == "token-gateway"


async def test_an_approle(bao: Bao, connect: Connect) -> None:
    bao.ask("POST", "sys/auth/roles", {"type": "approle"})
    bao.ask("POST", "auth/roles/role/gateway", {"token_policies": ["gateway"]})
    role_id = bao.ask("GET", "auth/roles/role/gateway/role-id")["data"]["role_id"]
    secret = bao.ask("POST", "auth/roles/role/gateway/secret-id")["data"]["secret_id"]

    assert await connect(bao, login=AppRoleLogin(role_id, lambda: secret, "roles")).call(who) == "roles"
    with pytest.raises(VaultUnavailable, match=r"the login \(approle\) is refused: invalid .*; check its credential"):
        await connect(bao, login=AppRoleLogin(role_id, lambda: "wrong", "roles")).call(who)


async def test_a_tls_certificate(bao: Bao, connect: Connect, ca: trustme.CA, tmp_path: Path) -> None:
    certificate = ca.issue_cert("gateway.example.com", common_name="gateway.example.com")
    chain, key = tmp_path / "client.pem", tmp_path / "client.key"
    chain.write_bytes(b"".join(pem.bytes() for pem in certificate.cert_chain_pems))
    certificate.private_key_pem.write_to_path(str(key))
    bao.ask("POST", "sys/auth/cert", {"type": "cert"})
    rule = {"certificate": ca.cert_pem.bytes().decode(), "allowed_common_names": ["gateway.example.com"]}
    bao.ask("POST", "auth/cert/certs/gateway", {"token_policies": ["gateway"], **rule})
    trust = TlsTrust(bao.cacert, ClientCertificate(chain, lambda: nullcontext(key)))

    for role in ("gateway", None):
        name = await connect(bao, login=CertificateLogin(role), trust=trust).call(who)
        assert name == "cert-gateway"
    with pytest.raises(VaultUnavailable, match=r"the login \(tls\) is refused: .*client certificate"):
        await connect(bao, login=CertificateLogin("gateway")).call(who)


async def test_a_jwt(bao: Bao, connect: Connect, ec_key: ec.EllipticCurvePrivateKey) -> None:
    public = ec_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    bao.ask("POST", "sys/auth/jwt", {"type": "jwt"})
    bao.ask("POST", "auth/jwt/config", {"jwt_validation_pubkeys": [public]})
    role = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], "token_policies": ["gateway"]}
    bao.ask("POST", "auth/jwt/role/gateway", role)

    login = JwtLogin("gateway", lambda: signed_jwt(ec_key, sub="voltgate", aud="vault"))
    assert await connect(bao, login=login).call(who) == "jwt-voltgate"
    for_others = JwtLogin("gateway", lambda: signed_jwt(ec_key, sub="voltgate", aud="other"))
    with pytest.raises(VaultUnavailable, match=r"the login \(jwt\) is refused: .*aud"):
        await connect(bao, login=for_others).call(who)


async def test_kubernetes(
    bao: Bao, connect: Connect, standin: StandIn, ec_key: ec.EllipticCurvePrivateKey, tmp_path: Path
) -> None:
    """The stand-in answers TokenReview (authentication.k8s.io/v1) as the API server does."""
    account = "system:serviceaccount:charging:voltgate"
    user = {"username": account, "uid": "0b8c", "groups": ["system:serviceaccounts"]}
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview"}
    granted = Reply(201, {**review, "status": {"authenticated": True, "user": user}})
    standin.say("POST", "/apis/authentication.k8s.io/v1/tokenreviews", granted)
    bao.ask("POST", "sys/auth/kubernetes", {"type": "kubernetes"})
    where = {"kubernetes_host": standin.address, "kubernetes_ca_cert": standin.roots.read_text()}
    bao.ask("POST", "auth/kubernetes/config", {**where, "disable_local_ca_jwt": True})
    bound = {"bound_service_account_names": ["voltgate"], "bound_service_account_namespaces": ["charging"]}
    bao.ask("POST", "auth/kubernetes/role/gateway", {**bound, "token_policies": ["gateway"]})
    holder = {"namespace": "charging", "serviceaccount": {"name": "voltgate", "uid": "0b8c"}}
    claims = {"sub": account, "iss": "https://kubernetes.default.svc", "kubernetes.io": holder}
    token = tmp_path / "token"
    token.write_text(signed_jwt(ec_key, **claims) + "\n")

    login = KubernetesLogin("gateway", token)
    assert await connect(bao, login=login).call(who) == "kubernetes-charging-voltgate"
    assert standin.asked[-1].body["spec"]["token"] == token.read_text().strip()
    denied = {"authenticated": False, "error": "token expired"}
    standin.say("POST", "/apis/authentication.k8s.io/v1/tokenreviews", Reply(201, {**review, "status": denied}))
    with pytest.raises(VaultUnavailable, match=r"the login \(kubernetes\) is refused"):
        await connect(bao, login=login).call(who)


async def test_a_credential_is_read_anew_for_each_login(standin: StandIn, connect: Connect, tmp_path: Path) -> None:
    token = tmp_path / "token"
    granted = Reply(200, {"auth": {"client_token": "t", "lease_duration": 0, "renewable": False}})
    standin.say("POST", "/v1/auth/kubernetes/login", granted)
    standin.say("GET", "/v1/pki/ca", failed(403, "permission denied"), Reply(200, {"data": {}}))
    standin.say("GET", "/v1/auth/token/lookup-self", failed(403, "permission denied"))
    connection = connect(standin, login=KubernetesLogin("gateway", token))

    with pytest.raises(VaultUnavailable, match=r"token can't be read: No such file"):
        await connection.call(lambda adapter: adapter.get("/v1/pki/ca"))
    token.write_text("first")
    await connection._tokens.current()
    token.write_text("second")
    await connection.call(lambda adapter: adapter.get("/v1/pki/ca"))
    jwts = [asked.body["jwt"] for asked in standin.asked if asked.path.endswith("/login")]
    assert jwts == ["first", "second"]


@pytest.mark.parametrize("content", [b"\xff", b"caf\xc3\xa9"])
def test_a_token_file_that_is_no_text(tmp_path: Path, content: bytes) -> None:
    token = tmp_path / "token"
    token.write_bytes(content)

    with pytest.raises(CredentialMissing, match="can't be read: it isn't text"):
        KubernetesLogin("gateway", token).check()


def test_of_a_token_file_no_more_is_read_than_a_token_has(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_bytes(b"x" * (CREDENTIAL_MAX + 1))

    assert len(KubernetesLogin("gateway", token)._read()) == CREDENTIAL_MAX


def missing() -> str:
    raise CredentialMissing("env:NOTHING: is unset")


@pytest.mark.parametrize("login", [TokenLogin(missing), AppRoleLogin("r", missing), JwtLogin("r", missing)])
async def test_a_credential_that_can_not_be_read(standin: StandIn, connect: Connect, login: Login) -> None:
    with pytest.raises(CredentialMissing):
        login.check()
    with pytest.raises(VaultUnavailable, match="env:NOTHING: is unset"):
        await connect(standin, login=login).call(who)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        {"auth": None},
        {"auth": {"client_token": "t"}},
        {"auth": {"client_token": "t", "lease_duration": "x", "renewable": True}},
    ],
)
def test_an_answer_that_is_no_grant(answer: Any) -> None:
    with pytest.raises(NoAnswer, match="without a token"):
        Grant.of_login(answer)


def test_a_grant_says_nothing_secret() -> None:
    grant = Grant.of_login({"auth": {"client_token": "s.hunter2", "lease_duration": -1, "renewable": True}})

    assert (grant.token, grant.lease, repr(grant)) == ("s.hunter2", 0.0, "Grant(lease=0, is_renewable=True)")


async def test_a_look_up_without_data(standin: StandIn, connect: Connect) -> None:
    standin.say("GET", "/v1/auth/token/lookup-self", Reply(200, {"data": {}}))

    with pytest.raises(VaultUnavailable, match="without a token's data"):
        await connect(standin, login=TokenLogin(lambda: "t"), timeout=0.8).call(who)
