"""The whole application in process, with two organisations, their apps, and browsers of their people."""

import contextlib
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx

from huiyao import app
from huiyao.model import MsgStatus, Org, Person
from huiyao.rules import announce, commands
from huiyao.rules.commands import Create, Detail, Invitee
from huiyao.service import installation, meetings, operate, sessions
from huiyao.service.caller import Caller, Clock
from huiyao.settings import Settings

KEY = "a page test's server key, long enough"
HERE = Org(id=85161, name="示例公司")
THERE = Org(id=84000, name="Other Ltd")
APP_ID = 7
OTHER_APP_ID = 8
NOW = 1_800_000_000_000  # 2027-01-15 16:00 in Shanghai, a Friday
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NAMES = {"u1": "王芳", "u2": "李强", "u3": "张敏", "u4": "刘洋"}
SAME_ORIGIN = {"sec-fetch-site": "same-origin"}


class MovedClock(Clock):
    def __init__(self) -> None:
        self.moment = NOW

    def now(self) -> int:
        return self.moment


class House:
    def __init__(self, application: app.Application, clock: MovedClock) -> None:
        self.application = application
        self.services = application.services
        self.storage = application.services.storage
        self.clock = clock
        self._open = contextlib.AsyncExitStack()

    async def browser(self, uid: str | None = None, *, org: Org = HERE, language: str = "en") -> "Browser":
        """A browser, signed in as this person; by default as nobody."""
        transport = httpx.ASGITransport(app=self.application, raise_app_exceptions=True)
        made = Browser(
            transport=transport, base_url="http://huiyao.test", headers={"accept-language": language}
        )
        await self._open.enter_async_context(made)
        if uid is not None:
            app_id = APP_ID if org is HERE else OTHER_APP_ID
            secret, _ = await sessions.begin(self.services, org.id, uid=uid, app_id=app_id)
            made.cookies.set("huiyao", secret, domain="huiyao.test")
        return made

    async def operator(self, *, language: str = "en") -> "Browser":
        """A browser signed in with what `huiyao admin link` prints."""
        made = await self.browser(language=language)
        begun = await sessions.redeem(self.services, await sessions.issue_operator_ticket(self.services))
        assert begun is not None
        made.cookies.set("huiyao-admin", begun[0], domain="huiyao.test")
        return made

    async def create(
        self,
        *uids: str,
        by: str = "u1",
        org: Org = HERE,
        content: str = "季度预算",
        address: str = "三楼会议室",
        begin_at: int = NOW + DAY,
        minutes: int = 60,
        **rest: Any,
    ) -> int:
        """A meeting that the Open API was asked for; nobody has been told before `tell`."""
        detail = self.detail(
            *uids, content=content, address=address, begin_at=begin_at, minutes=minutes, **rest
        )
        command = Create(requester_name=NAMES.get(by, by), detail=detail)
        return await meetings.create(self.services, self.caller(by, org), command)

    def detail(
        self,
        *uids: str,
        content: str = "季度预算",
        address: str = "三楼会议室",
        begin_at: int = NOW + DAY,
        minutes: int = 60,
        remind_min: int = 15,
        remind_type: int = 0,
    ) -> Detail:
        return Detail(
            content=content,
            address=address,
            begin_at=begin_at,
            end_at=begin_at + minutes * MINUTE,
            remind_min=remind_min,
            remind_type=remind_type,
            create_time=None,
            invitees=tuple(Invitee(uid, NAMES.get(uid, uid)) for uid in uids),
        )

    async def update(self, meeting_id: int, *uids: str, by: str = "u1", **detail: Any) -> None:
        command = commands.Update(detail=self.detail(*uids, **detail))
        await meetings.update(self.services, self.caller(by), meeting_id, command)

    async def respond(self, meeting_id: int, uid: str, status: int, *, reply: str = "") -> None:
        command = commands.Respond(msg_status=MsgStatus(status), reply=reply)
        await meetings.respond(self.services, self.caller(uid), meeting_id, command)

    def caller(self, uid: str, org: Org = HERE) -> Caller:
        return Caller(APP_ID if org is HERE else OTHER_APP_ID, org, uid)

    async def tell(self) -> None:
        """Let the dispatcher do what is due."""
        now = self.clock.now()
        while True:
            done = await self.storage.expand(
                now=now,
                rows=2000,
                decide=lambda task, meeting, answers, count: announce.notices(
                    task, meeting, answers, count, now=now
                ),
                missed=lambda task, meeting: announce.missed(task, meeting, now=now),
            )
            if not done.more and not done.tasks:
                return

    async def close(self) -> None:
        await self._open.aclose()
        await self.application.close()


class Browser(httpx.AsyncClient):
    """Sends forms as a browser does from our own pages."""

    async def send_form(self, path: str, *, htmx: bool = False, **fields: Any) -> httpx.Response:
        headers = dict(SAME_ORIGIN)
        if htmx:
            headers["hx-request"] = "true"
        return await self.post(path, data=fields, headers=headers)

    async def see(self, path: str) -> str:
        """The text of a page that must be there."""
        answer = await self.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        return answer.text


def words(page: str) -> str:
    """What stands on a page, without tags and with single blanks."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page)).strip()


@contextlib.asynccontextmanager
async def open_house(url: str, *, sandbox: bool = False, **rest: Any) -> AsyncIterator[House]:
    settings = Settings(database_url=url, key=KEY, **rest)
    clock = MovedClock()
    application = await app.build(settings, clock=clock, sandbox_app=APP_ID if sandbox else None)
    house = House(application, clock)
    try:
        keys = await installation.open_keys(house.storage, settings)
        for org, app_id in ((HERE, APP_ID), (THERE, OTHER_APP_ID)):
            await operate.add_org(house.storage, org)
            await operate.add_app(
                house.storage,
                keys,
                name="tests",
                orgs=(org.id,),
                app_id=app_id,
                secret="an-app-secret-of-the-tests",
            )
            await house.storage.import_people(
                [Person(org_id=org.id, uid=uid, name=name) for uid, name in NAMES.items()]
            )
        yield house
    finally:
        await house.close()
