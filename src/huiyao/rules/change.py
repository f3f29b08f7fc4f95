"""A Change: everything one decision writes, as one value, with the guard under which it is valid.

`storage.commit` applies a Change wholly or not at all. The guard is the state the decision was made on:
`before` (the meeting's sequence and nudged_at must still be the same) and `attendee_before` (the attendee's own
fields must still be the same). Sequence rises with cancel too, so it guards against that as well.
"""

from typing import Final

import msgspec

from huiyao.model import Attendee, Entry, Meeting, Task

# What a Change of an existing meeting writes of its row. push_status is not among them: the dispatcher moves it under
# the same sequence meanwhile, and only a cancellation sets it. Nor is the organizer's name, which may have been erased.
MUTABLE: Final = (
    "content",
    "address",
    "begin_at",
    "end_at",
    "remind_min",
    "remind_type",
    "sequence",
    "moved_sequence",
    "create_time",
    "updated_at",
    "cancelled_at",
    "nudged_at",
    "size",
)


class Place(msgspec.Struct, frozen=True, gc=False):
    """A remaining attendee's place and name, nothing of their answer."""

    uid: str
    position: int
    name: str


class Idempotency(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The record by which a repeated create is recognised; unique by (org, app, uid, key) while it lives."""

    app_id: int
    uid: str
    key: str
    fingerprint: bytes
    meeting_id: int
    created_at: int
    expires_at: int


class Change(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    org_id: int
    meeting_id: int
    entry: Entry
    before: Meeting | None = None  # None: the meeting is new
    meeting: Meeting | None = None  # the row as it will be; None: an attendee's Change, the row stays
    added: tuple[Attendee, ...] = ()  # rows to insert, or to start anew where the person was removed before
    placed: tuple[Place, ...] = ()
    removed: tuple[str, ...] = ()  # uids; removed at entry.at, under meeting.sequence
    reset: bool = (
        False  # answers, replies and removed cards of all remaining attendees go back to their start
    )
    attendee_before: Attendee | None = None
    attendee: Attendee | None = None
    tasks: tuple[Task, ...] = ()  # inserted, or joined with the one of the same dedup_key (see `joins`)
    dropped: tuple[str, ...] = ()  # dedup_keys of tasks that no longer stand
    people: tuple[tuple[str, str], ...] = ()  # (uid, name) an open directory may learn
    idempotency: Idempotency | None = None
