"""How values of `model` lie in SQLite's rows."""

from collections.abc import Sequence
from typing import Any, Final

from huiyao.model import Attendee, Delivery, Meeting, Message, Task

MEETING_FIELDS: Final = Meeting.__struct_fields__
ATTENDEE_FIELDS: Final = Attendee.__struct_fields__
TASK_FIELDS: Final = Task.__struct_fields__
DELIVERY_FIELDS: Final = Delivery.__struct_fields__

MEETING: Final = ", ".join(f"m.{field}" for field in MEETING_FIELDS)
ATTENDEE: Final = ", ".join(f"a.{field}" for field in ATTENDEE_FIELDS)
TASK: Final = ", ".join(f"t.{field}" for field in TASK_FIELDS)
DELIVERY: Final = ", ".join(f"d.{field}" for field in DELIVERY_FIELDS)


def insert(table: str, fields: Sequence[str], tail: str = "") -> str:
    """One row; column names are our own."""
    return f"INSERT INTO {table} ({', '.join(fields)}) VALUES ({', '.join('?' * len(fields))}) {tail}"


def meeting(row: Sequence[Any]) -> Meeting:
    """A meeting from the columns MEETING; written out, for it is on the path of every call."""
    return Meeting(
        org_id=row[0],
        id=row[1],
        app_id=row[2],
        organizer_uid=row[3],
        organizer_name=row[4],
        content=row[5],
        address=row[6],
        begin_at=row[7],
        end_at=row[8],
        remind_min=row[9],
        remind_type=row[10],
        push_status=row[11],
        sequence=row[12],
        moved_sequence=row[13],
        ical_uid=row[14],
        create_time=row[15],
        created_at=row[16],
        updated_at=row[17],
        cancelled_at=row[18],
        nudged_at=row[19],
        size=row[20],
    )


def attendee(row: Sequence[Any]) -> Attendee:
    """An attendee from the columns ATTENDEE; SQLite has no booleans."""
    return Attendee(
        row[0],
        row[1],
        row[2],
        row[3] == 1,
        row[4],
        row[5] == 1,
        row[6],
        row[7],
        row[8],
        row[9],
        row[10],
        row[11],
        row[12],
        row[13],
        row[14] == 1,
    )


def task(row: Sequence[Any]) -> Task:
    """A task from the columns TASK."""
    return Task(**dict(zip(TASK_FIELDS, row, strict=True)))


def delivery(row: Sequence[Any]) -> Delivery:
    """A delivery from the columns DELIVERY."""
    return Delivery(**dict(zip(DELIVERY_FIELDS, row, strict=True)))


MESSAGE: Final = "id, meeting_id, kind, params, created_at, read_at"


def message(row: Sequence[Any]) -> Message:
    """A message from the columns MESSAGE."""
    return Message(
        id=row[0], meeting_id=row[1], kind=row[2], params=row[3], created_at=row[4], read_at=row[5]
    )
