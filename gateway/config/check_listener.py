"""What ``voltgate check`` looks at in what a listener shows and whom it trusts."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from cryptography import x509

from gateway.config.check_issued import check_issued
from gateway.config.check_network import check_address, check_networks
from gateway.config.check_tls import check_kinds, check_pair, check_roots, check_server_chain, leads_to
from gateway.config.problems import Problem
from gateway.config.tree import Listener, ListenerTls


def check_listener(
    place: str,
    listener: Listener,
    authority_root: x509.Certificate | None,
    server_root: x509.Certificate | None = None,
    *,
    environ: Mapping[str, str],
    now: datetime,
) -> Iterator[Problem]:
    """Check one listener.

    ``authority_root`` is that of the CA which signs stations, ``server_root`` of the one which signs the gateway's own
    certificates, where these can be known.
    """
    yield from check_address(f"{place}.bind", listener.bind)
    yield from check_networks(f"{place}.trusted_networks", listener.trusted_networks)
    yield from check_networks(f"{place}.load_balancers", listener.load_balancers)
    if listener.tls is None:
        return
    found, station_roots = _check_station_roots(f"{place}.tls", listener.tls, authority_root, now)
    yield from found
    csms_roots: list[x509.Certificate] = []
    if listener.tls.csms_roots is not None:
        found, csms_roots = check_roots(f"{place}.tls.csms_roots", listener.tls.csms_roots, now)
        yield from found
    leaves = []
    for index, certificate in enumerate(listener.tls.certificates):
        here = f"{place}.tls.certificates[{index}]"
        found, chain = check_pair(here, certificate.chain, certificate.key, environ=environ, now=now)
        yield from found
        if chain:
            leaves.append(chain[0])
            yield from check_server_chain(here, chain)
            yield from _check_issuer(f"{here}.chain", chain, station_roots, csms_roots)
    if (issued := listener.tls.issued) is not None:
        here = f"{place}.tls.issued"
        yield from check_issued(here, issued, server_root, station_roots=station_roots, csms_roots=csms_roots, now=now)
    elif len(leaves) == len(listener.tls.certificates):
        yield from check_kinds(f"{place}.tls.certificates", leaves)


def _check_station_roots(
    place: str, tls: ListenerTls, authority_root: x509.Certificate | None, now: datetime
) -> tuple[list[Problem], list[x509.Certificate]]:
    """Check the roots of stations, the operator's and the manufacturers'. Returns the operator's."""
    problems: list[Problem] = []
    roots: list[x509.Certificate] = []
    if tls.station_roots is not None:
        problems, roots = check_roots(f"{place}.station_roots", tls.station_roots, now)
        if roots and authority_root is not None and authority_root not in roots:
            text = "lacks the root of authority.station: stations can't come in with what the gateway issues"
            problems.append(Problem.warning(f"{place}.station_roots", text))
    if tls.factory_roots is not None:
        found, factory = check_roots(f"{place}.factory_roots", tls.factory_roots, now)
        problems += found
        operators = roots if authority_root is None else [*roots, authority_root]
        problems += [
            Problem.error(
                f"{place}.factory_roots",
                f"{tls.factory_roots}: {root.subject.rfc4514_string()} is a root of your own stations; "
                "a manufacturer's only, whose certificates are to be replaced, belongs here",
            )
            for root in factory
            if root in operators
        ]
    return problems, roots


def _check_issuer(
    place: str,
    chain: list[x509.Certificate],
    station_roots: list[x509.Certificate],
    csms_roots: list[x509.Certificate],
) -> Iterator[Problem]:
    if leads_to(chain, station_roots):
        yield Problem.warning(place, "leads to one of station_roots: servers and stations need separate CAs")
    if csms_roots and not leads_to(chain, csms_roots):
        yield Problem.warning(
            place, "leads to none of csms_roots: a station that was upgraded with them wouldn't trust this gateway"
        )
