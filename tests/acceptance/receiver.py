"""An app's receiver, written from contract section 7 alone: `python receiver.py FOLDER PORT`, nothing of ours in it.

FOLDER/config.json has `style` and what it needs (`token` and `appSecret`, or `secret`); FOLDER/mode says how it
behaves, read anew for each request: up, flaky, slow, refusing, gone. What comes is kept in FOLDER/received, a JSON
line each, before it is answered; what is not genuine is refused and kept in FOLDER/forged.
"""

import base64
import hashlib
import hmac
import json
import random
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

SLOW_SECONDS = 0.3
TOLERANCE_SECONDS = 300
dice = random.Random(7)
writing = threading.Lock()


class Forged(Exception):
    """Not from whom it says."""


def open_platform(body: bytes, config: dict[str, str]) -> dict[str, Any]:
    """The event in {"signature","nonce","timestamp","encryptData","eventType"}."""
    found = json.loads(body)
    data, nonce, timestamp = found["encryptData"], found["nonce"], found["timestamp"]
    signed = f"encrypt={data}&nonce={nonce}&timestamp={timestamp}&token={config['token']}"
    if hashlib.sha1(signed.encode("utf-8")).hexdigest() != found["signature"]:
        raise Forged
    key = config["appSecret"].encode("iso-8859-1")[:16].ljust(16, b"\0")
    decryptor = Cipher(AES(key), ECB()).decryptor()
    padded = decryptor.update(data.encode("iso-8859-1")) + decryptor.finalize()
    event: dict[str, Any] = json.loads(padded[: -padded[-1]])
    return event


def open_standard(body: bytes, headers: Any, config: dict[str, str]) -> dict[str, Any]:
    """The event in a Standard Webhook."""
    key = base64.b64decode(config["secret"].removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    if f"v1,{expected}" not in headers["webhook-signature"].split(" "):
        raise Forged
    event: dict[str, Any] = json.loads(body)
    if str(event["eventId"]) != headers["webhook-id"]:
        raise Forged
    return event


class Receiver(BaseHTTPRequestHandler):
    folder: Path
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        config = json.loads((self.folder / "config.json").read_text())
        mode = (self.folder / "mode").read_text().strip()
        if mode == "gone":
            self.answer(410, b"")
            return
        if mode == "flaky" and dice.random() < 0.5:
            if dice.random() < 0.5:
                self.close_connection = True  # no answer at all
            else:
                self.answer(500, b"")
            return
        try:
            if config["style"] == "standard":
                event = open_standard(body, self.headers, config)
            else:
                event = open_platform(body, config)
        except (Forged, KeyError, ValueError):
            self.keep("forged", {"body": len(body)})
            self.answer(200, b'{"status":1}' if config["style"] == "platform" else b"")
            return
        taken = mode != "refusing"
        self.keep("received", {**event, "taken": taken, "bytes": len(body)})
        if mode == "slow":
            time.sleep(SLOW_SECONDS)
        self.answer(200 if taken else 503, b'{"status":0,"message":"ok"}')

    def keep(self, name: str, what: dict[str, Any]) -> None:
        with writing, (self.folder / name).open("a") as file:
            file.write(json.dumps(what) + "\n")

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: `received` says it."""


def main() -> None:
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    handler = type("Bound", (Receiver,), {"folder": folder})
    ThreadingHTTPServer(("127.0.0.1", port), handler).serve_forever()


if __name__ == "__main__":
    main()
