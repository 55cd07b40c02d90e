"""The files of the demo's account: what each pointer of its conversations leads to."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING

from mirror.simulator.account import SimulatedFile
from mirror.simulator.story.drawing import Drawing, pdf, wav

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirror.simulator.account import SimulatedAccount

_POINTER = re.compile(r"file[-_][A-Za-z0-9]{20,}")
_SANDBOX = re.compile(r"sandbox:(/mnt/data/[\w.-]+)")
_CREAM, _BROWN, _CRUST, _NIGHT = (250, 240, 220), (110, 58, 24), (196, 132, 70), (20, 26, 52)
_OFFER = (
    "Offer: deck oven, two decks, stone hearth",
    "Delivery takes eleven weeks.",
    "The stone hearth is covered for ten years, the seals for two.",
)
_LABELS = ("Sourdough  5.80", "Rye  5.20", "Fennel roll  1.40")


@cache
def _moon_and_loaf() -> bytes:
    drawing = Drawing(768, 768, _CREAM).ellipse(384, 270, 200, 200, _BROWN).ellipse(450, 240, 180, 180, _CREAM)
    drawing.ellipse(384, 560, 270, 110, _BROWN)
    for n in range(5):
        drawing.ellipse(240 + n * 72, 540, 12, 60, _CREAM)
    return drawing.png()


@cache
def _stamp() -> bytes:
    drawing = Drawing(768, 768, _CREAM).ellipse(384, 384, 320, 320, _BROWN).ellipse(384, 384, 296, 296, _CREAM)
    drawing.ellipse(384, 384, 260, 260, _BROWN)
    for n in (-1, 0, 1):
        drawing.ellipse(384 + n * 110, 384, 20, 190, _CREAM)
    return drawing.png()


@cache
def _starter() -> bytes:
    drawing = Drawing(600, 800, (92, 84, 78)).rectangle(120, 90, 480, 740, (214, 222, 222))
    drawing.rectangle(140, 300, 460, 720, (231, 214, 176)).ellipse(300, 300, 160, 40, (250, 249, 244))
    for n in range(24):
        drawing.ellipse(170 + n * 61 % 260, 380 + n * 97 % 300, 7 + n % 6, 7 + n % 6, (205, 184, 140))
    return drawing.png()


def _shop(drawing: Drawing, wall: tuple[int, int, int], light: tuple[int, int, int]) -> None:
    w, h = drawing.width, drawing.height
    drawing.rectangle(w * 0.25, h * 0.3, w * 0.75, h * 0.86, wall)
    drawing.rectangle(w * 0.3, h * 0.5, w * 0.52, h * 0.74, light).rectangle(
        w * 0.58, h * 0.5, w * 0.69, h * 0.86, _BROWN
    )
    for n in range(10):
        colour = (186, 58, 48) if n % 2 else _CREAM
        drawing.rectangle(w * (0.25 + n * 0.05), h * 0.42, w * (0.3 + n * 0.05), h * 0.48, colour)


@cache
def _shop_front() -> bytes:
    drawing = Drawing(800, 600, (190, 214, 230)).rectangle(0, 516, 800, 600, (150, 148, 142))
    _shop(drawing, (222, 206, 178), (120, 140, 150))
    return drawing.png()


@cache
def _shop_at_dawn() -> bytes:
    drawing = (
        Drawing(896, 512, _NIGHT).sky(0, 440, (58, 62, 110), (246, 178, 128)).rectangle(0, 440, 896, 512, (70, 66, 84))
    )
    for n in range(4):
        drawing.ellipse(60 + n * 250, 400, 105, 90, (120, 104, 118)).ellipse(60 + n * 250, 415, 80, 74, (226, 166, 132))
    _shop(drawing, (150, 118, 104), (255, 220, 140))
    return drawing.ellipse(150, 220, 14, 14, (255, 232, 160)).rectangle(147, 234, 153, 440, (40, 38, 50)).png()


@cache
def _sales() -> bytes:
    drawing = Drawing(1156, 670)
    for n, sold in enumerate((52, 61, 58, 66, 71, 64, 80, 118, 74, 69, 70, 72, 59)):
        drawing.rectangle(90 + n * 80, 600 - sold * 4, 145 + n * 80, 600, (46, 110, 180))
    return drawing.rectangle(70, 600, 1130, 604, (60, 60, 60)).rectangle(70, 60, 74, 604, (60, 60, 60)).png()


@cache
def _screen() -> bytes:
    drawing = Drawing(1024, 640, (245, 246, 248)).rectangle(0, 0, 1024, 44, (60, 66, 80))
    for n in range(3):
        drawing.ellipse(28 + n * 30, 22, 9, 9, ((232, 96, 84), (240, 190, 70), (98, 196, 90))[n])
    for n in range(11):
        drawing.rectangle(60, 90 + n * 46, 300 + n * 193 % 560, 108 + n * 46, (176, 182, 194))
    return drawing.rectangle(60, 596, 520, 614, (206, 60, 60)).png()


def _dough(dent: int) -> bytes:
    drawing = Drawing(640, 360, (120, 92, 66)).ellipse(320, 200, 210, 130, (240, 222, 188))
    return drawing.ellipse(320, 150, 34, dent, (214, 192, 152)).png()


_SALES = "week,loaf,sold,price\n" + "".join(
    f"{week},{loaf},{sold + week % 5},{price}\n"
    for week in range(1, 14)
    for loaf, sold, price in (("Sourdough", 30, "5.80"), ("Rye", 19, "5.20"), ("Fennel roll", 13, "1.40"))
)
_PNG, _WAV = "image/png", "audio/wav"
# Title of a conversation -> what its files are, in the order in which they are named. None: the service has it no more.
_FILES: dict[str, tuple[tuple[str, Callable[[], bytes]] | None, ...]] = {
    "What sells at the Saturday market": (("text/csv", _SALES.encode), (_PNG, _sales)),
    "Moon and loaf logo": ((_PNG, _moon_and_loaf), (_PNG, _stamp)),
    "White film on the starter": ((_PNG, _starter),),
    "Comparing the deck oven offer": (("application/pdf", lambda: pdf(_OFFER)),),
    "Paint the shop at dawn": ((_PNG, _shop_front), (_PNG, _shop_at_dawn), None),
    "Fill in the mill's order form": ((_PNG, _screen),),
    "KeyError in invoices.py": ((_PNG, _screen),),
    "Hands-free at the telescope": ((_WAV, lambda: wav(3.2, (392, 440, 494))), (_WAV, lambda: wav(4, (294, 330, 392)))),
    "Is my dough ready? (camera)": (
        (_PNG, lambda: _dough(30)),
        (_PNG, lambda: _dough(16)),
        (_WAV, lambda: wav(2, (330, 294))),
        None,
        (_WAV, lambda: wav(2.5, (262, 330, 392))),
    ),
}


def add_files(account: SimulatedAccount) -> None:
    """Give the account the files that its conversations name; what is not listed here is gone."""
    for key, conversation in account.conversations.items():
        for node in conversation["mapping"].values():
            for path in _SANDBOX.findall(json.dumps(node["message"])):
                _add_labels(account, key, node["id"], path)
        named = dict.fromkeys(_POINTER.findall(json.dumps(conversation["mapping"])))
        made = _FILES.get(conversation["title"] or "", ())
        for file_id, file in zip(named, made, strict=False):
            if file is not None:
                account.files[file_id] = SimulatedFile(file_id, file[1](), None, file[0], {key})


def _add_labels(account: SimulatedAccount, conversation: str, message: str, path: str) -> None:
    name = path.rpartition("/")[2]
    file_id = f"file_{len(account.files):032x}"
    account.files[file_id] = SimulatedFile(
        file_id, pdf(_LABELS), name, "application/pdf", sandbox=(conversation, message, path)
    )
