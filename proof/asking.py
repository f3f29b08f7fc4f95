"""Requests of every call for a database that `bench.lives` has filled, each of what is there and may be asked."""

import json
from collections.abc import Iterable, Sequence
from itertools import cycle, groupby

import msgspec

from bench import lives, load, seeding
from huiyao.storage.contract import Position
from huiyao.wire import cursor

PATH = "/openapi/workbench/meetinginvite/"
LATER_PATH = "/openapi/meeting/"
MANY = 1000  # meetings and people that calls are about; more would only be colder
CREATES = 5000  # different ones
SIZE = 50  # messages of an inbox's page
COLLEAGUES = 8  # whose times are asked for
_PLACES = ("三楼会议室", "四楼会议室")


class Known(msgspec.Struct, frozen=True):
    """A meeting, and who is on its list, the organizer first."""

    id: int
    begin_at: int
    end_at: int
    uids: tuple[str, ...]


class Asking:
    """The requests of one app on one database."""

    def __init__(self, url: str, life: lives.Life, token: str) -> None:
        self._url = url
        self._life = life
        self._token = token
        coming = f"begin_at > {life.now + lives.DAY} AND push_status = 1 AND id >= {lives.FIRST}"
        self._coming = self._known(coming, count=MANY, among=life.meetings // 8)
        self._all = self._known(f"id >= {lives.FIRST}", count=MANY, among=life.meetings)
        self._people = sorted({uid for one in self._coming for uid in one.uids} - {lives.MANY})[:MANY]
        self._newest = self._newest_meeting()

    def repeatable(self) -> dict[str, list[bytes]]:
        """Requests that can be made again and again, each time with the same cost; call by call."""
        pairs = [(one, uid) for one in self._coming for uid in one.uids[1:]]
        week = {"beginTime": self._life.now, "endTime": self._life.now + 7 * lives.DAY}
        colleagues = [self._people[n : n + COLLEAGUES] for n in range(len(self._people))]
        return {
            "detail": [self._about("detail", one, one.uids[n % 8]) for n, one in enumerate(self._all)],
            "meeting/detail": [
                self._later("detail", one, one.uids[n % 8]) for n, one in enumerate(self._all)
            ],
            "list": [self._post("list", {"requesterUid": uid}) for uid in self._people],
            "inbox": [self._post("inbox", {"requesterUid": uid}) for uid in self._people],
            "inboxread": self._marks(),
            "freebusy": [
                self._post("freebusy", {"requesterUid": uids[0], "uids": uids, **week}) for uids in colleagues
            ],
            "changes": [
                self._post("changes", {"requesterUid": self._people[0], "cursor": one})
                for one in self._places()
            ],
            "respond": [
                self._about("respond", *pair, msgStatus=answer) for answer in (3, 2) for pair in pairs
            ],
            "remind": [self._about("remind", *pair, remind=on) for on in (False, True) for pair in pairs],
            "update": [
                self._about("update", one, one.uids[0], requesterName="王芳", detail=_detail(one, place))
                for place in _PLACES
                for one in self._coming
            ],
            "meeting/update": [
                self._later("update", one, one.uids[0], body=_detail(one, place))
                for place in reversed(_PLACES)
                for one in self._coming
            ],
            # The last: they fill a small database with meetings, and its few people's calendars.
            "create": [self._post("create", self._creation(n)) for n in range(CREATES)],
            "meeting/create": [self._later_creation(n) for n in range(CREATES)],
        }

    def fresh(self, *, at_most: int) -> dict[str, list[bytes]]:
        """Requests that can each be made once, of meetings created since the last time."""
        made = self._known(f"id > {self._newest}", count=at_most, among=0)
        self._newest = self._newest_meeting()
        return {
            "read": [self._about("read", one, one.uids[1]) for one in made],
            "delete": [self._about("delete", one, one.uids[2]) for one in made],
            "meeting/delete": [self._later("delete", one, one.uids[3]) for one in made],
            "cancel": [self._about("cancel", one, one.uids[0]) for one in made[::2]],
            "meeting/cancel": [self._later("cancel", one, one.uids[0]) for one in made[1::2]],
        }

    def of_many(self) -> dict[str, list[bytes]]:
        """What the person with many cards asks."""
        week = {"beginTime": self._life.now, "endTime": self._life.now + 7 * lives.DAY}
        return {
            "list": [self._post("list", {"requesterUid": lives.MANY})],
            "inbox": [self._post("inbox", {"requesterUid": lives.MANY})],
            "freebusy": [self._post("freebusy", {"requesterUid": lives.MANY, "uids": [lives.MANY], **week})],
        }

    def of_large(self) -> dict[str, list[bytes]]:
        """Answers in the meeting of many, and a look at it."""
        large = {"meetingInviteId": lives.LARGE}
        some = range(1, self._life.members, max(1, self._life.members // MANY))
        return {
            "respond": [
                self._post("respond", {"requesterUid": f"x{n}", "msgStatus": answer, **large})
                for answer in (3, 2)
                for n in some
            ],
            "detail": [self._post("detail", {"requesterUid": "x0", **large})],
        }

    def _known(self, condition: str, *, count: int, among: int) -> list[Known]:
        """At most `count` of about `among` meetings, evenly spread; of the newest where that is 0."""
        spread = f"id % {max(1, among // count)} = 0 AND " if among else ""
        found = seeding.rows(
            self._url,
            f"SELECT a.meeting_id, a.begin_at, a.end_at, a.uid FROM (SELECT org_id, id FROM meeting"
            f" WHERE org_id = {lives.ORG} AND {spread}{condition} ORDER BY id DESC LIMIT {count}) m"
            " JOIN attendee a ON a.org_id = m.org_id AND a.meeting_id = m.id"
            " ORDER BY a.meeting_id, a.organizer DESC, a.position",
        )
        return [
            Known(key[0], key[1], key[2], tuple(row[3] for row in rows))
            for key, rows in groupby(found, key=lambda row: row[:3])
        ]

    def _newest_meeting(self) -> int:
        return seeding.number(self._url, f"SELECT max(id) FROM meeting WHERE org_id = {lives.ORG}")

    def _marks(self) -> list[bytes]:
        """Up to some message of each; once all before it is read, there is nothing left to be marked."""
        asked = ", ".join(f"'{uid}'" for uid in self._people)
        newest = seeding.rows(
            self._url,
            f"SELECT uid, max(id) FROM message WHERE org_id = {lives.ORG} AND uid IN ({asked}) AND xid = 1"
            " GROUP BY uid",
        )
        return [self._post("inboxread", {"requesterUid": uid, "messageId": id}) for uid, id in newest]

    def _places(self) -> list[str]:
        step = max(1, self._life.meetings // MANY) * lives.SLOTS
        ids = range(lives.FIRST, lives.FIRST + (self._life.meetings - 10) * lives.SLOTS, step)
        return [cursor.write_changes(Position(1, id)) for id in ids]

    def _new(self, number: int) -> Known:
        uids = [self._life.uid(number * 7919 + place * 613) for place in range(lives.MEMBERS)]
        begin_at = self._life.now + (2 + number % 40) * lives.DAY
        return Known(0, begin_at, begin_at + lives.HOUR, tuple(uids))

    def _creation(self, number: int) -> dict[str, object]:
        one = self._new(number)
        return {"requesterUid": one.uids[0], "requesterName": "王芳", "detail": _detail(one, seeding.ADDRESS)}

    def _later_creation(self, number: int) -> bytes:
        one = self._new(number)
        return self._later("create", one, one.uids[0], body=_detail(one, seeding.ADDRESS))

    def _about(self, call: str, one: Known, uid: str, **more: object) -> bytes:
        return self._post(call, {"requesterUid": uid, "meetingInviteId": one.id, **more})

    def _post(self, call: str, body: dict[str, object]) -> bytes:
        return load.request("POST", f"{PATH}{call}?accessToken={self._token}", json.dumps(body).encode())

    def _later(self, call: str, one: Known, uid: str, *, body: dict[str, object] | None = None) -> bytes:
        """Of the later generation, with its headers."""
        headers = (f"accessToken: {self._token}", f"uid: {uid}", f"orgId: {lives.ORG}", "name: x")
        path = f"{LATER_PATH}{call}" + (f"?meetingId={one.id}" if one.id else "")
        if body is not None:
            return load.request("POST", path, json.dumps(body).encode(), headers)
        if call == "detail":
            return load.request("GET", path, headers=headers)
        return load.request("POST", path, headers=(*headers, "Content-Length: 0"))


def in_turn(requests: Sequence[bytes]) -> load.MakeRequest:
    """Each run goes on where the one before ended: an answer that was given already would change nothing."""
    turning = cycle(requests)
    return lambda _: next(turning)


def _detail(one: Known, place: str) -> dict[str, object]:
    return {
        "createTime": 1_800_000_000_000,
        "content": seeding.CONTENT,
        "address": place,
        "beginTime": one.begin_at,
        "endTime": one.end_at,
        "remindMin": seeding.REMIND_MIN,
        "remindType": 0,
        "members": _members(one.uids),
    }


def _members(uids: Iterable[str]) -> list[dict[str, str]]:
    return [{"uid": uid, "name": "张三丰"} for uid in uids]
