"""What a power cut can leave: every state of a database's files that what the program wrote and synced allows.

strace records each write, sync, truncation and removal of the real command, with its bytes. A cut after any of them
leaves for certain what was synced; of the writes since then none, all, the first few, any of them, or one torn at a
sector's edge. Names of files are taken to survive (docs/reliability.md says what is not promised).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SECTOR = 512  # bytes that a disk writes whole
RECORDED = "pwrite64,write,fdatasync,fsync,ftruncate,unlink,rename"
_CALL = re.compile(r"^(?P<pid>\d+) +(?P<text>.*)$")
_WRITE = re.compile(r'^p?write(?:64)?\(\d+<(?P<path>[^>]*)>, "(?P<data>[^"]*)"(?:\.\.\.)?, \d+(?:, (?P<offset>\d+))?\)')
_SYNC = re.compile(r"^f(?:data)?sync\(\d+<(?P<path>[^>]*)>\) += 0")
_TRUNCATE = re.compile(r"^ftruncate\(\d+<(?P<path>[^>]*)>, (?P<size>\d+)\) += 0")
_REMOVE = re.compile(r'^unlink\("(?P<path>[^"]*)"\) += 0')

Kind = Literal["write", "truncate", "sync", "remove", "report"]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that the command did to a file. ``at``: offset of a write, or the size of a truncation, bytes."""

    kind: Kind
    path: str
    at: int = 0
    data: bytes = b""


def options(files: Sequence[Path]) -> list[str]:
    """Return strace's options that record what is done to these files."""
    named = [word for file in files for word in ("-P", str(file))]
    return ["strace", "-f", "-qq", "-y", "-xx", "-s", "100000000", *named, "-e", f"trace={RECORDED}"]


def steps_of(log: Path, report: Path) -> list[Step]:
    """Return what a log records, in order; ``report``: the file that the command's own lines went to."""
    return [step for line in _whole_lines(log) if (step := _step(line, str(report))) is not None]


def _whole_lines(log: Path) -> Iterator[str]:
    """Yield calls; one that another thread's interrupted stands in two parts."""
    begun: dict[str, str] = {}
    for line in log.read_text(encoding="ascii", errors="replace").splitlines():
        match = _CALL.match(line)
        if match is None:
            continue
        pid, text = match["pid"], match["text"]
        if text.endswith("<unfinished ...>"):
            begun[pid] = text.removesuffix("<unfinished ...>")
            continue
        yield begun.pop(pid, "") + text.partition(" resumed>")[2] if text.startswith("<... ") else text


def _step(line: str, report: str) -> Step | None:
    if match := _WRITE.match(line):
        path, data = _text(match["path"]), _bytes(match["data"])
        kind: Kind = "report" if path == report else "write"
        return Step(kind, path, int(match["offset"] or 0), data)
    if match := _SYNC.match(line):
        return Step("sync", _text(match["path"]))
    if match := _TRUNCATE.match(line):
        return Step("truncate", _text(match["path"]), int(match["size"]))
    if match := _REMOVE.match(line):
        return Step("remove", _text(match["path"]))
    return None


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _text(path: str) -> str:
    return _bytes(path).decode() if path.startswith("\\x") else path


@dataclass(slots=True)
class Disk:
    """What a disk holds for certain, and what was written and not synced yet, in order."""

    durable: dict[str, bytearray] = field(default_factory=dict)
    pending: list[Step] = field(default_factory=list)

    def take(self, step: Step) -> None:
        """Let a step happen."""
        if step.kind in {"write", "truncate"}:
            self.pending.append(step)
        elif step.kind == "sync":
            for done in [old for old in self.pending if old.path == step.path]:
                _apply(self.durable, done)
            self.pending = [old for old in self.pending if old.path != step.path]
        elif step.kind == "remove":
            self.durable.pop(step.path, None)
            self.pending = [old for old in self.pending if old.path != step.path]

    def after_a_cut(self, how: str, rng: random.Random) -> dict[str, bytes]:
        """Return the files as a power cut leaves them: path -> bytes."""
        files = {path: bytearray(data) for path, data in self.durable.items()}
        for step in _surviving(self.pending, how, rng):
            _apply(files, step)
        return {path: bytes(data) for path, data in files.items()}


CUTS = ("none", "all", "first few", "some", "torn")


def _surviving(pending: list[Step], how: str, rng: random.Random) -> list[Step]:
    if how in {"none", "all"}:
        return pending if how == "all" else []
    if how == "first few":
        return pending[: rng.randint(0, len(pending))]
    kept = [step for step in pending if rng.random() < 0.5]
    return [_torn(step, rng) if how == "torn" and rng.random() < 0.5 else step for step in kept]


def _torn(step: Step, rng: random.Random) -> Step:
    """Return some sectors in a row of a write."""
    sectors = range(0, len(step.data), SECTOR)
    if step.kind != "write" or len(sectors) < 2:
        return step
    start, end = sorted(rng.sample([*sectors, len(step.data)], 2))
    return replace(step, at=step.at + start, data=step.data[start:end])


def _apply(files: dict[str, bytearray], step: Step) -> None:
    content = files.setdefault(step.path, bytearray())
    if step.kind == "truncate":
        del content[step.at :]
        content.extend(bytes(step.at - len(content)))
        return
    content.extend(bytes(max(0, step.at - len(content))))
    content[step.at : step.at + len(step.data)] = step.data


def write_image(files: dict[str, bytes], original: Path, copy: Path) -> None:
    """Put a database as a cut left it in another place; what SQLite shares between programs is gone."""
    for end in ("", "-wal", "-journal"):
        target = copy.with_name(copy.name + end)
        target.unlink(missing_ok=True)
        found = files.get(f"{original}{end}")
        if found is not None:
            target.write_bytes(found)
    copy.with_name(f"{copy.name}-shm").unlink(missing_ok=True)
