import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2m.augment.detect.graphdef import cut, fields, message, read_varint, varint


@given(st.integers(0, 2**63 - 1))
def test_varints_come_back(value):
    assert read_varint(b"\xff" + varint(value), 1) == (value, 1 + len(varint(value)))


def test_varint_of_the_protobuf_documentation():
    assert varint(150) == b"\x96\x01"


def node(name, *inputs):
    return message(1, message(1, name.encode()) + message(2, b"Op") + b"".join(message(3, i.encode()) for i in inputs))


def names_and_inputs(graph):
    out = {}
    for _, payload in fields(graph):
        parts = list(fields(payload))
        name = next(v.decode() for n, v in parts if n == 1)
        out[name] = [v.decode() for n, v in parts if n == 3]
    return out


GRAPH = b"".join(
    [
        node("in"),
        node("before", "in"),
        node("w"),
        node("mid", "before", "w:0"),
        node("out", "mid", "^w"),
        node("late", "out"),
    ]
)


def test_the_cut_keeps_what_the_target_needs():
    assert names_and_inputs(cut(GRAPH, "before", ["out"])) == {
        "before": [],
        "w": [],
        "mid": ["before", "w:0"],
        "out": ["mid", "^w"],
    }


def test_an_unknown_node_is_an_error():
    with pytest.raises(KeyError):
        cut(GRAPH, "before", ["nowhere"])
