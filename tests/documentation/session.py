"""One reader of one page: a shell that takes its `sh` blocks one after the other, in a folder of its own.

Commands run as they stand, but for addresses and placeholders. `huiyao serve` and `huiyao dispatch`, which would go
on for ever, go on in the background as in another terminal; `huiyao demo` is the sandbox that all pages share. `make`
looks whether there is such a target, and does nothing.
"""

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.acceptance.process import environment, free_port
from tests.documentation.blocks import ROOT, Block

DEADLINE_SECONDS: Final = 60
_DONE: Final = "-- that was a block --"
_HUIYAO: Final = """\
#!/bin/sh
gone() { ! kill -0 "$1" 2>/dev/null; }
answers() { curl --fail --silent --output /dev/null "$1/healthz"; }

stop_the_one_before() {
    [ -f "$DOCS_FOLDER/$1.pid" ] || return 0
    kill "$(cat "$DOCS_FOLDER/$1.pid")"
    until gone "$(cat "$DOCS_FOLDER/$1.pid")"; do sleep 0.05; done
}

case "$1" in
demo) answers "$DOCS_SANDBOX" ;;
serve | dispatch)
    stop_the_one_before "$1"
    port=$HUIYAO_PORT
    [ "$1" = serve ] || { port=$((HUIYAO_PORT + 1)); set -- "$@" --port $port; }
    "$DOCS_PYTHON" -m huiyao "$@" >"$DOCS_FOLDER/$1.log" 2>&1 </dev/null &
    echo $! >"$DOCS_FOLDER/$1.pid"
    until answers "http://127.0.0.1:$port"; do
        gone $! && { cat "$DOCS_FOLDER/$1.log" >&2; exit 1; }
        sleep 0.05
    done ;;
*) exec "$DOCS_PYTHON" -m huiyao "$@" ;;
esac
"""
_MAKE: Final = """\
#!/bin/sh
for word; do
    case "$word" in
    *=*) ;;
    *) grep -q "^$word:" {makefile} || {{ echo "there is no make $word" >&2; exit 1; }} ;;
    esac
done
"""


class Failed(AssertionError):
    """A block did not do what the page says."""


class Session:
    """`sandbox`: its address; `values`: what stands for placeholders; `settings` of the commands."""

    def __init__(
        self, folder: Path, *, sandbox: str, values: Mapping[str, str], settings: Mapping[str, str]
    ) -> None:
        self.folder = folder
        self._sandbox = sandbox
        self._values = values
        self._settings = settings
        self.port = free_port()
        self._served = False  # whether the page has started a server of its own
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        programs = self.folder / ".venv" / "bin"
        programs.mkdir(parents=True)
        _program(programs / "huiyao", _HUIYAO)
        _program(programs / "make", _MAKE.format(makefile=ROOT / "Makefile"))
        (programs / "python").symlink_to(sys.executable)
        (self.folder / ".curlrc").write_text("silent\n", encoding="utf-8")
        settings = {**self._settings, "port": str(self.port)}
        variables = {
            **environment(settings),
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "CURL_HOME": str(self.folder),
            "NO_PROXY": "127.0.0.1",
            "DOCS_PYTHON": sys.executable,
            "DOCS_FOLDER": str(self.folder),
            "DOCS_SANDBOX": self._sandbox,
            **{name: value for name, value in self._values.items() if name.isupper() and name.isidentifier()},
        }
        self._errors = (self.folder / ".errors").open("wb")
        self._process = await asyncio.create_subprocess_exec(
            *("/bin/sh", "-e"),
            cwd=self.folder,
            env=variables,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=self._errors,
        )

    async def run(self, block: Block) -> str:
        """What the block says on standard output. Raises Failed where one of its commands fails."""
        assert self._process
        assert self._process.stdin
        assert self._process.stdout
        self._served = self._served or re.search(r"\bhuiyao serve\b", block.text) is not None
        script = f"{{\n{self.filled(block.text)}\n}} </dev/null\nprintf '\\n%s\\n' '{_DONE}'\n"
        self._process.stdin.write(script.encode())
        said: list[str] = []
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                while (line := (await self._process.stdout.readline()).decode()) != f"{_DONE}\n":
                    if not line:
                        raise Failed(self._trouble(block, "".join(said)))
                    said.append(line)
        except TimeoutError:
            raise Failed(self._trouble(block, "".join(said))) from None
        return "".join(said).removesuffix("\n")

    def filled(self, text: str) -> str:
        """The text with addresses and placeholders of this session."""
        text = self.addressed(text)
        for name, value in self._values.items():
            text = re.sub(rf"(?<![\w${{]){re.escape(name)}(?![\w=}}])", value, text)
        return text

    def addressed(self, text: str) -> str:
        """The text with this session's addresses and folders alone."""
        here = f"http://127.0.0.1:{self.port}" if self._served else self._sandbox
        text = text.replace("http://127.0.0.1:8080", here).replace("https://huiyao.example", here)
        text = text.replace("/var/lib/huiyao", str(self.folder)).replace("/etc/huiyao", str(self.folder))
        return text

    def _trouble(self, block: Block, said: str) -> str:
        errors = (self.folder / ".errors").read_text(encoding="utf-8", errors="replace")
        return f"line {block.line} failed:\n{block.text}\nsaid: {said}\nerrors: {errors[-2000:]}"

    async def close(self) -> None:
        """Whatever the page started ends."""
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
            self._errors.close()
        for file in self.folder.glob("*.pid"):
            await _end(int(file.read_text()))


async def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                os.kill(pid, 0)
                await asyncio.sleep(0.02)


def _program(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
    file.chmod(0o755)
