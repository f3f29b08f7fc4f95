"""`huiyao history`, in this process on a SQLite file of its own."""

import asyncio

import pytest

from huiyao.model import MsgStatus
from huiyao.rules import commands
from huiyao.service import history, meetings
from huiyao.service.caller import Caller
from huiyao.storage.opening import open_storage
from tests.storage.node import APP, HOUR, MINUTE, NOW, ORG, Node, StoppedClock, caller
from tests.unit import test_cli
from tests.unit.test_cli import Shell

huiyao = test_cli.huiyao


async def a_meeting_with_a_past() -> int:
    storage = await open_storage("sqlite:///huiyao.db")
    node = Node(storage, StoppedClock())
    await storage.put_org(ORG)
    await storage.put_app(APP)
    meeting_id = await node.create("ann", "bob")
    node.clock.moment += MINUTE
    answer = commands.Respond(msg_status=MsgStatus.DECLINED, reply="no\ntime\u202e")
    await meetings.respond(node.services, Caller(None, ORG, "ann"), meeting_id, answer)
    node.clock.moment += MINUTE
    await node.update(meeting_id, "ann", "cid", begin_at=NOW + 30 * HOUR, address="hall")
    await node.remind(meeting_id, "cid", wanted=False)
    await meetings.delete(node.services, caller("ann"), meeting_id)
    await node.cancel(meeting_id)
    await storage.close()
    return meeting_id


@pytest.fixture
def meeting(huiyao: Shell) -> str:
    """The id of a meeting that was made, answered, moved and cancelled."""
    assert huiyao("db", "migrate").code == 0
    return str(asyncio.run(a_meeting_with_a_past()))


def test_history_is_a_line_for_each_change_with_old_and_new_values(huiyao: Shell, meeting: str) -> None:
    done = huiyao("history", meeting, "--org", "1")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "2023-11-14 22:13:20Z  created    boss  app 7",
        "2023-11-14 22:14:20Z  responded  ann  -"
        '  msg_status unread → declined; reply "" → "no\\u000atime\\u202e"',
        '2023-11-14 22:15:20Z  updated    boss  app 7  address "room 1" → "hall";'
        " begin_at 2023-11-15 22:13:20Z → 2023-11-16 04:13:20Z;"
        " end_at 2023-11-15 23:13:20Z → 2023-11-16 05:13:20Z; added cid; removed bob",
        "2023-11-14 22:15:20Z  remind     cid  app 7  remind on → off",
        "2023-11-14 22:15:20Z  deleted    ann  app 7  card_removed_at - → 2023-11-14 22:15:20Z",
        "2023-11-14 22:15:20Z  cancelled  boss  app 7",
    ]


def test_history_as_json_has_what_was_changed_as_it_is_kept(huiyao: Shell, meeting: str) -> None:
    found = huiyao("history", meeting, "--org", "1", "--json").json
    assert [(one["kind"], one["uid"], one["app_id"]) for one in found][:3] == [
        ("created", "boss", 7),
        ("responded", "ann", None),
        ("updated", "boss", 7),
    ]
    assert found[1]["at"] == NOW + MINUTE
    assert found[1]["change"]["reply"] == ["", "no\ntime\u202e"]
    assert found[2]["change"]["removed"] == ["bob"]


def test_a_long_history_is_shown_whole(huiyao: Shell, meeting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "ENTRIES_AT_ONCE", 2)
    assert len(huiyao("history", meeting, "--org", "1").out.splitlines()) == 6


def test_of_an_erased_person_no_word_is_left(huiyao: Shell, meeting: str) -> None:
    assert huiyao("person", "erase", "ann", "--org", "1").code == 0
    lines = huiyao("history", meeting, "--org", "1").out.splitlines()
    assert lines[1] == "2023-11-14 22:14:20Z  responded  ann  -"


def test_a_meeting_that_is_not_there_is_one_line(huiyao: Shell, meeting: str) -> None:
    for arguments in (
        ("9", "1"),
        (meeting, "2"),
        ("0", "1"),
        (meeting, "0"),
        ("9" * 30, "1"),
        (meeting, "9" * 30),
    ):
        done = huiyao("history", arguments[0], "--org", arguments[1])
        assert (done.code, done.out) == (1, ""), arguments
        assert done.err == f"huiyao: There is no meeting {arguments[0]} in organisation {arguments[1]}.\n"
