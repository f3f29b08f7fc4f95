"""Transaction numbers after a restore. They are the places in the feeds.

A cluster may be younger than the dump that was restored into it: its messages would be hidden until it has counted as
far, and new ones would stand before them. One that was taken back to a moment would give places again that are in
readers' cursors.
"""

from typing import Final

from huiyao.storage.contract import Progress
from huiyao.storage.postgres.connections import close, connect

AHEAD: Final = 1_000_000  # more transactions than there were since the backup, mostly
_AT_ONCE: Final = 20_000
_SECONDS: Final = 3600.0  # for a look at all messages; one by one they are counted within moments
_NEWEST: Final = "SELECT greatest((SELECT max(xid) FROM message), (SELECT max(xid) FROM history), 0)"
_PRESENT: Final = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
_COUNT: Final = """
    DO $$ BEGIN
        FOR number IN 1..{} LOOP
            PERFORM pg_current_xact_id();
            COMMIT;
        END LOOP;
    END $$
"""


async def count_on(url: str, *, progress: Progress) -> None:
    """Take transaction numbers until all places given are AHEAD below; a small machine takes 300,000 a second.

    Raises DRIVER_ERRORS.
    """
    connection = await connect(url, {"application_name": "huiyao"})  # it may read whole tables
    try:
        newest = await connection.fetchval(_NEWEST, timeout=_SECONDS)
        first = present = await connection.fetchval(_PRESENT)
        goal = AHEAD + max(newest, present)
        while present < goal:
            await connection.execute(_COUNT.format(min(_AT_ONCE, goal - present)), timeout=_SECONDS)
            present = await connection.fetchval(_PRESENT)
            progress(min(present, goal) - first, goal - first)
    finally:
        await close(connection)
