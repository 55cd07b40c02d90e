"""Random histories: a person who acts, a service that fails or lies, runs that are interrupted; and what always holds.

After every run: no text that was ever stored is lost, no conversation is stored in part, nothing that exists is marked
deleted, and exit 0 is true. Every ten runs: the file is undamaged, and after clean full runs the mirror equals the
account. ``CHATMIRROR_RANDOM_RUNS`` says how many runs to simulate (the long run: 20,000), ``CHATMIRROR_SEED`` where the
random numbers begin.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from mirrored_service import MirroredService, QuietReport, differences, findings

from mirror.simulator import Behaviour, ManualClock, SimulatedWorkspace, generated_account
from mirror.simulator.faults import BREAKAGES
from mirror.store.database import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mirror.simulator import ReceivedRequest

HISTORIES = 40  # accounts, each with its share of the runs; more would spend the time on first fills
# Of so many histories one goes over real HTTP; the others hand their requests to the service directly, which takes a
# third of the time. What HTTP does to a request is the same in every run, and other tests are about it.
ONE_OVER_HTTP = 8
RUNS = int(os.environ.get("CHATMIRROR_RANDOM_RUNS", "2000"))
SEED = int(os.environ.get("CHATMIRROR_SEED", "1"))
BETWEEN_SETTLINGS = 10  # runs; a fault may well heal unseen in between, but a loss never does
ACTS = [*["new_message"] * 3, "new_conversation", "edit_prompt", "regenerate", "switch_branch", "rename", "legacy"]
ACTS += ["archive", "unarchive", "star", "unstar", "move", "move_out", "delete", "undelete", "start_reply"]
ACTS += ["finish_reply", "share", "project", "new_work"]


# Parameters that a server can refuse: a name, and the value, None for any.
_REFUSED = (("conversation_origin", None), ("owned_only", "false"), ("include_widget_state", None))


class LongMirror(MirroredService):
    """A mirror that is looked at after each of many runs, and so over one connection."""

    reader: sqlite3.Connection | None = None

    def rows(self, sql: str, *values: object) -> list[Any]:
        if self.reader is None:
            self.reader = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
        return self.reader.execute(sql, values).fetchall()

    @contextmanager
    def looked_at(self) -> Iterator[None]:
        """Close the connection at the end."""
        try:
            yield
        finally:
            if self.reader is not None:
                self.reader.close()


class History:
    """One account and its mirror through many runs; remembers what must not be lost."""

    def __init__(self, mirrored: MirroredService, rng: random.Random) -> None:
        self.mirrored, self.rng = mirrored, rng
        self.person, self.account, self.clock = mirrored.person, mirrored.account, mirrored.clock
        self.texts: set[tuple[str, str, str]] = set()
        self.undeleted: set[str] = set()  # since the last settling

    # -- the person

    def act(self, rng: random.Random) -> None:
        """Do one random thing, as a person would."""
        self.clock.advance(rng.uniform(1, 3000))
        keys = self.mirrored.ids()
        kind = rng.choice(ACTS)
        if kind in {"new_conversation", "new_work"} or not keys:
            workspace, origin = rng.choice(self.account.workspaces).id, "tpp" if kind == "new_work" else None
            title = rng.choice(["A chat", None, "Ein Gespräch"])
            self.person.new_conversation(title, workspace=workspace, origin=origin)
            return
        self._act_on(rng.choice(keys[-8:] if rng.random() < 0.5 else keys), kind, rng)

    def _act_on(self, key: str, kind: str, rng: random.Random) -> None:
        person, account = self.person, self.account
        if kind == "edit_prompt":
            person.edit_prompt(key, f"Edited {rng.random()}")
        elif kind in {"rename", "legacy"}:
            person.rename(key, f"Title {rng.random()}", legacy=kind == "legacy")
        elif kind == "project":
            person.new_project(f"Project {len(account.projects)}")
        elif kind == "move":
            person.move(key, rng.choice(list(account.projects)) if account.projects else None)
        elif kind == "move_out":
            person.move(key, None)
        elif kind == "delete":
            if len(account.conversations) > 6:
                person.delete(key)
        elif kind == "undelete":
            self._undelete(rng)
        elif kind == "finish_reply":
            if account.tree(key)["async_status"] == 3:
                person.finish_reply(key)
        else:
            getattr(person, kind)(key)

    def _undelete(self, rng: random.Random) -> None:
        if self.account.deleted:
            key = rng.choice(list(self.account.deleted))
            self.undeleted.add(key)
            self.person.undelete(key)

    # -- the service

    def add_faults(self) -> list[str]:
        """Make the service behave badly in one to three ways; return their names."""
        faults = self._faults()
        chosen = self.rng.sample(sorted(faults), self.rng.choice([1, 1, 2, 3]))
        for name in chosen:
            for field, value in faults[name]().items():
                setattr(self.mirrored.behaviour, field, value)
        return chosen

    def _faults(self) -> dict[str, Callable[[], dict[str, Any]]]:
        """What can be wrong with the service: a name, and the fields of Behaviour to change."""
        choice, keys = self.rng.choice, self.mirrored.ids()
        some = self.rng.sample(keys, min(len(keys), 3))
        return {
            "breakage": lambda: {"break_request": self._breaker(random.Random(self.rng.random()))},
            "collapse": lambda: {"collapse_to": choice([0.0, 0.1, 0.5, 0.8])},
            "truncated": lambda: {"truncated": {key: choice(["tail", "head", "empty"]) for key in some}},
            "omits": lambda: {"batch_omits": frozenset(some)},
            "omitted": lambda: {"omitted": frozenset(some)},
            "poisoned": lambda: {"poisoned": frozenset(some[:1])},
            "shapeless": lambda: {"shapeless": frozenset(some[:1])},
            "drift": lambda: {"between_pages": self._drift(random.Random(self.rng.random()))},
            "deep": lambda: {"deep_offset_error_from": choice([1, 20])},
            "early": lambda: {"end_early_at": choice([3, 15])},
            "repeats": lambda: {"repeat_and_skip": True},
            "endless": lambda: {"endless": True},
            "page cap": lambda: {"page_cap": choice([5, 28])},
            "total": lambda: {"total": choice(["true", "null", "zero", "absent", "wrong"])},
            "endpoints": lambda: {
                "batch": choice(["missing", "wrapped", "shuffled"]),
                "single": choice(["normal", "missing", "broken"]),
            },
            "projects hidden": lambda: {"main_excludes_projects": True},
            "snorlax": lambda: {"hide_snorlax_rejected": True},
            "bucket": lambda: {"batch": "missing", "bucket": choice([3, 8])},
            "session": lambda: {"session": choice(["empty", "banner", "refresh_error", "stale_token"])},
            "token": lambda: {"token_requests": choice([1, 4])},
            "stale times": lambda: {"stale_batch_times": True},
            "times": lambda: {"mixed_times": True},
            "limited": lambda: {"list_limited": choice([1, 9])},
            "work": lambda: {"work": choice(["together", "refused", "ignored"])},
            "work limited": lambda: {"work_limited": choice([1, 9])},
            "shared projects": lambda: {"owned_only_rejected": True},
            "refused": lambda: {"alter_answer": self._refusing(choice([400, 422]), choice(_REFUSED))},
            "lagging": lambda: {"alter_answer": self._lagging(some)},
            "challenged": lambda: {"break_request": self._alone(some[:1], "challenge")},
            "limited alone": lambda: {"break_request": self._alone(some[:1], "429")},
            "odd rows": lambda: {"odd_rows": {choice(["main", "archived", "work", "starred"]): [None, {"id": 5}]}},
        }

    @staticmethod
    def _breaker(rng: random.Random) -> Callable[[ReceivedRequest], str | None]:
        return lambda _: rng.choice(sorted(BREAKAGES)) if rng.random() < 0.15 else None

    @staticmethod
    def _alone(keys: list[str], how: str) -> Callable[[ReceivedRequest], str | None]:
        """Break what is asked for these conversations only."""
        return lambda r: how if set(keys).intersection(r.ids) or any(key in r.path for key in keys) else None

    @staticmethod
    def _refusing(status: int, what: tuple[str, str | None]) -> Callable[[ReceivedRequest, Any], Any]:
        """Refuse one parameter."""
        name, value = what

        def answer(request: ReceivedRequest, data: Any) -> Any:
            is_asked = name in request.query and value in {None, request.query[name]}
            return (status, {"detail": "Refused"}) if is_asked else data

        return answer

    def _lagging(self, keys: list[str]) -> Callable[[ReceivedRequest, Any], Any]:
        """Give what these conversations are now, whatever the person adds to them from now on."""
        before = {key: deepcopy(self.account.tree(key)) for key in keys}

        def answer(request: ReceivedRequest, data: Any) -> Any:
            key = request.path.rpartition("/")[2]
            is_tree = "/conversation/" in request.path and isinstance(data, dict) and "mapping" in data
            return (
                data | {"mapping": before[key]["mapping"], "current_node": before[key]["current_node"]}
                if (is_tree and key in before)
                else data
            )

        return answer

    def _drift(self, rng: random.Random) -> Callable[[str, int], None]:
        return lambda *_: self.act(rng) if rng.random() < 0.4 else None

    def restore_service(self) -> None:
        """Let the service be in good health again."""
        for name, value in vars(Behaviour()).items():
            setattr(self.mirrored.behaviour, name, value)

    # -- what holds

    def check_nothing_lost(self) -> None:
        mirrored = self.mirrored
        rows = set(mirrored.rows("SELECT conversation_id, id, text FROM messages WHERE text <> ''"))
        # What is still being written may grow; what is finished never changes or goes.
        lost = {row for row in self.texts - rows if row[2] != "It begins"}
        assert lost == set(), "a text was lost"
        self.texts = rows
        deleted = {row[0] for row in mirrored.rows("SELECT id FROM conversations WHERE deleted_at IS NOT NULL")}
        # What was brought back stays marked until a run sees it.
        assert not deleted & set(self.account.conversations) - self.undeleted, "marked deleted, and exists"
        for key, count in mirrored.rows(
            "SELECT c.id, count(m.rowid) FROM conversations c"
            " LEFT JOIN messages m ON m.conversation_id = c.id GROUP BY 1"
        ):
            assert count > 0, f"{key} has no message"

    def check_current(self, where: str) -> None:
        """Exit 0 from a healthy service: everything listed is stored as listed.

        Deletions may still wait for their proof, what was brought back, old as it is, for the weekly full run, what
        only the plural endpoint could give for a run that gets the tree, and the first conversations of Work for a run
        that looks whether there are any: those that were archived at once for the weekly full one.
        """
        waiting = {row[0] for row in self.mirrored.rows("SELECT conversation_id FROM _listed WHERE is_branch_only")}
        waiting |= self.undeleted
        of_work = [r for r in self.mirrored.service.requests if "conversation_origin" in r.query]
        personal = self.account.workspaces[0].id
        asked = {(r.headers.get("chatgpt-account-id", personal), r.query["is_archived"] == "true") for r in of_work}
        waiting |= {
            key
            for key, tree in self.account.conversations.items()
            if tree.get("conversation_origin") and (self.account.home(key), bool(tree["is_archived"])) not in asked
        }
        wrong = [line for line in differences(self.mirrored) if "not marked" not in line]
        assert [line for line in wrong if line.split(":")[0].split(" ")[0] not in waiting] == [], where

    def settle(self, where: str) -> None:
        """Clean full runs make the mirror equal to the account."""
        codes = []
        for _ in range(9):
            codes.append(self.mirrored.next_run(full=True))
            if codes[-1] == 0 and differences(self.mirrored) == []:
                break
        self.undeleted = set()
        assert codes[-1] == 0, f"{where}: {codes}"
        assert differences(self.mirrored) == [], where


class InterruptingReport(QuietReport):
    """Stops the run after a number of steps."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps

    def note(self, text: str) -> None:
        super().note(text)
        self._step()

    def stored(self, title: str) -> None:
        self._step()

    def _step(self) -> None:
        self.steps -= 1
        if self.steps == 0:
            raise KeyboardInterrupt


def one_run(history: History, where: str) -> None:
    """Perhaps some acts, perhaps some faults, perhaps an interruption; a run; and what holds after it."""
    rng, mirrored = history.rng, history.mirrored
    for _ in range(rng.choice([0, 0, 1, 3, 8])):
        history.act(rng)
    faults = history.add_faults() if rng.random() < 0.6 else []
    report = InterruptingReport(rng.randrange(1, 60)) if rng.random() < 0.2 else QuietReport()
    try:
        code = mirrored.next_run(report=report)
    except KeyboardInterrupt:
        code = 130
    where = f"{where}, {faults}, exit {code}"
    history.check_nothing_lost()
    assert code in {0, 3, 4, 5, 6, 7, 130}, where
    if code == 0 and not faults:
        history.check_current(where)
    history.restore_service()


def run_history(folder: Path, empty: Path, seed: int, runs: int) -> None:
    """One account through many runs. ``empty``: a mirror with nothing in it, made once for all."""
    rng = random.Random(seed)
    account = generated_account(
        ManualClock(), rng.choice([0, 5, 5, 30, 30, 130]), rng.choice([2, 4]), seed=seed, archived=rng.choice([0, 3])
    )
    if rng.random() < 0.3:
        account.workspaces.append(SimulatedWorkspace("ws-team", "Team", "workspace", "team"))
    mirrored = LongMirror(folder, account, over_http=seed % ONE_OVER_HTTP == 0)
    shutil.copy(empty, mirrored.path)
    with mirrored, mirrored.looked_at():
        history = History(mirrored, rng)
        assert mirrored.next_run() == 0
        for n in range(runs):
            one_run(history, f"seed {seed}, run {n}")
            if n % BETWEEN_SETTLINGS == BETWEEN_SETTLINGS - 1:
                assert findings(mirrored) == [], f"seed {seed}, run {n}"
                history.settle(f"seed {seed}, run {n}")
                history.check_nothing_lost()


@pytest.fixture(scope="module")
def empty_mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "chats.db"
    with Writer(path) as writer:
        writer.checkpoint()
    return path


@pytest.mark.parametrize("number", range(HISTORIES))
def test_random_histories(tmp_path, empty_mirror, number):
    """Whatever the person does and the service answers, nothing is lost, and clean runs fetch everything."""
    run_history(tmp_path, empty_mirror, SEED * 1000 + number, max(1, RUNS // HISTORIES))
