"""Starts the receiver as a process of its own, tells it how to behave, and reads what it got."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.acceptance import receiver
from tests.acceptance.process import eventually, free_port


class ReceiverProcess:
    """A receiver that can be stopped and started again at the same address."""

    def __init__(self, folder: Path, **config: str) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self.configure(**config)
        self.behave("up")
        self._popen: subprocess.Popen[bytes] | None = None

    def configure(self, **config: str) -> None:
        (self.folder / "config.json").write_text(json.dumps(config))

    def behave(self, mode: str) -> None:
        draft = self.folder / "mode.draft"
        draft.write_text(mode)
        draft.replace(self.folder / "mode")

    def start(self) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, str(Path(receiver.__file__)), str(self.folder), str(self.port)],
            cwd=self.folder,
        )

        def listens() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        eventually(listens, what="the receiver's start")

    def stop(self) -> None:
        if self._popen:
            self._popen.kill()
            self._popen.wait(10)
            self._popen = None

    def received(self) -> list[dict[str, Any]]:
        """Every genuine event that came, in order, repeats too."""
        return self._read("received")

    def forged(self) -> int:
        """How many came that were not genuine."""
        return len(self._read("forged"))

    def _read(self, name: str) -> list[dict[str, Any]]:
        path = self.folder / name
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
