"""What a caller asks for, already checked in form by `wire`; the input of `organize` and `attend`."""

import msgspec

from huiyao.model import MsgStatus


class Invitee(msgspec.Struct, frozen=True, gc=False):
    """A person on the list of a create or update, in the caller's order, each uid once."""

    uid: str
    name: str
    remind: bool = True


class Detail(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The whole content of an invitation (contract section 4)."""

    content: str
    address: str
    begin_at: int
    end_at: int
    remind_min: int
    remind_type: int
    create_time: int | None  # None: now on create, unchanged on update
    invitees: tuple[Invitee, ...]


class Create(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    requester_name: str
    detail: Detail
    silent: bool = False  # the wire's notify: "none"
    repeat_key: str | None = None  # what makes a repetition recognisable; None: nothing does
    repeat_for: int = 0  # milliseconds the key is remembered
    fingerprint: bytes = b""  # of path, requester name and raw body


class Update(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    detail: Detail
    silent: bool = False
    sequence: int | None = None


class Cancel(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    sequence: int | None = None


class Respond(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    msg_status: MsgStatus  # ACCEPTED or DECLINED
    reply: str = ""
    sequence: int | None = None


class Remind(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    remind: bool
