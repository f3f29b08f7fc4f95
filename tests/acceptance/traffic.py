"""Calls without a pause, by an app that gets tokens in every way, while something is done to the servers."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import httpx

from tests.acceptance.process import DEADLINE_SECONDS, Installation, Server, detail, eventually


class Traffic:
    """Everything that was answered otherwise than with 0 is in `refused`."""

    def __init__(self, installation: Installation, *servers: Server) -> None:
        self.servers = list(servers)  # may be changed at any time
        self.done = 0
        self.refused: list[tuple[str, Any]] = []
        self.tokens: list[str] = []  # every one it got
        self._credentials = {"appId": str(installation.app_id), "appSecret": installation.app_secret}
        self._stopping = False

    def go_on(self, rounds: int = 10) -> None:
        """Wait for so many more rounds."""
        enough = self.done + rounds
        eventually(lambda: self.done >= enough or self._stopping, what="more calls")

    def go_on_for(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._stopping:
            self.go_on()

    def run(self) -> None:
        with httpx.Client(trust_env=False, timeout=DEADLINE_SECONDS) as http:
            for number in count():
                if self._stopping:
                    return
                try:
                    self._round(http, number)
                except httpx.TransportError as error:
                    self.refused.append(("transport", repr(error)))
                self.done += 1

    def stop(self) -> None:
        self._stopping = True

    def _round(self, http: httpx.Client, number: int) -> None:
        """A token from one server, of which another one learns with the first call; a new one every tenth time."""
        flags = "1" if number % 10 == 0 else "0"
        answer = http.get(
            f"{self._address(number)}/openapi/token/get", params={**self._credentials, "flags": flags}
        ).json()
        if answer["status"] != 0:
            self.refused.append(("token/get", answer))
            return
        token = answer["data"]["accessToken"]
        if token not in self.tokens:
            self.tokens.append(token)
        body = {"requesterUid": "u1", "requesterName": "王芳", "detail": detail("u2")}
        made = self._call(http, number + 1, token, "create", body)
        if made["status"] == 0:
            meeting = {"meetingInviteId": made["data"]["meetingInviteId"]}
            self._call(http, number, token, "respond", {"requesterUid": "u2", **meeting, "msgStatus": 2})

    def _call(
        self, http: httpx.Client, number: int, token: str, name: str, body: dict[str, Any]
    ) -> dict[str, Any]:
        answer: dict[str, Any] = http.post(
            f"{self._address(number)}/openapi/workbench/meetinginvite/{name}",
            headers={"accessToken": token},
            json=body,
        ).json()
        if answer["status"] != 0:
            self.refused.append((name, answer))
        return answer

    def _address(self, number: int) -> str:
        return self.servers[number % len(self.servers)].address


@contextmanager
def calling(installation: Installation, *servers: Server) -> Iterator[Traffic]:
    """The traffic, which ends with the block."""
    traffic = Traffic(installation, *servers)
    thread = threading.Thread(target=traffic.run)
    thread.start()
    try:
        traffic.go_on()
        yield traffic
        traffic.go_on()
    finally:
        traffic.stop()
        thread.join()
