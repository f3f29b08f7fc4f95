"""Starts `huiyao` as a process of its own, waits for it with a deadline, speaks HTTP to it, stops it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from itertools import cycle
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx

from huiyao.client import Huiyao

T = TypeVar("T")

DEADLINE_SECONDS = 30.0
KEY = "an acceptance test's server key, long enough"
ORG = 85161
_OURS = "HUIYAO_"
_PORTS: Final = 1_500  # of each test process, begun at another one each time
_first: Final = 10_000 + _PORTS * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_ports: Final = cycle(range(_first + os.getpid() % 500, _first + _PORTS))


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The environment without settings of whoever runs the tests, with these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return {**kept, **{f"{_OURS}{name.upper()}": value for name, value in settings.items()}}


def free_port() -> int:
    """A port of this test process's own, below those that the system gives to connections in the meantime."""
    for port in _ports:
        with socket.socket() as found, contextlib.suppress(OSError):
            found.bind(("127.0.0.1", port))
            return port
    raise AssertionError("the ports have no end")


def eventually(look: Callable[[], T | None], *, seconds: float = DEADLINE_SECONDS, what: str = "it") -> T:
    """What `look` answers once that is not None or False. Fails after the deadline."""
    until = time.monotonic() + seconds
    while True:
        found = look()
        if found is not None and found is not False:
            return found
        assert time.monotonic() < until, f"{what} did not happen within {seconds} s"
        time.sleep(0.02)


def run(*arguments: str, folder: Path, given: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "huiyao", *arguments],
        cwd=folder,
        env=environment(settings),
        input=given,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )


def succeed(*arguments: str, folder: Path, **settings: str) -> str:
    """Run a command that must succeed; its output."""
    done = run(*arguments, folder=folder, **settings)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Process:
    """A `huiyao` process; its output goes to files in `folder`."""

    def __init__(self, *arguments: str, folder: Path, **settings: str) -> None:
        number = len(list(folder.glob("*.out")))
        self.out = folder / f"{number}.out"
        self.err = folder / f"{number}.err"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "huiyao", *arguments],
                cwd=folder,
                env=environment(settings),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    @property
    def said(self) -> str:
        return self.out.read_text() + self.err.read_text()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """The exit code."""
        self.popen.send_signal(how)
        return self.popen.wait(DEADLINE_SECONDS)

    def kill(self) -> None:
        """SIGKILL."""
        self.popen.kill()
        self.popen.wait(DEADLINE_SECONDS)

    def close(self) -> None:
        """Whatever a test left running must not outlive it."""
        if self.popen.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.terminate()
                self.popen.wait(10)
            if self.popen.poll() is None:
                self.kill()


class Server(Process):
    """A process that answers HTTP on 127.0.0.1."""

    def __init__(self, *arguments: str, folder: Path, port: int | None = None, **settings: str) -> None:
        self.port = port or free_port()
        super().__init__(*arguments, "--port", str(self.port), folder=folder, **settings)
        self.address = f"http://127.0.0.1:{self.port}"
        try:
            self.wait()
        except BaseException:
            self.close()  # nobody else can: whoever started it never gets it
            raise

    def wait(self) -> None:
        def alive() -> bool:
            assert self.popen.poll() is None, f"it ended at once: {self.said}"
            try:
                return httpx.get(f"{self.address}/healthz", trust_env=False).status_code == 200
            except httpx.TransportError:
                return False

        eventually(alive, what="an answer of the server")


class Client:
    """An app that calls one server, or several in turn."""

    def __init__(self, *servers: Server, app_id: int, app_secret: str) -> None:
        self.servers = servers
        self._credentials = {"appId": str(app_id), "appSecret": app_secret}
        self._calls = 0
        self.token = ""
        self._http = httpx.Client(trust_env=False, timeout=DEADLINE_SECONDS)

    def close(self) -> None:
        self._http.close()

    def _address(self) -> str:
        self._calls += 1
        return self.servers[self._calls % len(self.servers)].address

    def get_token(self) -> str:
        answer = self._http.get(f"{self._address()}/openapi/token/get", params=self._credentials).json()
        assert answer["status"] == 0, answer
        self.token = str(answer["data"]["accessToken"])
        return self.token

    def call(self, name: str, uid: str, **fields: Any) -> dict[str, Any]:
        """A call on the workbench path; the whole answer."""
        answer = self._http.post(
            f"{self._address()}/openapi/workbench/meetinginvite/{name}",
            params={"accessToken": self.token},
            json={"requesterUid": uid, **fields},
        )
        found: dict[str, Any] = answer.json()
        return found

    def do(self, name: str, uid: str, **fields: Any) -> Any:
        """A call that must succeed; its data."""
        answer = self.call(name, uid, **fields)
        assert answer["status"] == 0, (name, answer)
        return answer.get("data")

    def create(self, uid: str, *members: str, content: str = "季度预算", **fields: Any) -> int:
        data = self.do(
            "create", uid, requesterName=f"name of {uid}", detail=detail(*members, content=content, **fields)
        )
        return int(data["meetingInviteId"])

    def inbox(self, uid: str) -> list[tuple[int, str]]:
        """(meeting, kind) of everything in the inbox."""
        data = self.do("inbox", uid, size=200)
        return [(int(one["meetingInviteId"]), str(one["kind"])) for one in data["items"]]

    def whole_inbox(self, uid: str) -> list[tuple[int, str]]:
        """The same of any length, page by page from the start."""
        found: list[tuple[int, str]] = []
        cursor = FIRST_CURSOR
        while True:
            data = self.do("inbox", uid, size=200, cursor=cursor)
            found += [(int(one["meetingInviteId"]), str(one["kind"])) for one in data["items"]]
            if not data["items"]:
                return found
            cursor = data["nextCursor"]


FIRST_CURSOR = "AAAAAAAAAAAAAAAAAAAAAA"


def detail(*members: str, content: str = "季度预算", **fields: Any) -> dict[str, Any]:
    """A detail far in the future, so that no reminder comes in between."""
    return {
        "createTime": 1_700_000_000_000,
        "content": content,
        "address": "三楼会议室",
        "beginTime": 4_000_000_000_000,
        "endTime": 4_000_003_600_000,
        "remindMin": 15,
        "remindType": 0,
        "members": [{"uid": uid, "name": f"name of {uid}"} for uid in members],
        **fields,
    }


class Installation:
    """A folder with a database, an organisation and an app, and the processes that were started on it."""

    app_id = 7
    app_secret = "an-app-secret-of-the-tests"

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.settings = settings
        self._closing = contextlib.ExitStack()
        (folder / "secret").write_text(f"{self.app_secret}\n")

    def set_up(self) -> None:
        self.succeed("db", "migrate")
        self.succeed("org", "add", str(ORG), "--name", "示例公司")
        self.succeed(
            *("app", "add", "--name", "tests", "--org", str(ORG)),
            *("--app-id", str(self.app_id), "--secret-file", "secret"),
        )

    def succeed(self, *arguments: str) -> str:
        return succeed(*arguments, folder=self.folder, **self.settings)

    def run(self, *arguments: str, given: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
        return run(*arguments, folder=self.folder, given=given, **{**self.settings, **settings})

    def serve(self, *arguments: str, port: int | None = None, **settings: str) -> Server:
        server = Server("serve", *arguments, folder=self.folder, port=port, **{**self.settings, **settings})
        self._closing.callback(server.close)
        return server

    def start(self, *arguments: str, **settings: str) -> Process:
        process = Process(*arguments, folder=self.folder, **{**self.settings, **settings})
        self._closing.callback(process.close)
        return process

    def client(self, *servers: Server) -> Client:
        """A client with a token."""
        client = Client(*servers, app_id=self.app_id, app_secret=self.app_secret)
        self._closing.callback(client.close)
        client.get_token()
        return client

    def huiyao(self, server: Server) -> Huiyao:
        """The same app through the library: where a test is not about what stands on the wire."""
        http = self._closing.enter_context(httpx.Client(trust_env=False))
        return Huiyao(f"{server.address}/openapi/", app_id=self.app_id, app_secret=self.app_secret, http=http)

    def close(self) -> None:
        self._closing.close()
