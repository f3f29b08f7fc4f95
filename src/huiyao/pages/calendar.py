"""My meetings by day, week and month: a page of its own, and a month with one day's meetings beside the list."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from babel.dates import format_interval, format_skeleton, get_day_names
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from huiyao.model import Card
from huiyao.pages import cards, catalog, entries, grid
from huiyao.pages.entries import Day
from huiyao.pages.grid import View
from huiyao.pages.site import Site, is_htmx
from huiyao.pages.visitor import Visitor
from huiyao.service import workbench

PATH: Final = "/workbench/calendar"
BESIDE_EACH_OTHER: Final = {View.DAY: 8, View.WEEK: 3}
IN_A_CELL: Final = 3  # meetings of a day that are named in a month
IN_THE_BAND: Final = 8
WATCHED: Final = 200  # a stream watches no more
_REGIONS: Final = {catalog.CHINESE: "zh_CN", catalog.ENGLISH: "en_GB"}


class Calendar:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._services = site.services

    def routes(self) -> list[Route]:
        return [Route(PATH, self._site.signed_in(self.show), methods=["GET"])]

    async def show(self, request: Request, who: Visitor) -> Response:
        """`view` around `date`, the reader's today by default; our script gets the part that changes.

        With `beside=1` it is the part that stands beside the list. What is no view or no date is not found; a date
        before or after the calendar is its first or last.
        """
        query = request.query_params
        beside = query.get("beside") == "1"
        view = View.MONTH if beside else _view(query.get("view", View.WEEK))
        today = who.clock.show(who.now).date()
        chosen = _date(query.get("date"), today)
        since = await self._services.storage.horizon()
        values = await self._values(who, view, chosen)
        # What is reloaded when something happens; what shows today goes along with the day.
        asked = "beside=1" if beside else f"view={view}"
        values |= {
            "beside": beside,
            "here": f"{PATH}?{asked}" + ("" if chosen == today else f"&date={chosen}"),
            "goto": today,
        }
        if beside or is_htmx(request):
            return self._site.page(request, "calendar_body.html", who, **values)
        counts = await self._site.counts(who)
        return self._site.page(request, "calendar.html", who, since=since, **values, **counts)

    async def _values(self, who: Visitor, view: View, chosen: date) -> dict[str, Any]:
        shown = grid.days(view, chosen)
        found = await self._cards(who, shown)
        days = entries.by_days((cards.view(one, who) for one in found), shown, who)
        cut = len(found) == workbench.MOST_IN_CALENDAR
        if cut:  # what is missing may be the chosen day's
            of_day = await self._cards(who, [chosen])
            (whole,) = entries.by_days((cards.view(one, who) for one in of_day), [chosen], who)
            days = [whole if one.date == chosen else one for one in days]
            if view is View.DAY:
                cut = len(of_day) == workbench.MOST_IN_CALENDAR
        day = next(one for one in days if one.date == chosen)
        free = entries.next_free(day, who) if who.may_organize else None
        now = who.clock.show(who.now)
        values: dict[str, Any] = {
            "view": view,
            "title": _title(view, shown, chosen, who),
            "chosen": chosen,
            "day": day,
            "day_name": cards.day_name(chosen, who),
            "days": days,
            "now": now,
            "minute": grid.minute(now),
            "weekdays": _weekdays(who.locale),
            "month": chosen.month,
            "most": IN_A_CELL,
            "cut": workbench.MOST_IN_CALENDAR if cut else 0,
            "free": free,
            "previous": grid.moved(view, chosen, by=-1),
            "next": grid.moved(view, chosen, by=1),
            "day_before": grid.moved(View.DAY, chosen, by=-1),
            "day_after": grid.moved(View.DAY, chosen, by=1),
            "watched": _watched(days),
        }
        return values | (_by_hours(view, days, day, who) if view is not View.MONTH else {})

    async def _cards(self, who: Visitor, days: Sequence[date]) -> list[Card]:
        zone = who.clock.zone
        return await workbench.calendar(
            self._services,
            who.caller,
            begin_at=grid.moment(days[0], 0, zone),
            end_at=grid.moment(days[-1] + grid.DAY, 0, zone),
        )


def _by_hours(view: View, days: list[Day], day: Day, who: Visitor) -> dict[str, Any]:
    shown = [day] if view is View.DAY else days
    (first, last), columns = entries.columns(shown, who, most=BESIDE_EACH_OTHER[view])
    band = entries.band(shown)
    return {
        "first": first,
        "last": last,
        "columns": columns,
        "band": band[:IN_THE_BAND],
        "band_rest": len(band[IN_THE_BAND:]),
    }


def _watched(days: Sequence[Day]) -> list[int]:
    """Of the meetings shown, those that may still change first."""
    seen = {one.card.id: one.card.over for day in days for one in day.entries}
    return sorted(seen, key=lambda meeting_id: seen[meeting_id])[:WATCHED]


def _title(view: View, days: Sequence[date], chosen: date, who: Visitor) -> str:
    region = _REGIONS[who.locale]
    if view is View.MONTH:
        return format_skeleton("yMMMM", chosen, locale=region)
    if view is View.WEEK:
        return str(format_interval(days[0], days[-1], "yMMMd", locale=region))
    return format_skeleton("yMMMEd", chosen, locale=region)


def _weekdays(locale: str) -> list[str]:
    """The short names, Monday first."""
    names = get_day_names("abbreviated", locale=_REGIONS[locale])
    return [names[number] for number in range(7)]


def _view(name: str) -> View:
    try:
        return View(name)
    except ValueError as error:
        raise HTTPException(404) from error


def _date(text: str | None, today: date) -> date:
    if text is None:
        return today
    try:
        found = date.fromisoformat(text)
    except ValueError as error:
        raise HTTPException(404) from error
    return min(max(found, grid.FIRST_DAY), grid.LAST_DAY)
