"""What ``voltgate check`` looks at in CRLs that lie in files; those behind a URL are for the running gateway."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from cryptography import x509

from gateway.config.problems import Problem
from pki.crl import Crl, CrlRejected, parse_crls


def check_crl(place: str, path: Path, authorities: Sequence[x509.Certificate], now: datetime) -> Iterator[Problem]:
    """Check one file of CRLs. ``authorities`` are the CAs that are known here: roots, and the embedded CA's."""
    try:
        crls = parse_crls(path.read_bytes())
    except OSError as error:
        yield Problem.error(place, f"{path}: {error.strerror}")
        return
    except ValueError as error:
        yield Problem.error(place, f"{path} {error}")
        return
    for crl in crls:
        if crl.fault is not None:
            yield Problem.error(place, f"{path}: {crl.label} counts for nothing: {crl.fault}")
        if crl.next_update is None:
            yield Problem.warning(place, f"{path}: {crl.label} doesn't say until when it holds: it calls nobody good")
        elif crl.next_update < now:
            yield Problem.warning(place, f"{path}: {crl.label} is stale since {crl.next_update:%Y-%m-%d}; renew it")
        if crl.this_update > now:
            yield Problem.warning(place, f"{path}: {crl.label} is from {crl.this_update}; compare the CA's clock")
        yield from _check_signer(place, path, crl, authorities)


def _check_signer(place: str, path: Path, crl: Crl, authorities: Sequence[x509.Certificate]) -> Iterator[Problem]:
    """An issuer that isn't known here may be an intermediate CA, which stations present themselves."""
    refusals = []
    for namesake in (authority for authority in authorities if authority.subject == crl.issuer):
        try:
            crl.check_issuer(namesake)
        except CrlRejected as rejected:
            refusals.append(str(rejected))
        else:
            return
    if refusals and crl.fault is None:
        yield Problem.error(place, f"{path}: {refusals[0]}; it counts for nothing")
