"""An administrator's connection to Vault or OpenBao: paths and plain data, and errors that say what to do."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

TIMEOUT: Final = 30.0
"""Seconds until Vault must have answered: it may have to generate a key first."""


class BootstrapFailed(Exception):
    """The setting-up can't go on; the text says why and what to do."""


class Administrator:
    """Vault's HTTP API with a token that may change engines, roles and policies. Every method blocks.

    ``cacert`` is the file of the only roots that may have signed Vault's certificate; None: the machine's trust store.
    Every method raises :class:`BootstrapFailed`.
    """

    def __init__(self, address: str, token: str, *, cacert: Path | None = None, namespace: str | None = None) -> None:
        import hvac  # noqa: PLC0415  # it takes 0.4 s to load

        self.address = address
        self.cacert = cacert
        self.namespace = namespace
        self._client = hvac.Client(
            url=address,
            token=token,
            namespace=namespace,
            verify=True if cacert is None else str(cacert),
            timeout=TIMEOUT,
        )

    def __repr__(self) -> str:
        return f"Administrator({self.address})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.adapter.close()

    def read(self, path: str) -> dict[str, Any] | None:
        """Return what is at ``path``, or None when nothing is."""
        return self._ask("read", path, lambda: self._client.read(path))

    def list(self, path: str) -> dict[str, dict[str, Any]]:
        """Return the entries under ``path`` with what Vault says of each; none when nothing is there."""
        found = self._ask("list", path, lambda: self._client.list(path)) or {}
        told = found.get("key_info") or {}
        return {str(key): dict(told.get(key) or {}) for key in found.get("keys") or []}

    def write(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Write ``body`` to ``path`` and return what Vault gives back."""
        return self._ask("update", path, lambda: self._client.write_data(path, data=body)) or {}

    def writing(self, path: str, body: Mapping[str, Any]) -> Callable[[], None]:
        """Return what writes ``body`` to ``path`` when it is called."""

        def write() -> None:
            self.write(path, dict(body))

        return write

    def patch(self, path: str, body: dict[str, Any]) -> None:
        """Change what ``body`` names at ``path``, and nothing else there."""
        kind = {"Content-Type": "application/merge-patch+json"}
        self._ask(
            "patch",
            path,
            lambda: self._client.adapter.request("patch", f"/v1/{path}", json=body, headers=kind),
        )

    def _ask(self, capability: str, path: str, call: Callable[[], Any]) -> dict[str, Any] | None:
        import hvac.exceptions  # noqa: PLC0415  # loaded with the client

        try:
            answer = call()
        except hvac.exceptions.InvalidPath:
            if capability in {"read", "list"}:
                return None
            raise BootstrapFailed(f"there is nothing at {path} to write to; is the engine of another kind?") from None
        except hvac.exceptions.Forbidden:
            raise BootstrapFailed(
                f"the token may not {capability} {path}; give it a policy with the capability {capability!r} there, "
                "or take one that hasn't expired"
            ) from None
        except hvac.exceptions.VaultDown:
            raise BootstrapFailed(f"Vault at {self.address} is sealed or down; unseal it") from None
        except hvac.exceptions.VaultError as error:
            raise BootstrapFailed(f"Vault refused to {capability} {path}: {_said(error)}") from None
        except (OSError, ValueError) as error:  # every error of requests is one of these
            if type(error).__name__ == "SSLError":
                raise BootstrapFailed(
                    f"the certificate of {self.address} isn't trusted; name its root's file (VAULT_CACERT)"
                ) from None
            raise BootstrapFailed(
                f"{self.address} can't be reached ({type(error).__name__}); check the address (VAULT_ADDR)"
            ) from None
        # 204 comes as the bare response: there is nothing to tell.
        return dict(answer.get("data") or {}) if isinstance(answer, dict) else None


def _said(error: Any) -> str:
    """Return Vault's own words in one line."""
    words = "; ".join(str(each) for each in getattr(error, "errors", None) or []) or type(error).__name__
    return " ".join(words.replace("*", "").split())
