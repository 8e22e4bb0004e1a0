"""Messages from declarations."""

from __future__ import annotations

import pytest
from google.protobuf import json_format, text_format
from google.protobuf.descriptor_pool import DescriptorPool

from gateway.protos.schema import declare, new_pool


@pytest.fixture
def pool() -> DescriptorPool:
    pool = new_pool()
    declare(pool, "colours", {}, enums={"Colour": {"RED": 0, "BLUE": 7}})
    return pool


def test_all_kinds_of_fields(pool: DescriptorPool) -> None:
    messages = declare(
        pool,
        "shapes",
        {
            "Shape": """
                colours.Colour colour = 1
                repeated Shape.Corner corners = 2
                map<string, Shape.Corner> named = 3
                int32 sides = 4 in size
                string words = 5 in size
                optional bool round = 6
                Shape.Kind kind = 9
                google.protobuf.Int64Value count = 10
                int32 in_all = 11 as in_all
                int32 so_far = 12
            """,
            "Shape.Corner": "sint64 x = 1",
        },
        enums={"Shape.Kind": {"PLAIN": 0, "ODD": 3}},
        imports=("colours",),
    )
    text = (
        'colour: BLUE corners { x: -1 } named { key: "a" value { x: 2 } } words: "few"'
        " round: false kind: ODD count { value: 5 }"
    )
    shape = text_format.Parse(text, messages["Shape"]())
    assert messages["Shape"].FromString(shape.SerializeToString()) == shape
    assert text_format.MessageToString(shape, as_one_line=True) == text
    assert shape.colour == 7
    counted = messages["Shape"](in_all=1, so_far=2)
    assert json_format.MessageToDict(counted) == {"in_all": 1, "soFar": 2}
    assert shape.WhichOneof("size") == "words"
    assert shape.HasField("round")
    assert not messages["Shape"]().HasField("round")


def test_two_pools_do_not_mix() -> None:
    one, other = (declare(new_pool(), "p", {"M": f"int32 {name} = 1"}) for name in ("a", "b"))
    assert one["M"](a=3).SerializeToString() == other["M"](b=3).SerializeToString()


@pytest.mark.parametrize("line", ["int32 x", "int32 x = y", "required int32 x = 1", "x = 1"])
def test_what_is_no_declaration(line: str) -> None:
    with pytest.raises(ValueError, match="no field declaration"):
        declare(new_pool(), "p", {"M": line})
