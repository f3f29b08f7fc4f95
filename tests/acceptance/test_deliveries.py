"""Texts through `log:`, as an operator sees them: the list, one of them, the retry, the metrics, the sandbox's page."""

import json
import re
from typing import Any

import httpx

from tests.acceptance.process import ORG, Client, Installation, Server, eventually

ANN, BOB = "13800138001", "13800138002"
_ORG = ("--org", str(ORG))


def people(installation: Installation) -> None:
    rows = f"uid,name,mobile,locale\nu2,安,{ANN},\nu3,Bob,{BOB},en\nu4,查,,\n"
    (installation.folder / "people.csv").write_text(rows)
    installation.succeed("person", "import", "people.csv", *_ORG)


def listed(installation: Installation, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(installation.succeed("delivery", "list", "--json", *options))
    return found


def ended(installation: Installation, count: int) -> dict[str, dict[str, Any]]:
    """By uid, once so many deliveries have come to an end."""

    def look() -> list[dict[str, Any]] | None:
        found = listed(installation)
        return found if len(found) == count and all(one["ended_at"] for one in found) else None

    return {one["uid"]: one for one in eventually(look, what=f"the end of {count} deliveries")}


def invite(installation: Installation) -> tuple[Server, Client, int]:
    people(installation)
    server = installation.serve()
    client = installation.client(server)
    return server, client, client.create("u1", "u2", "u3", "u4", content="季度预算", remindType=1)


def test_an_operator_sees_what_became_of_each_text(embedded: Installation) -> None:
    _, _, meeting = invite(embedded)
    found = ended(embedded, 3)
    assert {uid: (one["state"], one["reason"]) for uid, one in found.items()} == {
        "u2": ("sent", ""),
        "u3": ("sent", ""),
        "u4": ("skipped", "no_number"),
    }
    assert [one["uid"] for one in listed(embedded, "--state", "skipped", *_ORG)] == ["u4"]
    assert [one["uid"] for one in listed(embedded, "--uid", "u3", "--meeting", str(meeting))] == ["u3"]
    assert len(listed(embedded, "--limit", "2")) == 2
    plain = embedded.succeed("delivery", "list")
    assert len(plain.splitlines()) == 4, "a header, and a line for each, however wide"
    assert "no_number" in plain
    assert "季度预算" not in plain
    assert ANN not in plain
    shown = json.loads(embedded.succeed("delivery", "show", str(found["u2"]["id"]), *_ORG, "--json"))
    assert shown["number"] == "…8001"
    assert shown["text"].startswith("name of u1邀请您参加会议：季度预算。时间：")
    assert "invites you" in embedded.succeed("delivery", "show", str(found["u3"]["id"]), *_ORG)


def test_a_skipped_delivery_can_be_sent_after_all_and_a_sent_one_cannot(embedded: Installation) -> None:
    invite(embedded)
    found = ended(embedded, 3)
    (embedded.folder / "late.csv").write_text("uid,name,mobile\nu4,查,13800138004\n")
    embedded.succeed("person", "import", "late.csv", *_ORG)
    skipped, sent = str(found["u4"]["id"]), str(found["u2"]["id"])
    refused = embedded.run("delivery", "retry", skipped, sent, *_ORG)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"Delivery {sent} is sent" in refused.stderr
    assert listed(embedded, "--uid", "u4")[0]["state"] == "skipped"
    embedded.succeed("delivery", "retry", skipped, *_ORG)
    eventually(lambda: listed(embedded, "--uid", "u4")[0]["state"] == "sent", what="the text after all")
    unknown = embedded.run("delivery", "show", "12345678", *_ORG)
    assert (unknown.returncode, unknown.stderr.count("\n")) == (1, 1)
    wrong = embedded.run("delivery", "list", "--state", "lost")
    assert "--state must be one of pending, sending" in wrong.stderr
    assert embedded.succeed("delivery", "replies") == "No texts came in.\n"


def test_metrics_and_log_tell_of_texts_without_numbers_or_words(embedded: Installation) -> None:
    server, _, _ = invite(embedded)
    ended(embedded, 3)

    def counted(metric: str) -> bool:
        return metric in httpx.get(f"{server.address}/metrics", trust_env=False).text

    for state, reason, count in (("sent", "", 2), ("skipped", "no_number", 1)):
        labels = f'channel="sms",kind="invited",reason="{reason}",state="{state}"'
        eventually(
            lambda labels=labels, count=count: counted(f"huiyao_deliveries_total{{{labels}}} {count}.0"),  # type: ignore[misc]
            what=f"{count} {state}",
        )
    assert counted('huiyao_lateness_seconds_count{channel="sms",kind="invited"} 2.0')
    assert counted('huiyao_lateness_seconds_count{channel="inbox",kind="announce"} 1.0')
    assert server.stop() == 0
    lines = [json.loads(line) for line in server.err.read_text().splitlines()]
    told = [line for line in lines if line["event"] == "delivery"]
    assert sorted((line["state"], line["reason"]) for line in told) == [
        ("sent", ""),
        ("sent", ""),
        ("skipped", "no_number"),
    ]
    for private in (ANN, ANN[-8:], BOB, "季度预算", "安", "Bob"):
        assert private not in server.said


def test_a_dispatcher_of_its_own_answers_health_and_metrics_where_it_is_told_to(scaled: Installation) -> None:
    people(scaled)
    watched = Server("dispatch", folder=scaled.folder, port=None, **scaled.settings)
    try:
        calls = scaled.serve("--no-dispatch")
        client = scaled.client(calls)
        client.create("u1", "u2", remindType=1)
        eventually(lambda: [one["state"] for one in listed(scaled)] == ["sent"], what="the text")
        answers = {
            path: httpx.get(f"{watched.address}{path}", trust_env=False)
            for path in ("/readyz", "/metrics", "/openapi/openapi.json", "/sms/kannel/receipt")
        }
        assert [one.status_code for one in answers.values()] == [200, 200, 404, 404]
        assert 'huiyao_deliveries_total{channel="sms"' in answers["/metrics"].text
        assert watched.stop() == 0
    finally:
        watched.close()


def test_what_waits_is_measured_by_kind_and_channel(embedded: Installation) -> None:
    people(embedded)
    server = embedded.serve(sms_url="kannel://u:p@127.0.0.1:9")  # nobody listens there
    embedded.client(server).create("u1", "u2", remindType=1)

    def depth() -> str | None:
        text = httpx.get(f"{server.address}/metrics", trust_env=False).text
        found = re.search(r'huiyao_queue_depth\{channel="sms",kind="invited"\} (\S+)', text)
        return found[1] if found else None

    eventually(lambda: depth() == "1.0", what="the text in the queue")
    eventually(lambda: listed(embedded)[0]["reason"] == "unreachable", what="the reason")


def test_the_sandbox_shows_its_texts_and_nobody_else_does(tmp_path: Any, embedded: Installation) -> None:
    server = Server("demo", folder=tmp_path)
    try:
        eventually(lambda: "/demo/sms" in server.out.read_text(), what="the guide")

        def page(language: str) -> str:
            asked = {"Accept-Language": language}
            return httpx.get(f"{server.address}/demo/sms", headers=asked, trust_env=False).text

        eventually(lambda: page("zh").count('<li class="card">') >= 6, what="the invitations", seconds=10)
        assert "李强邀请您" not in page("zh")
        assert "王芳邀请您参加会议：晨会。" in page("zh-CN")
        assert "李强 +8613800138002" in page("zh-CN")
        assert "no_number" in page("en")
        assert "Invitation" in page("en")
        assert "2 SMS" in page("en")
    finally:
        server.close()
    plain = embedded.serve()
    assert httpx.get(f"{plain.address}/demo/sms", trust_env=False).status_code == 404
