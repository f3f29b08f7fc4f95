"""What one stream reads for its page: messages behind its cursor, and which of the meetings shown have changed."""

from typing import Final

from huiyao import errors
from huiyao.pages.watchers import Watcher, Watchers
from huiyao.storage.contract import Position, Storage
from huiyao.texts import inbox as inbox_texts
from huiyao.wire import events

PAGE: Final = 50  # messages


class Reader:
    """Reads as the person whose the stream is, in their language and time zone."""

    def __init__(
        self,
        storage: Storage,
        watchers: Watchers,
        watcher: Watcher,
        *,
        after: Position,
        since: int,
        locale: str,
        timezone: str,
    ) -> None:
        self._storage = storage
        self._watchers = watchers
        self._watcher = watcher
        self._after = after
        self._since: int | None = since  # None: what happened before the stream began is known
        self._locale = locale
        self._timezone = timezone

    async def read(self, *, seen: int) -> bytes:
        """The next frames; empty where there is nothing to tell now. Raises SystemFailure; then nothing is lost.

        `seen`: the horizon below which the stream has been told what changed.
        """
        if self._since is not None:
            await self._catch_up(self._since)
            self._since = None
        org_id, uid = self._watcher.org_id, self._watcher.uid
        changed = self._watcher.take_changed()
        try:
            # The messages last: they move the cursor, and nothing may fail behind that.
            found = [(one, await self._storage.meeting(org_id, one, uid)) for one in sorted(changed)]
            messages = await self._messages() if self._watcher.inbox else b""
        except errors.SystemFailure:
            self._watcher.change(changed)
            raise
        for meeting_id, mine in found:  # who was removed from a meeting hears that, and nothing later
            if mine is None or mine[1].removed_at is not None:
                self._watchers.forget(self._watcher, meeting_id)
        return events.meetings([one for one, mine in found if mine], since=seen) + messages

    async def _catch_up(self, since: int) -> None:
        meetings = list(self._watcher.meetings)
        if not meetings:
            return
        until = await self._storage.horizon()
        if since < until:
            news = await self._storage.news(self._watcher.org_id, (), meetings, since=since, until=until)
            self._watcher.change(news.meetings)
        elif since > until:  # of another database, before it was restored
            self._watcher.change(meetings)

    async def _messages(self) -> bytes:
        watcher = self._watcher
        watcher.inbox = False  # whoever comes from here on wakes the stream again
        try:
            page = await self._storage.inbox(watcher.org_id, watcher.uid, after=self._after, size=PAGE)
        except errors.SystemFailure:
            watcher.inbox = True
            raise
        watcher.inbox = len(page.messages) == PAGE or watcher.inbox
        self._after = page.end
        return b"".join(
            events.message(
                one,
                inbox_texts.render(one, timezone=self._timezone, locale=self._locale),
                unread=page.unread,
                position=Position(xid, one.id),
            )
            for one, xid in zip(page.messages, page.xids, strict=True)
        )
