"""Chooses the SMS gateway by its address, and loads no other: the vendors' SDKs are optional and slow to import."""

import importlib
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from huiyao.channels.contract import Channel, Outgoing
from huiyao.channels.log import Log
from huiyao.errors import OperatorError
from huiyao.settings import SMS_SCHEMES


def open_sms(url: str, *, receipt_url: Callable[[Outgoing], str] | None = None) -> Channel:
    """The gateway behind HUIYAO_SMS_URL; nothing is connected yet.

    `receipt_url` says where a gateway reports what became of a text, if it can. Raises OperatorError.
    """
    scheme = url.partition(":")[0]
    if not url.startswith(SMS_SCHEMES):
        raise OperatorError("HUIYAO_SMS_URL must begin with log:, kannel://, aliyun:// or tencent://.")
    if scheme == "log":
        return Log()
    try:
        module = importlib.import_module(f"huiyao.channels.{scheme}")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("huiyao"):
            raise
        raise OperatorError(
            f"HUIYAO_SMS_URL names {scheme}://, which needs more packages: run `pip install 'huiyao[{scheme}]'`."
        ) from error
    if scheme == "kannel":
        channel: Channel = module.open_kannel(url, receipt_url=receipt_url)
    else:
        channel = module.open_vendor(url)
    return channel


def endpoint(url: str) -> tuple[str, int] | None:
    """Host and port where the gateway of an address that opens should listen; None where nothing is sent."""
    parts = urlsplit(url)
    if parts.hostname is None:
        return None
    tls = parse_qs(parts.query).get("tls", ["false" if parts.scheme == "kannel" else "true"])
    return parts.hostname, parts.port or (443 if tls == ["true"] else 80)
