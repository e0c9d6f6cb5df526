"""One field of a KV secret in HashiCorp Vault or OpenBao.

The connection comes from the variables that Vault's own tools use: VAULT_ADDR, VAULT_TOKEN, VAULT_NAMESPACE and
VAULT_CACERT.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

VAULT_TIMEOUT: Final = 10
"""Seconds until Vault must have answered."""


class VaultFailed(Exception):
    """Vault didn't give the secret; the text says why and what to do."""


def read_field(mount: str, path: str, field: str, environ: Mapping[str, str]) -> str:
    """Return ``field`` of the secret at ``path`` in the KV engine at ``mount``, version 2 or version 1.

    Blocks for up to VAULT_TIMEOUT per request. Raises :class:`VaultFailed`.
    """
    # Imported here: hvac takes 0.4 s to load, and most deployments use no vault: reference.
    import hvac  # noqa: PLC0415  # see above
    import hvac.exceptions  # noqa: PLC0415  # see above

    address, token = (_variable(environ, name) for name in ("VAULT_ADDR", "VAULT_TOKEN"))
    client = hvac.Client(
        url=address,
        token=token,
        namespace=environ.get("VAULT_NAMESPACE") or None,
        verify=environ.get("VAULT_CACERT") or True,
        timeout=VAULT_TIMEOUT,
    )
    try:
        secret = _read(client, mount, path)
    except hvac.exceptions.VaultDown as error:
        raise VaultFailed(f"Vault at {address} is sealed or down; unseal it") from error
    except hvac.exceptions.VaultError as error:
        raise VaultFailed(f"Vault at {address} refused: {type(error).__name__}") from error
    except (OSError, ValueError) as error:  # every error of requests is one of these
        if type(error).__name__ == "SSLError":
            raise VaultFailed(f"the certificate of {address} isn't trusted; set VAULT_CACERT to its root") from error
        raise VaultFailed(f"{address} can't be reached ({type(error).__name__}); check VAULT_ADDR") from error
    finally:
        client.adapter.close()
    value = secret.get(field)
    if not isinstance(value, str):
        raise VaultFailed(f"the secret has no text field {field!r}; `vault kv get {mount}/{path}` shows its fields")
    return value


def _variable(environ: Mapping[str, str], name: str) -> str:
    if not (value := environ.get(name, "")):
        raise VaultFailed(f"the environment variable {name} is unset; a vault: reference needs it")
    return value


def _read(client: Any, mount: str, path: str) -> dict[str, Any]:
    """Read the newest version of a secret: a KV version 2 mount first, then version 1."""
    import hvac.exceptions  # noqa: PLC0415  # loaded by the caller already

    forbidden = False
    readers: tuple[Callable[[], Any], ...] = (
        lambda: client.secrets.kv.v2.read_secret_version(path, mount_point=mount, raise_on_deleted_version=True)[
            "data"
        ],
        lambda: client.secrets.kv.v1.read_secret(path, mount_point=mount),
    )
    for reader in readers:
        try:
            data = reader()["data"]
        except hvac.exceptions.InvalidPath:
            continue
        except hvac.exceptions.Forbidden:
            # A policy for one KV version forbids the other one's path: only both together mean no.
            forbidden = True
        except (KeyError, TypeError):
            raise VaultFailed(f"{mount} doesn't answer like a KV engine; check the mount's name") from None
        else:
            return dict(data)
    if forbidden:
        raise VaultFailed(f"the token may not read {mount}/{path}; give its policy the read capability there")
    raise VaultFailed(f"there is no secret {mount}/{path}; write it with `vault kv put {mount}/{path} ...`")
