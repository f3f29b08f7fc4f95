"""The tables, described once for both databases; migrations must arrive at exactly this.

Every table but app, token_generation, setting and heartbeat starts its primary key with org_id, so that the data can
be distributed by organisation. Moments are epoch milliseconds. `xid` is the transaction that wrote a feed's row:
pg_current_xact_id() on PostgreSQL, a counter of committed batches on SQLite, where writes are serial anyway.
"""

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
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _number(name: str, *, optional: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=optional)


def _small(name: str) -> Column[int]:
    return Column(name, SmallInteger, nullable=False)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


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
    _text("grants"),  # comma-separated API permissions beyond the usual ones
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
    sqlite_with_rowid=False,
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
    Index(None, "org_id", "xid", "id"),
    Index(None, "org_id", "meeting_id", "id"),
)
