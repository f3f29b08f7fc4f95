"""A whole Huiyao in process, as API tests see it: a database, an app with a token, and calls over ASGI."""

import functools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx
import msgspec

from huiyao.keys import Keys
from huiyao.model import App, Org
from huiyao.openapi.application import OpenApi
from huiyao.rules import announce
from huiyao.service.access import Access
from huiyao.service.caller import Clock, Services
from huiyao.service.keyring import Keyring
from huiyao.settings import Settings
from huiyao.storage.contract import Storage
from huiyao.storage.opening import open_storage

NOW: Final = 1_795_500_000_000  # 2026-11-24 14:00 in Shanghai
MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
BEGIN: Final = NOW + 2 * HOUR
WORKBENCH: Final = "workbench/meetinginvite/"
SDK: Final = {"User-Agent": "open-api-sdk(1.0.3)"}
ORG: Final = 84000
APP: Final = 7
TOKEN_SECONDS: Final = 30 * 86_400  # so that a test can let days pass
SECRET: Final = "s3cret-of-app-7"


class HandClock(Clock):
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> int:
        return self.at


class World:
    def __init__(self, storage: Storage, settings: Settings, clock: HandClock | None = None) -> None:
        self.storage = storage
        self.settings = settings
        self.clock = clock or HandClock()
        self.keys = Keyring(Keys.from_text("a server key of more than 32 characters"))
        self.services = Services(storage, self.clock)
        self.access = Access(storage, self.keys, self.clock, settings)
        self.api = OpenApi(self.services, self.access, settings)
        self.token = ""
        transport = httpx.ASGITransport(app=self.api, client=("192.0.2.7", 40_000))
        self.http = httpx.AsyncClient(transport=transport, base_url="http://huiyao.test/openapi/")

    def restarted(self, **changes: Any) -> "World":
        """Another node on the same database, with other settings if need be, and nothing remembered."""
        other = World(self.storage, msgspec.structs.replace(self.settings, **changes), self.clock)
        other.token = self.token
        return other

    async def add_org(self, org_id: int, *, closed: bool = False, timezone: str = "Asia/Shanghai") -> None:
        await self.storage.put_org(Org(id=org_id, name=f"org {org_id}", closed=closed, timezone=timezone))

    async def add_app(
        self, app_id: int, *, secret: str = SECRET, orgs: tuple[int, ...] = (ORG,), **rest: Any
    ) -> None:
        sealed = self.keys.seal(secret, app_id=app_id)
        await self.storage.put_app(App(id=app_id, name=f"app {app_id}", secret=sealed, orgs=orgs, **rest))

    async def get_token(self, app_id: int = APP, *, secret: str = SECRET, **query: object) -> str:
        answer = await self.get("token/get", {"appId": app_id, "appSecret": secret, **query}, token=None)
        return str(data(answer)["accessToken"])

    async def get(
        self, path: str, query: Mapping[str, Any] | None = None, *, token: str | None = "", **headers: str
    ) -> httpx.Response:
        return await self.http.get(path, params=self._query(query, token), headers=_named(headers))

    async def post(
        self,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, Any] | None = None,
        token: str | None = "",
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """`body` is encoded as JSON unless it is bytes already; `token` None sends none, "" the world's own."""
        content = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        return await self.http.post(
            path, params=self._query(query, token), content=content, headers=dict(headers or {})
        )

    async def call(self, name: str, body: object, **rest: Any) -> httpx.Response:
        """One of the calls of the first generation."""
        return await self.post(WORKBENCH + name, body, **rest)

    async def create(
        self, *, uid: str = "boss", headers: Mapping[str, str] | None = None, **changes: Any
    ) -> int:
        """A meeting of `boss` with a, b and c; `changes` are to its detail."""
        answer = await self.call("create", creation(uid=uid, **changes), headers=headers)
        meeting_id = data(answer)["meetingInviteId"]
        assert isinstance(meeting_id, int)
        return meeting_id

    async def detail(self, meeting_id: int, uid: str = "boss") -> dict[str, Any]:
        return data(await self.call("detail", {"requesterUid": uid, "meetingInviteId": meeting_id}))

    async def inbox(self, uid: str, **rest: Any) -> dict[str, Any]:
        return data(await self.call("inbox", {"requesterUid": uid, **rest}))

    async def dispatch(self) -> None:
        """Do everything that is due."""
        now = self.clock.now()
        decide = functools.partial(announce.notices, now=now)
        missed = functools.partial(announce.missed, now=now)
        while (await self.storage.expand(now=now, rows=2000, decide=decide, missed=missed)).more:
            pass

    def _query(self, query: Mapping[str, Any] | None, token: str | None) -> dict[str, Any]:
        own = {} if token is None else {"accessToken": token or self.token}
        return own | dict(query or {})


@asynccontextmanager
async def world(url: str) -> AsyncIterator[World]:
    """A world with one organisation and one app, which has its token, on a migrated database."""
    storage = await open_storage(url)
    try:
        made = World(storage, Settings(database_url=url, token_seconds=TOKEN_SECONDS))
        await made.add_org(ORG)
        await made.add_app(APP)
        made.token = await made.get_token()
        yield made
    finally:
        await storage.close()


def members(*uids: str) -> list[dict[str, str]]:
    return [{"uid": uid, "name": f"name of {uid}"} for uid in uids]


def detail_of(**changes: Any) -> dict[str, Any]:
    """A detail as the first generation sends it; a change of ... leaves the field out."""
    whole = {
        "createTime": NOW,
        "content": "预算讨论",
        "address": "三楼",
        "beginTime": BEGIN,
        "endTime": BEGIN + HOUR,
        "remindMin": 15,
        "remindType": 0,
        "members": members("a", "b", "c"),
    } | changes
    return {key: value for key, value in whole.items() if value is not ...}


def creation(*, uid: str = "boss", name: str = "老板", **changes: Any) -> dict[str, Any]:
    return {"requesterUid": uid, "requesterName": name, "detail": detail_of(**changes)}


def data(answer: httpx.Response) -> dict[str, Any]:
    """The data of a success."""
    whole = answer.json()
    assert answer.status_code == 200, answer.text
    assert whole["status"] == 0, answer.text
    found = whole["data"]
    assert isinstance(found, dict)
    return found


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Code and message of a refusal the API gave."""
    whole = answer.json()
    assert answer.status_code == 200, answer.text
    assert whole.keys() == {"status", "message"}, answer.text
    return whole["status"], whole["message"]


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    """Header names from keyword arguments: accept_language is Accept-Language."""
    return {name.replace("_", "-"): value for name, value in headers.items()}
