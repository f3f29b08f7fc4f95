"""The Open API over ASGI: one table of calls, the checks in front of them, and the document made from the table."""
