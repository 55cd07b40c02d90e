"""Small real pictures, sounds and documents, made here: PNG, WAV and PDF without any library."""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass, field
from functools import cache

Colour = tuple[int, int, int]
_FONTS = b"<< /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
_RATE = 8_000  # samples a second: as clear as a telephone


@dataclass
class Drawing:
    """A picture that is painted with plain shapes, in pixels from the top left."""

    width: int
    height: int
    ground: Colour = (255, 255, 255)
    _rows: list[bytearray] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._rows = [bytearray(bytes(self.ground) * self.width) for _ in range(self.height)]

    def rectangle(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> Drawing:
        """Fill a rectangle."""
        for y in range(max(0, int(top)), min(self.height, int(bottom))):
            self._span(y, left, right, colour)
        return self

    def ellipse(self, x: float, y: float, across: float, down: float, colour: Colour) -> Drawing:
        """Fill an ellipse around a point; ``across`` and ``down`` are its radii."""
        for row in range(max(0, int(y - down)), min(self.height, int(y + down) + 1)):
            half = across * math.sqrt(max(0.0, 1 - ((row - y) / down) ** 2))
            self._span(row, x - half, x + half, colour)
        return self

    def sky(self, top: float, bottom: float, begin: Colour, end: Colour) -> Drawing:
        """Fill rows with one colour that turns into another."""
        for y in range(int(top), min(self.height, int(bottom))):
            share = (y - top) / max(1.0, bottom - top)
            mixed = tuple(round(a + (b - a) * share) for a, b in zip(begin, end, strict=True))
            self._span(y, 0, self.width, (mixed[0], mixed[1], mixed[2]))
        return self

    def _span(self, y: int, left: float, right: float, colour: Colour) -> None:
        start, end = max(0, round(left)), min(self.width, round(right))
        if end > start:
            self._rows[y][start * 3 : end * 3] = bytes(colour) * (end - start)

    def png(self) -> bytes:
        """Return the picture as a PNG file."""
        head = struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0)
        data = zlib.compress(b"".join(b"\0" + bytes(row) for row in self._rows), 6)
        chunks = [(b"IHDR", head), (b"IDAT", data), (b"IEND", b"")]
        return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, held) for kind, held in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@cache
def wav(seconds: float, notes: tuple[float, ...]) -> bytes:
    """Return a sound that hums some notes (hertz), one after the other."""
    count = int(seconds * _RATE)
    each = max(1, count // len(notes))
    samples = bytearray()
    for n in range(count):
        note = notes[min(n // each, len(notes) - 1)]
        swell = math.sin(math.pi * (n % each) / each)
        samples.append(128 + round(60 * swell * math.sin(2 * math.pi * note * n / _RATE)))
    form = struct.pack("<HHIIHH", 1, 1, _RATE, _RATE, 1, 8)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", count) + bytes(samples)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def pdf(lines: tuple[str, ...]) -> bytes:
    """Return a document of one page with these lines of plain text."""
    shown = " T* ".join(f"({line.translate({40: None, 41: None, 92: None})}) Tj" for line in lines)
    stream = f"BT /F1 14 Tf 18 TL 60 760 Td {shown} ET".encode("latin-1", "replace")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources %s >>" % _FONTS,
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
    ]
    found, places = b"%PDF-1.4\n", []
    for number, held in enumerate(objects, 1):
        places.append(len(found))
        found += b"%d 0 obj\n%s\nendobj\n" % (number, held)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(found)
    found += b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, table)
    return found + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
