"""What the authorities of a configuration point to: CA folders, credentials, trust anchors."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from cryptography import x509

from gateway.config.authorities import AuthorityUse, LocalAuthority, VaultServer
from gateway.config.check_tls import check_pair, check_roots
from gateway.config.problems import Problem
from gateway.config.secrets import SecretRef
from pki.authority import AuthorityError
from pki.authority.ca_folder import FILES
from pki.authority.local import LocalAuthority as EmbeddedAuthority

ISSUING: Final = "issuing.pem"


def check_authority(
    place: str,
    use: AuthorityUse,
    secret: Callable[[str, SecretRef], Iterator[Problem]],
    now: datetime,
    environ: Mapping[str, str] = os.environ,
) -> Iterator[Problem]:
    """Yield what is wrong with the authority of one use; ``secret`` looks at one secret reference."""
    if use.local is not None:
        yield from embedded(f"{place}.local.dir", use.local, now)[1]
    if use.vault is not None:
        yield from check_vault(f"{place}.vault", use.vault, secret, now, environ)
    if (est := use.est) is not None:
        if est.roots is not None:
            yield from check_roots(f"{place}.est.roots", est.roots, now)[0]
        if est.auth.chain is not None and est.auth.key is not None:
            yield from check_pair(f"{place}.est.auth", est.auth.chain, est.auth.key, environ=environ, now=now)[0]
        if est.auth.password is not None:
            yield from secret(f"{place}.est.auth.password", est.auth.password)


def check_vault(
    place: str,
    vault: VaultServer,
    secret: Callable[[str, SecretRef], Iterator[Problem]],
    now: datetime,
    environ: Mapping[str, str] = os.environ,
) -> Iterator[Problem]:
    """Yield what is wrong with how the gateway comes into a Vault."""
    if vault.roots is not None:
        yield from check_roots(f"{place}.roots", vault.roots, now)[0]
    auth = vault.auth
    if auth.tls is not None:
        yield from check_pair(f"{place}.auth.tls", auth.tls.chain, auth.tls.key, environ=environ, now=now)[0]
    if auth.token is not None:
        yield from secret(f"{place}.auth.token", auth.token)
    if auth.approle is not None:
        yield from secret(f"{place}.auth.approle.secret_id", auth.approle.secret_id)
    if auth.jwt is not None:
        yield from secret(f"{place}.auth.jwt.token", auth.jwt.token)


def embedded(place: str, local: LocalAuthority, now: datetime) -> tuple[Sequence[x509.Certificate], list[Problem]]:
    """Look at an embedded CA without making it. Returns its certificates, the root first, where there are any."""
    folder = local.dir
    if folder.exists() and not folder.is_dir():
        return [], [Problem.error(place, f"{folder} isn't a folder; name another one")]
    if not any((folder / name).exists() for name in FILES):
        text = f"{folder} holds no CA yet; the first `voltgate serve` makes one, whose root stations don't know"
        return [], [Problem.warning(place, text)]
    try:
        root = EmbeddedAuthority.open(folder, clock=lambda: now).root
    except AuthorityError as error:
        return [], [Problem.error(place, str(error))]
    return [root, x509.load_pem_x509_certificate((folder / ISSUING).read_bytes())], []


def embedded_chain(use: AuthorityUse, now: datetime) -> Sequence[x509.Certificate]:
    """Return the CA certificates of an embedded authority, the root first; nothing where another signs."""
    return embedded("", use.local, now)[0] if use.local is not None else ()
