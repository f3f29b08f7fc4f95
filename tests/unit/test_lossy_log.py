"""A log line that cannot be written is lost, and nothing else is."""

from pathlib import Path

import pytest

from huiyao import telemetry


def test_a_full_disk_under_the_log_stops_nobody() -> None:
    full = Path("/dev/full").open("w")  # noqa: SIM115 (its close fails, too)
    telemetry.log_to_stderr("info", full)
    telemetry.logger().bind().info("nobody will read this")
    with pytest.raises(OSError, match="No space"):
        full.close()
