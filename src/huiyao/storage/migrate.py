"""The schema's versions: what a database is at, what is newest, and the way forward.

Only `upgrade` needs Alembic and SQLAlchemy, and loads them; the rest is cheap enough for every start.
"""

import importlib
import re
from pathlib import Path
from typing import Protocol

from huiyao.errors import OperatorError

_VERSIONS = Path(__file__).with_name("migrations") / "versions"


class _Runner(Protocol):
    def upgrade(self, url: str) -> None: ...


def revisions() -> list[str]:
    """Every revision, oldest first; the file of revision 0001 is v0001_….py."""
    names = sorted(path.name for path in _VERSIONS.glob("v*.py"))
    return [found[1] for name in names if (found := re.match(r"v(\d{4})_", name))]


def newest() -> str:
    return revisions()[-1]


def upgrade(url: str) -> None:
    """Bring a database to the newest schema; one that is there already stays as it is.

    Blocking. Raises OperatorError where the database is newer than this program.
    """
    runner: _Runner = importlib.import_module("huiyao.storage.migrations.runner")
    runner.upgrade(url)


def check(found: str | None) -> None:
    """Raise OperatorError, one sentence, unless `found` is the newest revision."""
    if found == newest():
        return
    if found is None:
        raise OperatorError("The database has no tables yet: run `huiyao db migrate` once.")
    if found not in revisions():
        raise OperatorError(
            f"The database's schema ({found}) is newer than this program knows ({newest()}): install a newer Huiyao."
        )
    raise OperatorError(
        f"The database's schema is at {found} and this program needs {newest()}: run `huiyao db migrate`."
    )
