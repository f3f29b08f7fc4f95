"""What pages say of a delivery: its state, its kind, why it is as it is, and what became of a text that came in.

The reasons are those of docs/sms.md; each has one sentence here.
"""

from collections.abc import Callable
from typing import Final

from huiyao.model import DeliveryState, Kind
from huiyao.pages.catalog import N_

STATES: Final[dict[str, str]] = {
    DeliveryState.PENDING: N_("Waiting"),
    DeliveryState.SENDING: N_("Being sent"),
    DeliveryState.SENT: N_("Sent"),
    DeliveryState.DELIVERED: N_("Delivered"),
    DeliveryState.FAILED: N_("Failed"),
    DeliveryState.SKIPPED: N_("Not sent"),
}
# How a state looks: the class of its badge.
TONES: Final[dict[str, str]] = {
    DeliveryState.PENDING: "warn",
    DeliveryState.SENDING: "warn",
    DeliveryState.SENT: "good",
    DeliveryState.DELIVERED: "good",
    DeliveryState.FAILED: "bad",
    DeliveryState.SKIPPED: "",
}
KINDS: Final[dict[str, str]] = {
    Kind.INVITED: N_("Invitation"),
    Kind.UPDATED: N_("Change"),
    Kind.CANCELLED: N_("Cancellation"),
    Kind.REMOVED: N_("Removal"),
    Kind.REMINDER: N_("Reminder"),
    Kind.NUDGED: N_("Nudge"),
}
REASONS: Final[dict[str, str]] = {
    # why it was not sent
    "in_app": N_("The organiser has turned texts off for this meeting."),
    "cancelled": N_("The meeting was cancelled."),
    "over": N_("The meeting is over."),
    "moved": N_("The meeting has moved to another time."),
    "missed": N_("The reminder would have come too late."),
    "not_member": N_("The person is not invited any more."),
    "member_again": N_("The person has been invited again."),
    "not_wanted": N_("The person wants no reminder."),
    "declined": N_("The person has declined."),
    "answered": N_("The person has answered."),
    "superseded": N_("A newer text tells it."),
    "invitation_waits": N_("The invitation has not gone out yet and will tell it."),
    "no_number": N_("The person has no mobile number; import one."),
    "bad_number": N_("The person's number takes no texts; import another."),
    "daily_limit": N_("The person has had the most texts of 24 hours (sms_daily_limit)."),
    # why it failed, or is tried again
    "unknown": N_("Twice, nobody could tell whether the gateway had taken it; it may have arrived."),
    "gave_up": N_("It could not be sent within 24 hours."),
    "unreachable": N_("The gateway cannot be reached."),
    "timeout": N_("The gateway did not answer in time: nobody knows whether it took the text."),
    "cut": N_("The connection broke before the answer: nobody knows whether the gateway took the text."),
    "no_answer": N_("The gateway's answer makes no sense: nobody knows whether it took the text."),
    "error": N_("Huiyao itself failed at it; the log says more."),
    "no_template": N_("HUIYAO_SMS_URL names no template for texts of this kind."),
    "undelivered": N_("The network reports that it could not be delivered."),
    "rejected": N_("The network reports that it was rejected."),
    "kannel_not_routable": N_("Kannel has no route to this number."),
    "kannel_no_sender": N_("Kannel wants a sender; set from= in HUIYAO_SMS_URL."),
    "kannel_403": N_("Kannel refuses user name or password; check HUIYAO_SMS_URL."),
}
# By how it begins; the code itself is the gateway's.
_PREFIXES: Final[dict[str, str]] = {
    "aliyun:": N_("Aliyun answered with this code; its documentation explains it."),
    "tencent:": N_("Tencent Cloud answered with this code; its documentation explains it."),
    "kannel_": N_("Kannel answered with this status."),
    "http_": N_("The gateway answered with this HTTP status."),
}
_OTHER: Final = N_("There is no explanation of this.")
OUTCOMES: Final[dict[str, str]] = {
    "accepted": N_("Accepted the invitation."),
    "declined": N_("Declined the invitation."),
    "nobody": N_("Ignored: nobody has the number it came from."),
    "several": N_("Ignored: several people have the number it came from."),
    "not_understood": N_("Ignored: neither 1 nor 2."),
    "no_invitation": N_("Ignored: no invitation went to the number within 72 hours."),
    "moved": N_("Ignored: the meeting has moved since the text that was answered."),
    "over": N_("Ignored: the meeting is over."),
    "cancelled": N_("Ignored: the meeting was cancelled."),
    "not_member": N_("Ignored: the person is not invited any more."),
}


def reason(code: str, _: Callable[[str], str]) -> str:
    """The sentence that explains a delivery's reason, "" where it has none."""
    if not code:
        return ""
    known = REASONS.get(code) or next(
        (sentence for start, sentence in _PREFIXES.items() if code.startswith(start)), _OTHER
    )
    return _(known)


def outcome(code: str, _: Callable[[str], str]) -> str:
    """The sentence that says what became of a text that came in."""
    return _(OUTCOMES.get(code, _OTHER))
