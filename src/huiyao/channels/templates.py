"""What the vendors that send only registered templates have in common.

Which template a text goes by, the values of its parameters, our reference for it, and their codes as our reasons.
"""

import re
from typing import Final

from huiyao.channels.address import Address
from huiyao.channels.contract import Outgoing
from huiyao.errors import OperatorError
from huiyao.model import Kind
from huiyao.texts.sms import PARAMS, cut

KINDS: Final = (Kind.INVITED, Kind.UPDATED, Kind.CANCELLED, Kind.REMOVED, Kind.REMINDER, Kind.NUDGED)
_ONLY: Final[dict[str, str]] = {"change": Kind.UPDATED, "left": Kind.REMINDER}  # parameters of one kind

# Characters in the value of one parameter. Aliyun allows 35 in notices (help.aliyun.com/document_detail/463270);
# Tencent's console states an account's own (cloud.tencent.com/document/product/382/39023).
LONGEST: Final = 35
MOST: Final = 500  # either vendor's limit of a whole text

OPTIONS: Final = frozenset({"sign", "variable", *KINDS, *(f"{kind}.en" for kind in KINDS)})


class Templates:
    """The templates an operator has registered, as the options of the address name them."""

    def __init__(self, address: Address) -> None:
        """Raises OperatorError where none is named, or where the address has a path, which the SDKs would drop."""
        if address.path.strip("/"):
            raise OperatorError(f"HUIYAO_SMS_URL has a path, which {address.scheme}:// does not know.")
        self._names = {name: value for name, value in address.options.items() if name in OPTIONS}
        self._longest = address.count("variable", default=LONGEST, most=MOST)
        if not any(kind in self._names for kind in KINDS):
            raise OperatorError(
                f"HUIYAO_SMS_URL names no template: {address.scheme}:// needs one of the options {', '.join(KINDS)}."
            )

    def find(self, message: Outgoing) -> str | None:
        """The template of a text's kind and language; English goes by the Chinese one where it has none."""
        chinese = self._names.get(message.kind)
        return self._names.get(f"{message.kind}.en", chinese) if message.english else chinese

    def values(self, message: Outgoing) -> dict[str, str]:
        """The parameters of a text's kind, in the order of `texts.sms.PARAMS`.

        None is empty or too long for the vendors; `change` is there for updated only, `left` for reminder.
        """
        ellipsis = "..." if message.english else "…"
        return {
            name: cut(message.params.get(name, ""), self._longest, ellipsis) or "-"
            for name in PARAMS
            if _ONLY.get(name, message.kind) == message.kind
        }


def reference(message: Outgoing) -> str:
    """Our name for one request, which the vendors keep with it."""
    return f"{message.org_id}:{message.delivery_id}:{message.attempt}"


def reason(gateway: str, code: object) -> str:
    """A vendor's code as a reason, such as aliyun:isv.MOBILE_NUMBER_ILLEGAL; of letters, digits and _:.- only."""
    return re.sub(r"[^A-Za-z0-9_:.-]", "_", f"{gateway}:{code}")[:80]
