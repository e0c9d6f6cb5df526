"""TLS handshakes in memory, and files to make them with."""

import ssl
from pathlib import Path

import trustme


def write(authority: trustme.CA, folder: Path, name: str, *names: str, rsa: bool = False) -> tuple[Path, Path]:
    """Write a server certificate for ``names`` and return (chain, key)."""
    key_type = trustme.KeyType.RSA if rsa else trustme.KeyType.ECDSA
    issued = authority.issue_cert(*names, key_type=key_type)
    chain, key = folder / f"{name}.pem", folder / f"{name}.key"
    issued.cert_chain_pems[0].write_to_path(str(chain))
    issued.private_key_pem.write_to_path(str(key))
    return chain, key


def shake(
    server: ssl.SSLContext, client: ssl.SSLContext, name: str = "localhost", session: ssl.SSLSession | None = None
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Play one handshake; return (server, client). Raises what the first of both raises."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        server.wrap_bio(to_server, to_client, server_side=True),
        client.wrap_bio(to_client, to_server, server_hostname=name, session=session),
    )
    done: set[ssl.SSLObject] = set()
    for _ in range(10):
        for end in ends:
            try:
                end.do_handshake()
                done.add(end)
            except ssl.SSLWantReadError:
                pass
        if len(done) == 2:
            return ends
    raise AssertionError("the handshake does not end")


def client_context(roots: Path, **settings: object) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=roots)
    for name, value in settings.items():
        setattr(context, name, value)
    return context


def serial_shown(server: ssl.SSLContext, client: ssl.SSLContext, name: str = "localhost") -> str:
    """Return the serial number of the certificate that the server shows, in hex."""
    _, end = shake(server, client, name)
    shown = end.getpeercert()
    assert shown is not None
    return str(shown["serialNumber"])
