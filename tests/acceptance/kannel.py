"""A real Kannel on loopback: bearerbox, smsbox, and fakesmsc as the operator's network with everybody's handset.

What handsets got is read from fakesmsc's own log. Each program runs in a process group of its own, for smsbox
replaces itself by a new process where its bearerbox has gone.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

import httpx

from tests.acceptance.process import eventually, free_port

FAKESMSC = Path("/usr/lib/kannel/test/fakesmsc")
USER, PASSWORD = "huiyao", "a password: with /?#@&%"
SENDER = "10690001"
REJECTED = "+86199"  # numbers that Kannel takes with 202, and whose operator then rejects them
UNROUTABLE = "+86198"  # numbers that no operator of ours takes

_RECEIVED = re.compile(r"Got message \d+: <(\S+) (\S+) (text|ucs-2|data|udh) (.*)>$", re.MULTILINE)
_UCS2_PART_BYTES = 134
# It cannot wait for messages without having one to send. This one goes to a service that says nothing.
_NOTHING = ("-i", "1000000", "-m", "1000000", "1 2 text nothing")

_CONFIGURATION = """
group = core
admin-port = {admin}
admin-password = {word}
status-password = {word}
admin-allow-ip = 127.0.0.1
admin-deny-ip = *.*.*.*
smsbox-port = {boxes}
box-allow-ip = 127.0.0.1
box-deny-ip = *.*.*.*
dlr-storage = internal
sms-resend-freq = 1

group = smsc
smsc = fake
smsc-id = handsets
host = 127.0.0.1
port = {handsets}
connect-allow-ip = 127.0.0.1
denied-prefix = "{rejected};{unroutable};nobody"

group = smsc
smsc = fake
smsc-id = senders
host = 127.0.0.1
port = {senders}
connect-allow-ip = 127.0.0.1
allowed-prefix = nobody

group = smsc
smsc = http
smsc-id = strict
system-type = kannel
port = {strict}
connect-allow-ip = 127.0.0.1
smsc-username = nobody
smsc-password = nothing
send-url = http://127.0.0.1:{admin}/not-an-operator
allowed-prefix = "{rejected}"

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {sendsms}
sendsms-interface = 127.0.0.1
http-request-retry = 20
http-queue-delay = 1

group = sendsms-user
username = {user}
password = "{password}"
max-messages = 3
concatenation = true

group = sms-service
keyword = nothing
text = ""
max-messages = 0

group = sms-service
keyword = default
catch-all = true
max-messages = 0
{inbound}
"""


class Received(NamedTuple):
    sender: str
    receiver: str
    text: str


_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"


def require() -> None:
    """Fails where Kannel is not installed: a test that needs it has not passed then."""
    programs = ("bearerbox", "smsbox", str(FAKESMSC))
    missing = [name for name in programs if shutil.which(name, path=_PATH) is None]
    assert not missing, "Kannel is needed: run `apt-get install kannel kannel-extras` as root."


class Kannel:
    def __init__(self, folder: Path, *, inbound_url: str = "") -> None:
        """`inbound_url` is where texts that come in go."""
        require()
        self.folder = folder
        names = ("admin", "boxes", "handsets", "senders", "strict", "sendsms")
        self._ports = {name: free_port() for name in names}
        self._running: list[subprocess.Popen[bytes]] = []
        folder.mkdir(parents=True, exist_ok=True)
        self._handset_log = folder / "handsets.log"
        self._handset_log.touch()
        self.configure(inbound_url)

    def configure(self, inbound_url: str) -> None:
        """From the next start on."""
        configuration = _CONFIGURATION.format(
            **self._ports,
            word="word",
            user=USER,
            password=PASSWORD,
            rejected=REJECTED,
            unroutable=UNROUTABLE,
            inbound=f'get-url = "{inbound_url}"' if inbound_url else 'text = ""',
        )
        (self.folder / "kannel.conf").write_text(configuration)

    @property
    def url(self) -> str:
        """For HUIYAO_SMS_URL."""
        port = self._ports["sendsms"]
        return f"kannel://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{port}?from={SENDER}"

    def start(self) -> None:
        """Until handsets can be reached."""
        self._run("bearerbox", "kannel.conf")
        eventually(lambda: self._status() is not None, what="bearerbox's start")
        self._run("smsbox", "kannel.conf")
        eventually(self._takes_texts, what="smsbox's start")
        self._run(str(FAKESMSC), "-H", "127.0.0.1", "-r", str(self._ports["handsets"]), *_NOTHING)
        eventually(lambda: "handsets[handsets]" in self._online(), what="fakesmsc's start")

    def stop(self) -> None:
        """At once, with everything it has not passed on; nobody listens any more then."""
        for process in reversed(self._running):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._running.clear()

    def received(self) -> list[Received]:
        """Everything handsets have got, texts of several parts joined, in the order of their last parts."""
        return list(_joined(self._handset_log.read_text(errors="surrogateescape")))

    def texts(self, receiver: str) -> list[str]:
        return [one.text for one in self.received() if one.receiver == receiver]

    def send_text(self, sender: str, text: str, *, ucs2: bool = False) -> None:
        """A person's handset sends a text; `ucs2`: as handsets do where it is not all in the GSM alphabet."""
        kind, data = ("ucs2", quote(text.encode("utf-16-be"), safe="")) if ucs2 else ("text", text)
        port = str(self._ports["senders"])
        before = self._came_in()
        handset = self._run(
            str(FAKESMSC), "-H", "127.0.0.1", "-r", port, "-m", "1", f"{sender} 1069 {kind} {data}"
        )
        eventually(lambda: self._came_in() > before, what="a text's arrival at bearerbox")
        handset.kill()
        handset.wait()
        self._running.remove(handset)

    def _run(self, *command: str) -> subprocess.Popen[bytes]:
        log = self._handset_log if command[0] == str(FAKESMSC) else self.folder / f"{command[0]}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**os.environ, "PATH": _PATH},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._running.append(process)
        return process

    def _status(self) -> str | None:
        """What bearerbox says of itself; None: it does not answer."""
        try:
            answer = httpx.get(
                f"http://127.0.0.1:{self._ports['admin']}/status.txt?password=word", trust_env=False
            )
        except httpx.TransportError:
            return None
        return answer.text

    def _online(self) -> str:
        return "\n".join(line for line in (self._status() or "").splitlines() if "(online" in line)

    def _came_in(self) -> int:
        found = re.search(r"senders\[senders\].*rcvd: sms (\d+)", self._status() or "")
        return int(found[1]) if found else 0

    def _takes_texts(self) -> bool:
        try:
            httpx.get(f"http://127.0.0.1:{self._ports['sendsms']}/", trust_env=False)
        except httpx.TransportError:
            return False
        return "smsbox" in (self._status() or "")


def _joined(log: str) -> Iterator[Received]:
    waiting: dict[tuple[str, str, str], dict[int, bytes]] = {}
    for sender, receiver, kind, rest in _RECEIVED.findall(log):
        if kind == "text":
            yield Received(sender, receiver, rest)
        elif kind != "udh":
            yield Received(sender, receiver, _bytes(rest).decode("utf-16-be"))
        else:
            header, _, data = rest.split(" ", 2)
            # Information element 0 of length 3: reference, how many parts, which one (3GPP TS 23.040, 9.2.3.24.1).
            reference, count, number = _bytes(header)[3:]
            parts = waiting.setdefault((sender, receiver, str(reference)), {})
            parts[number] = _bytes(data)
            if len(parts) == count:
                del waiting[sender, receiver, str(reference)]
                yield Received(sender, receiver, _decoded([parts[one] for one in sorted(parts)]))


def _bytes(encoded: str) -> bytes:
    return unquote_to_bytes(encoded.replace("+", " "))


def _decoded(parts: list[bytes]) -> str:
    """The log does not say the alphabet of a part: UCS-2's are full with 134 bytes, the others' are longer."""
    ucs2 = len(parts[0]) <= _UCS2_PART_BYTES
    return b"".join(parts).decode("utf-16-be" if ucs2 else "utf-8")
