"""The CAs: a root and one issuing CA under it for each use. What exists is looked at, never made anew.

Each use has a root of its own, though all lie in one engine: a certificate of one class must lead to nothing that
another class is checked against (attack A9).
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509

from pki.issuing import CA_BACKDATE, ISSUING_LIFETIME, ROOT_LIFETIME
from pki.pem_files import certificates_pem
from pki.vault.bootstrap_connection import Administrator, BootstrapFailed
from pki.vault.bootstrap_findings import Finding, Findings, attention, change, right
from pki.vault.bootstrap_plan import CA_KEY_BITS, Plan, Use
from pki.vault.bootstrap_signed import check_key, read_signed

TRUNCATE = {"leaf_not_after_behavior": "truncate"}
"""In the last year of an issuing CA its certificates end with it; Vault's default is to refuse them."""


@dataclass(frozen=True, slots=True)
class Papers:
    """What the CAs give out, by use, in PEM."""

    roots: dict[str, str] = field(default_factory=dict)
    csrs: dict[str, str] = field(default_factory=dict)
    """Those that wait to be signed by an offline root."""
    requests: dict[str, str] = field(default_factory=dict)
    """Those of transit keys, to be signed elsewhere: under the V2G root that vehicles know, or your own."""


def set_up_authorities(vault: Administrator, plan: Plan, papers: Papers, *, now: datetime, look: bool) -> Findings:
    """Yield what is found of each CA. ``look``: nothing is asked of Vault that needs more than reading."""
    for use in plan.uses:
        if plan.root_mount is not None:
            yield _root(vault, plan.root_mount, use, plan.owner(use), now)
        if vault.list(f"{use.mount}/issuers"):
            yield from _existing(vault, use, plan, papers, now)
        elif plan.root_mount is not None:
            yield change(
                f"issuing CA of {use.mount}",
                f"created: EC P-{CA_KEY_BITS[use.name]}, signed by {use.key} of {plan.root_mount}, 10 years",
                _Signing(vault, plan.root_mount, use, plan.owner(use)),
            )
            if vault.list(f"{use.mount}/issuers"):
                yield from _existing(vault, use, plan, papers, now, made=True)
        else:
            yield from _offline(vault, use, plan, papers, now=now, look=look)


def _root(vault: Administrator, mount: str, use: Use, operator: str, now: datetime) -> Finding:
    subject = f"root {use.key} of {mount}"
    known = vault.list(f"{mount}/issuers")
    found = next((key for key, told in known.items() if told.get("issuer_name") == use.key), None)
    if found is not None:
        return _looked_at(subject, vault.read(f"{mount}/issuer/{found}") or {}, timedelta(0), now)

    def generate() -> None:
        body = _ca(use, operator, "root", ROOT_LIFETIME) | {"max_path_length": 1, "issuer_name": use.key}
        vault.write(f"{mount}/root/generate/internal", body | _new_key(use))

    return change(subject, f"created: EC P-{CA_KEY_BITS[use.name]}, 20 years", generate)


def _existing(
    vault: Administrator, use: Use, plan: Plan, papers: Papers, now: datetime, *, made: bool = False
) -> Findings:
    """An issuing CA that is there: can it sign, for how long, and as we want it?"""
    subject = f"issuing CA of {use.mount}"
    issuer = vault.read(f"{use.mount}/issuer/default") or {}
    if not made:
        yield _looked_at(subject, issuer, use.profile.validity.lifetime, now)
    chain = [str(each).strip() + "\n" for each in issuer.get("ca_chain") or []]
    if chain and _is_root(chain[-1]):
        papers.roots[use.name] = chain[-1]
    else:
        yield attention(subject, "the engine doesn't know its root; import it with issuers/import/cert")
    if issuer.get("leaf_not_after_behavior") != TRUNCATE["leaf_not_after_behavior"]:
        path = f"{use.mount}/issuer/{issuer.get('issuer_id')}"
        yield change(
            subject, "certificates end with it, rather than being refused", lambda: vault.patch(path, dict(TRUNCATE))
        )
    signed = plan.signed.get(use.name)
    if signed is not None and chain and _first(signed) != _first(chain[0]):
        yield attention(subject, "has one already, and isn't replaced; docs/vault.md tells how to rotate it")


def _offline(vault: Administrator, use: Use, plan: Plan, papers: Papers, *, now: datetime, look: bool) -> Findings:
    """A CSR to be signed elsewhere, or what came back."""
    subject = f"issuing CA of {use.mount}"
    known = vault.list(f"{use.mount}/keys")
    key = next((key for key, told in known.items() if told.get("key_name") == use.key), None)
    signed = plan.signed.get(use.name)
    if key is None:
        if signed is not None:
            raise BootstrapFailed(
                f"{subject}: there is no key that what was signed could be for; leave it out, and "
                "sign the CSR that comes"
            )
        yield change(
            subject,
            f"EC P-{CA_KEY_BITS[use.name]} key created; its CSR waits to be signed by the offline root",
            lambda: papers.csrs.update({use.name: _csr(vault, use, plan.owner(use), None)}),
        )
        return
    csr = None if look else _csr(vault, use, plan.owner(use), key)
    if signed is None:
        if csr is not None:
            papers.csrs[use.name] = csr
        yield attention(subject, "its CSR waits to be signed by the offline root")
        return
    try:
        chain = read_signed(signed, now=now)
        if csr is not None:
            check_key(chain, csr)
    except BootstrapFailed as error:
        raise BootstrapFailed(f"{subject}: what was signed {error}") from None
    ends = chain[0].not_valid_after_utc.date()
    yield change(
        subject,
        f"{chain[0].subject.rfc4514_string()} imported, valid until {ends}",
        lambda: _import(vault, use, certificates_pem(chain)),
    )
    if not look:
        yield from _existing(vault, use, plan, papers, now, made=True)


class _Signing:
    """An issuing CA is made, and signed by its root in the root engine."""

    def __init__(self, vault: Administrator, root_mount: str, use: Use, operator: str) -> None:
        self._vault, self._root_mount, self._use, self._operator = vault, root_mount, use, operator

    def __call__(self) -> None:
        use = self._use
        known = self._vault.list(f"{use.mount}/keys")
        # A run that was cut off between the key and its certificate is taken up with the same key.
        key = next((key for key, told in known.items() if told.get("key_name") == use.key), None)
        csr = _csr(self._vault, use, self._operator, key)
        body = _ca(use, self._operator, "issuing CA", ISSUING_LIFETIME) | {
            "csr": csr,
            "max_path_length": 0,
            "use_csr_values": False,
        }
        signed = self._vault.write(f"{self._root_mount}/issuer/{use.key}/sign-intermediate", body)
        chain = [str(signed["certificate"]), *(str(each) for each in signed.get("ca_chain") or [])]
        _import(self._vault, use, "\n".join(dict.fromkeys(each.strip() for each in chain)) + "\n")


def _csr(vault: Administrator, use: Use, operator: str, key: str | None) -> str:
    """Return a CSR for the CA key ``key``, or for a new one where it is None."""
    how = "internal" if key is None else "existing"
    body = _name(use, operator, "issuing CA") | {"add_basic_constraints": True}
    body |= _new_key(use) if key is None else {"key_ref": key}
    return str(vault.write(f"{use.mount}/intermediate/generate/{how}", body)["csr"]).strip() + "\n"


def _import(vault: Administrator, use: Use, chain_pem: str) -> None:
    """Import a CA whose key is in Vault, and the CAs above it; make it the one that signs."""
    told = vault.write(f"{use.mount}/intermediate/set-signed", {"certificate": chain_pem})
    with_key = [issuer for issuer, key in (told.get("mapping") or {}).items() if key]
    if len(with_key) != 1:
        raise BootstrapFailed(f"{use.mount} has no key for the certificate that was signed; look at {use.mount}/keys")
    vault.write(f"{use.mount}/config/issuers", {"default": with_key[0]})


def _looked_at(subject: str, issuer: Mapping[str, Any], needed: timedelta, now: datetime) -> Finding:
    """Is a CA that exists able to sign for as long as ``needed``?"""
    pem = str(issuer.get("certificate") or "")
    if not pem or not issuer.get("key_id"):
        return attention(subject, "has no key in Vault: it can't sign; set another issuer as the default")
    ends = _first(pem).not_valid_after_utc
    if ends <= now:
        return attention(subject, f"expired on {ends.date()}; docs/vault.md tells how to rotate it")
    if ends - now < needed:
        return attention(subject, f"ends on {ends.date()}, before what it signs would; rotate it (docs/vault.md)")
    return right(subject, f"valid until {ends.date()}")


def _first(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificates(pem.encode())[0]


def _is_root(pem: str) -> bool:
    certificate = _first(pem)
    return certificate.subject == certificate.issuer


def _ca(use: Use, operator: str, kind: str, lifetime: timedelta) -> dict[str, Any]:
    return _name(use, operator, kind) | {
        "ttl": f"{int(lifetime.total_seconds())}s",
        "not_before_duration": f"{int(CA_BACKDATE.total_seconds())}s",
    }


def _name(use: Use, operator: str, kind: str) -> dict[str, Any]:
    """A few random digits keep two generations of the same CA apart."""
    return {
        "common_name": f"Voltgate {use.name} {kind} {secrets.token_hex(3)}",
        "organization": [operator],
        "exclude_cn_from_sans": True,
    }


def _new_key(use: Use) -> dict[str, Any]:
    return {"key_type": "ec", "key_bits": CA_KEY_BITS[use.name], "key_name": use.key}
