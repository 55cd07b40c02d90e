"""The schema of a chatmirror database, one numbered function a change, applied by sqlite-utils in this order.

Plain SQL on purpose: what stands here is what a reader finds with ``.schema``. Never edit a released migration, never
``transform()`` a table that has FTS triggers (it drops them silently), and stay within SQLite 3.38.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlite_utils import Migrations

from .m0001_initial import SCHEMA as INITIAL
from .m0002_cjk import SCHEMA as CJK
from .m0003_months import SCHEMA as MONTHS

if TYPE_CHECKING:
    from sqlite_utils import Database

migrations = Migrations("chatmirror")


@migrations()
def m0001_initial(db: Database) -> None:
    db.executescript(INITIAL)


@migrations()
def m0002_cjk(db: Database) -> None:
    db.executescript(CJK)


@migrations()
def m0003_months(db: Database) -> None:
    db.executescript(MONTHS)


# What this program knows: a database that has applied anything else was written by a newer one.
NAMES = ("m0001_initial", "m0002_cjk", "m0003_months")
