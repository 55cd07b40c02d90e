"""The schema of a chatmirror database, one numbered function a change, applied by sqlite-utils in this order.

Plain SQL on purpose: what stands here is what a reader finds with ``.schema``. Each one is named in
``mirror.store.schema.MIGRATIONS``, too. Never edit a released migration, never ``transform()`` a table that has FTS
triggers (it drops them silently), and stay within SQLite 3.38.
"""

from __future__ import annotations

import re
import sqlite3
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
from .m0011_drafts import SCHEMA as DRAFTS

if TYPE_CHECKING:
    from sqlite_utils import Database

migrations = Migrations("chatmirror")


def _run(db: Database, script: str) -> None:
    """Run the statements of a script.

    Within a transaction, ``executescript()`` asks after each character whether a statement is complete, which is half
    of the time that a new mirror takes. Only a semicolon can complete one.
    """
    statement = ""
    for part in re.split("(?<=;)", script):
        statement += part
        if sqlite3.complete_statement(statement):
            db.conn.execute(statement.strip())
            statement = ""
    db.conn.execute(statement)  # a comment at most; anything else is an error here


@migrations()
def m0001_initial(db: Database) -> None:
    _run(db, INITIAL)


@migrations()
def m0002_cjk(db: Database) -> None:
    _run(db, CJK)


@migrations()
def m0003_months(db: Database) -> None:
    _run(db, MONTHS)


@migrations()
def m0004_tracking(db: Database) -> None:
    _run(db, TRACKING)


@migrations()
def m0005_completeness(db: Database) -> None:
    _run(db, COMPLETENESS)


@migrations()
def m0006_skeletons(db: Database) -> None:
    _run(db, SKELETONS)


@migrations()
def m0007_lists(db: Database) -> None:
    _run(db, LISTS)


@migrations()
def m0008_row_hashes(db: Database) -> None:
    _run(db, ROW_HASHES)


@migrations()
def m0009_files(db: Database) -> None:
    _run(db, FILES)


@migrations()
def m0010_texts(db: Database) -> None:
    _run(db, TEXTS)


@migrations()
def m0011_drafts(db: Database) -> None:
    _run(db, DRAFTS)
