"""All the operators' pages, part by part."""

from starlette.routing import Route

from huiyao.pages.admin.apps import Apps
from huiyao.pages.admin.callbacks import Callbacks
from huiyao.pages.admin.deliveries import Deliveries
from huiyao.pages.admin.desk import Desk
from huiyao.pages.admin.entering import Entering
from huiyao.pages.admin.meetings import Meetings
from huiyao.pages.admin.organisations import Organisations
from huiyao.pages.admin.overview import Overview
from huiyao.pages.admin.people import People
from huiyao.pages.admin.replies import Replies
from huiyao.pages.site import Site


def routes(site: Site) -> list[Route]:
    desk = Desk(site)
    parts = (
        Entering(site),
        Overview(desk),
        Apps(desk),
        Callbacks(desk),
        Organisations(desk),
        Meetings(desk),
        People(desk),
        Deliveries(desk),
        Replies(desk),
    )
    return [route for part in parts for route in part.routes()]
