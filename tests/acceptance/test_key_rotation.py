"""`huiyao key rotate` on installations at work: no call is refused, and a kill at any step leaves one key in force."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.acceptance.process import KEY, Installation, Server, eventually, free_port
from tests.acceptance.receiving import ReceiverProcess
from tests.acceptance.stopping import Stopping
from tests.acceptance.traffic import calling

NEW = "the new server key of the acceptance tests"
ANOTHER = "This database belongs to another server key"
WITHIN_SECONDS = 15.0  # of two polls
LOOPBACK = "127.0.0.0/8"


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[ReceiverProcess]:
    with ReceiverProcess(tmp_path / "receiver") as started:
        yield started


def tell(installation: Installation, receiver: ReceiverProcess) -> None:
    """Give the app a callback in the platform's style, for which two secrets must be opened."""
    done = installation.run(
        *("app", "set", str(installation.app_id), "--callback", receiver.url, "--json"),
        callback_private=LOOPBACK,
    )
    assert done.returncode == 0, done.stderr
    token = json.loads(done.stdout)["callback_secret"]
    receiver.configure(style="platform", token=token, appSecret=installation.app_secret)


def key_of(installation: Installation) -> str:
    return (installation.folder / "huiyao.db.key").read_text().strip()


def good(server: Server, token: str) -> bool:
    answer = httpx.post(
        f"{server.address}/openapi/workbench/meetinginvite/inbox",
        headers={"accessToken": token},
        json={"requesterUid": "u2"},
        trust_env=False,
    ).json()
    assert answer["status"] in (0, 4002, 4003), answer
    return bool(answer["status"] == 0)


def test_an_embedded_server_at_work_gets_on_with_a_new_key(
    embedded: Installation, receiver: ReceiverProcess
) -> None:
    tell(embedded, receiver)
    server, before = embedded.serve(callback_private=LOOPBACK), key_of(embedded)
    with calling(embedded, server) as traffic:
        assert before not in embedded.succeed("key", "rotate")
        traffic.go_on(30)
        events = len(receiver.received())
        eventually(lambda: len(receiver.received()) > events + 5, what="events after the rotation")
    assert traffic.refused == []
    assert receiver.forged() == 0
    assert "bad_secret" not in embedded.succeed("callback", "list", "--limit", "1000")
    assert key_of(embedded) != before
    assert server.stop() == 0
    assert good(embedded.serve(), traffic.tokens[-1])
    assert "ok   server key: rotated on" in embedded.run("doctor").stdout


@pytest.mark.postgres
@pytest.mark.timeout(300)
@pytest.mark.thorough
@pytest.mark.parametrize("seconds", [0, 40], ids=["at once", "at leisure"])
def test_nodes_get_the_new_key_one_after_the_other_and_no_call_is_refused(
    scaled: Installation, receiver: ReceiverProcess, seconds: int
) -> None:
    """At leisure, those started with the old key make and take tokens of the new one for a while."""
    tell(scaled, receiver)
    nodes = [scaled.serve("--no-dispatch"), scaled.serve("--no-dispatch", "--workers", "2")]
    dispatchers = [scaled.start("dispatch", callback_private=LOOPBACK)]
    (scaled.folder / "new-key").write_text(NEW)
    with calling(scaled, *nodes) as traffic:
        scaled.succeed("key", "rotate", "--new-key-file", "new-key")
        traffic.go_on(30)
        traffic.go_on_for(seconds)
        late = scaled.serve("--no-dispatch")  # started by somebody who has not heard of it
        traffic.servers.append(late)
        traffic.go_on()
        assert "server key superseded" in late.said
        assert "BAD  server key: rotated on" in scaled.run("doctor").stdout
        scaled.settings["key"] = NEW
        for old in (*nodes, late):
            traffic.servers.append(scaled.serve("--no-dispatch"))
            traffic.servers.remove(old)
            traffic.go_on()
            assert old.stop() == 0
        dispatchers.append(scaled.start("dispatch", callback_private=LOOPBACK))
        assert dispatchers[0].stop() == 0
        scaled.succeed("key", "finish")
        events = len(receiver.received())
        eventually(lambda: len(receiver.received()) > events + 5, what="events after the rotation")
    assert traffic.refused == []
    assert receiver.forged() == 0
    assert "bad_secret" not in scaled.succeed("callback", "list", "--limit", "1000")
    for command in (("serve", "--port", str(free_port())), ("dispatch",), ("app", "rotate", "7")):
        done = scaled.run(*command, key=KEY)
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].startswith(f"huiyao: {ANOTHER}")


@pytest.mark.postgres
@pytest.mark.thorough
def test_processes_with_a_stolen_key_end_by_themselves(scaled: Installation) -> None:
    nodes = [
        scaled.serve("--no-dispatch"),
        scaled.serve("--no-dispatch", "--workers", "2"),
        Server("dispatch", folder=scaled.folder, port=None, **scaled.settings),
        scaled.start("dispatch"),
    ]
    token = scaled.client(*nodes[:1]).token  # type: ignore[arg-type]
    fresh = json.loads(scaled.succeed("key", "rotate", "--revoke", "--json"))["key"]
    for node in nodes:
        eventually(lambda node=node: node.popen.poll() is not None, seconds=WITHIN_SECONDS, what="its end")  # type: ignore[misc]
        assert node.popen.returncode == 1
        assert ANOTHER in node.said
        node.close()
    scaled.settings["key"] = fresh
    server = scaled.serve()
    assert not good(server, token)
    assert scaled.client(server).create("u1", "u2") > 0


def test_a_stolen_key_file_is_replaced_and_the_server_goes_on(embedded: Installation) -> None:
    server = embedded.serve()
    client = embedded.client(server)
    embedded.succeed("key", "rotate", "--revoke")
    assert client.call("inbox", "u1")["status"] in (0, 4002)
    eventually(lambda: not good(server, client.token), seconds=WITHIN_SECONDS, what="the end of its tokens")
    client.get_token()
    assert client.create("u1", "u2") > 0
    assert "of its tokens" not in server.said


def stopped(installation: Installation, point: str, *arguments: str) -> None:
    """Run the command until it kills itself there."""
    process = Stopping(point, 1, *arguments, folder=installation.folder, **installation.settings)
    eventually(process.has_killed_itself, what="the stop")


@pytest.mark.parametrize(
    ("point", "revoke"),
    [
        pytest.param("resealed", (), marks=pytest.mark.thorough),
        ("rotated", ()),
        pytest.param("drafted", (), marks=pytest.mark.thorough),
        pytest.param("replaced", (), marks=pytest.mark.thorough),
        pytest.param("rotated", ("--revoke",), marks=pytest.mark.thorough),
        pytest.param("replaced", ("--revoke",), marks=pytest.mark.thorough),
    ],
)
def test_an_embedded_rotation_may_be_killed_at_any_step(
    embedded: Installation, point: str, revoke: tuple[str, ...]
) -> None:
    server, before = embedded.serve(), key_of(embedded)
    token = embedded.client(server).token
    stopped(embedded, point, "key", "rotate", *revoke)
    assert (key_of(embedded) != before) == (point == "replaced")
    assert embedded.client(server).create("u1", "u2") > 0, "with the server at work"
    server.kill()
    again = embedded.serve()
    assert good(again, token) == (not revoke or point == "resealed")
    assert embedded.client(again).create("u1", "u2") > 0
    assert (key_of(embedded) != before) == (point != "resealed"), "the file was mended at the start"
    embedded.succeed("key", "rotate")
    assert embedded.client(again).create("u1", "u2") > 0


@pytest.mark.postgres
@pytest.mark.parametrize("point", [pytest.param("resealed", marks=pytest.mark.thorough), "rotated"])
def test_a_rotation_on_postgresql_may_be_killed_at_any_step(scaled: Installation, point: str) -> None:
    (scaled.folder / "new-key").write_text(NEW)
    server = scaled.serve()
    stopped(scaled, point, "key", "rotate", "--new-key-file", "new-key")
    assert scaled.client(server).create("u1", "u2") > 0
    assert scaled.client(scaled.serve("--no-dispatch")).create("u1", "u2") > 0, "with the old key"
    done = scaled.run("app", "list", key=NEW)
    assert done.returncode == 0, "the list needs no key"
    assert (scaled.run("app", "rotate", "7", key=NEW).returncode == 0) == (point == "rotated")
    scaled.succeed("key", "rotate", "--new-key-file", "new-key")
    assert scaled.run("app", "rotate", "7", "--secret-file", "secret", key=NEW).returncode == 0
    scaled.settings["key"] = NEW
    assert scaled.client(scaled.serve("--no-dispatch")).create("u1", "u2") > 0
    assert scaled.client(server).create("u1", "u2") > 0


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("form", "begins"), [((), "new server key  "), (("--json",), '{"rotated":true,"key":"')]
)
def test_a_new_key_is_on_the_screen_before_it_is_in_force(
    scaled: Installation, form: tuple[str, ...], begins: str
) -> None:
    arguments = ("key", "rotate", "--revoke", *form)
    process = Stopping("resealed", 1, *arguments, folder=scaled.folder, **scaled.settings)
    eventually(process.has_killed_itself, what="the stop")
    assert process.out.read_text().startswith(begins)


def test_an_empty_file_is_no_key(embedded: Installation) -> None:
    before = key_of(embedded)
    done = embedded.run("key", "rotate", "--new-key-file", "-", given="\n")
    assert done.returncode == 1
    assert "32 or more printable" in done.stderr
    assert key_of(embedded) == before
