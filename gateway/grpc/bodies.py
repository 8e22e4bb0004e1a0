"""The messages of calls as JSON, for people who read the request log."""

from __future__ import annotations

from typing import Any

from google.protobuf.json_format import MessageToJson

from gateway.exchange import AsJson, BodyForm


def message_bodies(request: Any, response: Any) -> BodyForm:
    """Bodies are messages of these classes, which are shown as proto3's JSON."""
    return BodyForm(_as_json(request), _as_json(response))


def _as_json(message: Any) -> AsJson:
    def as_json(body: bytes) -> bytes:
        if not body:
            return b""
        read = message.FromString(body)
        pool = message.DESCRIPTOR.file.pool
        text: str = MessageToJson(
            read, preserving_proto_field_name=True, indent=None, descriptor_pool=pool
        )
        return text.encode()

    return as_json
