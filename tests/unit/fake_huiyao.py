"""A Huiyao that behaves, for the client's tests: tokens, creates under their keys, and whatever is to go wrong next."""

import json
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any, Final

import httpx

from huiyao.client import Patience
from huiyao.client.ground import SyncGround
from huiyao.client.session import Session

BASE: Final = "http://huiyao.test/openapi/"
APP: Final = 7
SECRET: Final = "s3cret"

Handler = Callable[[httpx.Request], httpx.Response]


class HandGround(SyncGround):
    """Its clock stands still but for what the client waits."""

    def __init__(self, server: Handler) -> None:
        super().__init__(BASE, httpx.Client(transport=httpx.MockTransport(server)))
        self.at = 1000.0
        self.waits: list[float] = []

    def now(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.at += seconds


def session_on(ground: HandGround, patience: Patience | None = None) -> Session:
    return Session(
        ground,
        app_id=APP,
        app_secret=SECRET,
        patience=patience or Patience(),
        agent="tests",
        language="en",
    )


class FakeHuiyao:
    """Call it with a request. Before each request, the first of `faults` is taken and happens to it."""

    def __init__(self, *, lives_seconds: int = 7200) -> None:
        self.lives_seconds = lives_seconds
        self.generation = 0  # of the one token that is good
        self.faults: deque[Fault] = deque()
        self.token_faults: deque[Fault] = deque()
        self.seen: Counter[str] = Counter()  # calls that arrived, by name
        self.requests: list[httpx.Request] = []
        self.meetings: dict[str, int] = {}  # by Idempotency-Key
        self.answers: dict[str, Any] = {}  # data by call

    def __call__(self, request: httpx.Request) -> httpx.Response:
        name = request.url.path.rpartition("/")[2]
        faults = self.token_faults if name == "get" else self.faults
        fault = faults.popleft() if faults else well
        return fault(self, name, request)

    def serve(self, name: str, request: httpx.Request) -> httpx.Response:
        self.seen[name] += 1
        self.requests.append(request)
        if name == "get":
            return self._token(request)
        if request.headers["accessToken"] != f"token-{self.generation}":
            return refused(4003)
        if name == "create":
            key = request.headers["Idempotency-Key"]
            return done({"meetingInviteId": self.meetings.setdefault(key, len(self.meetings) + 1)})
        return done(self.answers.get(name))

    def supersede(self) -> None:
        """Another process of the app has got itself a token by force."""
        self.generation += 1

    def _token(self, request: httpx.Request) -> httpx.Response:
        assert request.url.query == b"flags=0"
        if (request.headers["appId"], request.headers["appSecret"]) != (str(APP), SECRET):
            return refused(4007)
        self.generation = self.generation or 1
        return done({"accessToken": f"token-{self.generation}", "expiresIn": self.lives_seconds})

    def sent(self, name: str) -> Iterable[httpx.Request]:
        return (one for one in self.requests if one.url.path.endswith(f"/{name}"))


Fault = Callable[[FakeHuiyao, str, httpx.Request], httpx.Response]


def well(server: FakeHuiyao, name: str, request: httpx.Request) -> httpx.Response:
    return server.serve(name, request)


def away(server: FakeHuiyao, name: str, request: httpx.Request) -> httpx.Response:
    """Nobody listens."""
    raise httpx.ConnectError("refused", request=request)


def lost(server: FakeHuiyao, name: str, request: httpx.Request) -> httpx.Response:
    """It is done, and the connection breaks before the answer."""
    server.serve(name, request)
    raise httpx.ReadError("broken", request=request)


def late(server: FakeHuiyao, name: str, request: httpx.Request) -> httpx.Response:
    """It is done, and the answer does not come in time."""
    server.serve(name, request)
    raise httpx.ReadTimeout("late", request=request)


def bad_gateway(server: FakeHuiyao, name: str, request: httpx.Request) -> httpx.Response:
    """It is done, and a proxy answers in words of its own."""
    server.serve(name, request)
    return httpx.Response(502, text="<html>Bad Gateway</html>")


def answering(code: int, *, http_status: int = 200, retry_after: int | None = None) -> Fault:
    def answer(server: FakeHuiyao, name: str, request: httpx.Request) -> httpx.Response:
        server.seen[name] += 1
        server.requests.append(request)
        return refused(code, http_status=http_status, retry_after=retry_after)

    return answer


def done(data: Any = None) -> httpx.Response:
    return httpx.Response(200, json={"status": 0} | ({} if data is None else {"data": data}))


def refused(code: int, *, http_status: int = 200, retry_after: int | None = None) -> httpx.Response:
    headers = {"X-Request-Id": "r-1"} | ({} if retry_after is None else {"Retry-After": str(retry_after)})
    content = json.dumps({"status": code, "message": f"refused with {code}"}).encode()
    return httpx.Response(http_status, content=content, headers=headers)
