"""What the pages' browsers load beside them: own and vendored style and script, from memory, for ever.

An address carries a hash of the content, so that a browser may keep it a year and never shows an old one.
"""

import gzip
from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

BASE: Final = "/workbench/static/"
FOLDER: Final = Path(__file__).parent / "static"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class _File(msgspec.Struct, frozen=True):
    content_type: str
    body: bytes
    zipped: bytes
    version: str


class StaticFiles:
    """Everything in the folder that has a type of ours."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files = {
            path.relative_to(folder).as_posix(): _read(path)
            for path in sorted(folder.rglob("*"))
            if path.suffix in _TYPES
        }

    def address(self, name: str) -> str:
        """Raises KeyError where there is no such file."""
        return f"{BASE}{name}?v={self._files[name].version}"

    async def serve(self, request: Request) -> Response:
        found = self._files.get(request.path_params["name"])
        if found is None:
            return Response(status_code=404)
        zipped = "gzip" in request.headers.get("accept-encoding", "")
        headers = {"cache-control": "public, max-age=31536000, immutable", "vary": "accept-encoding"}
        if zipped:
            headers["content-encoding"] = "gzip"
        return Response(
            found.zipped if zipped else found.body, headers=headers, media_type=found.content_type
        )


def _read(path: Path) -> _File:
    body = path.read_bytes()
    version = urlsafe_b64encode(sha256(body).digest()[:9]).decode()
    return _File(_TYPES[path.suffix], body, gzip.compress(body, 9, mtime=0), version)
