"""What ``voltgate check`` looks at in the file endpoint: where it listens, whom it trusts, and how it is called."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from cryptography import x509

from gateway.config.check_network import check_address, check_networks
from gateway.config.firmware import Files
from gateway.config.problems import Problem
from gateway.config.values import ip_address, url_parts

if TYPE_CHECKING:
    from gateway.config.tree import Config, ListenerTls


def check_files(config: "Config") -> Iterator[Problem]:
    """Yield what is wrong with what the section points to; the rules of ``files`` hold."""
    section = config.files
    if section is None:
        return
    yield from check_address("files.bind", section.bind)
    yield from check_networks("files.trusted_networks", section.trusted_networks)
    if section.plain:
        text = "is true: images and logs travel in clear, and so do the links; only for stations that can't do TLS"
        yield Problem.warning("files.plain", text)
        return
    names = _names_shown(config, section)
    parts = url_parts(section.public_url)
    host = parts.hostname if parts is not None else None
    if names and host is not None and _plain_form(host) not in names:
        text = f"names {host}, which is in none of the certificates that it shows ({', '.join(sorted(names))})"
        yield Problem.error("files.public_url", f"{text}: stations would refuse them")


def _names_shown(config: "Config", section: Files) -> set[str]:
    """Return the names in the certificates of the listener; none where they can't be read: that is said there."""
    listeners = config.listeners if section.listener is None else config.listeners[section.listener :]
    tls = next((listener.tls for listener in listeners if listener.tls is not None), None)
    if tls is None:
        return set()
    if tls.issued is not None:
        return {_plain_form(name) for name in tls.issued.names}
    return {name for leaf in _leaves(tls) for name in _names(leaf)}


def _leaves(tls: "ListenerTls") -> Sequence[x509.Certificate]:
    try:
        return [x509.load_pem_x509_certificates(each.chain.read_bytes())[0] for each in tls.certificates]
    except (OSError, ValueError):
        return []


def _names(leaf: x509.Certificate) -> Iterator[str]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return
    yield from (name.lower() for name in names.get_values_for_type(x509.DNSName))
    yield from (str(address) for address in names.get_values_for_type(x509.IPAddress))


def _plain_form(host: str) -> str:
    address = ip_address(host)
    return str(address) if address is not None else host.lower()
