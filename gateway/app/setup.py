"""What `voltgate init` writes and `voltgate check` looks at."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from gateway.app.policies import load_all
from gateway.app.policy_schemas import OfficialSchemas
from gateway.app.problems import StartFailed
from gateway.config import Config
from gateway.config.check import Problem, check
from gateway.config.scaffold import DEFAULT_BACKEND_URL, ScaffoldRefused
from gateway.config.scaffold import scaffold as write_scaffold
from pki.authority import AuthorityError

__all__ = ["DEFAULT_BACKEND_URL", "problems", "scaffold"]


def scaffold(
    directory: Path,
    *,
    backend_url: str,
    operator: str,
    names: Sequence[str],
    plug_and_charge: bool = False,
    firmware: bool = False,
) -> list[Path]:
    """Write a ready-to-run configuration. Raises :class:`StartFailed` with one clear line."""
    try:
        return write_scaffold(
            directory,
            backend_url=backend_url,
            operator=operator,
            names=names,
            plug_and_charge=plug_and_charge,
            firmware=firmware,
        )
    except (ScaffoldRefused, AuthorityError, OSError) as error:
        raise StartFailed(str(error)) from None


def problems(config: Config) -> list[Problem]:
    """Return what is wrong with what the configuration points to."""
    from gateway.app.trust_overview import rotation_problems  # noqa: PLC0415 - the store, which init and the rest of the commands don't need

    found = [*check(config), *asyncio.run(rotation_problems(config))]
    return [*found, *load_all(config, OfficialSchemas())[1]]
