"""The messages are Triton's, and the generated modules are what the script makes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from tritonclient.grpc import model_config_pb2 as triton_model_config
from tritonclient.grpc import service_pb2 as triton_service

from gateway.protos.triton import grpc_service_pb2, model_config_pb2

ROOT = Path(__file__).parents[2]
MODULES = [(model_config_pb2, triton_model_config), (grpc_service_pb2, triton_service)]

modules = pytest.mark.parametrize(("ours", "theirs"), MODULES, ids=["model_config", "service"])


def field_facts(field: FieldDescriptor) -> tuple[object, ...]:
    oneof = field.containing_oneof
    message, enum = field.message_type, field.enum_type
    return (
        *(field.name, field.number, field.type, field.is_repeated, field.json_name),
        *(oneof and oneof.name, message and message.full_name, enum and enum.full_name),
    )


def enum_facts(enum: EnumDescriptor) -> object:
    return {value.name: value.number for value in enum.values}


def message_facts(message: Descriptor) -> object:
    return (
        message.full_name,
        message.GetOptions().map_entry,
        sorted(map(field_facts, message.fields)),
        {enum.name: enum_facts(enum) for enum in message.enum_types},
        {nested.name: message_facts(nested) for nested in message.nested_types},
    )


@modules
def test_messages_and_enums_are_tritons(ours: ModuleType, theirs: ModuleType) -> None:
    mine, triton = ours.DESCRIPTOR, theirs.DESCRIPTOR

    assert mine.package == triton.package
    assert set(mine.message_types_by_name) == set(triton.message_types_by_name)
    for name, message in triton.message_types_by_name.items():
        assert message_facts(mine.message_types_by_name[name]) == message_facts(message)
    assert {name: enum_facts(enum) for name, enum in mine.enum_types_by_name.items()} == {
        name: enum_facts(enum) for name, enum in triton.enum_types_by_name.items()
    }


def test_the_service_has_tritons_methods() -> None:
    def methods(module: ModuleType) -> object:
        service = module.DESCRIPTOR.services_by_name["GRPCInferenceService"]
        return service.full_name, {
            method.name: (
                *(method.input_type.full_name, method.output_type.full_name),
                *(method.client_streaming, method.server_streaming),
            )
            for method in service.methods
        }

    assert methods(grpc_service_pb2) == methods(triton_service)


def test_the_checked_in_modules_are_what_the_script_makes(tmp_path: Path) -> None:
    script = ROOT / "scripts" / "generate-protos"
    subprocess.run([sys.executable, script, tmp_path], check=True, timeout=60)

    folder = Path("gateway/protos/triton")
    made = sorted(path.name for path in (tmp_path / folder).iterdir())
    assert made == sorted(path.name for path in (ROOT / folder).glob("*_pb2.py*"))
    for name in made:
        assert (tmp_path / folder / name).read_text() == (ROOT / folder / name).read_text()
