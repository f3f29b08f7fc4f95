"""Processes that kill themselves at a point of `stops`, and an installation that texts people through a gateway."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from tests.acceptance.process import ORG, Installation, Process, Server, environment, free_port
from tests.storage.postgres import run_apart

ROOT = Path(__file__).parents[2]
_PATH = os.environ.get("PYTHONPATH", "").split(os.pathsep)
FIRST_NUMBER = 13_800_000_000
ENDS = {"sent", "delivered", "failed", "skipped"}


class Stopping(Process):
    """A `huiyao` process that kills itself at a point."""

    def __init__(self, point: str, times: int, *arguments: str, folder: Path, **settings: str) -> None:
        number = len(list(folder.glob("*.out")))
        self.out = folder / f"{number}.out"
        self.err = folder / f"{number}.err"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "tests.acceptance.stops", point, str(times), *arguments],
                cwd=folder,
                env={**environment(settings), "PYTHONPATH": os.pathsep.join([str(ROOT), *_PATH])},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    def has_killed_itself(self) -> bool:
        """False while it lives."""
        code = self.popen.poll()
        assert code in (None, -signal.SIGKILL), self.said
        return code is not None


class StoppingServer(Stopping, Server):
    """`huiyao serve` that kills itself at a point; `wait` for it where it is to live."""

    def __init__(self, point: str, times: int, *, folder: Path, port: int, **settings: str) -> None:
        self.port = port
        self.address = f"http://127.0.0.1:{port}"
        Stopping.__init__(self, point, times, "serve", "--port", str(port), folder=folder, **settings)


class Became(NamedTuple):
    """What became of one text."""

    id: int
    state: str
    reason: str
    attempt: int
    due_at: int
    sent_at: int | None


class House:
    """An installation with an SMS gateway, the processes that it stops, and what became of its texts."""

    def __init__(
        self, installation: Installation, stack: ExitStack, *, sms_url: str, **settings: str
    ) -> None:
        self.installation = installation
        self.port = free_port()
        self._stack = stack
        installation.settings |= {
            "public_url": "http://127.0.0.1:1",  # where nobody takes receipts
            "sms_daily_limit": "10000",
            "sms_url": sms_url,
            "sms_wait_seconds": "1",
        }

    def serve_until(self, point: str, times: int) -> StoppingServer:
        """Always on the same port; call it again for the process that comes after a stop."""
        folder, settings = self.installation.folder, self.installation.settings
        server = StoppingServer(point, times, folder=folder, port=self.port, **settings)
        self._stack.callback(server.close)
        return server

    def dispatch_until(self, point: str) -> Stopping:
        folder, settings = self.installation.folder, self.installation.settings
        process = Stopping(point, 1, "dispatch", folder=folder, **settings)
        self._stack.callback(process.close)
        return process

    def ended(self, count: int) -> list[Became] | None:
        """Of all deliveries, where there are so many and nothing more will become of any."""
        found = [Became(*row) for row in self._rows(f"SELECT {', '.join(Became._fields)} FROM delivery")]
        assert len(found) <= count, "there are too many deliveries"
        return found if len(found) == count and {one.state for one in found} <= ENDS else None

    def messages(self) -> Counter[tuple[str, str]]:
        """(uid, kind) of every message in all inboxes."""
        return Counter((uid, kind) for uid, kind in self._rows("SELECT uid, kind FROM message"))

    def _rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Read the database, of either kind, while others may write to it."""
        url = self.installation.settings.get("database_url")
        if url is not None:
            return run_apart(_fetch(url, statement))
        file = f"file:{self.installation.folder}/huiyao.db?mode=ro"
        with closing(sqlite3.connect(file, uri=True)) as connection:
            return connection.execute(statement).fetchall()


def give_numbers(installation: Installation, uids: Iterable[str]) -> None:
    """Import these people with numbers, each with another."""
    rows = [f"{uid},name of {uid},{FIRST_NUMBER + place}" for place, uid in enumerate(uids)]
    (installation.folder / "people.csv").write_text("\n".join(["uid,name,mobile", *rows]))
    installation.succeed("person", "import", "people.csv", "--org", str(ORG))


async def _fetch(url: str, statement: str) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(statement)]
    finally:
        await connection.close()
