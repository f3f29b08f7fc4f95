"""A server on which the reference's examples play: real HTTP on loopback, a clock and ids that are always the same."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import uvicorn

from huiyao.model import Grant, Org
from huiyao.settings import Settings
from huiyao.storage.contract import Storage
from huiyao.storage.opening import open_storage
from tests.api.world import MINUTE, NOW, HandClock, World

ORG: Final = Org(id=85161, name="示例公司")
CLOSED_ORG: Final = Org(id=85162, name="示例分公司", closed=True)
APP: Final = 10001
SECRET: Final = "c0ffee"  # the examples' appSecret, which is "$APP_SECRET" on the page
DEADLINE_SECONDS: Final = 20


class Answer(msgspec.Struct, frozen=True):
    http_status: int
    retry_after: str
    text: str


class Broken:
    """A storage of which one method fails as a real one may."""

    def __init__(self, storage: Storage, method: str, error: Exception) -> None:
        self._storage = storage
        self._method = method
        self._error = error

    def __getattr__(self, name: str) -> Any:
        if name == self._method:
            return self._fail
        return getattr(self._storage, name)

    async def _fail(self, *_: object, **__: object) -> None:
        raise self._error


class Stage:
    """One world, and the servers that stand on it: one as usual, others with other settings or a broken storage."""

    def __init__(self, world: World, folder: Path, closing: AsyncExitStack) -> None:
        self.world = world
        self.folder = folder
        self._closing = closing
        self._environment = {
            "PATH": os.environ["PATH"],
            "CURL_HOME": str(folder),
            "NO_PROXY": "127.0.0.1",
            "APP_ID": str(APP),
            "APP_SECRET": SECRET,
        }

    async def open(self) -> None:
        (self.folder / ".curlrc").write_text(
            'silent\nwrite-out = "\\n%{stderr}%{http_code} %header{retry-after}\\n"\n', encoding="utf-8"
        )
        for org in (ORG, CLOSED_ORG):
            await self.world.storage.put_org(org)
        orgs = (ORG.id, CLOSED_ORG.id)
        await self.world.add_app(APP, secret=SECRET, orgs=orgs, default_org=ORG.id, grants=frozenset(Grant))
        self.world.token = await self.world.get_token(APP, secret=SECRET)
        self._environment |= {"HUIYAO": await self.serve(self.world), "TOKEN": self.world.token}

    async def serve(self, world: World) -> str:
        """The base address of a server on this world."""
        config = uvicorn.Config(
            world.api, port=0, lifespan="off", log_config=None, access_log=False, proxy_headers=False
        )
        server = uvicorn.Server(config)
        sockets = [config.bind_socket()]
        task = asyncio.create_task(server.serve(sockets=sockets))

        async def stop() -> None:
            server.should_exit = True
            await task

        self._closing.push_async_callback(stop)
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not server.started:
                await asyncio.sleep(0.01)
        return f"http://127.0.0.1:{sockets[0].getsockname()[1]}/openapi"

    async def other(self, **changes: Any) -> str:
        """The address of a server on the same database with other settings."""
        return await self.serve(self.world.restarted(**changes))

    async def broken(self, method: str, error: Exception) -> str:
        """The address of a server on the same database, whose method `method` fails."""
        storage = cast("Storage", Broken(self.world.storage, method, error))
        return await self.serve(World(storage, self.world.settings, self.world.clock))

    async def run(self, script: str, **environment: str) -> Answer:
        """Run what stands on the page in a shell; afterwards everything due is done and a minute has passed."""
        process = await asyncio.create_subprocess_exec(
            *("/bin/sh", "-ec", script),
            cwd=self.folder,
            env={**self._environment, **environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), DEADLINE_SECONDS)
        assert process.returncode == 0, (script, err.decode())
        http_status, _, retry_after = err.decode().splitlines()[-1].partition(" ")
        await self.world.dispatch()
        self.world.clock.at += MINUTE
        return Answer(int(http_status), retry_after.strip(), out.decode())


@asynccontextmanager
async def stage(empty: Path) -> AsyncIterator[Stage]:
    """A fresh one on a copy of a migrated database without anything in it."""
    async with AsyncExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory()))
        url = f"sqlite:///{folder / 'stage.db'}"
        shutil.copy(empty, folder / "stage.db")
        storage = await open_storage(url)
        closing.push_async_callback(storage.close)
        clock = HandClock()
        made = Stage(World(storage, Settings(database_url=url), clock), folder, closing)
        closing.push_async_callback(made.world.http.aclose)
        await made.open()
        assert clock.at == NOW
        yield made
