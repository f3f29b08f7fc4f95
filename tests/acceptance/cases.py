"""Schemathesis, fed with the document a running server serves: what it generates made real, and what it must not find.

A case that is right in form mostly gets a real meeting and somebody who has a part in it: else nearly every answer
would be 4601, and say little.
"""

import copy
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote

import schemathesis
from schemathesis import Case, CheckContext, GenerationMode, HookContext, Response, engine, hooks
from schemathesis.core.parameters import ParameterLocation
from schemathesis.engine import Status, events
from schemathesis.generation.meta import CoveragePhaseData, CoverageScenario
from schemathesis.specs.openapi import checks as built_in

from tests.acceptance.process import ORG, Client, Server, eventually

AnyCase = Case[Any]

CLOSED: Final = 85162  # an organisation whose directory knows nobody
REAL: Final = 0.8  # of the cases that are right in form
ENOUGH: Final = 20  # findings; telling them takes longer than finding them
MEETINGS_LAST: Final = 40  # uses of one, where it survives them

# What an API that speaks in HTTP statuses would answer, for the checks that look at nothing else.
ELSEWHERE: Final = (
    {0: 200, -1: 500, 4002: 401, 4003: 401, 4006: 429, 4007: 401, 4008: 401, 4009: 405, 4010: 405, 4011: 403}
    | {4012: 400, 4013: 403, 4014: 403, 4016: 403, 4500: 404, 4501: 400, 4600: 400, 4601: 404, 4602: 403}
    | {4603: 409, 4604: 409, 4605: 409}
)
# 4600 for what no schema of one field can say: two fields, or a field and what is stored.
_FACTS: Final = re.compile(
    "endTime (不能早于beginTime|must not be before beginTime|不能晚于beginTime|must not be more than 31 days)"
    "|cursor (不是有效的游标|is not a cursor)|messageId (不存在|does not exist)"
    "|requesterUid (不是会议成员|is the creator and not)|meetingInviteId (请在|can be nudged)"
    "|name (不是UTF-8编码|is not URL-encoded UTF-8)"
)
# Not run, since the contract has it otherwise:
# - ignored_auth, unsupported_method, allow_header_conformance want HTTP 401 and 405; errors come with HTTP 200 here.
# - negative_data_rejection, positive_data_acceptance, missing_required_header likewise: they get what ELSEWHERE says.
# - use_after_free, ensure_resource_availability, object_level_authorization follow ids in paths; ours are in bodies.
CHECKS: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "is_refused_or_done",
)


@schemathesis.check
def is_refused_or_done(ctx: CheckContext, response: Response, case: AnyCase) -> None:
    """What fits the document is not refused for its form, and what does not fit is not done."""
    answer = json.loads(response.content)
    code = answer["status"]
    assert response.status_code == 200, response.status_code
    assert code != -1, answer
    if case.meta and isinstance(case.meta.phase.data, CoveragePhaseData):
        wrong_method = case.meta.phase.data.scenario is CoverageScenario.UNSPECIFIED_HTTP_METHOD
        assert (code in (4009, 4010)) == wrong_method, answer
        if wrong_method:
            return
    translated = copy.copy(response)
    translated.status_code = ELSEWHERE[code]
    if code == 4600 and _FACTS.search(answer["message"]):
        translated.status_code = 409
    built_in.negative_data_rejection(ctx, translated, case)
    built_in.positive_data_acceptance(ctx, translated, case)
    built_in.missing_required_header(ctx, translated, case)


class Tally:
    """What came of all cases: how many of each operation, and how many of them got status 0."""

    def __init__(self) -> None:
        self.cases: Counter[str] = Counter()
        self.positive: Counter[str] = Counter()
        self.done: Counter[str] = Counter()  # of the positive ones
        self.codes: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self.found: list[str] = []

    def count(self, case: AnyCase, response: Response) -> None:
        code = int(json.loads(response.content)["status"])
        self.cases[case.path] += 1
        self.codes[case.path][code] += 1
        if _is_positive(case):
            self.positive[case.path] += 1
            self.done[case.path] += code == 0

    def share(self, path: str) -> float:
        """Of the cases that are right in form, those that were done."""
        return self.done[path] / max(self.positive[path], 1)

    def __str__(self) -> str:
        lines = [
            f"{path}: {count} cases, of {self.positive[path]} right ones {self.share(path):.0%} done;"
            f" {dict(sorted(self.codes[path].items()))}"
            for path, count in self.cases.items()
        ]
        return "\n".join([f"{self.cases.total()} cases", *lines])


class Meetings:
    """Real ones of `u1` with `u2` and `u3`; most cases share one, and what is to be called off is a case's own."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._current = 0
        self._left = 0

    def fresh(self) -> int:
        return self._client.create("u1", "u2", "u3")

    def lasting(self) -> int:
        if self._left == 0:
            self._current, self._left = self.fresh(), MEETINGS_LAST
        self._left -= 1
        return self._current

    def message(self) -> int:
        """The newest message of u2; the first takes a moment."""
        self.lasting()
        return max(eventually(lambda: self._messages() or None, what="a message"))

    def _messages(self) -> list[int]:
        return [int(one["messageId"]) for one in self._client.do("inbox", "u2")["items"]]

    def cursor(self, name: str) -> str | None:
        """One that the call has answered."""
        answer: dict[str, str] = self._client.do(name, "u2", size=1)
        return answer.get("nextCursor")


class Reality:
    """Makes cases real, in the order they come: a fixed seed makes the same ones again."""

    def __init__(self, server: Server, client: Client, *, app_id: int, app_secret: str) -> None:
        self.server = server
        self._client = client
        self._meetings = Meetings(client)
        self._credentials = {"appId": str(app_id), "appSecret": app_secret}
        self._chance = random.Random(1)

    def feed(self, *phases: str, examples: int) -> Tally:
        """Run these phases of Schemathesis; `examples` random cases for each operation."""
        schema = schemathesis.openapi.from_url(
            f"{self.server.address}/openapi/openapi.json", config=self._config(phases, examples)
        )
        tally = Tally()

        def before_call(context: HookContext, case: AnyCase, kwargs: dict[str, Any]) -> None:
            if self._chance.random() < REAL:
                self._make_real(case) if _is_positive(case) else self._let_through(case)

        def after_call(context: HookContext, case: AnyCase, response: Response) -> None:
            tally.count(case, response)

        both = (before_call, after_call)
        for one in both:
            schemathesis.hook(one)
        try:
            for event in engine.from_schema(schema).execute():
                tally.found += _found(event)
                if len(tally.found) >= ENOUGH:
                    break
        finally:
            for one in both:
                hooks.unregister(one)
        return tally

    def _config(self, phases: Iterable[str], examples: int) -> schemathesis.Config:
        every = ("examples", "coverage", "fuzzing", "stateful")
        return schemathesis.Config.from_dict(
            {
                "seed": 1,
                "workers": 1,
                "continue-on-failure": True,
                "headers": {"accessToken": self._client.token},
                "generation": {
                    "mode": "all",
                    "max-examples": examples,
                    "deterministic": True,
                    "no-shrink": True,  # what was found is told as it was sent; the server has changed since
                    "with-security-parameters": False,
                },
                # What these calls have in headers must fit into one; of all of Unicode, hardly any text would.
                "operations": [
                    {"include-path-regex": "^/openapi/meeting/", "generation": {"codec": "latin-1"}}
                ],
                "checks": {"enabled": False} | {name: {"enabled": True} for name in CHECKS},
                "phases": {name: {"enabled": name in phases} for name in every}
                # (the ids it would take from answers are in other places in requests)
                | {"fuzzing": {"enabled": "fuzzing" in phases, "extra-data-sources": {"responses": False}}},
            }
        )

    def _make_real(self, case: AnyCase) -> None:
        name = case.path.rpartition("/")[2]
        chance = self._chance.random()
        if case.path.endswith("token/get"):
            self._know(case)
            return
        self._call_for_the_organisation(case, CLOSED if chance < 0.03 else ORG)
        if chance > 0.9:
            case.headers["User-Agent"] = "open-api-sdk(1.0.3)"
        body: dict[str, Any] = dict(case.body) if isinstance(case.body, dict) else {}
        if "Idempotency-Key" in case.headers and self._chance.random() < 0.9:
            case.headers["Idempotency-Key"] = f"key-{self._chance.random()}"
        requester = "u2" if name in ("read", "respond", "inboxread") else "u1"
        if chance < 0.06:
            requester = "u9"  # no part of it
        if "meetingId" in case.query:
            case.query = {**case.query, "meetingId": self._meeting(name)}
            case.headers["uid"] = requester
        if body:
            if "meetingInviteId" in body:
                body |= {"meetingInviteId": self._spelled(self._meeting(name)), "requesterUid": requester}
            if "messageId" in body:
                body |= {"messageId": self._spelled(self._meetings.message()), "requesterUid": requester}
            if self._chance.random() < 0.9:
                body.pop("sequence", None)
                body.pop("clientToken", None)
            if "cursor" in body:
                body["cursor"] = self._meetings.cursor(name)
            for times in (body, body.get("detail")):
                if isinstance(times, dict) and times.get("endTime") is not None:
                    times["endTime"] = times.get("beginTime") or times["endTime"]
            case.body = body

    def _let_through(self, case: AnyCase) -> None:
        """Of a case that is wrong somewhere, all that is right: else it would be refused for something else."""
        assert case.meta
        name = case.path.rpartition("/")[2]
        requester = "u2" if name in ("read", "respond", "inboxread") else "u1"
        if not case.meta.is_negative_at(ParameterLocation.HEADER):
            if case.path.endswith("token/get"):
                self._know(case)
                return
            self._call_for_the_organisation(case, ORG)
            case.headers.pop("Idempotency-Key", None)
            if "uid" in case.headers:
                case.headers["uid"] = requester
        if "meetingId" in case.query and not case.meta.is_negative_at(ParameterLocation.QUERY):
            case.query = {**case.query, "meetingId": self._meeting(name)}
        if isinstance(case.body, dict):
            right: dict[str, Any] = {"meetingInviteId": self._meeting(name), "requesterUid": requester}
            if name == "inboxread":
                right["messageId"] = self._meetings.message()
            body: dict[str, Any] = dict(case.body)
            body |= {one: value for one, value in right.items() if _fits(one, body.get(one))}
            if _fits("sequence", body.get("sequence")):
                del body["sequence"]
            case.body = body

    def _know(self, case: AnyCase) -> None:
        """The right credentials, in one of the two places."""
        in_query = self._chance.random() < 0.5
        others = {name: value for name, value in case.query.items() if name not in self._credentials}
        case.query = {**others, **(self._credentials if in_query else {})}
        for name, value in self._credentials.items():
            case.headers.pop(name, None)
            if not in_query:
                case.headers[name] = value

    def _call_for_the_organisation(self, case: AnyCase, org_id: int) -> None:
        if case.headers.pop("orgSecret", None) is not None and "orgId" not in case.headers:
            case.headers["orgSecret"] = str(org_id)
            if "name" in case.headers:
                case.headers["name"] = quote(
                    case.headers["name"].encode("latin-1", "ignore").decode("latin-1")
                )
        elif "orgId" in case.headers or org_id == CLOSED:
            case.headers["orgId"] = str(org_id)
        if isinstance(case.body, dict) and "orgId" in case.body:
            case.body = {**case.body, "orgId": org_id}

    def _meeting(self, name: str) -> int:
        return (
            self._meetings.fresh()
            if name in ("cancel", "remindagain", "update")
            else self._meetings.lasting()
        )

    def _spelled(self, number: int) -> int | str:
        """A number as clients write it."""
        spellings: tuple[int | str, ...] = (number, str(number), f" +0{number}\n")
        return self._chance.choice(spellings)


def _fits(name: str, value: object) -> bool:
    """Whether the value, of the field of that name, may be replaced without making a wrong case right."""
    if type(value) not in (int, str):
        return False
    return (
        re.fullmatch("[!-~]{1,64}" if name == "requesterUid" else "[1-9][0-9]{0,17}", str(value)) is not None
    )


def _is_positive(case: AnyCase) -> bool:
    return case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE


def _found(event: events.EngineEvent) -> Iterable[str]:
    """What checks found in a scenario, and what kept Schemathesis from its work."""
    if isinstance(event, events.NonFatalError):
        yield f"{event.label}: {event.info.format()}"
    elif isinstance(event, events.FatalError):
        yield str(event.exception)
    elif isinstance(event, events.ScenarioFinished):
        for case_id, checks in event.recorder.checks.items():
            for check in checks:
                if check.status is Status.FAILURE and check.failure_info:
                    case = event.recorder.cases[case_id].value
                    told = event.recorder.interactions[case_id]
                    answer = told.response.content.decode(errors="replace")[:500] if told.response else ""
                    failure = check.failure_info.failure
                    yield f"{event.label}, {check.name}: {failure.title}: {failure.message}\n{case!r}\n{answer}"
