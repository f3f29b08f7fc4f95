"""A whole life of an installation, told so that everything private passes everywhere it could be said aloud.

Whatever is private is given to a `Private`; what was answered is kept in `answers`, to be looked through afterwards.
"""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from huiyao.pages import visitor
from tests.acceptance.private import Private
from tests.acceptance.process import ORG, Installation, Server, detail, eventually
from tests.acceptance.receiving import ReceiverProcess
from tests.acceptance.slow_gateway import SlowGateway

MOBILES = {"u1": "13912345671", "u2": "13887654322", "u3": "15898765433"}
BAD_MOBILES = ("139123456789", "1391234567x", "12055550123456")
STRANGER = "18611223344"
PHRASE = "绝密的季度预算-a-very-private-phrase"
PLACE = "保密会议室-a-private-place"
GATEWAY_PASSWORD = "gateway-password-of-the-tests"
WRONG_TOKEN = "7_1_9999999999999_wrong-token-that-somebody-tried"
URL_SECRET = "secret-in-a-callback-url"
# Of each call and page that answers otherwise than with success.
Answers = list[tuple[str, str]]


class Saying:
    def __init__(self, installation: Installation, private: Private) -> None:
        self.installation = installation
        self.private = private
        self.answers: Answers = []
        self.spoken: Answers = []  # what commands said
        self.token = self.link = self.receipt = ""  # the last of each
        private.keep(installation.app_secret, "app secret")
        private.keep(PHRASE, "content")
        private.keep(PLACE, "place")
        private.keep(GATEWAY_PASSWORD, "gateway's password")
        private.keep(URL_SECRET, "query of a callback's URL")
        for number in (*MOBILES.values(), STRANGER):
            private.keep_number(number)

    # Commands

    def command(self, *arguments: str, shows: tuple[str, ...] = (), given: str = "", **settings: str) -> str:
        """Run it at level debug; `shows`: the fields of its JSON that are meant to be seen now and never again."""
        done = self.installation.run(*arguments, given=given, log_level="debug", **settings)
        out = done.stdout
        if shows:
            found = json.loads(out)
            for field in shows:
                self.private.keep(found[field], f"{field} of {' '.join(arguments[:2])}")
            out = ""
        self.spoken.append((" ".join(arguments), out + done.stderr))
        return done.stdout

    def furnish(self, receiver: ReceiverProcess) -> None:
        """People with numbers and addresses, good and bad; a second app; a receiver for each."""
        people = [
            f"{uid},name of {uid},{number},{uid}.private@example.org" for uid, number in MOBILES.items()
        ]
        bad = [f"b{place},bad,{number},bad.private@" for place, number in enumerate(BAD_MOBILES)]
        for number in BAD_MOBILES:
            self.private.keep_number(re.sub("[^0-9]", "", number))
        for uid in MOBILES:
            self.private.keep(f"{uid}.private", "address")
        self.private.keep("bad.private", "bad address")
        header = "uid,name,mobile,email"
        folder = self.installation.folder
        (folder / "people.csv").write_text("\n".join([header, *people, *bad]))
        (folder / "broken.csv").write_text(f'{header}\nu1,"{MOBILES["u1"]}\n')
        for file in ("people.csv", "broken.csv"):
            self.command("person", "import", file, "--org", str(ORG))
            self.command("person", "import", file, "--org", str(ORG), "--skip-bad", "--json")
        app = str(self.installation.app_id)
        for grant in ("ticket", "freebusy", "changes"):
            self.command("app", "set", app, "--grant", grant)
        where = ("--callback", f"{receiver.url}?token={URL_SECRET}")
        self.command("app", "set", app, *where, "--json", shows=("callback_secret",))
        self.command("app", "set", app, "--rotate-callback", "--json", shows=("callback_secret",))
        standard = ("--callback-style", "standard", "--json")
        self.command(
            *("app", "add", "--name", "second", "--org", str(ORG), "--app-id", "8", *where, *standard),
            shows=("app_secret", "callback_secret"),
        )
        self.command("app", "rotate", "8", "--json", shows=("app_secret",))
        self.command("app", "rotate", "9", "--secret-file", "-", given=f"{GATEWAY_PASSWORD}\n")
        self.command("app", "rotate", "8", "--secret-file", "-", "--json", given="短")
        self.command(
            "app", "set", app, "--callback", f"http://user:{URL_SECRET}@169.254.169.254/?k={URL_SECRET}"
        )
        self.command("callback", "test", app)
        self.command("callback", "test", "8", callback_private="")

    def look_around(self) -> None:
        """Every command that shows something, and some that cannot."""
        org = ("--org", str(ORG))
        for arguments in (
            ("doctor",),
            ("app", "list"),
            ("callback", "list"),
            ("delivery", "list"),
            ("delivery", "replies"),
            ("history", "7777777", *org),
            ("delivery", "show", "1", *org),
            ("db", "check"),
            ("db", "restored"),
            ("db", "backup", "/nowhere/at-all"),
            ("person", "erase", "nobody", *org),
            ("key", "rotate", "--new-key-file", "people.csv"),
        ):
            self.command(*arguments)
        for one in json.loads(self.command("delivery", "list", "--json"))[:3]:
            shown = self.command("delivery", "show", str(one["id"]), *org)
            self.spoken.pop()  # the text itself is what it is for
            assert not re.search(r"\d{8}", re.sub(r"(?m)^(?!number).*$", "", shown)), shown

    # Calls

    def call_everything(self, server: Server) -> None:
        """Each call of the OpenAPI document, rightly and wrongly, with the token in the query and in a header."""
        with httpx.Client(base_url=server.address, trust_env=False, timeout=30) as http:
            token = self.token = self._tokens(http)
            wrong = [self.private.keep(one, "wrong token") for one in (WRONG_TOKEN, f"{token[:-2]}00")]
            paths = http.get("/openapi/openapi.json").json()["paths"]
            for path, methods in paths.items():
                for method in methods:
                    for request in _requests(method, path, token, wrong):
                        self._note(http.send(http.build_request(**request)))
            self._note(http.get("/elsewhere", params={"accessToken": token, "from": MOBILES["u1"]}))
            self._note(
                http.get(f"/sms/kannel/receipt?org={ORG}&delivery=1&attempt=1&key={URL_SECRET}&status=1")
            )
            self._note(http.get(f"/sms/kannel/inbound?key={URL_SECRET}&from=%2B86{STRANGER}&text={PHRASE}"))

    def _tokens(self, http: httpx.Client) -> str:
        secret, token = self.installation.app_secret, ""
        known = {"appId": str(self.installation.app_id), "appSecret": secret}
        for request in ({"params": known}, {"headers": known}, {"params": {**known, "flags": "0"}}):
            answer = http.get("/openapi/token/get", **request).json()  # type: ignore[arg-type]
            token = self.private.keep(answer["data"]["accessToken"], "token")
            self.private.keep(answer["data"]["jsapiTicket"], "ticket of no use")
        wrong = {**known, "appSecret": self.private.keep("wrong-secret-that-somebody-tried", "wrong secret")}
        for request in (
            {"params": wrong},
            {"headers": wrong},
            {"params": {**known, "appId": MOBILES["u1"]}},
            {"params": {**known, "flags": PHRASE}},
        ):
            self._note(http.get("/openapi/token/get", **request))  # type: ignore[arg-type]
        return token

    def _note(self, answer: httpx.Response) -> dict[str, Any]:
        """Keep what a failure says."""
        try:
            found: dict[str, Any] = answer.json()
        except ValueError:
            found = {}
        if answer.status_code >= 400 or found.get("status", 0) != 0:
            name = f"{answer.request.method} {answer.request.url.path}"
            said = answer.text if "html" not in answer.headers.get("content-type", "") else ""
            self.answers.append((name, said + str(sorted(answer.headers.items()))))
        return found

    def call_in_vain(self, server: Server) -> None:
        """While the database is away, or takes nothing."""
        body = {"requesterUid": "u1", "requesterName": PHRASE, "detail": detail("u2", content=PHRASE)}
        known = {"appId": str(self.installation.app_id), "appSecret": self.installation.app_secret}
        with httpx.Client(base_url=server.address, trust_env=False, timeout=30) as http:
            given = {"accessToken": self.token}
            answer = self._note(http.post("/openapi/workbench/meetinginvite/create", params=given, json=body))
            assert answer["status"] == -1
            self._note(http.get("/openapi/token/get", params=known))
            self._note(http.get(self.link))
            self._note(http.post(self.link, data={"status": "2", "sequence": "0", "reply": PHRASE}))
            self._note(http.get(self.receipt, params={"status": "1"}))
            self._note(http.get("/workbench/enter", params={"ticket": f"{ORG}-{'x' * 43}"}))

    def is_answered(self, server: Server) -> bool:
        return bool(self.installation.client(server).call("inbox", "u1")["status"] == 0)

    def text(self, server: Server) -> int:
        """A meeting of which people hear by text."""
        client = self.installation.client(server)
        self.private.keep(client.token, "token")
        return client.create("u1", "u2", "u3", content=PHRASE, address=PLACE, remindType=1)

    # Texts, links, pages

    def invite(self, server: Server, gateway: SlowGateway) -> None:
        """By text: the gateway reports, somebody answers by text, another one by the link, all rightly and wrongly."""
        before = len(gateway.requests)
        meeting = self.text(server)
        eventually(lambda: len(gateway.requests) >= before + 2, what="the texts")
        url = self.command("sms", "inbound-url")
        self.spoken.pop()
        inbound = parse_qs(urlsplit(url.strip()).query)["key"][0]
        self.private.keep(inbound, "key of the address for answers")
        with httpx.Client(base_url=server.address, trust_env=False, timeout=30) as http:
            for text in gateway.requests[before:]:
                receipt = text["dlr-url"]
                self.private.keep(parse_qs(urlsplit(receipt).query)["key"][0], "key of a receipt's address")
                for status in ("8", "1", "x"):
                    self._note(http.get(f"{receipt}&status={status}"))
                self._note(http.get(receipt.replace("delivery=", "delivery=1"), params={"status": "1"}))
                said = re.search(r"/i/([A-Za-z0-9_-]+)", text["text"])
                assert said, text["text"]
                link = self.private.keep(said[1], "personal link")
                self.link, self.receipt = f"/i/{link}", receipt
                page = http.get(f"/i/{link}").text
                for form in (
                    {"status": "2", "sequence": "0", "reply": PHRASE},
                    {"status": "9", "sequence": MOBILES["u2"]},
                    {"status": "3", "sequence": "77", "reply": "\0" + PHRASE},
                ):
                    self._note(http.post(f"/i/{link}", data=form))
                self._note(http.get(f"/i/{link[:-2]}xx"))
                assert PHRASE in page
            for sender in (MOBILES["u2"], STRANGER, f"+86{MOBILES['u3']}"):
                for words in ("1", PHRASE):
                    self._note(
                        http.get(
                            "/sms/kannel/inbound",
                            params={"key": inbound, "from": sender, "text": words, "charset": "UTF-8"},
                        )
                    )
            self._walk(http, self._ticket(server), meeting)
            self._walk_desk(http, meeting)

    def _ticket(self, server: Server) -> str:
        client = self.installation.client(server)
        self.private.keep(client.token, "token")
        return str(client.do("ticket", "u2")["url"])

    def _enter(self, http: httpx.Client, url: str, path: str) -> None:
        ticket = self.private.keep(parse_qs(urlsplit(url).query)["ticket"][0], "ticket")
        same = {"sec-fetch-site": "same-origin", "origin": str(http.base_url).rstrip("/")}
        http.get(f"{path}?ticket={ticket}")
        for _ in range(2):  # the second time it is used up
            answer = http.post(path, data={"ticket": ticket}, headers=same)
            self._note(answer)
            for cookie in answer.cookies.jar:
                self.private.keep(str(cookie.value), "session")
        self._note(http.post(path, data={"ticket": ticket}, headers={"origin": "http://elsewhere.example"}))

    def _walk(self, http: httpx.Client, url: str, meeting: int) -> None:
        self._enter(http, url, "/workbench/enter")
        one = f"/workbench/meeting/{meeting}"
        for path in ("/workbench/", "/workbench/calendar", "/workbench/messages", "/workbench/me", one):
            self._note(http.get(path, params={"q": PHRASE, "accessToken": URL_SECRET}))
        self._note(http.get("/workbench/people", params={"q": MOBILES["u3"]}))
        same = {"sec-fetch-site": "same-origin"}
        for path in (f"{one}/respond", "/workbench/me", "/workbench/new", "/workbench/people/paste"):
            self._note(http.post(path, data={"reply": PHRASE, "text": MOBILES["u1"]}, headers=same))
            self._note(http.post(path, content=PHRASE.encode() * 3, headers=same))

    def _walk_desk(self, http: httpx.Client, meeting: int) -> None:
        done = self.command("admin", "link", "--json")
        self.spoken.pop()
        self._enter(http, json.loads(done)["url"], "/admin/enter")
        for path in ("/admin/", "/admin/apps", "/admin/callbacks", "/admin/deliveries", "/admin/replies"):
            self._note(http.get(path))
        self._note(http.get("/admin/people", params={"org": str(ORG), "q": MOBILES["u3"]}))
        self._note(http.get(f"/admin/meetings/{ORG}/{meeting}"))
        self._note(http.post("/admin/people", data={"q": MOBILES["u3"]}))
        http.cookies.clear()
        secret = self.private.keep(f"{ORG}-" + "forged-session-" + "x" * 28, "forged session")
        for name in (visitor.COOKIE, visitor.ADMIN_COOKIE):
            self._note(http.get("/admin/apps", headers={"cookie": f"{name}={secret}"}))
            self._note(http.get("/workbench/", headers={"cookie": f"{name}={secret}"}))


def _requests(method: str, path: str, token: str, wrong_tokens: list[str]) -> Iterator[dict[str, Any]]:
    """One call in every way."""
    right = {
        **{"requesterUid": "u1", "requesterName": "王芳的名字", "meetingInviteId": 1, "content": PHRASE},
        **{"detail": detail("u2", content=PHRASE, address=PLACE), "msgStatus": 2, "reply": PHRASE},
        **{"remind": True, "uids": ["u2"], "beginTime": 1, "endTime": 2, "messageId": 1, "address": PLACE},
        **{"members": [{"uid": "u2", "name": PHRASE}], "remindMin": 5, "remindType": 1},
    }
    context = {"uid": "u1", "name": "name", "orgId": str(ORG)}
    given = {"accessToken": token}
    base: dict[str, Any] = {"method": method.upper(), "url": path}
    for body in (
        json.dumps(right),
        json.dumps({**right, **dict.fromkeys(("meetingInviteId", "detail", "uids", "remindMin"), PHRASE)}),
        json.dumps({"requesterUid": MOBILES["u1"], "meetingInviteId": MOBILES["u2"], "clientToken": PHRASE}),
        f'{{"requesterUid": "{MOBILES["u1"]}", "content": "{PHRASE}", ',
        PHRASE,
        "",
    ):
        content = {} if method == "get" else {"content": body.encode()}
        yield {**base, **content, "params": {**given, "meetingId": MOBILES["u2"]}, "headers": context}
        yield {**base, **content, "headers": {**given, **context}}
    for wrong in wrong_tokens:
        yield {**base, "params": {"accessToken": wrong}}
        yield {**base, "headers": {"accessToken": wrong}}
    for header in (
        {"orgSecret": "AQB3AQAAAAAAAKlMAQAAAAAA"},
        {"orgSecret": URL_SECRET},
        {"orgId": MOBILES["u3"]},
    ):
        yield {**base, "params": given, "headers": header, "content": json.dumps(right).encode()}
    yield {**base, "method": "PUT", "params": given}
    yield {**base, "url": f"{path}/{URL_SECRET}", "params": given}
