"""Message classes from declarations in Python."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf import any_pb2, timestamp_pb2, wrappers_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_WELL_KNOWN = (any_pb2, timestamp_pb2, wrappers_pb2)
_FIELD = re.compile(
    r"(?P<label>repeated |optional )?(?:map<(?P<key>\w+), (?P<value>[\w.]+)>|(?P<type>[\w.]+))"
    r" (?P<name>\w+) = (?P<number>\d+)(?: in (?P<oneof>\w+))?"
    r"(?: as (?P<json>\w+))?"
)
_SCALARS = {
    name: getattr(FieldDescriptorProto, f"TYPE_{name.upper()}")
    for name in (
        *("double", "float", "bool", "string", "bytes"),
        *("int64", "uint64", "sint64", "int32", "uint32"),
    )
}

Fields = str
"""One field a line: ``[repeated |optional ]TYPE NAME = NUMBER[ in ONEOF][ as JSON_NAME]``, TYPE
also ``map<KEY, VALUE>``. Types of messages and enums are full names, or stand in the same package:
then from its top (``Outer.Inner``), capitalised."""


def new_pool() -> DescriptorPool:
    """A pool that knows Any, Timestamp and the wrappers (``google.protobuf.Int64Value``)."""
    pool = DescriptorPool()
    for module in _WELL_KNOWN:
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    return pool


def declare(
    pool: DescriptorPool,
    package: str,
    messages: Mapping[str, Fields],
    *,
    enums: Mapping[str, Mapping[str, int]] | None = None,
    imports: tuple[str, ...] = (),
    name: str = "",
) -> Mapping[str, Any]:
    """Message classes by their names in ``package``, a file of which is added to ``pool``.

    ``messages`` and ``enums`` may have dotted names for nested ones; a message stands after the
    one around it. Packages whose types are used must have been declared in ``pool`` before, as
    ``imports`` (their files' names: ``name``, by default the package's).
    """
    file = FileDescriptorProto(name=name or package, package=package, syntax="proto3")
    file.dependency.extend(module.DESCRIPTOR.name for module in _WELL_KNOWN)
    file.dependency.extend(imports)
    types = _Types(pool, package, frozenset(enums or ()))
    declared: dict[str, DescriptorProto] = {}
    for dotted, fields in messages.items():
        outer, _, inner = dotted.rpartition(".")
        siblings = declared[outer].nested_type if outer else file.message_type
        message = declared[dotted] = siblings.add(name=inner)
        _add_fields(message, fields, types, f".{package}.{dotted}")
    for dotted, values in (enums or {}).items():
        outer, _, inner = dotted.rpartition(".")
        (declared[outer] if outer else file).enum_type.append(_enum(inner, values))
    pool.Add(file)
    return {
        dotted: GetMessageClass(pool.FindMessageTypeByName(f"{package}.{dotted}"))
        for dotted in messages
    }


Methods = Mapping[str, tuple[str, str]]
"""By name: the full names of the request's and the answer's message."""


def declare_services(
    pool: DescriptorPool,
    package: str,
    services: Mapping[str, Methods],
    *,
    imports: tuple[str, ...],
    name: str,
) -> None:
    """Add a file to ``pool`` that describes services whose calls have one message each way.

    ``services`` by their names in ``package``; ``imports`` are the files of their messages.
    """
    file = FileDescriptorProto(name=name, package=package, syntax="proto3")
    file.dependency.extend(imports)
    for service_name, methods in services.items():
        service = file.service.add(name=service_name)
        for method, (request, answer) in methods.items():
            service.method.add(name=method, input_type=f".{request}", output_type=f".{answer}")
    pool.Add(file)


@dataclass(frozen=True, slots=True)
class _Types:
    """What a type's name in a declaration means."""

    pool: DescriptorPool
    package: str
    enums: frozenset[str]

    def set(self, field: FieldDescriptorProto, kind: str) -> None:
        """Give ``field`` the type that is called ``kind``."""
        if kind in _SCALARS:
            field.type = _SCALARS[kind]
            return
        here = kind[:1].isupper()
        is_enum = kind in self.enums if here else self._is_enum_elsewhere(kind)
        field.type = getattr(FieldDescriptorProto, "TYPE_ENUM" if is_enum else "TYPE_MESSAGE")
        field.type_name = f".{self.package}.{kind}" if here else f".{kind}"

    def _is_enum_elsewhere(self, full_name: str) -> bool:
        try:
            self.pool.FindEnumTypeByName(full_name)
        except KeyError:
            return False
        return True


def _enum(name: str, values: Mapping[str, int]) -> EnumDescriptorProto:
    enum = EnumDescriptorProto(name=name)
    for value, number in values.items():
        enum.value.add(name=value, number=number)
    return enum


def _parsed(fields: Fields) -> Iterator[re.Match[str]]:
    for line in filter(None, map(str.strip, fields.splitlines())):
        match = _FIELD.fullmatch(line)
        if match is None:
            raise ValueError(f"no field declaration: {line!r}")
        yield match


def _add_fields(message: DescriptorProto, fields: Fields, types: _Types, scope: str) -> None:
    declared = list(_parsed(fields))
    # A field with presence is a oneof of its own; those come last, by protobuf's rule.
    named = [field["oneof"] for field in declared if field["oneof"]]
    single = [_oneof(field) for field in declared if field["label"] == "optional "]
    oneofs = list(dict.fromkeys(named + single))
    for oneof in oneofs:
        message.oneof_decl.add(name=oneof)
    for field in declared:
        added = _add_field(message, field)
        if oneof := _oneof(field):
            added.oneof_index = oneofs.index(oneof)
        if field["value"]:
            _make_map(message, added, field, types, scope)
        else:
            types.set(added, field["type"])


def _add_field(message: DescriptorProto, field: re.Match[str]) -> FieldDescriptorProto:
    added = message.field.add(name=field["name"], number=int(field["number"]))
    repeated = field["label"] == "repeated "
    added.label = getattr(FieldDescriptorProto, "LABEL_REPEATED" if repeated else "LABEL_OPTIONAL")
    if field["label"] == "optional ":
        added.proto3_optional = True
    if field["json"]:
        added.json_name = field["json"]
    return added


def _oneof(field: re.Match[str]) -> str:
    return field["oneof"] or (f"_{field['name']}" if field["label"] == "optional " else "")


def _make_map(
    message: DescriptorProto,
    added: FieldDescriptorProto,
    field: re.Match[str],
    types: _Types,
    scope: str,
) -> None:
    """A map is a repeated message of a key and a value, by convention named after the field."""
    name = "".join(part.capitalize() for part in field["name"].split("_")) + "Entry"
    entry = message.nested_type.add(name=name)
    entry.options.map_entry = True
    for number, (part, kind) in enumerate((("key", field["key"]), ("value", field["value"])), 1):
        inner = entry.field.add(name=part, number=number)
        inner.label = FieldDescriptorProto.LABEL_OPTIONAL
        types.set(inner, kind)
    added.label = FieldDescriptorProto.LABEL_REPEATED
    added.type = FieldDescriptorProto.TYPE_MESSAGE
    added.type_name = f"{scope}.{name}"
