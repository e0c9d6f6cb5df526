"""An OpenBao for the tests of the bootstrap: each test works in a namespace of its own, so that it is empty."""

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pki.vault.bootstrap import Outcome, bootstrap
from pki.vault.bootstrap_connection import Administrator
from pki.vault.bootstrap_findings import Finding, State
from pki.vault.bootstrap_plan import AppRolePlan, Plan, use_named
from tests.bao import ROOT_TOKEN, Bao

_numbers = itertools.count()

OPERATOR = "Example CPO"
READ = ("sys/mounts", "sys/auth", "sys/policies/acl?list=true")
EACH = ("config/crl", "config/urls", "config/issuers", "issuers?list=true", "keys?list=true", "roles?list=true")


@contextmanager
def administrator(bao: Bao, token: str = ROOT_TOKEN, namespace: str | None = None) -> Iterator[Administrator]:
    """Yield an administrator of an empty namespace, or of ``namespace``."""
    if namespace is None:
        namespace = f"test{next(_numbers)}"
        bao.ask("POST", f"sys/namespaces/{namespace}")
    with Administrator(bao.address, token, cacert=bao.cacert, namespace=namespace) as vault:
        yield vault


def plan_of(*uses: str, **others: Any) -> Plan:
    """Return what is wanted for ``uses``, with an AppRole."""
    return Plan(OPERATOR, tuple(use_named(use) for use in uses or ("station",)), approle=AppRolePlan(), **others)


def set_up(vault: Administrator, plan: Plan | None = None, **options: Any) -> Outcome:
    return bootstrap(vault, plan or plan_of(), now=datetime.now(UTC), **options)


def changed(findings: list[Finding]) -> list[str]:
    return [str(each) for each in findings if each.state is State.CHANGED]


def looked_at(findings: list[Finding]) -> list[str]:
    return [str(each) for each in findings if each.state is State.ATTENTION]


def everything(vault: Administrator, plan: Plan) -> str:
    """Return all that can be read of what the bootstrap touches."""
    mounts = [use.mount for use in plan.uses] + ([plan.root_mount] if plan.root_mount else [])
    known = {mount for mount in mounts if f"{mount}/" in (vault.read("sys/mounts") or {})}
    paths = [*READ, *(f"{mount}/{path}" for mount in sorted(known) for path in EACH)]
    paths += [f"sys/mounts/{mount}/tune" for mount in sorted(known)]
    paths += [f"{use.mount}/roles/{use.role}" for use in plan.uses if use.mount in known]
    if plan.approle is not None:
        paths += [plan.approle.path, f"{plan.approle.path}/secret-id?list=true"]
    return json.dumps({path: vault.read(path) for path in paths}, sort_keys=True)


def csr_of(name: str, *attributes: x509.NameAttribute[str], extensions: tuple[x509.ExtensionType, ...] = ()) -> str:
    """Return a CSR in PEM by a new key."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name), *attributes])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(Encoding.PEM).decode()
