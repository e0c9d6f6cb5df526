"""Keys that sign for vehicles, and firmware: transit keys that nothing can export, and CSRs for their certificates."""

from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from pki.issuing import distinguished_name
from pki.vault.bootstrap_authorities import Papers
from pki.vault.bootstrap_connection import Administrator, BootstrapFailed
from pki.vault.bootstrap_findings import Finding, Findings, attention, change, right
from pki.vault.bootstrap_plan import CpsKey, FirmwareKey, Plan

_LOOSE: Final = ("exportable", "allow_plaintext_backup", "deletion_allowed")


def set_up_keys(vault: Administrator, plan: Plan, papers: Papers, *, look: bool) -> Findings:
    """Yield what is found of each engine and key. ``look``: nothing is asked that needs more than reading."""
    for mount in dict.fromkeys(key.mount for key in plan.keys):
        yield _engine(vault, mount)
    for key in plan.keys:
        yield _key(vault, key)
        if not look:
            papers.requests[key.name] = _csr(vault, key, plan.operator)


def _engine(vault: Administrator, mount: str) -> Finding:
    subject = f"engine {mount}"
    found = (vault.read("sys/mounts") or {}).get(f"{mount}/")
    if found is None:
        body = {"type": "transit", "description": "Voltgate: keys that sign, and never leave"}
        return change(subject, "created: transit", vault.writing(f"sys/mounts/{mount}", body))
    if found.get("type") != "transit":
        raise BootstrapFailed(f"{mount} is an engine of type {found.get('type')}; name another one for Voltgate")
    return right(subject)


def _key(vault: Administrator, key: CpsKey | FirmwareKey) -> Finding:
    subject, kind = f"key {key.mount}/{key.name}", key.kind
    found = vault.read(key.path)
    if found is None:
        return change(subject, f"created: {kind}", vault.writing(key.path, {"type": kind}))
    if found.get("type") != kind:
        raise BootstrapFailed(f"{key.path} is of type {found.get('type')}, must be {kind}; name another engine")
    loose = [name for name in _LOOSE if found.get(name)]
    if loose:
        return attention(subject, f"{', '.join(loose)}: true; make a new key, and have a certificate signed for it")
    return right(subject)


def _csr(vault: Administrator, key: CpsKey | FirmwareKey, operator: str) -> str:
    """Return a CSR by the newest version of the key: Vault puts its own key into the one that it is given.

    The subject alone: OpenBao 2.7 loses the values of extensions.
    """
    subject = distinguished_name(key.subject(operator))
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    template = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    told = vault.write(f"{key.path}/csr", {"csr": template.public_bytes(Encoding.PEM).decode()})
    return str(told["csr"]).strip() + "\n"
