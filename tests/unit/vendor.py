"""A small HTTP server that stands in for a vendor of texts: it answers as it is told, and keeps what it was sent."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from huiyao.channels.contract import Outgoing

MOBILE = "+8613800138000"
HANG, DRIP, CUT = "hang", "drip", "cut"  # instead of an answer


def text(**changes: object) -> Outgoing:
    params = {
        "organizer": "王芳",
        "content": "季度预算",
        "time": "1月2日 周五 10:00–11:00",
        "place": "三楼",
        "change": "时间由 9:00 改为 10:00",
        "left": "15分钟",
    }
    plain = Outgoing(
        org_id=85161,
        delivery_id=42,
        attempt=3,
        kind="invited",
        english=False,
        number=MOBILE,
        text="王芳邀请您参加会议",
        params=params,
    )
    return msgspec.structs.replace(plain, **changes)


class Request(msgspec.Struct):
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}


class Vendor:
    """An HTTP server that keeps what it was sent and gives every request the same answer, or none."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answer: bytes | str = CUT
        self.lasting = True  # a connection serves many requests
        self.port = 0
        self._handlers: set[asyncio.Task[None]] = set()

    def answers(self, body: object, *, status: int = 200, **headers: str) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} Told", f"Content-Length: {len(raw)}", "Content-Type: application/json"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.answer = "\r\n".join(lines).encode() + b"\r\n\r\n" + raw

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._handlers.add(task)
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.requests.append(Request(first.split()[1], headers, body))
        if isinstance(self.answer, str):
            if self.answer == HANG:
                await reader.read()
            while self.answer == DRIP:
                writer.write(b"H")
                await writer.drain()
                await asyncio.sleep(0.05)
            return False
        writer.write(self.answer)
        await writer.drain()
        return self.lasting

    async def left_alone(self) -> None:
        """Until every connection is closed."""
        async with asyncio.timeout(5):
            await asyncio.gather(*self._handlers)

    async def close(self) -> None:
        for task in self._handlers:
            task.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)


@asynccontextmanager
async def serving(vendor: Vendor, context: ssl.SSLContext | None = None) -> AsyncIterator[None]:
    server = await asyncio.start_server(vendor.serve, "127.0.0.1", 0, ssl=context)
    vendor.port = server.sockets[0].getsockname()[1]
    try:
        yield
    finally:
        server.close()
        await vendor.close()


def accepts(vendor: Vendor, scheme: str) -> None:
    if scheme == "aliyun":
        vendor.answers({"Code": "OK", "Message": "OK", "BizId": "9006^0", "RequestId": "r"})
    else:
        vendor.answers(status_set(Code="Ok", SerialNo="5000:1"))


def status_set(**status: str) -> object:
    sent = {"Code": "", "SerialNo": "", "PhoneNumber": MOBILE, "Fee": 1, "SessionContext": "", "Message": ""}
    return {"Response": {"SendStatusSet": [sent | {"IsoCode": "CN"} | status], "RequestId": "r"}}


def api_error(code: str) -> object:
    return {"Response": {"Error": {"Code": code, "Message": f"{MOBILE} is wrong"}, "RequestId": "r"}}


def strangers_certificate(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "stranger.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
