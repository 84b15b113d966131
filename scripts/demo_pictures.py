# SPDX-License-Identifier: Apache-2.0
"""Invented photos: PNG files of plain rooms, drawn by a seed, so that no two households have the same; and signatures."""
import random
import struct
import zlib

WIDTH, HEIGHT = 320, 240


def _chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, rows):
    """rows: bytes of RGB, one a line."""
    raw = b"".join(b"\0" + bytes(row) for row in rows)
    return (b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + _chunk(b"IDAT", zlib.compress(raw, 3)) + _chunk(b"IEND", b""))


def _colour(draw, low=40, high=230):
    return bytes(draw.randint(low, high) for _ in range(3))


def _rectangle(rows, left, top, right, bottom, colour):
    for y in range(max(0, top), min(len(rows), bottom)):
        rows[y][3 * left:3 * right] = colour * (right - left)


def room(seed, done=False):
    """A wall, a floor, a door, some furniture; `done` adds what was built: a ramp of steps and a rail."""
    draw = random.Random(f"room/{seed}")
    horizon = draw.randint(110, 170)
    rows = [bytearray(_colour(draw, 120, 240) * WIDTH)] * HEIGHT
    floor = bytearray(_colour(draw, 50, 140) * WIDTH)
    rows = [bytearray(rows[0]) if y < horizon else bytearray(floor) for y in range(HEIGHT)]
    for _ in range(draw.randint(5, 9)):
        left, width, height = draw.randint(0, 280), draw.randint(20, 110), draw.randint(20, 120)
        top = draw.randint(10, horizon)
        _rectangle(rows, left, top, min(WIDTH, left + width), top + height, _colour(draw))
    if done:
        x, y = draw.randint(20, 160), draw.randint(60, 110)
        _rectangle(rows, x, y, x + 140, y + 8, b"\xd8\xd8\xd8")
        for step in range(6):
            _rectangle(rows, x + 20 * step, 200 - 8 * step, x + 20 * step + 20, 235, b"\xa8\xa8\xa0")
    return png(WIDTH, HEIGHT, rows)


def signature(seed):
    draw = random.Random(f"signature/{seed}")
    width, height = 200, 80
    rows = [bytearray(b"\xff\xff\xff" * width) for _ in range(height)]
    x, y = 15, 40
    while x < width - 15:
        x, y = x + draw.randint(1, 4), min(70, max(8, y + draw.randint(-9, 9)))
        _rectangle(rows, x, y, x + 3, y + 4, b"\x10\x10\x40")
    return png(width, height, rows)
