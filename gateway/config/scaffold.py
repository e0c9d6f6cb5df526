"""A ready-to-run configuration: what ``voltgate init`` writes."""

import ipaddress
import secrets
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import yaml
from pydantic import ValidationError

from gateway.config.faults import describe
from gateway.config.rules import broken_rules
from gateway.config.source import spell
from gateway.config.tree import DEFAULT_OPERATOR, Config
from gateway.config.values import ip_address
from pki.development import check_names, write_development_pki
from pki.firmware.development import write_firmware_pki
from pki.iso15118.development import write_plug_and_charge_pki
from pki.pem_files import FOLDER_MODE, PUBLIC_MODE, SECRET_MODE, write_file
from pki.profiles import HOST_NAME

DEFAULT_BACKEND_URL: Final = "ws://127.0.0.1:9000/ocpp/{identity}"
CONFIG_FILE: Final = "voltgate.yaml"
TOKEN_FILE: Final = "secrets/admin-token"  # noqa: S105  # where it lies, not what it is
TOKEN_BYTES: Final = 32
IGNORED: Final = ("certs/dev/", "secrets/", "voltgate.db*")
"""What must never be committed."""
IGNORED_FILES: Final = ("firmware/", "logs/")
"""What nobody wants to commit: images, and what stations have uploaded."""
MANUFACTURER: Final = "Example Chargers"
"""Who signs firmware in the development PKI: its O, and the vendorName of its stations."""

_TEMPLATE: Final = """\
# Voltgate's configuration. Every key but `backends` has a default; relative paths start at this file's folder.
# `voltgate check` says what is wrong with it, `voltgate serve` runs it as it is.
# Any key can be overridden in the environment: VOLTGATE__LIMITS__CALL_TIMEOUT=20, VOLTGATE__LISTENERS__0__BIND=...

# Your name: the O of every station certificate. Stations whose certificate has another one are refused.
operator: {operator}

# Records and the journal. One process: SQLite. Several: postgresql+asyncpg://voltgate@db.internal/voltgate,
# with `password: file:secrets/db` beside the URL.
store:
  url: "sqlite+aiosqlite:///voltgate.db"

# Where stations come in: {{identity}} is the station's identity, the last segment of its URL.
listeners:
  # Security profiles 2 (TLS, password) and 3 (TLS, client certificate).
  - bind: "0.0.0.0:8443"
    security_profiles: [2, 3]
    path: /ocpp/{{identity}}
    # What stations are told when they are upgraded to TLS or to certificates; they add /<identity>.
    public_url: {public_url}
    # protocols: [ocpp2.0.1, ocpp1.6]         # the OCPP versions spoken here
    # hosts: [gateway.example.com]            # the only names in a Host header and in SNI; empty: any
    # origins: [https://app.example.com]      # browsers that may connect; stations send no Origin
    # load_balancers: [10.0.0.0/28]           # who begins each connection with a PROXY protocol v2 header
    tls:
      # One ECDSA and one RSA chain: stations know either. These are of the development PKI, for
      # {names}.
      # Stations must trust certs/dev/csms-root.pem.
      certificates:
        - {{chain: certs/dev/gateway-ecdsa.pem, key: "file:certs/dev/gateway-ecdsa.key"}}
        - {{chain: certs/dev/gateway-rsa.pem, key: "file:certs/dev/gateway-rsa.key"}}
      # The roots of the stations' own certificates (profile 3).
      station_roots: certs/dev/station-roots.pem
      # Manufacturers whose factory certificates are let in, to be replaced at once:
      # factory_roots: certs/factory-roots.pem
      # The roots of `certificates`, for stations that are upgraded.
      csms_roots: certs/dev/csms-root.pem
      # The two suites without forward secrecy, which OCPP 2.0.1 asks for (A00.FR.318):
      # static_rsa: false
  # Security profile 1 (password, no TLS): only from networks that are protected otherwise.
  - bind: "127.0.0.1:8080"
    security_profiles: [1]
    trusted_networks: [127.0.0.0/8]

# The CSMS behind the gateway.
backends:
  legacy:
    url: {backend_url}
    # Or ocpp2.0.1: then 2.0.1 stations pass through as they are, and stations of 1.6 are refused.
    protocol: ocpp1.6
    # Plain ws:// goes only to addresses in here.
    trusted_networks: [{trusted}]
    # The real one speaks TLS and needs no trusted_networks:
    #   url: "wss://csms.example.com/ocpp/{{identity}}"
    #   tls: {{roots: certs/backend-roots.pem}}                  # without it, the machine's own trust store
    #   auth: {{basic: {{user: "{{identity}}", password: "file:secrets/backend/{{identity}}"}}}}
    # While it is away: journal what moves money and answer stations, or close their connections.
    when_down: journal
    # A boot while it is away: pending, or cached (accepted, where the backend accepted it before).
    boot_offline: pending

    # Other backends that hear what this one hears, and have no say:
    # mirrors: [new]

# Stations go here that have no backend of their own and fit no route.
default_backend: legacy
# routes:                                  # the first that fits; `voltgate station set-group` makes groups
#   - {{group: depot-north, backend: new}}
#   - {{identity: "ABB-*", backend: legacy}}
# How connectors of 2.0.1 stations are numbered in 1.6, "EVSE.CONNECTOR": number. Without one, as they are learnt.
# connector_tables:
#   - {{identity: "ABB-*", connectors: {{"1.1": 1, "1.2": 2, "2.1": 3}}}}

# Who signs station certificates: the embedded CA, in this folder.
authority:
  station: {{local: {{dir: certs/dev/ca}}}}
{plug_and_charge}{firmware}
# Certificates that another CA has revoked; what was revoked with `voltgate cert revoke` needs no entry here.
# revocation:
#   crls: [certs/stations.crl, "http://ca.example.com/stations.crl"]
#   refresh: 60             # seconds between two looks at them
#   ocsp: certificate       # the OCSP responder that a certificate names is asked; or the URL of one
#   when_unknown: refuse    # a certificate about which no valid CRL or OCSP answer says anything; or accept
# OCSP responders that may be asked, for stations too; without a list, those that your CA certificates name.
# ocsp:
#   responders: [ocsp.example.com, "*.v2g.example.com"]
# Organisations beside `operator` whose station certificates are taken:
# allowed_organizations: [Example Partner]

# unknown_station: 401             # the answer to an identity that isn't registered; or 404
# onboarding: refuse               # or record: refused too, and listed by `voltgate station pending` for you to approve
# no_common_subprotocol: close     # upgrade and close, as OCPP-J says; or refuse, as TC_B_58_CSMS does

# What may pass: a bundled policy's name, or a file, which is read again when it changes.
policy: legacy-1.6
# policies:                        # the first that fits; else the `policy` of the station's backend, else the one above
#   - {{group: depot-north, policy: strict}}
#   - {{identity: "CS-*", policy: policies/site.yaml}}

# API, health and metrics. Without a token the API is off. Secrets are referred to, never written here:
# file:PATH, env:NAME, or vault:MOUNT/PATH#FIELD.
admin:
  bind: "127.0.0.1:8081"
  token: "file:{token_file}"

log:
  level: info      # debug, info, warning, error
  format: auto     # console on a terminal, json elsewhere

# limits:                        # times in seconds; these are the defaults
#   call_timeout: 30             # for an answer to a CALL
#   handshake_timeout: 10        # for TLS and the WebSocket upgrade
#   max_message: 262144          # bytes
#   max_connections: 20000
#   drain_timeout: 10            # for what is in hand when the gateway stops
#   boot_retry_interval: 30      # in a BootNotification answered Pending
#   heartbeat_interval: 300
#   journal_limit: 10000         # entries per station
#   waiting_per_address: 4096    # connections of one address that aren't admitted yet
#   failures_per_address: 1200               # a minute: connections that may fail before the address is turned away
#   password_failures_per_address: 60        # a minute
#   password_failures_per_identity: 20       # a minute, from all addresses together
#   security_events: 100000      # that are kept; the oldest go first
"""


_PLUG_AND_CHARGE: Final = """\
  # Who signs contract certificates (ISO 15118-2): the embedded CA, as the mobility operator's.
  contract: {local: {dir: certs/dev/mo-ca}}

# Plug & Charge: vehicles get contract certificates, and charge with them on the backend above, which sees an idTag.
# Which vehicle has which contract: `voltgate contract add PCID EMAID`.
plug_and_charge:
  providers:
    # Issued here; the answer is signed by a provisioning service under a V2G root, here of the development PKI.
    own: {native: {cps: {chain: certs/dev/cps.pem, key: "file:certs/dev/cps.key"}}}
  # Manufacturers whose vehicles get one; the sub-CAs, which vehicles of ISO 15118-2 don't send.
  oem_roots: certs/dev/oem-roots.pem
  oem_intermediates: certs/dev/oem-intermediates.pem
"""
_NO_PLUG_AND_CHARGE: Final = """\
  # And contract certificates of vehicles; `voltgate init --plug-and-charge` writes an example.
"""
_FIRMWARE: Final = """\

# Firmware: what a manufacturer hasn't signed is installed nowhere. `voltgate firmware add FILE|URL` puts an image into
# the catalogue, with its signature and signing certificate; `voltgate firmware update STATION IMAGE` has it installed.
firmware:
  manufacturers:
    # Of the development PKI, which no real station trusts. It signs, too:
    #   voltgate firmware sign FILE --certificate certs/dev/firmware.pem --key certs/dev/firmware.key
    own:
      # What its stations call themselves: vendorName in their BootNotification.
      vendors: [{manufacturer}]
      roots: certs/dev/firmware-roots.pem
      intermediates: certs/dev/firmware-intermediates.pem
      # The development CA has no CRL. Of a real manufacturer remove this line: then revocation must be known.
      revocation: available
  # Where images may be fetched from that are ordered or added by a URL:
  # sources: [firmware.example.com]

# From here stations load images, and here they upload logs, with the certificates of the listener above.
files:
  bind: "0.0.0.0:8444"
  public_url: {files_url}

# What stations upload is kept here. To have it sent on to where your backend wants it, name the places:
logs:
  hand_over: false
  # hand_over: true
  # destinations: [files.example.com]
"""
_NO_FIRMWARE: Final = """\

# Firmware that is verified before a station hears of it, and logs that stations upload: sections firmware, files and
# logs; `voltgate init --firmware` writes an example.
"""


class ScaffoldRefused(Exception):
    """Nothing was written; the text says why and what to do."""


def scaffold(
    directory: Path,
    *,
    backend_url: str = DEFAULT_BACKEND_URL,
    operator: str = DEFAULT_OPERATOR,
    names: Sequence[str] = (),
    plug_and_charge: bool = False,
    firmware: bool = False,
) -> list[Path]:
    """Write a configuration, a development PKI and an administration token into ``directory``.

    With ``plug_and_charge`` also what it takes to issue contract certificates, with ``firmware`` to update stations.
    ``names`` are those under which stations reach the gateway (default: this machine's). Returns what was written, the
    configuration first. Raises :class:`ScaffoldRefused` where there is a configuration already, or for values that it
    can't bear; OSError.
    """
    names = list(names) or default_names()
    config = directory / CONFIG_FILE
    trusted = _trusted_networks(backend_url)
    _refuse(config, operator, names, backend_url, trusted)
    directory.mkdir(parents=True, exist_ok=True)
    pki = directory / "certs" / "dev"
    written = write_development_pki(pki, operator=operator, names=names)
    if plug_and_charge:
        written += write_plug_and_charge_pki(pki, operator=operator)
    if firmware:
        written += write_firmware_pki(pki, manufacturer=MANUFACTURER)
    written += [_write_token(directory), _write_ignored(directory, (*IGNORED, *(IGNORED_FILES if firmware else ())))]
    text = _TEMPLATE.format(
        operator=_quoted(operator),
        names=", ".join(names),
        public_url=_quoted(_public_url("wss", names[0], 8443) + "/ocpp"),
        backend_url=_quoted(backend_url),
        trusted=", ".join(_quoted(network) for network in trusted),
        token_file=TOKEN_FILE,
        plug_and_charge=_PLUG_AND_CHARGE if plug_and_charge else _NO_PLUG_AND_CHARGE,
        firmware=_firmware(names[0]) if firmware else _NO_FIRMWARE,
    )
    # Last: a configuration that is there has everything that it refers to.
    write_file(config, text.encode(), PUBLIC_MODE)
    return [config, *written]


def default_names() -> list[str]:
    """Return the names of this machine: localhost, its loopback addresses, and its host name where it is one."""
    name = socket.gethostname()
    return list(dict.fromkeys(["localhost", "127.0.0.1", "::1", *([name] if HOST_NAME.fullmatch(name) else [])]))


def _refuse(config: Path, operator: str, names: Sequence[str], backend_url: str, trusted: list[str]) -> None:
    if config.exists():
        raise ScaffoldRefused(f"{config} is there already; name another folder, or move it away")
    try:
        check_names(names)
        backend = {"url": backend_url, "trusted_networks": trusted}
        tree = Config.model_validate({"operator": operator, "backends": {"legacy": backend}})
    except ValidationError as error:
        where, text = describe(Config, error.errors()[0])
        raise ScaffoldRefused(f"{spell(where)}: {text}") from None
    except ValueError as error:
        raise ScaffoldRefused(str(error)) from None
    for where, text in broken_rules(tree):
        raise ScaffoldRefused(f"{spell(where)}: {text}")


def _trusted_networks(backend_url: str) -> list[str]:
    """Return the networks to which plain ws:// may go: this machine, or the one address that the URL names."""
    if not backend_url.startswith("ws://"):
        return []
    try:
        address = ip_address(urlsplit(backend_url).hostname or "")
    except ValueError:
        return []
    if address is None or (address.version == 4 and address.is_loopback):
        return ["127.0.0.0/8"]
    return [str(ipaddress.ip_network(address))]


def _public_url(scheme: str, name: str, port: int) -> str:
    return f"{scheme}://[{name}]:{port}" if ":" in name else f"{scheme}://{name}:{port}"


def _firmware(name: str) -> str:
    return _FIRMWARE.format(manufacturer=MANUFACTURER, files_url=_quoted(_public_url("https", name, 8444)))


def _quoted(text: str) -> str:
    """Write text so that YAML reads it as text."""
    return yaml.safe_dump(text, default_style='"', width=10_000, allow_unicode=True).strip()


def _write_token(directory: Path) -> Path:
    path = directory / TOKEN_FILE
    path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    if not path.exists():
        write_file(path, secrets.token_urlsafe(TOKEN_BYTES).encode() + b"\n", SECRET_MODE)
    return path


def _write_ignored(directory: Path, ignored: Sequence[str]) -> Path:
    path = directory / ".gitignore"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    lines += [line for line in ignored if line not in lines]
    write_file(path, "".join(f"{line}\n" for line in lines).encode(), PUBLIC_MODE)
    return path
