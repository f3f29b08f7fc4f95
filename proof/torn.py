"""Connections torn in the middle and stalled: between clients and `serve`, and between Huiyao and PostgreSQL."""

import random
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Final

from bench.report import quantile
from proof import judge, records
from proof.cluster import Cluster
from proof.house import House, embedded, now, scaled
from proof.proxy import Harm, Policy, Proxy, Side
from proof.result import Measure, Row, Run
from proof.round import Told, conclude
from tests.acceptance.process import eventually

COMMIT: Final = b"COMMIT\x00"  # as the driver sends it, and as the server answers it
TEARS: Final = (Harm.LOSE, Harm.HALVE, Harm.DELIVER)
LONGEST_SECONDS: Final = 900.0  # for all harm to be done
ANSWERED_SECONDS: Final = 12.0  # three attempts, or a commit whose fate is looked up, and no more
WHOLE_SECONDS: Final = 2.0  # of load behind the last harm


def prove(run: Run) -> Iterator[Row]:
    times = run.times(600, 60)
    with embedded(run.place("torn")) as house, closing(Proxy(house.serve().port)) as proxy:
        luck = random.Random("calls")
        yield _tear(
            house,
            proxy,
            _anywhere(luck, tears=0.02, stalls=0),
            times,
            done="connections of clients to `serve` on SQLite were torn in the middle of requests and answers",
            ports=[proxy.port],
        )
    cluster = Cluster(run.place("postgres"))
    try:
        cluster.start()
        url = cluster.create("torn")
        with closing(Proxy(cluster.port)) as proxy, scaled(run.place("torn"), url) as house:
            through = url.replace(str(cluster.port), str(proxy.port))
            house.installation.settings["database_url"] = through
            house.serve()
            house.dispatch()
            luck = random.Random("database")
            yield _tear(
                house,
                proxy,
                _at_commit(luck, tears=0.08, stalls=0.004),
                times,
                done="connections of Huiyao to PostgreSQL were torn or stalled at a COMMIT or its answer",
            )
            yield _tear(
                house,
                proxy,
                _anywhere(luck, tears=0.004, stalls=0.0004),
                times // 2,
                done="the same anywhere in what is asked and answered; some stalled for 8 s",
            )
    finally:
        cluster.remove()


def _tear(
    house: House, proxy: Proxy, policy: Policy, times: int, *, done: str, ports: list[int] | None = None
) -> Row:
    """Load through the proxy until it has done so much harm, and a little longer without any."""
    told = Told()
    load = house.load(ports=ports)
    began_at = now()
    proxy.done.clear()
    load.start()
    try:
        proxy.policy = policy
        eventually(lambda: proxy.done.total() >= times, seconds=LONGEST_SECONDS, what="all harm")
        proxy.policy = None
        mended = time.monotonic()
        back = eventually(lambda: load.done_since(mended), seconds=60, what="a call that is done")
        time.sleep(WHOLE_SECONDS)
    finally:
        proxy.policy = None
        load.stop()
    told.count(load)
    told.wrong += load.faults
    house.settle()
    told.wrong += judge.mistakes(load.lives, records.read(house.url, since=began_at))
    conclude(house, told)
    seconds = [one.seconds for one in load.attempts if one.started < mended]
    harms = ", ".join(f"{proxy.done[harm]} {word}" for harm, word in _WORDS.items() if proxy.done[harm])
    return Row(
        done=done,
        times=proxy.done.total(),
        counted=f"{harms}; {told.counted()}",
        wrong=tuple(told.wrong),
        measures=(
            Measure(what="back after", value=round(back - mended, 3), unit="s", at_most=5),
            Measure(what="answers meanwhile, p99", value=round(quantile(seconds, 99), 3), unit="s"),
            Measure(
                what="answers meanwhile, slowest",
                value=round(max(seconds), 3),
                unit="s",
                at_most=ANSWERED_SECONDS,
            ),
        ),
    )


_WORDS: Final = {
    Harm.LOSE: "before a piece",
    Harm.HALVE: "in the middle of one",
    Harm.DELIVER: "behind one",
    Harm.STALL: "stalled",
}


def _anywhere(luck: random.Random, *, tears: float, stalls: float) -> Policy:
    """With these shares of all pieces."""

    def policy(_: Side, __: bytes) -> Harm:
        drawn = luck.random()
        if drawn < stalls:
            return Harm.STALL
        return luck.choice(TEARS) if drawn < stalls + tears else Harm.NONE

    return policy


def _at_commit(luck: random.Random, *, tears: float, stalls: float) -> Policy:
    """With these shares of pieces that hold a COMMIT or its answer."""
    anywhere = _anywhere(luck, tears=tears, stalls=stalls)

    def policy(side: Side, data: bytes) -> Harm:
        return anywhere(side, data) if COMMIT in data else Harm.NONE

    return policy
