# SPDX-License-Identifier: Apache-2.0
"""Photos made of numbers, each different from the others: what cameras and scanners send, small."""
import base64
import itertools
import random
import struct
import zlib

_numbers = itertools.count(1)


def _chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width=48, height=36, seed=None):
    """Coloured blocks by seed (None: like no other)."""
    dice = random.Random(f"png {next(_numbers)} {id(_numbers)}" if seed is None else f"png {seed}")
    blocks = [[bytes(dice.randrange(256) for _ in range(3)) for _ in range(8)] for _ in range(8)]
    rows = b"".join(b"\0" + b"".join(blocks[y * 8 // height][x * 8 // width] for x in range(width)) for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b""))


def png_header(width, height, data=b""):
    """A file that claims to be so large; grey, one bit a pixel."""
    return (b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
            + _chunk(b"IDAT", data) + _chunk(b"IEND", b""))


def _segment(marker, data):
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


# Huffman codes of our own: DC categories 0 to 11 in four bits each, of AC only "end of block" in one.
_DHT = (_segment(0xC4, b"\x00" + bytes([0, 0, 0, 12] + [0] * 12) + bytes(range(12)))
        + _segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\x00"))


def jpeg(width=64, height=48, seed=None, exif=b""):
    """Grey blocks of 8 × 8 pixels by seed."""
    dice = random.Random(f"jpeg {next(_numbers)} {id(_numbers)}" if seed is None else f"jpeg {seed}")
    bits, last = [], 0
    for _ in range(-(-width // 8) * -(-height // 8)):
        value = dice.randrange(-120, 121)
        size = abs(value - last).bit_length()
        bits.append(f"{size:04b}")
        if size:
            difference = value - last
            bits.append(f"{difference if difference > 0 else difference + (1 << size) - 1:0{size}b}")
        bits.append("0")
        last = value
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    scan = bytes(int(text[i:i + 8], 2) for i in range(0, len(text), 8)).replace(b"\xff", b"\xff\x00")
    return (b"\xff\xd8" + (_segment(0xE1, b"Exif\0\0" + exif) if exif else b"") + _segment(0xDB, b"\x00" + b"\x08" * 64)
            + _segment(0xC0, struct.pack(">BHHBBBB", 8, height, width, 1, 1, 0x11, 0)) + _DHT
            + _segment(0xDA, b"\x01\x01\x00\x00\x3f\x00") + scan + b"\xff\xd9")


def exif(taken=None, longitude=None, latitude=None, orientation=None):
    """A TIFF structure, little-endian. taken: "2026:11:22 08:00:00"; degrees east and north."""
    def directory(entries, at):
        """The bytes of a directory that begins at `at`, its values behind it."""
        head, values = struct.pack("<H", len(entries)), b""
        behind = at + 2 + 12 * len(entries) + 4
        for tag, kind, count, value in sorted(entries):
            if len(value) > 4:
                head += struct.pack("<HHII", tag, kind, count, behind + len(values))
                values += value
            else:
                head += struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0")
        return head + b"\0\0\0\0" + values

    def degrees(value):
        return struct.pack("<6I", int(value), 1, 0, 1, round(value % 1 * 3600 * 10000), 10000)

    first, pieces, at = [], [], 8
    if orientation:
        first.append((0x0112, 3, 1, struct.pack("<H", orientation)))
    sub = []
    if taken:
        sub.append((0x8769, [(0x9003, 2, 20, taken.encode() + b"\0")]))
    if longitude is not None:
        sub.append((0x8825, [(1, 2, 2, b"N\0"), (2, 5, 3, degrees(latitude)), (3, 2, 2, b"E\0"), (4, 5, 3, degrees(longitude))]))
    at = 8 + 2 + 12 * (len(first) + len(sub)) + 4
    for tag, entries in sub:
        first.append((tag, 4, 1, struct.pack("<I", at)))
        piece = directory(entries, at)
        pieces.append(piece)
        at += len(piece)
    return b"II*\0\x08\0\0\0" + directory(first, 8) + b"".join(pieces)


def jpeg_size(data):
    """(width, height) of a JPEG, and the markers in front of its scan."""
    at, markers = 2, []
    while True:
        marker, length = data[at + 1], int.from_bytes(data[at + 2:at + 4], "big")
        markers.append(marker)
        if 0xC0 <= marker <= 0xC2:
            height, width = struct.unpack(">HH", data[at + 5:at + 9])
        if marker == 0xDA:
            return width, height, markers
        at += 2 + length


WEBP = base64.b64decode("UklGRnAAAABXRUJQVlA4IGQAAADwAwCdASoYABAAPu1kqk2ppaQiMAgBMB2JaQAHB/EMwsz03Y1ehPI4AP6jfmqbdqXKmZ+Jx7JN"
                        "H58W2QOeJ3hFRqQW9u2eSG9XxAadfg9zdXyL9VzDv6jg5TD9RYb+Ka/SSAAA")
