"""The receiver that docs/callbacks.md shows works as it stands there."""

import asyncio
import base64
import re
import subprocess
import sys
from pathlib import Path

import httpx

from huiyao.keys import Keys
from huiyao.model import App, Callback, CallbackStyle, Event
from huiyao.service.keyring import Keyring
from huiyao.wire.callbacks import Sealer
from tests.acceptance.process import KEY, eventually, free_port

DOCUMENT = Path(__file__).parents[2] / "docs" / "callbacks.md"
KEYS = Keyring(Keys.from_text(KEY))
SECRET = f"whsec_{base64.b64encode(b's' * 32).decode()}"
NOW = 1_893_456_000_000


def example() -> str:
    (found,) = re.findall(r"```python\n(import base64.*?)```", DOCUMENT.read_text(), re.DOTALL)
    return str(found)


def request(secret: str) -> tuple[bytes, dict[str, str]]:
    callback = Callback(style=CallbackStyle.STANDARD, secret=KEYS.seal(secret, app_id=7))
    app = App(id=7, name="app", secret=b"", callback=callback)
    event = Event(
        org_id=1,
        id=9,
        app_id=7,
        meeting_id=777,
        type=103,
        sequence=0,
        uid="u1002",
        msg_status=2,
        reason="",
        at=NOW,
        due_at=NOW,
        give_up_at=NOW,
    )
    made = asyncio.run(Sealer(KEYS)(event, app, now=NOW, older=False))
    return made.body, dict(made.headers)


def test_the_documented_receiver_takes_what_is_genuine_once_and_nothing_else(tmp_path: Path) -> None:
    assert len(example().splitlines()) <= 40
    (tmp_path / "receiver.py").write_text(example())
    port = free_port()
    out = tmp_path / "out"
    with (
        out.open("wb") as file,
        subprocess.Popen(
            [sys.executable, "receiver.py", str(port)],
            cwd=tmp_path,
            env={"CALLBACK_SECRET": SECRET},
            stdout=file,
            stderr=subprocess.DEVNULL,
        ) as process,
        httpx.Client(trust_env=False) as client,
    ):
        try:

            def answers() -> bool:
                try:
                    return client.get(f"http://127.0.0.1:{port}/").status_code == 501
                except httpx.TransportError:
                    return False

            eventually(answers, what="its start")
            forged, headers = request(f"whsec_{base64.b64encode(b'x' * 32).decode()}")
            assert (
                client.post(f"http://127.0.0.1:{port}/", content=forged, headers=headers).status_code == 401
            )
            body, headers = request(SECRET)
            for _ in range(2):
                answer = client.post(f"http://127.0.0.1:{port}/", content=body, headers=headers)
                assert answer.status_code == 204
        finally:
            process.kill()
    assert out.read_text() == "103 777 u1002\n"
