"""What ``voltgate check`` looks at where the gateway has its own server certificates issued."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from cryptography import x509

from gateway.config.check_tls import leads_to
from gateway.config.problems import Problem
from gateway.config.tree import IssuedCertificates
from pki.pair_folder import KeptPair, PairFolder, PairKind, PairUnusable


def check_issued(
    place: str,
    issued: IssuedCertificates,
    server_root: x509.Certificate | None,
    *,
    station_roots: Sequence[x509.Certificate],
    csms_roots: Sequence[x509.Certificate],
    now: datetime,
) -> Iterator[Problem]:
    """Check ``tls.issued`` of one listener. ``server_root`` is that of ``authority.server``, where it can be known."""
    problems, kept = _kept(f"{place}.dir", issued, now)
    yield from problems
    chains: list[list[x509.Certificate]] = [list(each.chain) for each in kept]
    if server_root is not None:
        chains = [[server_root]]
    if csms_roots and not all(leads_to(chain, csms_roots) for chain in chains):
        text = "csms_roots lacks the root of authority.server: a station that was upgraded with them wouldn't trust us"
        yield Problem.warning(place, text)
    if any(leads_to(chain, station_roots) for chain in chains):
        text = "authority.server leads to one of station_roots: servers and stations need separate CAs"
        yield Problem.warning(place, text)


def _kept(place: str, issued: IssuedCertificates, now: datetime) -> tuple[list[Problem], list[KeptPair]]:
    """Look at what lies in the folder; that there is nothing yet is no problem."""
    if issued.dir.exists() and not issued.dir.is_dir():
        return [Problem.error(place, f"{issued.dir} isn't a folder; name another one")], []
    problems, kept = [], []
    for kind in PairKind:
        try:
            pair = PairFolder(issued.dir).read(kind)
        except PairUnusable as error:
            problems.append(Problem.warning(place, f"{error}; the next `voltgate serve` replaces it"))
            continue
        except OSError as error:
            problems.append(Problem.error(place, f"{issued.dir}: {error.strerror}"))
            continue
        if pair is not None:
            kept.append(pair)
    if kept and not any(pair.is_valid(now) for pair in kept):
        text = f"{issued.dir} holds expired certificates only: `voltgate serve` doesn't start without authority.server"
        problems.append(Problem.warning(place, text))
    return problems, kept
