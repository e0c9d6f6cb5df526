"""What ``voltgate check`` looks at in certificates, keys and trust anchors."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gateway.config.problems import Problem
from gateway.config.secrets import SecretError, SecretRef, exposure
from pki import profiles
from pki.keys import KeyRefused, check_key
from pki.paths import load_roots
from pki.pem_files import parse_key

EXPIRES_SOON: Final = timedelta(days=30)
"""How long before the end a certificate is reported; one that lives for a short time, in its last third."""


def check_pair(
    place: str, chain: Path, key: SecretRef, *, environ: Mapping[str, str], now: datetime
) -> tuple[list[Problem], list[x509.Certificate]]:
    """Check a chain file with its key. Returns the problems and the chain, empty when it can't be read."""
    try:
        certificates = x509.load_pem_x509_certificates(chain.read_bytes())
    except OSError as error:
        return [Problem.error(f"{place}.chain", f"{chain}: {error.strerror}")], []
    except ValueError:
        return [Problem.error(f"{place}.chain", f"{chain} holds no certificates in PEM")], []
    problems = [*_check_chain(f"{place}.chain", chain, certificates, now)]
    problems += _check_key(f"{place}.key", chain, certificates[0], key, environ)
    return problems, certificates


def check_server_chain(place: str, certificates: Sequence[x509.Certificate]) -> Iterator[Problem]:
    """Check what a station will look at in the gateway's own chain (A00.FR.309, A00.FR.510)."""
    leaf = certificates[0]
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        yield Problem.warning(f"{place}.chain", "has no alternative names; many stations look at nothing else")
        return
    if any(name.startswith("*") for name in names.get_values_for_type(x509.DNSName)):
        yield Problem.warning(f"{place}.chain", "has a wildcard name, which stations refuse (OCPP 2.0.1 A00.FR.309)")


def check_kinds(place: str, leaves: Sequence[x509.Certificate]) -> Iterator[Problem]:
    """A00.FR.318: stations know either kind, so that a listener needs both."""
    for kind, name in ((ec.EllipticCurvePublicKey, "ECDSA"), (rsa.RSAPublicKey, "RSA")):
        if not any(isinstance(leaf.public_key(), kind) for leaf in leaves):
            yield Problem.warning(place, f"has no {name} certificate; stations that know only {name} can't connect")


def check_roots(place: str, path: Path, now: datetime) -> tuple[list[Problem], list[x509.Certificate]]:
    """Check a file of trust anchors. Returns the problems and the roots."""
    try:
        roots = load_roots(path.read_bytes())
    except OSError as error:
        return [Problem.error(place, f"{path}: {error.strerror}")], []
    except ValueError as error:
        return [Problem.error(place, f"{path} {error}")], []
    problems = [
        Problem.warning(
            place, f"{path}: {root.subject.rfc4514_string()} expired on {root.not_valid_after_utc:%Y-%m-%d}"
        )
        for root in roots
        if root.not_valid_after_utc < now
    ]
    return problems, roots


def leads_to(certificates: Sequence[x509.Certificate], roots: Sequence[x509.Certificate]) -> bool:
    """True when the chain's last certificate is one of ``roots`` or was issued by one."""
    return any(certificates[-1] == root or _is_issued_by(certificates[-1], root) for root in roots)


def _check_chain(place: str, path: Path, certificates: list[x509.Certificate], now: datetime) -> Iterator[Problem]:
    for certificate in certificates:
        name, ends = certificate.subject.rfc4514_string(), certificate.not_valid_after_utc
        if ends < now:
            yield Problem.error(place, f"{path}: {name} expired on {ends:%Y-%m-%d}; renew it")
        elif ends < now + min(EXPIRES_SOON, (ends - certificate.not_valid_before_utc) / 3):
            yield Problem.warning(place, f"{path}: {name} expires on {ends:%Y-%m-%d}; renew it")
        if certificate.not_valid_before_utc > now:
            yield Problem.error(place, f"{path}: {name} is valid from {certificate.not_valid_before_utc} on")
    for certificate, issuer in pairwise(certificates):
        if not _is_issued_by(certificate, issuer):
            yield Problem.error(place, f"{path}: the order is wrong; the leaf comes first, then the CA that issued it")
            break
    if len(certificates) > 1 and certificates[-1].issuer == certificates[-1].subject:
        yield Problem.warning(place, f"{path} ends with a root, which peers have already; leave it out")
    try:
        check_key(certificates[0].public_key(), profiles.csms_server().keys)
    except (KeyRefused, ValueError) as error:
        yield Problem.error(place, f"{path}: {error}")


def _check_key(
    place: str, path: Path, leaf: x509.Certificate, secret: SecretRef, environ: Mapping[str, str]
) -> Iterator[Problem]:
    try:
        key = parse_key(secret.resolve_bytes(environ=environ))
    except SecretError as error:
        yield Problem.error(place, str(error))
        return
    except ValueError as error:
        yield Problem.error(place, f"{secret}: {error}")
        return
    if key.public_key() != leaf.public_key():
        yield Problem.error(place, f"{secret} isn't the key of {path}")
    if secret.path is not None and (exposed := exposure(secret.path, is_key=True)):
        yield Problem.warning(place, exposed)


def _is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except Exception:  # noqa: BLE001  # a wrong name, signature, algorithm or key: each means no
        return False
    return True
