"""Every reason a delivery can have is explained, in docs/sms.md and on the pages, and no other is."""

import inspect
import re
from pathlib import Path

from huiyao.gateway import _STATES
from huiyao.model import DeliveryState, Kind
from huiyao.pages import wording
from huiyao.rules import deliver
from huiyao.service import deliveries

ROOT = Path(__file__).parents[2]


def literals(path: str, pattern: str) -> set[str]:
    return set(re.findall(pattern, (ROOT / "src/huiyao" / path).read_text()))


def test_every_reason_for_not_sending_has_the_same_words_in_code_and_documentation() -> None:
    section = (ROOT / "docs/sms.md").read_text().split("It is skipped\nas\n")[1].split("Receipts from")[0]
    documented = set(re.findall(r"`(\w+)`", section)) - {"sms_daily_limit"}
    assert documented <= wording.REASONS.keys()
    source = "".join(inspect.getsource(one) for one in (deliver.untrue, deliver._removal, deliver._reminder))
    returned = set(re.findall(r'return "(\w+)"', source + inspect.getsource(deliver._update)))
    skipped = literals("dispatch/sender.py", r'deliver\.skip\([^"]*"(\w+)"')
    assert returned | skipped == documented


def test_every_reason_of_a_gateway_is_explained() -> None:
    verdicts = r'(?:Retry|Refused|Unknown)\("(\w+)"'
    given = {
        reason
        for path in ("aliyun", "kannel", "tencent")
        for reason in literals(f"channels/{path}.py", verdicts)
    } | literals("dispatch/sender.py", r'Unknown\("(\w+)"')
    reported = {reason for _, reason in _STATES.values() if reason}
    assert given
    assert reported
    assert given | reported | {"unknown", "gave_up"} <= wording.REASONS.keys()


def test_a_gateways_own_code_is_explained_by_whose_it_is() -> None:
    for code in ("aliyun:isv.OUT_OF_SERVICE", "tencent:InternalError", "kannel_500", "http_503"):
        assert wording.reason(code, str) != wording.reason("something_else", str)
    assert wording.reason("", str) == ""


def test_every_state_kind_and_outcome_has_a_word() -> None:
    assert wording.STATES.keys() == wording.TONES.keys() == set(DeliveryState)
    assert wording.KINDS.keys() == set(Kind) - {Kind.ANSWERED}
    returned = set(re.findall(r'"(\w+)"', inspect.getsource(deliveries._outcome).split('"""')[2]))
    assert returned == wording.OUTCOMES.keys()
