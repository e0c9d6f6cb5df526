"""Alembic's environment runs on the connection that it is given."""

from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, inspect

from gateway.store import migrations


def _config(**attributes: object) -> Config:
    config = Config(attributes=attributes)
    config.set_main_option("script_location", str(Path(migrations.__path__[0])))
    return config


def test_it_migrates_on_the_given_connection_in_its_transaction() -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        transaction = connection.begin()
        connection.exec_driver_sql("BEGIN")
        command.upgrade(_config(connection=connection), "head")
        assert inspect(connection).has_table("stations")
        transaction.rollback()
        assert not inspect(connection).has_table("stations")
    engine.dispose()


def test_without_a_connection_it_refuses() -> None:
    with pytest.raises(KeyError, match="connection"):
        command.upgrade(_config(), "head")
