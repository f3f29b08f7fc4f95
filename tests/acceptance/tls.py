"""An authority of the tests, certificates it signs, and an https receiver that notes by which name it was asked for."""

import ipaddress
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

DAY = timedelta(days=1)


class Authority:
    """Signs whatever it is asked for; `file` is what a client trusts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("authority of the tests")
        self.file = folder / "authority.pem"
        self._count = 0
        made = _certificate(self._name, self._name, self._key.public_key()).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        signed = made.sign(self._key, hashes.SHA256())
        self.file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def context(self, *names: str, self_signed: bool = False, expired: bool = False) -> ssl.SSLContext:
        """For a server whose certificate is for these host names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name("receiver of the tests")
        issuer, signing = (subject, key) if self_signed else (self._name, self._key)
        made = _certificate(subject, issuer, key.public_key(), ago=3 * DAY if expired else DAY)
        found = made.add_extension(
            x509.SubjectAlternativeName([_alternative(one) for one in names]), critical=False
        )
        signed = found.sign(signing, hashes.SHA256())
        self._count += 1
        path = self._folder / f"receiver-{self._count}.pem"
        pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        secret = key.private_bytes(pem, pkcs8, serialization.NoEncryption())
        path.write_bytes(secret + signed.public_bytes(pem))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


class HttpsReceiver:
    """Takes every event; without a context it speaks plain HTTP."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self.asked_for: list[str | None] = []  # the name in each handshake (RFC 6066, server_name)
        self.hosts: list[str] = []  # the header Host of each request
        handler = type("Bound", (_Handler,), {"receiver": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.present(context)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def present(self, context: ssl.SSLContext | None) -> None:
        """Show this certificate from the next connection on."""
        if context is not None:
            context.sni_callback = self._note
        self._server.context = context

    def _note(self, _connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        self.asked_for.append(name)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    context: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.context is None:
            super().finish_request(request, client_address)
            return
        try:
            with self.context.wrap_socket(request, server_side=True) as wrapped:
                super().finish_request(wrapped, client_address)
        except OSError:  # the client does not like the certificate
            return


class _Handler(BaseHTTPRequestHandler):
    receiver: HttpsReceiver
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.receiver.hosts.append(self.headers["host"])
        body = b'{"status":0}'
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: `hosts` says it."""


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: Any, *, ago: timedelta = DAY
) -> x509.CertificateBuilder:
    began = datetime.now(UTC) - ago
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(began)
        .not_valid_after(began + 2 * DAY)
    )
