"""Who is told what, written down a second time: one person after the other, no SQL, nothing of Huiyao's.

Follows the table of who is told what, and the rules of looking again before a message is written and before a text is
sent. Slow and plain.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

MINUTE = 60_000
DAY = 24 * 60 * MINUTE

# Of a request to the gateway, for whom, of what kind and which one since the text was queued: whether the gateway
# "takes" it, is "busy" or is "silent"; and in how many milliseconds a text that is not taken is tried again.
Gateway = Callable[[str, str, int], tuple[str, int]]


def takes(uid: str, kind: str, number: int) -> tuple[str, int]:
    """A gateway in good health."""
    return "takes", 0


@dataclass
class Part:
    """One person's part in the meeting."""

    listed: bool
    organizer: bool = False
    status: int = 0
    remind: bool = True
    quiet: bool = False
    invited_by: int = 0  # the sequence of the change that invited them
    removed_by: int | None = None
    told_of: bool = False  # got the invitation of this membership
    shown: int = -1  # the newest state of the meeting that a message has shown them
    answered_at: int = -1


@dataclass
class Job:
    due: int
    kind: str
    topic: str = ""
    sequence: int = 0
    since: int = 0


@dataclass(eq=False)
class Text:
    """A text message for one person, from its queueing on."""

    uid: str
    kind: str
    place: int  # among all texts of the meeting
    due: int
    queued: int  # when
    sequence: int  # of the change that caused it
    occasion: tuple[int, int]  # begin and remind_min at that time
    requests: int = 0
    uncertain: int = 0  # requests of which nobody knows what became
    shows: int = -1  # the state of the meeting in the newest request


@dataclass
class Meeting:
    """One meeting, everybody's inbox and everybody's phone, as they should be."""

    organizer: str
    begin: int
    end: int
    address: str
    remind_min: int
    texting: bool = False  # remindType 1
    without_number: frozenset[str] = frozenset()
    sequence: int = 0
    cancelled: bool = False
    pushed: bool = False
    parts: dict[str, Part] = field(default_factory=dict)
    jobs: list[Job] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)  # that wait
    queued: int = 0  # texts until now
    taken: list[Text] = field(default_factory=list)  # by the gateway
    inboxes: dict[str, Counter[tuple[str, int, str]]] = field(default_factory=dict)
    phones: dict[str, Counter[tuple[str, int, str]]] = field(default_factory=dict)
    reminded: set[tuple[str, int, int]] = field(default_factory=set)
    nudged_at: int | None = None

    def create(self, invited: list[str], *, silent: bool, now: int) -> None:
        for uid in invited:
            self.parts[uid] = Part(listed=True, organizer=uid == self.organizer, quiet=silent)
        self.parts.setdefault(self.organizer, Part(listed=False, organizer=True, quiet=True))
        self.jobs.append(Job(now, "announce", "silent" if silent else "created"))
        self._set_reminder(now)

    def update(
        self,
        invited: list[str],
        *,
        begin: int,
        end: int,
        address: str,
        remind_min: int,
        texting: bool,
        silent: bool,
        now: int,
    ) -> bool:
        """True where anything changed."""
        listed = [uid for uid, part in self.parts.items() if part.listed]
        came = [uid for uid in invited if uid not in listed]
        went = [uid for uid in listed if uid not in invited]
        moved = (begin, end) != (self.begin, self.end)
        edited = address != self.address
        rescheduled = moved or remind_min != self.remind_min
        reordered = [uid for uid in listed if uid in invited] != [uid for uid in invited if uid in listed]
        switched = texting != self.texting
        if not (came or went or moved or edited or rescheduled or reordered or switched):
            return False
        self.sequence += 1
        self.begin, self.end, self.address = begin, end, address
        self.remind_min, self.texting = remind_min, texting
        silent = silent or end < now
        for uid in went:
            part = self.parts[uid]
            part.listed = False
            if not part.organizer:
                part.removed_by = self.sequence
        if moved:
            for part in self.parts.values():
                if part.listed or part.organizer:
                    part.status, part.answered_at = 0, -1
        for uid in came:
            old = self.parts.get(uid)
            self.parts[uid] = Part(
                listed=True,
                organizer=uid == self.organizer,
                remind=old.remind if old and old.organizer else True,
                quiet=silent,
                invited_by=self.sequence,
                shown=old.shown if old else -1,
            )
        self.parts = {
            uid: self.parts[uid] for uid in [*invited, *(u for u in self.parts if u not in invited)]
        }
        if not silent and (came or went or moved or edited):
            topic = "moved" if moved else "edited" if edited else "listed"
            self.jobs.append(Job(now, "announce", topic, self.sequence))
        if rescheduled:
            self._set_reminder(now)
        return True

    def cancel(self, *, now: int) -> None:
        if self.cancelled:
            return
        self.cancelled = True
        self.sequence += 1
        self._drop_reminder()
        if self.end >= now:
            self.jobs.append(Job(now, "announce", "cancelled", self.sequence))

    def respond(self, uid: str, status: int, *, now: int) -> None:
        part = self.parts[uid]
        if part.status == status:
            return
        part.status, part.answered_at = status, now
        if part.organizer:
            return
        waiting = [job for job in self.jobs if job.kind == "answered"]
        if not waiting:
            self.jobs.append(Job(now + 10_000, "answered", since=now))

    def nudge(self, *, now: int) -> None:
        self.nudged_at = now
        self.jobs.append(Job(now, "nudge"))

    def run(self, *, now: int) -> None:
        """Everything that is due, in order; an announcement never before an earlier one."""
        due = sorted((job for job in self.jobs if job.due <= now), key=lambda job: job.due)
        self.jobs = [job for job in self.jobs if job.due > now]
        for job in due:
            if job.kind == "announce":
                self._announce(job, now)
            elif job.kind == "remind":
                self._remind(job, now)
            elif not self.cancelled and self.end >= now:
                self._nudge_or_report(job, now)

    def send(self, gateway: Gateway = takes, *, now: int) -> None:
        """Every text that is due: the sender looks again, and asks the gateway if it is still true."""
        due = [text for text in self.texts if text.due <= now]
        for text in sorted(due, key=lambda text: (text.due, text.place)):
            self.texts.remove(text)
            given_up = text.uncertain == 2 or now >= text.queued + DAY
            if not given_up and self._true(text, now) and text.uid not in self.without_number:
                self._request(text, gateway, now)

    def _announce(self, job: Job, now: int) -> None:
        if job.sequence == 0 and not self.cancelled:
            self.pushed = True
        for uid, part in self.parts.items():
            if part.organizer or job.topic == "silent":
                continue
            told = part.told_of or part.quiet
            if job.topic == "cancelled":
                if part.listed and told:
                    self._tell(uid, "cancelled", job, now)
            elif part.listed and part.invited_by == job.sequence:
                if not part.quiet and not self.cancelled:
                    self._tell(uid, "invited", job, now)
                    part.told_of, part.shown = True, self.sequence
            elif not part.listed:
                if part.removed_by == job.sequence and part.status != 3 and told:
                    self._tell(uid, "removed", job, now)
            elif job.topic in {"moved", "edited"} and part.invited_by < job.sequence:
                if self.cancelled or self.end < now or part.shown >= job.sequence:
                    continue
                if job.topic == "moved" or part.status != 3:
                    self._tell(uid, "updated", job, now)
                    part.shown = self.sequence

    def _remind(self, job: Job, now: int) -> None:
        if self.cancelled or (now >= self.begin and now - job.due >= 5 * MINUTE):
            return
        for uid, part in self.parts.items():
            occasion = (uid, self.begin, self.remind_min)
            if (
                (part.listed or part.organizer)
                and part.remind
                and part.status != 3
                and occasion not in self.reminded
            ):
                self.reminded.add(occasion)
                self._tell(uid, "reminder", job, now)

    def _nudge_or_report(self, job: Job, now: int) -> None:
        if job.kind == "nudge":
            for uid, part in self.parts.items():
                if part.listed and not part.organizer and part.status in {0, 1}:
                    self._tell(uid, "nudged", job, now)
        elif any(
            part.listed and not part.organizer and part.status in {2, 3} and part.answered_at >= job.since
            for part in self.parts.values()
        ):
            self._tell(self.organizer, "answered", job, now)

    def _tell(self, uid: str, kind: str, job: Job, now: int) -> None:
        """In the app, and by a text too where the organizer wants texts and the meeting is not over."""
        self.inboxes.setdefault(uid, Counter())[kind, self.begin, self.address] += 1
        if not self.texting or self.end < now or kind == "answered":
            return
        if kind == "cancelled" and self.parts[uid].status == 3:
            return
        self.queued += 1
        occasion = (self.begin, self.remind_min)
        self.texts.append(Text(uid, kind, self.queued, job.due, now, job.sequence, occasion))

    def _true(self, text: Text, now: int) -> bool:
        """Whether a text says what still holds; a cancellation always does."""
        if text.kind == "cancelled":
            return True
        part = self.parts[text.uid]
        if not self.texting:
            return False
        if text.kind == "removed":
            return not part.listed and part.removed_by == text.sequence and self.end >= now
        if self.cancelled:
            return False
        if text.kind == "reminder":
            late = now >= self.begin and now - (self.begin - self.remind_min * MINUTE) >= 5 * MINUTE
            there = part.listed or part.organizer
            wanted = there and part.remind and part.status != 3
            return wanted and text.occasion == (self.begin, self.remind_min) and not late
        if not part.listed or self.end < now:
            return False
        if text.kind == "invited":
            return part.invited_by == text.sequence
        if text.kind == "nudged":
            return part.status in {0, 1}
        return part.invited_by < text.sequence and self._has_news(text, part)

    def _has_news(self, text: Text, part: Part) -> bool:
        """Whether an update says more than a text before it, or than the invitation that is still to go out."""
        unsent = [other for other in self.texts if other.uid == text.uid and not other.uncertain]
        if any((other.kind, other.sequence) == ("invited", part.invited_by) for other in unsent):
            return False
        asked = [*self.taken, *(other for other in self.texts if other.uncertain)]
        return not any(
            other.uid == text.uid and other.kind in {"invited", "updated"} and other.shows >= text.sequence
            for other in asked
        )

    def _request(self, text: Text, gateway: Gateway, now: int) -> None:
        text.requests += 1
        text.shows = self.sequence
        answer, pause = gateway(text.uid, text.kind, text.requests)
        if answer != "busy":
            self.phones.setdefault(text.uid, Counter())[text.kind, self.begin, self.address] += 1
        if answer == "takes":
            self.taken.append(text)
            return
        text.uncertain += answer == "silent"
        text.due = now + pause
        self.texts.append(text)

    def _set_reminder(self, now: int) -> None:
        self._drop_reminder()
        due = self.begin - self.remind_min * MINUTE
        if due > now:
            self.jobs.append(Job(due, "remind"))

    def _drop_reminder(self) -> None:
        self.jobs = [job for job in self.jobs if job.kind != "remind"]
