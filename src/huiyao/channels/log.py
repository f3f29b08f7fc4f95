"""The channel that sends nothing: a text ends as a delivery, where operators can read it."""

from huiyao.channels.contract import Outgoing, Sent, Verdict


class Log:
    """Takes every text at once. The delivery holds it already; nothing is logged."""

    name = "sms"
    gateway = "log"
    concurrency = 256
    per_second = 10_000.0
    two_way = False

    async def send(self, message: Outgoing) -> Verdict:
        return Sent()

    async def close(self) -> None:
        pass
