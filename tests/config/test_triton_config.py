"""config.pbtxt: what its fields become, and what is said of those that mean nothing here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from repositories import Models

from gateway.config import Loaded, ResolvedModel
from gateway.config.triton.model import (
    InstanceGroup,
    TritonModel,
    TritonTensor,
    WarmupInput,
    WarmupSample,
)
from gateway.config.triton.unused import NOTED, REFUSED

Configure = Callable[..., Loaded]

TENSORS = """
input [ { name: "x" data_type: TYPE_FP32 dims: [ -1, 4 ] } ]
output [ { name: "y" data_type: TYPE_STRING dims: [ 1 ] } ]
"""


@pytest.fixture
def read(configure: Configure, tmp_path: Path) -> Callable[..., Loaded]:
    """Of a repository with one model ``m`` that has this config.pbtxt."""

    def call(config: str, **flags: str) -> Loaded:
        models = Models(tmp_path)
        models.put("m", config)
        return configure(models.flags | flags)

    return call


Read = Callable[..., Loaded]


def model_of(loaded: Loaded) -> ResolvedModel:
    model = loaded.settings.for_model("m")
    assert model.triton is not None
    assert model.triton.problem == ""
    return model


def triton_of(loaded: Loaded) -> TritonModel:
    triton = model_of(loaded).triton
    assert triton is not None
    return triton


def problem(loaded: Loaded) -> str:
    triton = loaded.settings.for_model("m").triton
    assert triton is not None
    assert triton.problem
    assert not triton.foreign
    return triton.problem


# Batching.


def test_a_batch_size_without_dynamic_batching_is_not_batched(read: Read) -> None:
    model = model_of(read("max_batch_size: 8"))
    assert (model.batching, model.max_batch_size) == ("off", 8)


def test_dynamic_batching(read: Read) -> None:
    loaded = read("max_batch_size: 8 dynamic_batching { max_queue_delay_microseconds: 1500 }")
    model = model_of(loaded)
    assert (model.batching, model.max_batch_size, model.batch_timeout_ms) == ("auto", 8, 1.5)
    assert triton_of(loaded).max_batch_size == 8
    assert loaded.origins["models.m.max_batch_size"] == "m/config.pbtxt"


def test_no_batch_axis(read: Read) -> None:
    loaded = read(f"max_batch_size: 0 {TENSORS}")
    assert (model_of(loaded).batching, triton_of(loaded).max_batch_size) == ("off", 0)


def test_what_is_left_open_is_left_to_the_model(read: Read) -> None:
    loaded = read('platform: "tensorflow_savedmodel"')
    assert (model_of(loaded).batching, triton_of(loaded).max_batch_size) == ("auto", None)


def test_a_batch_fits_the_queue(read: Read) -> None:
    assert model_of(read("max_batch_size: 10000")).max_queue_rows == 10000


def test_queue_policies_by_level(read: Read) -> None:
    model = model_of(
        read("""
        max_batch_size: 4
        dynamic_batching {
          priority_levels: 3 default_priority_level: 2 preserve_ordering: true
          default_queue_policy {
            timeout_action: DELAY default_timeout_microseconds: 700 max_queue_size: 9
          }
          priority_queue_policy {
            key: 1 value { default_timeout_microseconds: 5 allow_timeout_override: true }
          }
        }""")
    )
    assert (model.priority_levels, model.default_priority_level) == (3, 2)
    assert model.preserve_ordering
    assert (model.queue_timeout_us, model.queue_timeout_action) == (700, "delay")
    assert (model.allow_timeout_override, model.max_queue_size) == (False, 9)
    (policy,) = model.priority_queue_policies.values()
    assert (policy.timeout_us, policy.timeout_action) == (5, "reject")
    assert (policy.allow_timeout_override, policy.max_queue_size) == (True, 0)


def test_without_a_policy_requests_may_set_their_time_out(read: Read) -> None:
    assert model_of(read("max_batch_size: 4 dynamic_batching {}")).allow_timeout_override


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ("max_batch_size: -1", "config.pbtxt, line 1, column 1: max_batch_size must not be neg"),
        (
            "max_batch_size: 4 dynamic_batching { preferred_batch_size: [2, 8] }",
            "preferred_batch_size must be from 1 to max_batch_size, not 8",
        ),
        (
            "max_batch_size: 4\ndynamic_batching { priority_levels: 2 }",
            "line 2, column 1: default_priority_level must be from 1 to priority_levels = 2, not 0",
        ),
        (
            "max_batch_size: 4 dynamic_batching { priority_levels: 1 default_priority_level: 1"
            " priority_queue_policy { key: 2 value {} } }",
            "priority_queue_policy has the level 2, but priority_levels is 1",
        ),
        (
            "max_batch_size: 4 dynamic_batching { priority_levels: 99999999 }",
            "priority_levels must be at most 65535, not 99999999",
        ),
        ("max_batch_size: four", "Couldn't parse integer"),
        ("no_such_field: 1", 'has no field named "no_such_field"'),
    ],
)
def test_mistakes_say_where_they_are(read: Read, config: str, complaint: str) -> None:
    assert complaint in problem(read(config))


# Versions, folders, devices.


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("", "latest"),
        ("version_policy { latest { num_versions: 2 } }", "latest:2"),
        ("version_policy: { all {} }", "all"),
        ("version_policy: { specific: { versions: [3, 1] } }", "specific:1,3"),
    ],
)
def test_version_policies(read: Read, policy: str, expected: str) -> None:
    assert model_of(read(policy)).model_version_policy == expected


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ("version_policy { specific {} }", "specific names no versions"),
        ("version_policy { specific { versions: [-1] } }", "model_version_policy must be"),
        ('name: "other"', 'name is "other", but the folder is called "m"'),
        ('default_model_filename: "../x"', "default_model_filename must be a name in the version"),
        ('default_model_filename: ".."', "default_model_filename must be a name in the version"),
        ("instance_group [ { count: -1 } ]", "instance_group: count must not be negative"),
        ("instance_group [ { kind: KIND_CPU gpus: [0] } ]", "gpus are listed beside KIND_CPU"),
        ("instance_group [ { kind: KIND_GPU gpus: [-1] } ]", "gpus must not be negative"),
    ],
)
def test_contradictions(read: Read, config: str, complaint: str) -> None:
    assert complaint in problem(read(config))


def test_the_folder_of_the_model(read: Read, tmp_path: Path) -> None:
    loaded = read('name: "m" backend: "tensorflow" default_model_filename: "other.savedmodel"')
    assert triton_of(loaded).folder == tmp_path / "models" / "m"
    assert triton_of(loaded).model_filename == "other.savedmodel"
    assert loaded.settings.for_model("m").base_path == tmp_path / "models" / "m"


def test_instance_groups(read: Read) -> None:
    loaded = read("""instance_group [
        { kind: KIND_CPU count: 2 }, { kind: KIND_GPU gpus: [0, 2] }, { count: 3 passive: true },
        { kind: KIND_MODEL }
    ]""")
    assert triton_of(loaded).instances == (
        InstanceGroup("cpu", 2),
        InstanceGroup("gpu", 1, (0, 2)),
        InstanceGroup("auto", 1),
    )


# Tensors.


def test_tensors(read: Read) -> None:
    triton = triton_of(read(TENSORS))
    assert triton.inputs == {"x": TritonTensor("x", "FP32", (-1, 4))}
    assert triton.outputs == {"y": TritonTensor("y", "BYTES", (1,))}


def test_reshape_and_labels(configure: Configure, tmp_path: Path) -> None:
    models = Models(tmp_path)
    folder = models.put(
        "m",
        'input { name: "x" dims: [ 1 ] reshape { shape: [] } optional: true }\n'
        'output { name: "y" dims: [ 2 ] label_filename: "labels/names.txt" }',
    )
    (folder / "labels").mkdir()
    (folder / "labels" / "names.txt").write_text("cat\ndog\n")
    triton = triton_of(configure(models.flags))
    assert triton.inputs["x"] == TritonTensor("x", "", (1,), (), optional=True)
    assert triton.outputs["y"].labels == ("cat", "dog")


@pytest.mark.parametrize(
    ("tensor", "complaint"),
    [
        ("input { dims: 1 }", "an input has no name"),
        ('input { name: "x" } input { name: "x" }', 'input "x" is listed twice'),
        ('input { name: "x" dims: [0] }', "dims must be positive, or -1 for any size, not 0"),
        ('input { name: "x" dims: [-2] }', "dims must be positive, or -1 for any size, not -2"),
        ('output { name: "y" dims: 2 reshape { shape: 3 } }', "reshape must have as many values"),
        ('output { name: "y" dims: -1 reshape { shape: 3 } }', "as many sizes of -1"),
        ('input { name: "x" allow_ragged_batch: true }', "allow_ragged_batch is not supported"),
        ('input { name: "x" is_shape_tensor: true }', "is_shape_tensor is for TensorRT"),
        ('output { name: "y" label_filename: "../l" }', "must be a file in the model's folder"),
        ('output { name: "y" label_filename: "/etc/l" }', "must be a file in the model's folder"),
        ('output { name: "y" label_filename: "l.txt" }', "label_filename l.txt cannot be read"),
    ],
)
def test_tensors_that_cannot_be(read: Read, tensor: str, complaint: str) -> None:
    assert complaint in problem(read(tensor))


def test_a_link_does_not_lead_out_of_the_folder(configure: Configure, tmp_path: Path) -> None:
    models = Models(tmp_path)
    folder = models.put("m", 'output { name: "y" label_filename: "l.txt" }')
    (tmp_path / "secret").write_text("secret")
    (folder / "l.txt").symlink_to(tmp_path / "secret")
    assert "leads out of the model's folder" in problem(configure(models.flags))


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ("", "there is no platform"),
        ('backend: "tensorflow"', "there is no input"),
        ('backend: "tensorflow" input { name: "x" dims: 1 }', 'input "x" has no data_type'),
        (
            'backend: "tensorflow" input { name: "x" data_type: TYPE_FP32 }',
            'input "x" has no dims',
        ),
    ],
)
def test_strict_configurations_leave_nothing_open(read: Read, config: str, complaint: str) -> None:
    assert complaint in problem(read(config, strict_model_config="true"))


def test_a_strict_configuration(read: Read) -> None:
    loaded = read(f'platform: "tensorflow_savedmodel" {TENSORS}', strict_model_config="true")
    assert triton_of(loaded).max_batch_size == 0


# Warm-up.


def test_warm_up_samples(read: Read) -> None:
    loaded = read("""
        max_batch_size: 4
        model_warmup [
          { name: "a" batch_size: 2 count: 3 inputs [
            { key: "x" value { data_type: TYPE_FP32 dims: [ 4 ] random_data: true } },
            { key: "s" value { data_type: TYPE_STRING dims: [ 1 ] input_data_file: "sub/s" } } ] },
          { name: "skipped" batch_size: 0 },
          { name: "b" batch_size: 1 inputs {
            key: "x" value { data_type: TYPE_FP32 zero_data: true } } }
        ]""")
    first, second = triton_of(loaded).warmup
    inputs = {
        "x": WarmupInput("FP32", (4,), "random"),
        "s": WarmupInput("BYTES", (1,), "file", "sub/s"),
    }
    assert first == WarmupSample("a", 2, 3, inputs)
    assert second == WarmupSample("b", 1, 1, {"x": WarmupInput("FP32", (), "zero")})


def warm_up(what: str) -> str:
    value = f'inputs {{ key: "x" value {{ {what} }} }}' if what else ""
    return f'max_batch_size: 4 model_warmup {{ name: "w" batch_size: 1 {value} }}'


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        (warm_up(""), 'model_warmup "w" has no inputs'),
        (warm_up("dims: 1 zero_data: true"), 'input "x": it has no data_type'),
        (warm_up("data_type: TYPE_FP32 dims: 1"), "it needs zero_data, random_data or"),
        (warm_up("data_type: TYPE_FP32 dims: 1 zero_data: false"), "it needs zero_data"),
        (warm_up("data_type: TYPE_FP32 dims: -1 zero_data: true"), "dims must all be given"),
        (
            warm_up("data_type: TYPE_FP32 dims: [1000000000, 1000000000] zero_data: true"),
            "it has more than 268435456 values",
        ),
        (
            warm_up('data_type: TYPE_FP32 dims: 1 input_data_file: "../x"'),
            "input_data_file must be a file in the model's folder warmup",
        ),
        (
            'max_batch_size: 4 model_warmup { name: "w" batch_size: 5 }',
            "batch_size 5 exceeds max_batch_size 4",
        ),
    ],
)
def test_samples_that_cannot_be(read: Read, config: str, complaint: str) -> None:
    assert complaint in problem(read(config))


# Parameters.


def parameter(name: str, value: str) -> str:
    text = value.replace('"', '\\"')
    return f'parameters {{ key: "{name}" value {{ string_value: "{text}" }} }}'


def test_our_settings_are_parameters(read: Read) -> None:
    rules = '{"ids": {"axes": [1], "value": 7, "buckets": [8, 16]}}'
    config = "max_batch_size: 4 dynamic_batching {}" + parameter("tensorgate.padding", rules)
    config += parameter("tensorgate.trim", '{"y": {"1": "ids:1"}}')
    config += parameter("tensorgate.allowed_batch_sizes", "1,2,4")
    config += parameter("tensorgate.pad_variable_length_inputs", "true")
    model = model_of(read(config))
    assert model.padding["ids"].buckets == (8, 16)
    assert model.trim == {"y": {1: "ids:1"}}
    assert model.allowed_batch_sizes == (1, 2, 4)
    assert model.pad_variable_length_inputs


def test_a_parameter_is_stronger_than_a_field(read: Read) -> None:
    config = "max_batch_size: 4 dynamic_batching {}" + parameter("tensorgate.batching", "on")
    assert model_of(read(config)).batching == "on"


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("tensorgate.base_path", "/x", "is not a setting that a repository can have"),
        ("tensorgate.request_log", "/x", "is not a setting that a repository can have"),
        ("tensorgate.golden_answers", "/x", "is not a setting that a repository can have"),
        ("tensorgate.paddin", "{}", "did you mean padding?"),
        ("tensorgate.padding", "{", "tensorgate.padding is not valid JSON"),
        ("tensorgate.max_batch_size", "none", "tensorgate.max_batch_size must be a whole number"),
        ("tensorgate.padding", '{"x": {"axes": [0]}}', "must be at least 1, not 0"),
        ("TF_GRAPH_TAG", "other", 'TF_GRAPH_TAG is "other", but this server loads graphs of serve'),
        ("TF_INIT_OPS_FILE", "init.json", "TF_INIT_OPS_FILE is not supported"),
    ],
)
def test_parameters_that_cannot_be(read: Read, name: str, value: str, complaint: str) -> None:
    assert complaint in problem(read(parameter(name, value)))


def test_parameters_of_the_tensorflow_backend(read: Read) -> None:
    config = parameter("TF_SIGNATURE_DEF", "other") + parameter("TF_GRAPH_TAG", "serve")
    loaded = read(config + parameter("TF_NUM_INTRA_THREADS", "2") + parameter("team", "a"))
    assert triton_of(loaded).signature == "other"
    assert [note for note in loaded.notes if "parameter" in note] == [
        "model m: parameter TF_NUM_INTRA_THREADS has no effect",
        "model m: parameter team has no effect",
    ]


# Fields without a meaning here.

VALUES: dict[str, str] = {
    "sequence_batching": "sequence_batching {}",
    "batch_input": "batch_input {}",
    "batch_output": "batch_output {}",
    "model_operations.op_library_filename": 'model_operations { op_library_filename: "l.so" }',
    "model_repository_agents": "model_repository_agents {}",
    "model_transaction_policy.decoupled": "model_transaction_policy { decoupled: true }",
    "cc_model_filenames": 'cc_model_filenames { key: "7.5" value: "m" }',
    "dynamic_batching.preferred_batch_size": "dynamic_batching { preferred_batch_size: 4 }",
    "input.format": 'input { name: "x" format: FORMAT_NCHW }',
    "input.is_non_linear_format_io": 'input { name: "x" is_non_linear_format_io: true }',
    "output.is_non_linear_format_io": 'output { name: "x" is_non_linear_format_io: true }',
    "instance_group.profile": 'instance_group { profile: "p" }',
    "instance_group.rate_limiter": "instance_group { rate_limiter {} }",
    "instance_group.secondary_devices": "instance_group { secondary_devices {} }",
    "instance_group.host_policy": 'instance_group { host_policy: "h" }',
    "instance_group.passive": "instance_group { passive: true }",
    "optimization": "optimization { priority: PRIORITY_MAX }",
    "response_cache.enable": "response_cache { enable: true }",
    "metric_tags": 'metric_tags { key: "a" value: "b" }',
    "model_metrics": "model_metrics {}",
    "runtime": 'runtime: "r"',
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_refused_fields(read: Read, name: str) -> None:
    assert f"{name} is not supported: {REFUSED[name]}" in problem(read(VALUES[name]))


@pytest.mark.parametrize("name", sorted(NOTED))
def test_noted_fields(read: Read, name: str) -> None:
    loaded = read(VALUES[name])
    model_of(loaded)
    assert f"model m: {name} has no effect: {NOTED[name]}" in loaded.notes


@pytest.mark.parametrize(
    "config",
    [
        "response_cache { enable: false }",
        "model_transaction_policy { decoupled: false }",
        "instance_group { count: 1 }",
        TENSORS,
    ],
)
def test_nothing_is_said_of_what_changes_nothing(read: Read, config: str) -> None:
    assert [note for note in read(config).notes if "model m" in note] == []


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ('platform: "onnxruntime_onnx"', 'platform "onnxruntime_onnx" is not served, only'),
        ('platform: "tensorflow_graphdef"', 'platform "tensorflow_graphdef" is not served'),
        ('backend: "python"', 'backend "python" is not served, only "tensorflow"'),
        ('platform: "ensemble"', "ensembles are not served"),
        ("ensemble_scheduling {}", "ensembles are not served"),
        ('default_model_filename: "model.onnx"', "models of onnxruntime are not served"),
    ],
)
def test_models_of_other_frameworks(read: Read, config: str, reason: str) -> None:
    triton = read(config).settings.for_model("m").triton
    assert triton is not None
    assert triton.foreign
    assert reason in triton.problem


def test_two_are_equal_when_the_same_would_be_loaded(configure: Configure, tmp_path: Path) -> None:
    models = Models(tmp_path)
    models.put("m", "max_batch_size: 4")
    before = triton_of(configure(models.flags))
    models.configure("m", "max_batch_size: 4 optimization {}")
    same: Any = triton_of(configure(models.flags))
    models.configure("m", "max_batch_size: 5")
    assert same == before
    assert same.config != before.config
    assert triton_of(configure(models.flags)) != before
