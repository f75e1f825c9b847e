"""Keys come and go: what is sealed with an earlier one is found, opened and sealed anew; with a lost one, mended."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select

from relay import wiring
from relay.config import Settings
from relay.errors import InvalidConfiguration
from relay.secrets import Sealer
from relay.store.migrate import migrate
from relay.store.tables import targets

TOML = """
[[targets]]
name = "ops"
kind = "http"
url = "https://example.com/a-secret-path"
"""

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def relay(directory: Path, *keys: str) -> wiring.Relay:
    """A relay with these keys, on the database in `directory`."""
    return wiring.Relay(Settings(data_dir=directory, database_url=f"sqlite:///{directory / 'r'}", secret_keys=keys))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with a database whose configuration is sealed with the old key."""
    first = relay(tmp_path, OLD)
    migrate(first.database)
    first.configurator.apply_text(TOML, "relay.toml")
    return tmp_path


def sealed(found: wiring.Relay) -> str:
    """What the database holds of the target."""
    with found.database.reading() as connection:
        return str(connection.scalar(select(targets.c.spec)))


def test_applying_again_seals_with_the_newest_key(directory: Path) -> None:
    """During rotation the old key opens; after one more apply it is not needed any more."""
    rotating = relay(directory, NEW, OLD)
    assert rotating.configuration.load().aging
    assert not rotating.configurator.apply_text(TOML, "relay.toml").changes
    assert not rotating.configuration.load().aging
    assert "a-secret-path" in Sealer([NEW]).open(sealed(relay(directory, NEW)))
    assert relay(directory, NEW).configuration.load().configuration.targets[0].name == "ops"


def test_a_lost_key_is_mended_by_applying(directory: Path) -> None:
    """Without the key nothing can be read, which is said; a configuration that is applied replaces it."""
    lost = relay(directory, NEW)
    with pytest.raises(InvalidConfiguration, match="another key"):
        lost.configuration.load()
    assert [change.sign for change in lost.configurator.apply_text(TOML, "relay.toml").changes] == ["+"]
    assert lost.configuration.load().configuration.targets[0].name == "ops"


def test_a_dry_run_seals_nothing(directory: Path) -> None:
    """What is only planned leaves the database as it is, old key and all."""
    before = sealed(relay(directory, OLD))
    path = directory / "relay.toml"
    path.write_text(TOML)
    relay(directory, NEW, OLD).configurator.apply(path, dry_run=True)
    assert sealed(relay(directory, OLD)) == before
