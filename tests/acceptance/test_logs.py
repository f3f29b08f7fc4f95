"""What a whole run writes to its logs: no secret, token, query string, name, text or number."""

import httpx

from tests.acceptance.process import Installation, Server, detail, eventually

MOBILE = "13912345678"
PHRASE = "a-very-private-phrase"


def speak_of_everything(embedded: Installation, server: Server) -> list[str]:
    """Calls that succeed and fail in every way; answers what must not be found in the logs."""
    (embedded.folder / "people.csv").write_text(f"uid,name,mobile\nu2,李强,{MOBILE}\nu3,,{MOBILE}\n")
    embedded.run("person", "import", "people.csv", "--org", "85161", "--skip-bad")
    client = embedded.client(server)
    tokens = [client.token, client.get_token()]
    meeting = client.create("u1", "u2", content=PHRASE)
    eventually(lambda: client.inbox("u2") == [(meeting, "invited")], what="the invitation")
    client.do("respond", "u2", meetingInviteId=meeting, msgStatus=2, reply=PHRASE)
    for name in ("create", "update", "cancel", "respond", "inbox", "nothing"):
        client.call(name, "u9", meetingInviteId=meeting, detail=detail(PHRASE, remindMin=PHRASE))
    with httpx.Client(base_url=server.address, trust_env=False) as http:
        http.get("/openapi/token/get", params={"appId": embedded.app_id, "appSecret": PHRASE})
        http.get("/elsewhere", params={"accessToken": tokens[0]}, headers={"X-Request-Id": "of-the-test"})
        http.post("/openapi/workbench/meetinginvite/inbox", params={"accessToken": PHRASE}, content=PHRASE)
        http.post(f"/openapi/meeting/cancel?meetingId={PHRASE}", headers={"accessToken": tokens[1]})
    embedded.succeed("person", "erase", "u2", "--org", "85161")
    key = (embedded.folder / "huiyao.db.key").read_text().strip()
    return [embedded.app_secret, key, *tokens, "accessToken=", "appSecret", "?", MOBILE, PHRASE, "李强"]


def test_a_whole_run_at_level_debug_logs_nothing_private(embedded: Installation) -> None:
    server = embedded.serve(log_level="debug")
    private = speak_of_everything(embedded, server)
    assert server.stop() == 0
    assert "create" in server.said
    for one in private:
        assert one not in server.said


def test_a_password_in_the_database_url_is_never_shown(embedded: Installation) -> None:
    url = "postgresql://huiyao:hunter2hunter2@127.0.0.1:1/huiyao"
    for command in (("serve", "--port", "1"), ("app", "list"), ("doctor",), ("db", "migrate")):
        done = embedded.run(*command, database_url=url, key=PHRASE * 2, log_level="debug")
        assert done.returncode == 1
        assert "hunter2" not in done.stdout + done.stderr
        assert PHRASE not in done.stdout + done.stderr


def test_a_password_on_the_command_line_is_refused(embedded: Installation) -> None:
    done = embedded.run("app", "list", "--database", "postgresql://huiyao:hunter2hunter2@127.0.0.1/huiyao")
    assert done.returncode == 1
    assert "process list" in done.stderr
    assert "hunter2" not in done.stderr
