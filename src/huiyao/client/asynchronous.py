"""The surface for asyncio: an app, and the people it acts for. `make client` writes synchronous.py from this file."""

import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import httpx

from huiyao import __version__
from huiyao.client import calls
from huiyao.client.answers import (
    Card,
    Changes,
    Inbox,
    Invitee,
    Meeting,
    MsgStatus,
    RemindType,
    Role,
    Ticket,
    Times,
)
from huiyao.client.calls import Call, P, T
from huiyao.client.ground import AsyncGround
from huiyao.client.reading import milliseconds
from huiyao.client.session import Patience, Session


class AsyncHuiyao:
    """An app's calls to one server, for any number of tasks at once. Close it, or use it with `async with`."""

    def __init__(
        self,
        base_url: str,
        *,
        app_id: int,
        app_secret: str,
        org_id: int | None = None,
        patience: Patience | None = None,
        language: str = "zh",
        http: httpx.AsyncClient | None = None,
    ) -> None:
        """`base_url` ends with /openapi/. `org_id`: needed by an app of several organisations without a default.

        `language`: of the messages of errors, zh or en. `http`: to set proxies, certificates or limits; it stays open
        when this is closed.
        """
        self._ground = AsyncGround(base_url.removesuffix("/") + "/", http)
        self._org_id = org_id
        self._session = Session(
            self._ground,
            app_id=app_id,
            app_secret=app_secret,
            patience=patience or Patience(),
            agent=f"huiyao-client/{__version__}",
            language=language,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._ground.close()

    async def token(self) -> str:
        """A good access token, for a call that this library does not have."""
        return await self._ground.drive(self._session.token())

    def person(self, uid: str, *, name: str = "", org_id: int | None = None) -> "AsyncPerson":
        """Act for this person. `name` is needed to create. Nothing is sent."""
        org_id = self._org_id if org_id is None else org_id
        return AsyncPerson(self._ground, self._session, uid=uid, name=name, org_id=org_id)


class AsyncPerson:
    """What an app does for one person. Every call raises HuiyaoError; moments must say their time zone."""

    def __init__(
        self, ground: AsyncGround, session: Session, *, uid: str, name: str, org_id: int | None
    ) -> None:
        self.uid = uid
        self.name = name
        self.org_id = org_id
        self._ground = ground
        self._session = session

    async def create(
        self,
        *,
        content: str,
        begin: datetime,
        end: datetime,
        members: Iterable[Invitee],
        address: str = "",
        remind_minutes: int = 15,
        remind_type: RemindType = RemindType.IN_APP,
        created: datetime | None = None,
        notify: bool = True,
        key: str = "",
    ) -> int:
        """Create a meeting invitation; its id.

        `remind_minutes`: before the beginning, up to four weeks. `created`: by your reckoning, else now. `notify`
        False sends nobody anything. `key`: an Idempotency-Key of your own, under which the same create within 24 h
        answers the same id and creates nothing; `created` must be given with it, for the repetition must be the same.
        """
        if not self.name:
            raise ValueError("a meeting has its creator's name: person(uid, name=…)")
        if key and created is None:
            raise ValueError(
                "with a key of your own give `created` too: a repetition must be the same to the byte"
            )
        given = calls.Create(
            requester_uid=self.uid,
            requester_name=self.name,
            detail=calls.detail(
                created=created or datetime.now(UTC),
                content=content,
                address=address,
                begin=begin,
                end=end,
                remind_minutes=remind_minutes,
                remind_type=remind_type,
                members=[*members],
            ),
            notify=None if notify else "none",
        )
        answer = await self._run(calls.CREATE, given, key=key or str(uuid.uuid4()))
        return answer.meeting_invite_id

    async def update(
        self,
        meeting: Meeting,
        *,
        content: str | None = None,
        begin: datetime | None = None,
        end: datetime | None = None,
        members: Iterable[Invitee] | None = None,
        address: str | None = None,
        remind_minutes: int | None = None,
        remind_type: RemindType | None = None,
        notify: bool = True,
        overwrite: bool = False,
    ) -> None:
        """Change a meeting (creator only) as `detail` answered it; what is not given stays as it is there.

        Where begin or end changes, answers go back to unread. Raises SequenceChanged where the meeting has changed
        since, unless `overwrite`.
        """
        given = calls.Update(
            requester_uid=self.uid,
            meeting_invite_id=meeting.id,
            detail=calls.detail(
                created=meeting.created,
                content=meeting.content if content is None else content,
                address=meeting.address if address is None else address,
                begin=begin or meeting.begin,
                end=end or meeting.end,
                remind_minutes=meeting.remind_minutes if remind_minutes is None else remind_minutes,
                remind_type=meeting.remind_type if remind_type is None else remind_type,
                members=[*(meeting.members if members is None else members)],
            ),
            notify=None if notify else "none",
            sequence=None if overwrite else meeting.sequence,
        )
        await self._run(calls.UPDATE, given)

    async def cancel(self, meeting_id: int, *, sequence: int | None = None) -> None:
        """Call a meeting off (creator only). Repeating it is no error.

        `sequence`: as `detail` answered it; SequenceChanged where it is no longer the meeting's.
        """
        given = calls.Cancel(requester_uid=self.uid, meeting_invite_id=meeting_id, sequence=sequence)
        await self._run(calls.CANCEL, given)

    async def delete(self, meeting_id: int) -> None:
        """Remove the card from this person's own workbench; nobody else's goes, and nothing is cancelled."""
        await self._run(calls.DELETE, self._one(meeting_id))

    async def detail(self, meeting_id: int) -> Meeting:
        """The meeting with its members, for its creator and its members."""
        answer = await self._run(calls.DETAIL, self._one(meeting_id))
        return answer.flat()

    async def read(self, meeting_id: int) -> None:
        """Mark the invitation as read."""
        await self._run(calls.READ, self._one(meeting_id))

    async def respond(
        self, meeting_id: int, status: MsgStatus, *, reply: str = "", sequence: int | None = None
    ) -> None:
        """Accept or decline, with a word to the creator. May be changed until the meeting ends.

        `sequence`: as the person saw it; SequenceChanged where begin or end has changed since.
        """
        given = calls.Respond(
            requester_uid=self.uid,
            meeting_invite_id=meeting_id,
            msg_status=status,
            reply=reply,
            sequence=sequence,
        )
        await self._run(calls.RESPOND, given)

    async def remind(self, meeting_id: int, *, wanted: bool) -> None:
        """Turn this person's own reminders of the meeting on or off."""
        given = calls.Remind(requester_uid=self.uid, meeting_invite_id=meeting_id, remind=wanted)
        await self._run(calls.REMIND, given)

    async def nudge(self, meeting_id: int) -> None:
        """Ask the members who have not answered once more (creator only; every 5 minutes at most).

        The one call that is not repeated where nobody knows whether it was done: Unanswered or Unavailable.
        """
        await self._run(calls.NUDGE, self._one(meeting_id))

    async def list(
        self,
        *,
        begin: datetime | None = None,
        end: datetime | None = None,
        msg_status: MsgStatus | None = None,
        role: Role | None = None,
        page_size: int = 50,
    ) -> AsyncIterator[Card]:
        """The cards on the workbench, the newest meeting first, page by page as they are asked for.

        `begin`, `end`: only meetings that end after the one and begin before the other. `role`: created or invited.
        `page_size`: 1 to 200. Stable while meetings come and go.
        """
        cursor = None
        while True:
            given = calls.List(
                requester_uid=self.uid,
                begin_time=None if begin is None else milliseconds(begin),
                end_time=None if end is None else milliseconds(end),
                msg_status=msg_status,
                role=role,
                size=page_size,
                cursor=cursor,
            )
            page = await self._run(calls.LIST, given)
            for card in page.items:
                yield card
            if page.next_cursor is None:
                return
            cursor = page.next_cursor

    async def inbox(self, *, cursor: str | None = None, size: int = 50) -> Inbox:
        """In-app messages, newest last: the newest `size` (1 to 200), or those that follow a cursor answered before."""
        return await self._run(calls.INBOX, calls.Inbox(requester_uid=self.uid, cursor=cursor, size=size))

    async def inbox_read(self, message_id: int) -> None:
        """Mark the messages up to this one as read."""
        await self._run(calls.INBOX_READ, calls.InboxRead(requester_uid=self.uid, message_id=message_id))

    async def freebusy(self, uids: Sequence[str], *, begin: datetime, end: datetime) -> dict[str, Times]:
        """When up to 200 people are busy within at most 31 days, by uid. Needs the API permission freebusy."""
        given = calls.FreeBusy(
            requester_uid=self.uid, uids=[*uids], begin_time=milliseconds(begin), end_time=milliseconds(end)
        )
        answer = await self._run(calls.FREEBUSY, given)
        return {one.uid: one for one in answer.items}

    async def changes(self, *, cursor: str | None = None, size: int = 50) -> Changes:
        """What was done in the organisation, in order, from the very beginning or after a cursor answered before.

        Whoever asks: it is not this person's. Needs the API permission changes. `size`: 1 to 200.
        """
        return await self._run(calls.CHANGES, calls.Changes(requester_uid=self.uid, cursor=cursor, size=size))

    async def ticket(self) -> Ticket:
        """A one-time link that opens the workbench as this person. Needs the API permission ticket."""
        return await self._run(calls.TICKET, calls.Parameters(requester_uid=self.uid))

    def _one(self, meeting_id: int) -> calls.OneMeeting:
        return calls.OneMeeting(requester_uid=self.uid, meeting_invite_id=meeting_id)

    async def _run(self, call: Call[P, T], given: P, *, key: str = "") -> T:
        work = self._session.run(call, given, org_id=self.org_id, key=key)
        return await self._ground.drive(work)
