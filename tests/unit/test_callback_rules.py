"""What becomes of an event: retried with growing pauses for a day, given up, replayed; and what answers mean."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import msgspec
import pytest

from huiyao.channels.callback import Answer, Gone, NotTaken, Taken, judge, wanted_pause
from huiyao.model import CallbackStyle, Event, EventState
from huiyao.rules import callbacks
from huiyao.rules.callbacks import Attempt

NOW = 1_700_000_000_000
HOUR = 3_600_000
DAY = 24 * HOUR


def event(**facts: object) -> Event:
    known = {
        "org_id": 1,
        "id": 5,
        "app_id": 7,
        "meeting_id": 12,
        "type": 101,
        "sequence": 0,
        "uid": "",
        "msg_status": None,
        "reason": "",
        "at": NOW,
        "due_at": NOW,
        "give_up_at": NOW + DAY,
        "state": EventState.SENDING,
        "attempt": 1,
        "sent_at": NOW,
    }
    return Event(**(known | facts))  # type: ignore[arg-type]


def attempt(at: int, outcome: str = "500") -> Attempt:
    return Attempt(at=at, ms=10, outcome=outcome)


def test_pauses_grow_up_to_an_hour_and_end_after_a_day_with_one_last_request() -> None:
    one, pauses, now = event(), [], NOW
    while one.ended_at is None:
        one = callbacks.put_off(one, attempt(now), after_seconds=None, jitter=1)
        if one.ended_at is None:
            pauses.append(one.due_at - now - 10)
            now = one.due_at
    assert pauses[:4] == [5_000, 10_000, 20_000, 40_000]
    assert max(pauses) == HOUR
    assert pauses == [*sorted(pauses[:-1]), pauses[-1]]
    assert (one.state, one.outcome) == (EventState.FAILED, "500")
    assert now == one.give_up_at
    assert len(pauses) < 40


def test_the_receivers_own_wish_counts_where_it_is_longer() -> None:
    for wish, pause in ((None, 5_000), (1, 5_000), (600, 600_000), (90_000, DAY - 10)):
        found = callbacks.put_off(event(), attempt(NOW), after_seconds=wish, jitter=1)
        assert found.due_at == NOW + 10 + pause


def test_jitter_shortens_our_own_pause_and_never_the_receivers() -> None:
    assert callbacks.put_off(event(), attempt(NOW), after_seconds=None, jitter=0.5).due_at == NOW + 2_510
    assert callbacks.put_off(event(), attempt(NOW), after_seconds=60, jitter=0.5).due_at == NOW + 60_010


def test_the_log_keeps_the_last_twenty_requests() -> None:
    one = event()
    for number in range(25):
        one = callbacks.put_off(one, attempt(NOW + number, str(number)), after_seconds=None, jitter=1)
    assert [found.outcome for found in callbacks.attempts(one)] == [str(number) for number in range(5, 25)]


def test_what_waits_behind_others_is_given_up_an_hour_after_its_day() -> None:
    waiting = event(state=EventState.PENDING, attempt=0, sent_at=None)
    assert callbacks.give_up(waiting, now=NOW + DAY + HOUR - 1) is None
    gone = callbacks.give_up(waiting, now=NOW + DAY + HOUR)
    assert gone
    assert (gone.state, gone.outcome) == (EventState.FAILED, "gave_up")
    assert callbacks.give_up(event(), now=NOW + 2 * DAY) is None  # under way


def test_a_replay_begins_anew_and_only_what_has_ended_is_replayed() -> None:
    ended = callbacks.delivered(event(failures=3), attempt(NOW, "200"))
    again = callbacks.replay(ended, now=NOW + DAY)
    assert again
    assert (again.state, again.failures, again.due_at) == (EventState.PENDING, 0, NOW + DAY)
    assert (again.give_up_at, again.id, again.attempt) == (NOW + 2 * DAY, ended.id, ended.attempt)
    assert callbacks.attempts(again) == [attempt(NOW, "200")]
    assert callbacks.replay(again, now=NOW) is None
    assert callbacks.replay(event(), now=NOW) is None
    skipped = callbacks.skip(event(), "disabled", now=NOW)
    assert callbacks.replay(skipped, now=NOW)


OK = b'{"status":0,"data":{"any":"thing"}}'


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, OK, Taken("200")),
        (200, b'{"status":1}', NotTaken("refused", down=False)),
        (200, b'{"status":"0"}', NotTaken("bad_answer", down=False)),
        (200, b'{"status":false}', NotTaken("bad_answer", down=False)),
        (200, b"", NotTaken("bad_answer", down=False)),
        (200, b"success", NotTaken("bad_answer", down=False)),
        (200, b"[" * 16_000, NotTaken("bad_answer", down=False)),
        (200, b"\xff\xfe", NotTaken("bad_answer", down=False)),
        (201, OK, NotTaken("201", down=False)),
        (204, b"", NotTaken("204", down=False)),
        (301, OK, NotTaken("301", down=False)),
        (401, OK, NotTaken("401", down=False)),
        (410, OK, Gone()),
        (429, OK, NotTaken("429", down=True)),
        (500, OK, NotTaken("500", down=True)),
        (503, OK, NotTaken("503", down=True)),
    ],
)
def test_only_http_200_with_status_0_takes_an_event_in_the_platforms_style(
    status: int, body: bytes, expected: Answer
) -> None:
    assert judge(status, body, style=CallbackStyle.PLATFORM) == expected


def test_any_2xx_takes_a_standard_webhook() -> None:
    for status in (200, 201, 202, 204):
        assert judge(status, b"", style=CallbackStyle.STANDARD) == Taken(str(status))
    for status in (302, 400, 500):
        assert isinstance(judge(status, OK, style=CallbackStyle.STANDARD), NotTaken)
    assert judge(410, b"", style=CallbackStyle.STANDARD) == Gone()


def test_retry_after_is_seconds_or_a_date_and_a_day_at_the_most() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=120), usegmt=True)
    past = format_datetime(datetime.now(UTC) - timedelta(seconds=120), usegmt=True)
    assert wanted_pause("120") == 120
    assert wanted_pause(" 7 ") == 7
    assert wanted_pause("9" * 50) == 86_400
    assert 110 <= (wanted_pause(later) or 0) <= 120
    assert wanted_pause(past) == 0
    for nonsense in (None, "", "soon", "-5", "1.5", "٣"):
        assert wanted_pause(nonsense) is None
    for status, wish in ((429, 30), (503, 30), (500, None)):
        found = judge(status, b"", style=CallbackStyle.STANDARD, retry_after="30")
        assert isinstance(found, NotTaken)
        assert found.after_seconds == wish


def test_events_are_values_that_can_be_written_and_read() -> None:
    assert msgspec.json.decode(msgspec.json.encode(event()), type=Event) == event()
