"""A call of the table together with its metrics."""

from huiyao import telemetry
from huiyao.openapi.call import Call


class Measured:
    """The label children are bound once: finding one takes longer than counting."""

    def __init__(self, call: Call | None) -> None:
        self.call = call
        self.name = call.name if call else "unknown"
        self._seconds = telemetry.CALL_SECONDS.labels(self.name).observe
        self._counts = {0: telemetry.CALLS.labels(self.name, "0").inc}

    def count(self, status: int, seconds: float) -> None:
        count = self._counts.get(status)
        if count is None:
            count = self._counts[status] = telemetry.CALLS.labels(self.name, str(status)).inc
        count()
        self._seconds(seconds)
