"""A PKI on a real OpenBao: a root, an issuing CA under it, one role, and a policy that may use it."""

from datetime import timedelta
from typing import Any, Final

from tests.bao import Bao

ROLE: Final[dict[str, Any]] = {
    "organization": ["Example CPO"],
    "use_csr_common_name": False,
    "use_csr_sans": False,
    "allow_any_name": True,
    "enforce_hostnames": False,
    "cn_validations": ["disabled"],
    "key_type": "any",
    "key_usage": ["DigitalSignature", "KeyAgreement"],
    "ext_key_usage": [],
    "server_flag": False,
    "client_flag": False,
    "max_ttl": "8760h",
    "not_before_duration": "1h",
}
POLICY: Final = """
path "pki/sign/station" { capabilities = ["update"] }
path "pki/revoke" { capabilities = ["update"] }
path "pki/crl/rotate" { capabilities = ["read"] }
path "pki/roles/station" { capabilities = ["read"] }
"""


def make_pki(bao: Bao, namespace: str = "", **role: Any) -> None:
    """Mount ``root`` and ``pki``; ``pki`` has the role ``station``, changed by ``role``; the policy is ``gateway``."""

    def post(path: str, **body: Any) -> Any:
        return bao.ask("POST", path, body, namespace).get("data")

    lifetime = f"{timedelta(days=3650) // timedelta(hours=1)}h"
    for mount in ("root", "pki"):
        post(f"sys/mounts/{mount}", type="pki", config={"max_lease_ttl": lifetime})
    post("root/root/generate/internal", common_name="Test root", key_type="ec", ttl=lifetime)
    csr = post("pki/intermediate/generate/internal", common_name="Test issuing CA", key_type="ec")["csr"]
    signed = post("root/root/sign-intermediate", csr=csr, common_name="Test issuing CA", ttl="43800h")
    post("pki/intermediate/set-signed", certificate="\n".join([signed["certificate"], *signed["ca_chain"]]))
    post("pki/roles/station", **(ROLE | role))
    bao.ask("PUT", "sys/policies/acl/gateway", {"policy": POLICY}, namespace)


def new_token(bao: Bao, namespace: str = "", **how: Any) -> str:
    """Return a token that holds the policy ``gateway``."""
    answer = bao.ask("POST", "auth/token/create", {"policies": ["gateway"], "ttl": "1h", **how}, namespace)
    return str(answer["auth"]["client_token"])
