"""The records of a deployment, for commands beside a running gateway and for its API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.app.problems import StartFailed
from gateway.config import Config
from gateway.config.secrets import SecretError
from gateway.edge import passwords
from gateway.services.registration import Passwords, Registration
from gateway.session.ports import RegistrationRefused
from gateway.store.certificates import Certificates
from gateway.store.database import Database
from gateway.store.stations import Stations
from gateway.store.unavailable import StoreUnavailable

__all__ = ["Registration", "RegistrationRefused", "certificate_records", "registration", "station_records"]


@asynccontextmanager
async def records(config: Config) -> AsyncIterator[Database]:
    """Open the store beside a gateway that may be running.

    Raises :class:`StartFailed` with one clear line, when the store fails while it is used too.
    """
    try:
        database = await Database.open(config.store.connect_url(), exclusive=False)
        try:
            yield database
        finally:
            await database.close()
    except (StoreUnavailable, SecretError) as error:
        raise StartFailed(f"store.url: {error}") from None


def registration(stations: Stations, config: Config) -> Registration:
    """Return the registration of stations on an open store."""
    return Registration(
        stations,
        Passwords(generate=passwords.generate, check=passwords.check, hash=passwords.hash_password),
        backends=list(config.backends),
    )


@asynccontextmanager
async def station_records(config: Config) -> AsyncIterator[Registration]:
    """Open the registration of stations. Raises :class:`StartFailed`."""
    async with records(config) as database:
        yield registration(Stations(database), config)


@asynccontextmanager
async def certificate_records(config: Config) -> AsyncIterator[Certificates]:
    """Open the inventory of certificates. Raises :class:`StartFailed`."""
    async with records(config) as database:
        yield Certificates(database)
