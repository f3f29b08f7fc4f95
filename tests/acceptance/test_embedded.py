"""One `huiyao serve` with a SQLite file."""

import json
import sqlite3
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from huiyao.client import Invitee, MsgStatus, Person, PushStatus
from huiyao.client.errors import MeetingCancelled
from tests.acceptance.process import Installation, eventually, free_port


def test_an_invitation_goes_its_way_from_create_to_cancel(embedded: Installation) -> None:
    server = embedded.serve()
    huiyao = embedded.huiyao(server)
    creator, first, second = huiyao.person("u1", name="王芳"), huiyao.person("u2"), huiyao.person("u3")
    begin = datetime(2096, 10, 2, 8, tzinfo=UTC)
    members = [Invitee("u2", "李强"), Invitee("u3", "张敏")]
    meeting = creator.create(content="预算", begin=begin, end=begin + timedelta(hours=1), members=members)
    eventually(lambda: kinds(first) == ["invited"], what="the invitation")
    first.read(meeting)
    first.respond(meeting, MsgStatus.ACCEPTED, reply="好的")
    seen = second.detail(meeting)
    assert seen.push_status == PushStatus.PUSHED
    assert [one.msg_status for one in seen.members] == [MsgStatus.ACCEPTED, MsgStatus.UNREAD]
    creator.update(seen, begin=begin + timedelta(minutes=1))
    eventually(lambda: kinds(first) == ["invited", "updated"], what="the change")
    assert [one.msg_status for one in second.detail(meeting).members] == [MsgStatus.UNREAD] * 2
    creator.cancel(meeting)
    eventually(lambda: kinds(second) == ["invited", "updated", "cancelled"], what="the cancellation")
    assert first.detail(meeting).push_status == PushStatus.CANCELLED
    with pytest.raises(MeetingCancelled):
        first.respond(meeting, MsgStatus.DECLINED)
    assert server.stop() == 0


def kinds(person: Person) -> list[str]:
    """Of the messages in the inbox, oldest first."""
    return [message.kind for message in person.inbox().messages]


def test_a_second_serve_on_the_same_file_is_refused(embedded: Installation) -> None:
    embedded.serve()
    for command in (("serve", "--port", str(free_port())), ("dispatch",)):
        done = embedded.run(*command)
        assert done.returncode == 1
        assert done.stderr == (
            "huiyao: huiyao.db is in use by another huiyao process;"
            " a SQLite file is served by one at a time.\n"
        )


def test_commands_run_beside_serve_and_reach_it(embedded: Installation) -> None:
    client = embedded.client(embedded.serve())
    client.create("u1", "u2")
    embedded.succeed("app", "disable", str(embedded.app_id))
    eventually(
        lambda: client.call("inbox", "u2")["status"] == 4002, seconds=8, what="the refusal of its token"
    )


def test_a_rotated_secret_is_refused_and_its_tokens_only_when_revoked(embedded: Installation) -> None:
    client = embedded.client(embedded.serve())
    embedded.succeed("app", "rotate", str(embedded.app_id))
    with pytest.raises(AssertionError, match="4007"):
        client.get_token()
    assert client.call("inbox", "u1")["status"] == 0
    fresh = json.loads(embedded.succeed("app", "rotate", str(embedded.app_id), "--revoke", "--json"))
    eventually(
        lambda: client.call("inbox", "u1")["status"] == 4002, seconds=8, what="the refusal of its token"
    )
    embedded.app_secret = fresh["app_secret"]
    assert embedded.client(*client.servers).call("inbox", "u1")["status"] == 0


def test_tokens_survive_a_restart(embedded: Installation) -> None:
    server = embedded.serve()
    client = embedded.client(server)
    meeting = client.create("u1", "u2")
    assert server.stop() == 0
    client.servers = (embedded.serve(),)
    assert client.do("detail", "u1", meetingInviteId=meeting)["createrId"] == "u1"


def test_readiness_names_what_is_wrong(embedded: Installation) -> None:
    server = embedded.serve("--no-dispatch")
    answer = httpx.get(f"{server.address}/readyz", trust_env=False)
    assert answer.status_code == 503
    assert answer.json() == {
        "ready": False,
        "problems": ["No dispatcher is alive: nobody is invited or reminded."],
    }


def test_it_is_ready_once_the_dispatcher_runs_and_shows_metrics(embedded: Installation) -> None:
    server = embedded.serve()
    eventually(
        lambda: httpx.get(f"{server.address}/readyz", trust_env=False).status_code == 200, what="readiness"
    )
    client = embedded.client(server)
    meeting = client.create("u1", "u2")
    eventually(lambda: client.inbox("u2") == [(meeting, "invited")], what="the invitation")
    shown = httpx.get(f"{server.address}/metrics", trust_env=False).text
    assert "huiyao_dispatch_messages_total 1.0" in shown
    assert "huiyao_calls_total{call=" in shown


def test_an_unknown_path_gets_the_envelope(embedded: Installation) -> None:
    server = embedded.serve()
    answer = httpx.get(f"{server.address}/elsewhere", headers={"Accept-Language": "en"}, trust_env=False)
    assert answer.status_code == 404
    assert answer.json() == {"status": -1, "message": "there is no such call"}


def test_a_newer_schema_is_refused(embedded: Installation) -> None:
    with sqlite3.connect(embedded.folder / "huiyao.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    done = embedded.run("serve", "--port", str(free_port()))
    assert done.returncode == 1
    assert "9999" in done.stderr
    assert done.stderr.count("\n") == 1


def test_another_server_key_is_refused(embedded: Installation) -> None:
    done = embedded.run("serve", "--port", str(free_port()), key="another key, but of the right length")
    assert done.returncode == 1
    assert done.stderr == (
        "huiyao: This database belongs to another server key;"
        " tokens and app secrets need the one it was made with or rotated to.\n"
    )


def test_a_lost_key_file_is_named_and_not_made_anew(embedded: Installation) -> None:
    (embedded.folder / "huiyao.db.key").unlink()
    done = embedded.run("serve", "--port", str(free_port()))
    assert done.returncode == 1
    assert "huiyao.db.key is gone" in done.stderr
    assert not (embedded.folder / "huiyao.db.key").exists()


def test_key_and_database_are_for_their_owner_only(embedded: Installation) -> None:
    for name in ("huiyao.db", "huiyao.db.key"):
        assert (embedded.folder / name).stat().st_mode & 0o777 == 0o600


def test_several_workers_on_sqlite_are_refused(embedded: Installation) -> None:
    done = embedded.run("serve", "--workers", "2", "--port", str(free_port()))
    assert done.returncode == 1
    assert done.stderr == (
        "huiyao: More than one worker needs PostgreSQL: a SQLite file is served by one process at a time.\n"
    )
