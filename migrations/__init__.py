"""The schema of a chatmirror database, one numbered function a change, applied by sqlite-utils in this order.

Plain SQL on purpose: what stands here is what a reader finds with ``.schema``. Each one is named in
``mirror.store.schema.MIGRATIONS``, too. Never edit a released migration, never ``transform()`` a table that has FTS
triggers (it drops them silently), and stay within SQLite 3.38.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlite_utils import Migrations

from .m0001_initial import SCHEMA as INITIAL
from .m0002_cjk import SCHEMA as CJK
from .m0003_months import SCHEMA as MONTHS
from .m0004_tracking import SCHEMA as TRACKING
from .m0005_completeness import SCHEMA as COMPLETENESS
from .m0006_skeletons import SCHEMA as SKELETONS
from .m0007_lists import SCHEMA as LISTS
from .m0008_row_hashes import SCHEMA as ROW_HASHES
from .m0009_files import SCHEMA as FILES
from .m0010_texts import SCHEMA as TEXTS

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


@migrations()
def m0004_tracking(db: Database) -> None:
    db.executescript(TRACKING)


@migrations()
def m0005_completeness(db: Database) -> None:
    db.executescript(COMPLETENESS)


@migrations()
def m0006_skeletons(db: Database) -> None:
    db.executescript(SKELETONS)


@migrations()
def m0007_lists(db: Database) -> None:
    db.executescript(LISTS)


@migrations()
def m0008_row_hashes(db: Database) -> None:
    db.executescript(ROW_HASHES)


@migrations()
def m0009_files(db: Database) -> None:
    db.executescript(FILES)


@migrations()
def m0010_texts(db: Database) -> None:
    db.executescript(TEXTS)
