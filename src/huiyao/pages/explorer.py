"""The API explorer at /openapi/docs: the OpenAPI document to read and to try out, on this server and nowhere else.

Swagger UI, vendored. It shows what openapi.json says and calls what anybody may call; there is nothing to protect.
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from huiyao.openapi.application import DOCUMENT
from huiyao.pages import catalog, visitor
from huiyao.pages.catalog import N_
from huiyao.pages.site import Site

PATH: Final = "/openapi/docs"
PATHS: Final = (PATH, f"{PATH}/")
# Swagger UI knows English only; script of ours puts the reader's words where these stand alone.
WORDS: Final = (
    N_("Authorize"),
    N_("Available authorizations"),
    N_("Cancel"),
    N_("Clear"),
    N_("Close"),
    N_("Code"),
    N_("Description"),
    N_("Details"),
    N_("Download"),
    N_("Edit Value"),
    N_("Example Description"),
    N_("Example Value"),
    N_("Examples"),
    N_("Execute"),
    N_("Headers:"),
    N_("Links"),
    N_("Loading..."),
    N_("Logout"),
    N_("Media type"),
    N_("No links"),
    N_("No parameters"),
    N_("Parameters"),
    N_("Request URL"),
    N_("Request body"),
    N_("Request duration"),
    N_("Reset"),
    N_("Response body"),
    N_("Response headers"),
    N_("Responses"),
    N_("Send empty value"),
    N_("Server response"),
    N_("Try it out"),
    N_("Type"),
)
# Here these mean something else than on other pages.
OTHERS: Final = {"Name": N_("Parameter"), "Schema": N_("Shape")}


class Explorer:
    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[Route]:
        return [
            Route(PATH, self.show, methods=["GET"]),
            Route(PATHS[1], self.move, methods=["GET"]),
        ]

    async def show(self, request: Request) -> Response:
        locale = visitor.locale(request, None)
        language = "en" if locale == catalog.ENGLISH else "zh"
        _ = self._site.words(locale)
        return self._site.page(
            request,
            "explorer.html",
            None,
            document=f"{DOCUMENT}?lang={language}",
            words={} if language == "en" else {one: _(OTHERS.get(one, one)) for one in (*WORDS, *OTHERS)},
        )

    async def move(self, request: Request) -> Response:
        return RedirectResponse(PATH, 308)
