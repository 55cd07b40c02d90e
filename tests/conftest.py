"""What every test shares: an environment without a login, a proxy or a home of its own."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import canaries
import invariants
import pytest
from commands import run
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

# How long an example takes says more about the machine than about the program.
settings.register_profile("same", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.register_profile("other", settings.get_profile("same"), derandomize=False)
# A fixed seed: a test that begins to fail has found a change. Other examples look for what nobody thought of.
settings.load_profile(os.environ.get("CHATMIRROR_EXAMPLES", "same"))

# Every commit of the program waits for the disk (synchronous=FULL), which is much of a sync's time; a file system in
# memory does not make it wait. Containers have a /dev/shm of 64 MB, which is too small.
MEMORY = Path("/dev/shm")
if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > 2 * 1024**3:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))

# A shell starts what is in the background with Ctrl-C ignored, which every program that a test starts would inherit.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

LEFT = pytest.StashKey[list[str]]()  # what is wrong with what a test left in its folder, as sentences
FOR_TESTS = {"CHATMIRROR_DATASETTE_PRE", "CHATMIRROR_REAL_DATA", "CHATMIRROR_RANDOM_RUNS", "CHATMIRROR_SEED"}
FOR_TESTS |= {
    "CHATMIRROR_FAULT_POINTS",
    "CHATMIRROR_FUZZED",
    "CHATMIRROR_SOAK",
    "CHATMIRROR_KILLS",
    "CHATMIRROR_POWER_CUTS",
    "CHATMIRROR_FLIPPED_BITS",
    "CHATMIRROR_LONG",
    "CHATMIRROR_PLANTED_BUGS",
}
ROOT = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark whole groups of tests that leave damaged mirrors.

    Those of a job that begins with one, a copy of which each of them keeps; and those of pages, most of which are about
    rows that are written by hand, from no payload, and none of which writes to a mirror.
    """
    for item in items:
        if item.path.parent.name == "browse":
            item.add_marker(pytest.mark.leaves_damage("rows of pages are written by hand, from no payload"))
        if item.path.parent.name == "faults" and isinstance(item, pytest.Function) and hasattr(item, "callspec"):
            from scenarios import SCENARIOS  # noqa: PLC0415 - only where such tests are collected

            scenario = SCENARIOS.get(str(item.callspec.params.get("name")))
            if scenario is not None and scenario.begins_damaged:
                item.add_marker(pytest.mark.leaves_damage("it keeps what the job begins with, which is damaged"))


@pytest.fixture(autouse=True)
def look_at_what_is_left(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """Look for secrets, and at every mirror, in the test's folder before it is removed.

    Everything else of a test has ended by then, also what it changed in the program.
    """
    yield
    secrets = [secret.encode() for secret in canaries.secrets()]
    request.node.stash[LEFT] = [f"a secret is in {name}" for name in canaries.all_leaks(tmp_path)]
    if request.node.get_closest_marker("leaves_damage") is None:
        request.node.stash[LEFT] += invariants.broken_below(tmp_path, secrets, name=request.node.nodeid)


@pytest.fixture(autouse=True)
def clean_environment(look_at_what_is_left: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees the login, proxy or configuration of whoever runs it."""
    for name in list(os.environ):
        is_ours = name.lower().endswith("_proxy") or name.startswith(("CHATMIRROR_", "CHATGPT_"))
        if is_ours and name not in FOR_TESTS:
            monkeypatch.delenv(name)
    monkeypatch.setenv("CHATMIRROR_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """No test leaves a secret of a simulated service in a file, in its output or in its log, nor a broken mirror."""
    report = yield
    if report.when == "teardown":
        said = canaries.leaks(Path("/nowhere"), [*report.sections, *canaries.SAID])
        found = [*item.stash.get(LEFT, []), *(f"a secret is in {name}" for name in said)]
        canaries.forget_ended()
        if found and report.passed:
            report.outcome, report.longrepr = "failed", f"what the test left: {'; '.join(found)}"
    return report


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder in which the demo ran, and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    code, out, err = run(folder, "chatmirror", "demo", "-d", "chats.db")
    assert (code, err) == (0, "")
    return folder, out


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real ChatGPT data, where it is present."""
    folder = Path(os.environ.get("CHATMIRROR_REAL_DATA") or ROOT.parent / "shared" / "data" / "real")
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set CHATMIRROR_REAL_DATA")
    return folder
