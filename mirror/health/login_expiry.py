"""Whether the login ends soon. Each sync says so, and ``status``."""

from __future__ import annotations

import math
from datetime import datetime

# A login lasts about 90 days (API notes §1.1). Earlier: weeks of warnings in cron's mail. Later: none is read in time.
EXPIRY_DAYS = 7.0
_DAY = 86_400.0


def expiry_warning(expires: str | None, now: float) -> str | None:
    """Return a warning when the login ends within a week."""
    if expires is None:
        return None
    left = (datetime.fromisoformat(expires).timestamp() - now) / _DAY
    if left > EXPIRY_DAYS:
        return None
    when = "has expired" if left < 0 else f"expires in {_days(left)}"
    return f"The login {when}; run `chatmirror auth` with a new session cookie."


def _days(left: float) -> str:
    days = math.floor(left)
    return "less than a day" if days < 1 else "1 day" if days == 1 else f"{days} days"
