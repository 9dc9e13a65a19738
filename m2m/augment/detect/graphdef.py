"""Cutting a frozen TensorFlow graph at named nodes, without TensorFlow and without its protobuf classes.

A GraphDef is a protobuf message whose field 1 repeats NodeDef; of a NodeDef the fields 1 (name) and 3 (inputs) matter
here. Wire format: https://protobuf.dev/programming-guides/encoding/.
"""

from collections.abc import Iterable, Iterator

LENGTH_DELIMITED = 2


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """A base-128 number and the position after it."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def varint(value: int) -> bytes:
    """A number as base-128 bytes."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def message(field: int, payload: bytes) -> bytes:
    """A length-delimited field."""
    return varint(field << 3 | LENGTH_DELIMITED) + varint(len(payload)) + payload


def fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The length-delimited fields of a message as (number, payload); others are skipped."""
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        kind = tag & 7
        if kind == LENGTH_DELIMITED:
            size, at = read_varint(data, at)
            yield tag >> 3, data[at : at + size]
            at += size
        elif kind == 0:
            _, at = read_varint(data, at)
        else:
            at += {1: 8, 5: 4}[kind]


def cut(graph: bytes, source: str, targets: Iterable[str]) -> bytes:
    """The part of a graph between one node and some others.

    Args:
        graph: A serialised GraphDef.
        source: This node becomes the input, a placeholder of the same name.
        targets: Nodes whose values are wanted.

    Returns:
        A serialised GraphDef with the nodes that `targets` need, in the graph's order.

    Raises:
        KeyError: A node is not in the graph.
    """
    nodes: dict[str, bytes] = {}
    inputs: dict[str, list[str]] = {}
    for number, node in fields(graph):
        if number == 1:
            parts = list(fields(node))
            name = next(v.decode() for n, v in parts if n == 1)
            nodes[name] = node
            inputs[name] = [v.decode().lstrip("^").partition(":")[0] for n, v in parts if n == 3]
    needed: set[str] = set()
    waiting = [source, *targets]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += inputs[name] if name != source else []
    placeholder = message(1, source.encode()) + message(2, b"Placeholder")
    return b"".join(message(1, placeholder if n == source else node) for n, node in nodes.items() if n in needed)
