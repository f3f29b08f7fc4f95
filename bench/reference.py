"""The bare reference: uvicorn, ASGI, msgspec and the same SQL; no token, rules, checks, log or metrics.

It writes the same rows with the same group commit and durability and gives the same answer bytes; what Huiyao
costs beyond it is what Huiyao does. Usage: reference.py DATABASE_URL PORT
"""

import asyncio
import base64
import itertools
import os
import struct
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import msgspec
import uvicorn

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.stores import Postgres, Rows, Sqlite

ZONE = ZoneInfo("Asia/Shanghai")
ORG, APP = 85161, 1
INBOX = (
    "SELECT id, kind, meeting_id, params, created_at, read_at, xid FROM message"
    " WHERE org_id = {} AND uid = {} ORDER BY xid DESC, id DESC LIMIT {}"
)
UNREAD = "SELECT count(*) FROM message WHERE org_id = {} AND uid = {} AND read_at IS NULL"
encode = msgspec.json.Encoder().encode


class MemberIn(msgspec.Struct):
    uid: str
    name: str


class DetailIn(msgspec.Struct):
    createTime: int
    content: str
    address: str
    beginTime: int
    endTime: int
    remindMin: int
    remindType: int
    members: list[MemberIn]


class Body(msgspec.Struct):
    requesterUid: str
    requesterName: str = ""
    meetingInviteId: int = 0
    detail: DetailIn | None = None


decode = msgspec.json.Decoder(Body).decode


# fmt: off
def rows_of(body: Body, ids: "itertools.count[int]", now: int) -> tuple[int, Rows]:
    detail = body.detail
    assert detail
    uid, name, id, size = body.requesterUid, body.requesterName, next(ids), len(detail.members) + 1
    start = (0, 1, "", None, None, None, None, 1, 0, None)
    end = (detail.beginTime, detail.endTime)
    links = iter(memoryview(os.urandom(8 * size)).cast("Q"))
    people = [(ORG, id, m.uid, m.name, p, 0, *start, 0, *end, next(links) >> 1 or 1)
              for p, m in enumerate(detail.members)]
    people.append((ORG, id, uid, name, -1, 1, *start, 1, *end, next(links) >> 1 or 1))
    remind_at = detail.beginTime - detail.remindMin * 60_000
    return id, {
        "meeting": [(ORG, id, APP, uid, name, detail.content, detail.address, detail.beginTime,
                     detail.endTime, detail.remindMin, detail.remindType, 0, 0, 0, f"{id}.{ORG}@huiyao",
                     detail.createTime, now, now, None, None, size)],
        "attendee": people,
        "history": [(ORG, next(ids), id, now, APP, uid, "created", "{}")],
        "task": [(ORG, next(ids), now, "announce", id, 0, f"announce:{id}:0", "created", 0, "", ""),
                 (ORG, next(ids), remind_at, "remind", id, 0, f"remind:{id}", "", 0, "", "")],
    }
# fmt: on


async def detail_of(store: Sqlite | Postgres, id: int) -> bytes:
    meeting, people = await store.whole_meeting(ORG, id)
    creator, name, content, address, begin_at, end_at, remind_min, remind_type = meeting[3:11]
    push_status, sequence, create_time = meeting[11], meeting[12], meeting[15]
    detail = {
        "createTime": create_time,
        "content": content,
        "address": address,
        "beginTime": begin_at,
        "endTime": end_at,
        "remindMin": remind_min,
        "remindType": remind_type,
        "members": [
            {"uid": p[0], "name": p[1], "msgStatus": p[4], "remind": p[5] == 1, "isRemind": p[5] == 1}
            for p in people
            if p[2] >= 0 and p[10] is None
        ],
    }
    data = {
        "meetingInviteId": id,
        "orgId": ORG,
        "createrId": creator,
        "createrName": name,
        "pushStatus": push_status,
    }
    return encode({"status": 0, "data": {**data, "sequence": sequence, "detail": detail}})


def moments(begin_at: int, end_at: int) -> str:
    begin, end = (datetime.fromtimestamp(at / 1000, ZONE) for at in (begin_at, end_at))
    day = f"{begin.year}年{begin.month}月{begin.day}日 周{'一二三四五六日'[begin.weekday()]}"
    return f"{day} {begin:%H:%M}–{end:%H:%M}"


async def inbox_of(store: Sqlite | Postgres, uid: str) -> bytes:
    found = await store.rows(INBOX, ORG, uid, 50)
    ((unread,),) = await store.rows(UNREAD, ORG, uid)
    items = []
    for id, kind, meeting_id, params, created_at, read_at, _ in reversed(found):
        p = msgspec.json.decode(params)
        when = moments(p["begin_at"], p["end_at"])
        text = f"{p['organizer']}邀请您参加会议：{p['content']}。时间：{when}，地点：{p['address']}"
        items.append({"messageId": id, "kind": kind, "meetingInviteId": meeting_id, "text": text})
        items[-1] |= {"createTime": created_at, "read": read_at is not None}
    end = struct.pack(">QQ", found[0][6], found[0][0]) if found else bytes(16)
    cursor = base64.urlsafe_b64encode(end).rstrip(b"=").decode()
    return encode({"status": 0, "data": {"items": items, "unread": unread, "nextCursor": cursor}})


class Reference:
    """POST …/create, …/detail and …/inbox; everything else is answered as detail."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.ids = itertools.count(1_000_000_000_000)
        self.store: Sqlite | Postgres | None = None

    async def open(self) -> Sqlite | Postgres:
        if self.url.startswith("sqlite"):
            return Sqlite(self.url.removeprefix("sqlite:///"))
        return Postgres(await asyncpg.create_pool(self.url, min_size=10, reset=lambda _: asyncio.sleep(0)))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            self.store = await self.open()
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        assert self.store
        raw, more = b"", True
        while more:
            part = await receive()
            raw, more = raw + part["body"], part.get("more_body", False)
        body = decode(raw)
        if scope["path"].endswith("/create"):
            id, rows = rows_of(body, self.ids, time.time_ns() // 1_000_000)
            await self.store.insert(rows)
            answer = b'{"status":0,"data":{"meetingInviteId":%d}}' % id
        elif scope["path"].endswith("/inbox"):
            answer = await inbox_of(self.store, body.requesterUid)
        else:
            answer = await detail_of(self.store, body.meetingInviteId)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


if __name__ == "__main__":
    uvicorn.run(
        Reference(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]), access_log=False, log_level="warning"
    )
