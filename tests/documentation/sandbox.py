"""What all pages share: `huiyao demo` with every permission and a token, and a receiver that takes anything."""

import re
import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import httpx

from tests.acceptance.process import Server, eventually, succeed

HOME_NETWORK: Final = "127.0.0.0/8"  # where the receiver is; callbacks go only to public addresses otherwise


class _Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        answer = b'{"status":0}'
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Not on the tests' output."""


class Sandbox:
    def __init__(self, folder: Path) -> None:
        self._closing = ExitStack()
        self.server = Server("demo", folder=folder, callback_private=HOME_NETWORK)
        self._closing.callback(self.server.close)
        guide = eventually(
            lambda: text if "Ctrl+C" in (text := self.server.out.read_text()) else None, what="the guide"
        )
        self.app_id, self.app_secret = re.findall(r"(?:appId|appSecret) +(\S+)", guide)
        self.database = f"sqlite:///{folder / 'huiyao-demo.db'}"
        grants = (word for grant in ("ticket", "freebusy", "changes") for word in ("--grant", grant))
        succeed("app", "set", self.app_id, *grants, folder=folder, database_url=self.database)
        self.token = self._token()
        self.receiver = self._receive()

    def _token(self) -> str:
        query = {"appId": self.app_id, "appSecret": self.app_secret, "flags": "0"}
        answer = httpx.get(f"{self.server.address}/openapi/token/get", params=query, trust_env=False)
        return str(answer.json()["data"]["accessToken"])

    def _receive(self) -> str:
        """The address of the receiver."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Receiver)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self._closing.callback(server.server_close)
        self._closing.callback(thread.join)
        self._closing.callback(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}/huiyao"

    def close(self) -> None:
        self._closing.close()
