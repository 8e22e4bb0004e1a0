"""The three inference calls of REST."""

from __future__ import annotations

from typing import Any

from gateway.http.call import InferenceApi
from gateway.http.classify import ClassifyApi
from gateway.http.predict import PredictApi
from gateway.http.regress import RegressApi


def inference_apis(*, check_method_names: bool) -> dict[str, InferenceApi[Any]]:
    """By verb. ``check_method_names``: refuse signatures that were exported for another call."""
    apis: tuple[InferenceApi[Any], ...] = (
        PredictApi(check_method_names=check_method_names),
        ClassifyApi(check_method_names=check_method_names),
        RegressApi(check_method_names=check_method_names),
    )
    return {api.name: api for api in apis}
