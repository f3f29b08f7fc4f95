"""A running installation as its people see it: who they are, how they sign in, what the app does for them."""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import count
from typing import Any, Final

from playwright.sync_api import Browser, expect

from tests.acceptance.process import ORG, Client, Installation, Server, eventually
from tests.browser.browsing import NAMES, Look, Person

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
_numbers = count(1)


def now() -> int:
    return time.time_ns() // 1_000_000


def tomorrow(*, hours: float = 0) -> int:
    """A moment a day and some hours from now, to the full hour: whatever the time zone, it is not over."""
    return (now() // HOUR_MS + 25) * HOUR_MS + int(hours * HOUR_MS)


class Workbench:
    """One server with an app that may issue tickets. Everybody is somebody else's: tests share nothing."""

    def __init__(self, installation: Installation, browser: Browser, server: Server, client: Client) -> None:
        self.installation = installation
        self.server = server
        self.client = client
        self._browser = browser
        self._closing: list[Person] = []

    @property
    def address(self) -> str:
        return self.server.address

    def stranger(self, look: Look, **options: Any) -> Person:
        """A browser of somebody who is not signed in."""
        person = Person(self._browser, self.address, look, **options)
        self._closing.append(person)
        return person

    def colleague(self, look: Look) -> tuple[str, str]:
        """The uid and name of somebody new."""
        number = next(_numbers)
        names = NAMES[look.language]
        return f"p{number}-{self.server.port}", names[number % len(names)]

    def person(self, look: Look, **options: Any) -> Person:
        """Somebody new, signed in by a ticket."""
        uid, name = self.colleague(look)
        person = self.stranger(look, uid=uid, name=name, **options)
        self.sign_in(person)
        return person

    def ticket(self, uid: str) -> str:
        """The address that signs in."""
        return str(self.client.do("ticket", uid)["url"])

    def sign_in(self, person: Person) -> None:
        person.page.goto(self.ticket(person.uid))
        if not person.look.script:
            person.press("Continue")
        person.page.wait_for_url("**/workbench/")
        person.settled()

    def operator(self, look: Look) -> Person:
        """Somebody who has come through `huiyao admin link`."""
        link = json.loads(
            self.installation.succeed("admin", "link", "--port", str(self.server.port), "--json")
        )
        person = self.stranger(look)
        person.open(str(link["url"]))
        person.press("Continue")
        person.page.wait_for_url("**/admin/")
        return person

    def create(self, organizer: tuple[str, str], *invited: tuple[str, str], **fields: Any) -> int:
        """A meeting of an hour tomorrow, unless fields say otherwise."""
        begin = int(fields.pop("begin", tomorrow()))
        detail = {
            "createTime": now(),
            "content": "季度预算",
            "address": "三楼会议室",
            "beginTime": begin,
            "endTime": begin + HOUR_MS,
            "remindMin": 15,
            "remindType": 0,
            "members": [{"uid": uid, "name": name} for uid, name in invited],
            **fields,
        }
        uid, name = organizer
        return int(self.client.do("create", uid, requesterName=name, detail=detail)["meetingInviteId"])

    def change(self, organizer: tuple[str, str], meeting_id: int, **fields: Any) -> None:
        uid, _ = organizer
        detail = self.client.do("detail", uid, meetingInviteId=meeting_id)["detail"]
        self.client.do("update", uid, meetingInviteId=meeting_id, detail={**detail, **fields})

    def mine(self, uid: str, meeting_id: int) -> dict[str, Any]:
        """The person's card, as the API tells it."""
        cards = self.client.do("list", uid, size=200)["items"]
        return next(one for one in cards if one["meetingInviteId"] == meeting_id)

    def import_people(self, *rows: str) -> None:
        """Rows of uid,name,mobile,email,timezone,locale."""
        file = self.installation.folder / "people.csv"
        file.write_text("\n".join(["uid,name,mobile,email,timezone,locale", *rows, ""]))
        self.installation.succeed("person", "import", file.name, "--org", str(ORG))

    def text(self, uid: str, meeting_id: int) -> str:
        """The text that the person got for the meeting, once it has gone out."""

        def look() -> str | None:
            with closing(sqlite3.connect(self.installation.folder / "huiyao.db")) as database:
                found = database.execute(
                    "SELECT text FROM delivery WHERE uid = ? AND meeting_id = ? AND state = 'sent' ORDER BY id",
                    (uid, meeting_id),
                ).fetchall()
            return str(found[-1][0]) if found else None

        return eventually(look, what=f"a text for {uid}")

    @contextmanager
    def looked_at(self) -> Iterator[None]:
        """At its end everybody's browser is closed, and has had no fault."""
        self._closing.clear()
        with ExitStack() as stack:
            yield
            for person in self._closing:
                stack.callback(person.close)


def whom(person: Person) -> tuple[str, str]:
    return person.uid, person.name


expect.set_options(timeout=15_000)
