"""Damage to the bytes of a video file: what disks, networks, editors and attackers do to one, drawn from a seed."""

import random
import struct
from collections.abc import Callable, Iterator

INTERESTING = (0, 1, 2, 0x7F, 0xFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
"""Numbers at which sums and products overflow."""
HOLDERS = frozenset((b"moov", b"trak", b"edts", b"mdia", b"minf", b"dinf", b"stbl", b"udta"))
CLUSTER, MOVI = b"\x1f\x43\xb6\x75", b"movi"

Mutation = Callable[[bytes, random.Random, bytes], bytes]
"""Takes a file, a source of chance and another file; gives a damaged one."""


def boxes(data: bytes, start: int = 0, stop: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Kind, first and last byte of the content of each box of an MP4, as far as they make sense."""
    stop = len(data) if stop is None else stop
    while start + 8 <= stop:
        size, kind = struct.unpack_from(">I4s", data, start)
        if size < 8 or start + size > stop:
            return
        yield kind, start + 8, start + size
        if kind in HOLDERS:
            yield from boxes(data, start + 8, start + size)
        start += size


def headers(data: bytes) -> list[tuple[int, int]]:
    """Where a file says what it is: the first and last byte of each part that is no picture."""
    if data[4:8] == b"ftyp":
        return [(a, b) for kind, a, b in boxes(data) if kind not in HOLDERS | {b"mdat", b"free"} and b > a]
    for mark in (MOVI, CLUSTER):
        if 0 < data.find(mark) < len(data) - 16:
            return [(0, data.find(mark))]
    return [(0, min(512, len(data) // 4))]


def payload(data: bytes) -> tuple[int, int]:
    """Where the pictures lie."""
    if data[4:8] == b"ftyp":
        return next(((a, b) for kind, a, b in boxes(data) if kind == b"mdat" and b - a > 64), (0, len(data)))
    return max(b for _, b in headers(data)), len(data) - (len(data) // 50)


def flip(data: bytes, rng: random.Random, places: list[tuple[int, int]], n: int) -> bytes:
    """Turns `n` bits over."""
    out = bytearray(data)
    for _ in range(n):
        first, last = rng.choice(places)
        out[rng.randrange(first, last)] ^= 1 << rng.randrange(8)
    return bytes(out)


def few_bits(data: bytes, rng: random.Random, _: bytes) -> bytes:
    """One to eight bits among the pictures."""
    return flip(data, rng, [payload(data)], rng.randint(1, 8))


def many_bits(data: bytes, rng: random.Random, _: bytes) -> bytes:
    """One bit in a thousand among the pictures."""
    first, last = payload(data)
    return flip(data, rng, [(first, last)], max(9, (last - first) // 125))


def header_bits(data: bytes, rng: random.Random, _: bytes) -> bytes:
    """One to four bits of the header."""
    return flip(data, rng, headers(data), rng.randint(1, 4))


def header_number(data: bytes, rng: random.Random, _: bytes) -> bytes:
    """Some number of the header becomes another: a size, a count, a length, a rate."""
    out = bytearray(data)
    first, last = rng.choice(headers(data))
    wide = rng.choice((1, 2, 4, 4, 4, 8))
    if last - first < wide:
        return flip(data, rng, headers(data), 8)
    at = first + rng.randrange(0, last - first - wide + 1) // wide * wide
    old = int.from_bytes(out[at : at + wide])
    new = rng.choice((*INTERESTING, old + 1, old - 1, old * 2, old // 2, rng.getrandbits(8 * wide)))
    out[at : at + wide] = (new % (1 << 8 * wide)).to_bytes(wide, rng.choice(("big", "little")))
    return bytes(out)


def box_size(data: bytes, rng: random.Random, _: bytes) -> bytes:
    """The size of a box, a chunk or an element is wrong."""
    out = bytearray(data)
    if data[4:8] == b"ftyp":
        _, first, last = rng.choice(list(boxes(data)))
        size = rng.choice((0, 1, 7, last - first, last - first + 9, 0x7FFFFFFF, 0xFFFFFFFF, rng.getrandbits(32)))
        struct.pack_into(">I", out, first - 8, size)
        return bytes(out)
    first, last = rng.choice(headers(data))
    at = rng.randrange(first, max(first + 1, last - 4))
    struct.pack_into("<I", out, at, rng.choice(INTERESTING))
    return bytes(out)


def box_name(data: bytes, rng: random.Random, _: bytes) -> bytes:
    """A box is lost: it is called something else."""
    out = bytearray(data)
    found = [first for kind, first, _ in boxes(data) if kind != b"free"] if data[4:8] == b"ftyp" else []
    at = rng.choice(found) - 4 if found else rng.randrange(0, min(256, len(data) - 4))
    out[at : at + 4] = rng.choice((b"free", b"xxxx", b"\0\0\0\0"))
    return bytes(out)


def cut_tail(data: bytes, rng: random.Random, _: bytes) -> bytes:
    """The end is missing, anything from a byte to almost all."""
    lost = rng.choice((1, 17, 600, len(data) // 100, len(data) // 20, rng.randrange(1, len(data))))
    return data[: max(1, len(data) - lost)]


def cut_head(data: bytes, rng: random.Random, _: bytes) -> bytes:
    """The beginning is missing."""
    return data[rng.choice((1, 4, 64, 512, rng.randrange(1, len(data)))) :]


def cut_middle(data: bytes, rng: random.Random, _: bytes) -> bytes:
    """A part of the pictures is missing, and what follows has moved up."""
    first, last = payload(data)
    at = rng.randrange(first, last)
    return data[:at] + data[min(last, at + rng.choice((1, 16, 188, 1024, 8192))) :]


def zeros(data: bytes, rng: random.Random, _: bytes) -> bytes:
    """Blocks of a disk that were never written."""
    return _over(data, rng, bytes(rng.choice((64, 512, 4096, 16384))))


def garbage(data: bytes, rng: random.Random, _: bytes) -> bytes:
    """Blocks of something else."""
    return _over(data, rng, rng.randbytes(rng.choice((16, 188, 512, 4096))))


def _over(data: bytes, rng: random.Random, block: bytes) -> bytes:
    first, last = payload(data)
    block = block[: max(1, (last - first) // 2)]
    at = rng.randrange(first, last - len(block) + 1)
    return data[:at] + block + data[at + len(block) :]


def swapped(data: bytes, rng: random.Random, _: bytes) -> bytes:
    """Two blocks of the pictures have changed places."""
    first, last = payload(data)
    size = min(rng.choice((512, 2048, 4096)), (last - first) // 4)
    a = rng.randrange(first, last - 2 * size)
    b = rng.randrange(a + size, last - size + 1)
    return data[:a] + data[b : b + size] + data[a + size : b] + data[a : a + size] + data[b + size :]


def doubled(data: bytes, rng: random.Random, _: bytes) -> bytes:
    """A block was written twice, and what follows has moved down."""
    first, last = payload(data)
    at, size = rng.randrange(first, last), rng.choice((188, 512, 4096))
    return data[: at + size] + data[at : at + size] + data[at + size :]


def foreign_head(data: bytes, rng: random.Random, other: bytes) -> bytes:
    """The header of one file before the pictures of another."""
    return other[: payload(other)[0]] + data[payload(data)[0] :]


def foreign_middle(data: bytes, rng: random.Random, other: bytes) -> bytes:
    """Pictures of another file among those of this one."""
    first, last = payload(other)
    size = min(rng.choice((2048, 16384)), last - first)
    at = rng.randrange(first, last - size + 1)
    return _over(data, rng, other[at : at + size])


def appended(data: bytes, rng: random.Random, other: bytes) -> bytes:
    """Another file behind this one."""
    return data + other


def tiny(data: bytes, rng: random.Random, _: bytes) -> bytes:
    """Only the first bytes."""
    return data[: rng.randrange(0, 64)]


KINDS: dict[str, Mutation] = {
    m.__name__: m
    for m in (
        *(few_bits, many_bits, header_bits, header_number, box_size, box_name, cut_tail, cut_head, cut_middle),
        *(zeros, garbage, swapped, doubled, foreign_head, foreign_middle, appended, tiny),
    )
}
"""All kinds of damage by name."""
OF_OTHER = frozenset({"foreign_head"})
"""Those in which, if anything, the other file's pictures are to be seen."""
