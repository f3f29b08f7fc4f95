"""The tables, described once for both databases; migrations must arrive at exactly this.

Every table but app, token_generation, quota, setting and heartbeat starts its primary key with org_id, so that the
data can be distributed by organisation. Moments are epoch milliseconds. `xid` is the transaction that wrote a feed's
row: pg_current_xact_id() on PostgreSQL, a counter of committed batches on SQLite, where writes are serial anyway.
"""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateIndex
from sqlalchemy.sql.compiler import DDLCompiler

from huiyao.storage import event_tables
from huiyao.storage.columns import number as _number
from huiyao.storage.columns import small as _small
from huiyao.storage.columns import text as _text
from huiyao.storage.workbench import LONG_MS

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


@compiles(CreateIndex, "sqlite")
def _create_index(create: CreateIndex, compiler: DDLCompiler, **options: Any) -> str:
    """SQLite includes nothing beside a key: what PostgreSQL includes stands at the key's end."""
    index: Index = create.element
    statement: str = compiler.visit_create_index(create, **options)  # type: ignore[no-untyped-call]
    included = index.dialect_options["postgresql"]["include"]
    return f"{statement.removesuffix(')')}, {', '.join(included)})" if included else statement


def _hash() -> Column[bytes]:
    return Column("hash", LargeBinary, nullable=False)


setting = Table("setting", metadata, _text("name"), _text("value"), PrimaryKeyConstraint("name"))

# SQLite's source of ids and feed order; PostgreSQL has the sequence huiyao_id and its own transaction ids.
counter = Table("counter", metadata, _text("name"), _number("value"), PrimaryKeyConstraint("name"))

heartbeat = Table("heartbeat", metadata, _text("node"), _number("at"), PrimaryKeyConstraint("node"))

org = Table(
    "org",
    metadata,
    _number("org_id"),
    _text("name"),
    _text("timezone"),
    _small("closed"),
    PrimaryKeyConstraint("org_id"),
    CheckConstraint("org_id > 0", name="id"),
    CheckConstraint("closed IN (0, 1)", name="closed"),
)

person = Table(
    "person",
    metadata,
    _number("org_id"),
    _text("uid"),
    _text("name"),
    _text("mobile"),
    _text("email"),
    _text("timezone"),
    _text("locale"),
    _text("search"),  # what `search_people` looks in: huiyao.pinyin.search_text
    PrimaryKeyConstraint("org_id", "uid"),
    ForeignKeyConstraint(["org_id"], ["org.org_id"]),
)

app = Table(
    "app",
    metadata,
    _number("app_id"),
    _text("name"),
    Column("secret", LargeBinary, nullable=False),
    _number("generation"),
    _number("revoked_generation"),
    _small("disabled"),
    _text("callback_url"),
    Column(
        "callback_style",
        Text,
        CheckConstraint("callback_style IN ('platform', 'standard')", name="callback_style"),
        nullable=False,
        server_default="platform",
    ),
    Column("callback_secret", LargeBinary),  # sealed; NULL: the app is told of nothing
    Column("callback_old_secret", LargeBinary),
    _number("callback_old_until", optional=True),
    _number("callback_gone_at", optional=True),
    _text("grants"),  # comma-separated API permissions beyond the usual ones
    Column("ip_list", Text, nullable=False, server_default=""),  # comma-separated networks; "": from anywhere
    Column("api_list", Text, nullable=False, server_default=""),  # comma-separated usual calls; "": all
    Column("rate", BigInteger, CheckConstraint("rate >= 0", name="rate"), nullable=False, server_default="0"),
    Column(
        "quota", BigInteger, CheckConstraint("quota >= 0", name="quota"), nullable=False, server_default="0"
    ),
    PrimaryKeyConstraint("app_id"),
    CheckConstraint("app_id > 0", name="id"),
    CheckConstraint("disabled IN (0, 1)", name="disabled"),
    CheckConstraint("revoked_generation <= generation", name="generation"),
)

token_generation = Table(
    "token_generation",
    metadata,
    Column("app_id", BigInteger, ForeignKey("app.app_id"), nullable=False),
    _number("number"),
    _number("issued_at"),
    _number("expires_at"),
    PrimaryKeyConstraint("app_id", "number"),
)

# What processes have taken of an app's daily quota, in blocks; `granted` is the newest of them.
quota = Table(
    "quota",
    metadata,
    Column("app_id", BigInteger, ForeignKey("app.app_id"), nullable=False),
    _number("day"),  # since 1970-01-01, UTC
    _number("taken"),
    _number("granted"),
    PrimaryKeyConstraint("app_id", "day"),
    CheckConstraint("granted BETWEEN 0 AND taken", name="granted"),
)

org_app = Table(
    "org_app",
    metadata,
    _number("org_id"),
    _number("app_id"),
    _small("is_default"),
    PrimaryKeyConstraint("org_id", "app_id"),
    ForeignKeyConstraint(["org_id"], ["org.org_id"]),
    ForeignKeyConstraint(["app_id"], ["app.app_id"]),
    Index(None, "app_id"),
)

meeting = Table(
    "meeting",
    metadata,
    _number("org_id"),
    _number("id"),
    _number("app_id"),
    _text("organizer_uid"),
    _text("organizer_name"),
    _text("content"),
    _text("address"),
    _number("begin_at"),
    _number("end_at"),
    _number("remind_min"),
    _small("remind_type"),
    _small("push_status"),
    _number("sequence"),
    _number("moved_sequence"),
    _text("ical_uid"),
    _number("create_time"),
    _number("created_at"),
    _number("updated_at"),
    _number("cancelled_at", optional=True),
    _number("nudged_at", optional=True),
    _number("size"),
    PrimaryKeyConstraint("org_id", "id"),
    ForeignKeyConstraint(["org_id"], ["org.org_id"]),
    CheckConstraint("id BETWEEN 1 AND 9007199254740991", name="id"),
    CheckConstraint("end_at >= begin_at", name="times"),
    CheckConstraint("remind_min BETWEEN 0 AND 40320", name="remind_min"),
    CheckConstraint("remind_type IN (0, 1)", name="remind_type"),
    CheckConstraint("push_status IN (0, 1, 2)", name="push_status"),
    CheckConstraint("(push_status = 2) = (cancelled_at IS NOT NULL)", name="cancelled"),
    CheckConstraint("size > 0", name="size"),
    CheckConstraint("moved_sequence BETWEEN 0 AND sequence", name="sequence"),
)

attendee = Table(
    "attendee",
    metadata,
    _number("org_id"),
    _number("meeting_id"),
    _text("uid"),
    _text("name"),
    _number("position"),
    _small("organizer"),
    _small("msg_status"),
    _small("remind"),
    _text("reply"),
    _number("read_at", optional=True),
    _number("answered_at", optional=True),
    _number("card_removed_at", optional=True),
    _number("removed_at", optional=True),
    _number("membership"),
    _number("invited_sequence"),
    _number("removed_sequence", optional=True),
    _small("quiet"),
    # Copies of the meeting's (a removed person's are those of their last day on it), so that one index has a person's
    # cards in the order of time.
    _number("begin_at"),
    _number("end_at"),
    _number("link_id"),  # what a link in a text names this membership by
    PrimaryKeyConstraint("org_id", "meeting_id", "uid"),
    ForeignKeyConstraint(["org_id", "meeting_id"], ["meeting.org_id", "meeting.id"]),
    CheckConstraint("position >= 0 OR (position = -1 AND organizer = 1)", name="position"),
    CheckConstraint("msg_status BETWEEN 0 AND 3", name="msg_status"),
    CheckConstraint("organizer IN (0, 1)", name="organizer"),
    CheckConstraint("remind IN (0, 1)", name="remind"),
    CheckConstraint("quiet IN (0, 1)", name="quiet"),
    CheckConstraint("(removed_at IS NULL) = (removed_sequence IS NULL)", name="removed"),
    CheckConstraint("(answered_at IS NOT NULL) = (msg_status >= 2)", name="answered"),
    CheckConstraint("removed_at IS NULL OR organizer = 0", name="organizer_stays"),
    CheckConstraint("link_id > 0", name="link_id"),
    sqlite_with_rowid=False,
)
# A person's cards in the order of time, with all by which shelves and calendars leave one out: thousands that do not
# matter cost no look at a row. On PostgreSQL that does not belong to the key: without statistics "removed_at IS NULL"
# would pass for a way into it. The few that last long are found by their end, so that what goes on now is found
# without looking through the past.
Index(
    "ix_attendee_card",
    *(attendee.c[name] for name in ("org_id", "uid", "begin_at", "meeting_id")),
    postgresql_include=("end_at", "organizer", "msg_status", "card_removed_at", "removed_at"),
)
_LASTS_LONG: Final = text(f"end_at - begin_at > {LONG_MS}")
Index(
    "ix_attendee_long",
    attendee.c.org_id,
    attendee.c.uid,
    attendee.c.end_at,
    postgresql_where=_LASTS_LONG,
    sqlite_where=_LASTS_LONG,
)

task = Table(
    "task",
    metadata,
    _number("org_id"),
    _number("id"),
    _number("due_at"),
    _text("kind"),
    _number("meeting_id"),
    _number("sequence"),
    _text("dedup_key"),
    _text("topic"),
    _number("since_at"),
    _text("old"),
    _text("resume_uid"),
    Column("attempt", BigInteger, nullable=False, server_default="0"),
    PrimaryKeyConstraint("org_id", "id"),
    UniqueConstraint("org_id", "dedup_key"),
    ForeignKeyConstraint(["org_id", "meeting_id"], ["meeting.org_id", "meeting.id"]),
    CheckConstraint("kind IN ('announce', 'remind', 'nudge', 'answered')", name="kind"),
    CheckConstraint(
        "topic IN ('', 'created', 'moved', 'edited', 'listed', 'cancelled', 'silent')", name="topic"
    ),
    Index(None, "due_at"),
    Index(None, "org_id", "meeting_id", "sequence"),
)

idempotency = Table(
    "idempotency",
    metadata,
    _number("org_id"),
    _number("app_id"),
    _text("uid"),
    _text("key"),
    Column("fingerprint", LargeBinary, nullable=False),
    _number("meeting_id"),
    _number("created_at"),
    _number("expires_at"),
    PrimaryKeyConstraint("org_id", "app_id", "uid", "key"),
    Index(None, "expires_at"),
)

message = Table(
    "message",
    metadata,
    _number("org_id"),
    _text("uid"),
    _number("xid"),
    _number("id"),
    _number("meeting_id"),
    _text("kind"),
    _text("occasion"),
    _number("as_of"),  # the meeting's sequence that the message shows
    _text("params"),
    _number("created_at"),
    _number("read_at", optional=True),
    PrimaryKeyConstraint("org_id", "uid", "xid", "id"),
    UniqueConstraint("org_id", "meeting_id", "uid", "kind", "occasion"),
    ForeignKeyConstraint(["org_id", "meeting_id"], ["meeting.org_id", "meeting.id"]),
    CheckConstraint(
        "kind IN ('invited', 'updated', 'cancelled', 'removed', 'reminder', 'nudged', 'answered')",
        name="kind",
    ),
)
Index(
    "ix_message_unread",
    message.c.org_id,
    message.c.uid,
    postgresql_where=message.c.read_at.is_(None),
    sqlite_where=message.c.read_at.is_(None),
)

delivery = Table(
    "delivery",
    metadata,
    _number("org_id"),
    _number("id"),
    _text("channel"),
    _text("uid"),
    _number("meeting_id"),
    _text("kind"),
    _text("occasion"),
    _number("sequence"),
    _number("created_at"),
    _number("due_at"),
    _number("give_up_at"),
    _text("state"),
    _number("attempt"),
    _number("failures"),
    _number("uncertain"),
    _number("lease_until", optional=True),
    _number("sent_at", optional=True),
    _number("as_of"),
    _text("address"),
    _text("text"),
    _text("provider_id"),
    _text("reason"),
    _number("ended_at", optional=True),
    PrimaryKeyConstraint("org_id", "id"),
    # The meeting first: on a table without statistics PostgreSQL would take an index that begins with the organisation
    # for as good as the primary key, and look through all deliveries of the organisation for one.
    UniqueConstraint("meeting_id", "org_id", "uid", "kind", "occasion", "channel"),
    ForeignKeyConstraint(["org_id", "meeting_id"], ["meeting.org_id", "meeting.id"]),
    CheckConstraint(
        "kind IN ('invited', 'updated', 'cancelled', 'removed', 'reminder', 'nudged')",
        name="kind",
    ),
    CheckConstraint(
        "state IN ('pending', 'sending', 'sent', 'delivered', 'failed', 'skipped')",
        name="state",
    ),
    CheckConstraint("(lease_until IS NOT NULL) = (state = 'sending')", name="lease"),
    CheckConstraint("(ended_at IS NULL) = (state IN ('pending', 'sending'))", name="ended"),
    CheckConstraint("(sent_at IS NULL) = (attempt = 0)", name="sent"),
    CheckConstraint("uncertain BETWEEN 0 AND 2 AND uncertain <= attempt", name="uncertain"),
)
# The ones that wait, in the order in which senders take them; those under way, by the end of their lease; and those
# that ended, by their age. What a person was sent of late bounds the day's texts and finds what they answer.
Index(
    "ix_delivery_waiting",
    delivery.c.channel,
    delivery.c.due_at,
    postgresql_where=delivery.c.state == "pending",
    sqlite_where=delivery.c.state == "pending",
)
Index(
    "ix_delivery_leased",
    delivery.c.lease_until,
    postgresql_where=delivery.c.state == "sending",
    sqlite_where=delivery.c.state == "sending",
)
Index(
    "ix_delivery_ended",
    delivery.c.ended_at,
    postgresql_where=delivery.c.ended_at.is_not(None),
    sqlite_where=delivery.c.ended_at.is_not(None),
)
Index(
    "ix_delivery_begun",
    delivery.c.org_id,
    delivery.c.uid,
    delivery.c.sent_at,
    postgresql_where=delivery.c.sent_at.is_not(None),
    sqlite_where=delivery.c.sent_at.is_not(None),
)
Index(
    "ix_person_mobile",
    person.c.mobile,
    postgresql_where=person.c.mobile != "",
    sqlite_where=person.c.mobile != "",
)

inbound = Table(
    "inbound",
    metadata,
    _number("org_id"),
    _number("id"),
    _number("at"),
    _text("uid"),
    _number("meeting_id"),
    _text("outcome"),
    PrimaryKeyConstraint("org_id", "id"),
    Index(None, "at"),
)

history = Table(
    "history",
    metadata,
    _number("org_id"),
    _number("id"),
    _number("xid"),
    _number("meeting_id"),
    _number("at"),
    _number("app_id", optional=True),
    _text("actor_uid"),
    _text("kind"),
    _text("change"),
    PrimaryKeyConstraint("org_id", "id"),
    ForeignKeyConstraint(["org_id", "meeting_id"], ["meeting.org_id", "meeting.id"]),
    CheckConstraint(
        "kind IN ('created', 'updated', 'cancelled', 'deleted', 'read', 'responded', 'remind', 'nudged', 'missed')",
        name="kind",
    ),
    Index(None, "org_id", "meeting_id", "xid", "id"),
)
# A reminder that came too late is an entry, but nothing that a reader of the feed has to hear of.
Index(
    "ix_history_org_id_xid_id",
    *(history.c[name] for name in ("org_id", "xid", "id")),
    postgresql_where=history.c.kind != "missed",
    sqlite_where=history.c.kind != "missed",
)

event_tables.define(metadata)

# Of the operator's org_id is 0, which no organisation has.
ticket = Table(
    "ticket",
    metadata,
    _number("org_id"),
    _hash(),
    _text("uid"),
    _number("app_id", optional=True),
    _number("created_at"),
    _number("expires_at"),
    _number("consumed_at", optional=True),
    PrimaryKeyConstraint("org_id", "hash"),
    Index(None, "org_id", "uid"),
    Index(None, "expires_at"),
)

session = Table(
    "session",
    metadata,
    _number("org_id"),
    _hash(),
    _text("uid"),
    _number("app_id", optional=True),
    _number("created_at"),
    _number("expires_at"),
    PrimaryKeyConstraint("org_id", "hash"),
    Index(None, "org_id", "uid"),
    Index(None, "expires_at"),
)
