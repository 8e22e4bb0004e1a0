"""`config show`: every value in force with its origin."""

from __future__ import annotations

import json
from collections.abc import Callable

from gateway.config import Loaded, ModelSettings, Settings
from gateway.config.show import as_json, as_table

Configure = Callable[..., Loaded]

TOML = """
max_batch_size = 16
[models."half-plus.two"]
base_path = "/models/h"
batch_timeout_ms = 2
[models."half-plus.two".padding.x]
axes = [1]
value = -inf
"""


def rows(loaded: Loaded) -> dict[str, list[str]]:
    """Columns by setting."""
    table = {}
    for line in as_table(loaded).splitlines():
        name, _, rest = line.partition("  ")
        table[name] = [cell.strip() for cell in rest.split("  ") if cell.strip()]
    return table


def test_the_table_has_each_value_and_origin(configure: Configure) -> None:
    table = rows(configure(toml=TOML, flags={"host": "::", "devices": "cpu:0,cpu:1"}))
    assert table["SETTING"] == ["VALUE", "ORIGIN"]
    assert table["host"] == ['"::"', "flag --host"]
    assert table["devices"] == ['["cpu:0", "cpu:1"]', "flag --devices"]
    assert table["max_batch_size"] == ["16", "tensorgate.toml"]
    assert table["warmup"] == ["true", "default"]
    prefix = 'models."half-plus.two"'
    assert table[f"{prefix}.base_path"] == ['"/models/h"', "tensorgate.toml"]
    assert table[f"{prefix}.max_batch_size"] == ["16", "inherited, tensorgate.toml"]
    assert table[f"{prefix}.batch_timeout_ms"] == ["2.0", "tensorgate.toml"]
    assert table[f"{prefix}.devices"] == ['["cpu:0", "cpu:1"]', "inherited, flag --devices"]
    assert table[f"{prefix}.trim"] == ["{}", "default"]


def test_json_holds_the_same(configure: Configure) -> None:
    loaded = configure(toml=TOML, flags={"port": "8500", "enable_profiler": "true"})
    document = json.loads(as_json(loaded))
    assert document["settings"].keys() == Settings.model_fields.keys() - {"models"}
    assert document["settings"]["port"] == {"value": 8500, "origin": "flag --port"}
    model = document["models"]["half-plus.two"]
    assert model.keys() == ModelSettings.model_fields.keys() - {"triton"}
    assert model["max_batch_size"] == {"value": 16, "origin": "inherited, tensorgate.toml"}
    assert model["padding"]["value"]["x"] == {
        "axes": [1],
        "value": "-inf",
        "buckets": [],
        "mask_input": None,
        "length_input": None,
    }
    assert document["notes"] == list(loaded.notes) != []


def test_a_model_that_empties_its_devices_takes_the_servers(configure: Configure) -> None:
    toml = "[models.m]\nbase_path = '/m'\ndevices = []\nallowed_batch_sizes = []"
    table = rows(configure(toml=toml))
    assert table["models.m.devices"] == ["[]", "inherited, default"]
    assert table["models.m.allowed_batch_sizes"] == ["[]", "tensorgate.toml"]


def test_trim_axes_are_text_keys_in_json(configure: Configure) -> None:
    toml = TOML + "[models.'half-plus.two'.trim.y]\n1 = 'x:1'\n"
    model = json.loads(as_json(configure(toml=toml)))["models"]["half-plus.two"]
    assert model["trim"]["value"] == {"y": {"1": "x:1"}}
