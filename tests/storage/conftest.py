"""The contract suite's node: the use cases and a dispatcher around each kind of database in turn."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from huiyao.storage import migrate
from huiyao.storage.opening import open_storage
from tests.storage.node import APP, ORG, Node, StoppedClock


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database with the newest schema, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A fresh migrated file."""
    shutil.copy(sqlite_template, tmp_path / "contract.db")
    return f"sqlite:///{tmp_path}/contract.db"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest) -> str:
    """A fresh migrated database of each kind."""
    return str(request.getfixturevalue("postgres_url" if request.param == "postgresql" else "sqlite_url"))


@pytest.fixture
async def node(url: str) -> AsyncIterator[Node]:
    storage = await open_storage(url)
    await storage.put_org(ORG)
    await storage.put_app(APP)
    yield Node(storage, StoppedClock())
    await storage.close()
