"""What holds for every test of the library."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest


@pytest.fixture(autouse=True)
async def no_callback_raises() -> AsyncIterator[None]:
    """Fail a test whose event loop met an exception that nobody handled.

    Items that fail while no test looks at them are no such exception.
    """
    unhandled: list[dict[str, Any]] = []

    def handler(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if "never retrieved" not in context["message"]:
            unhandled.append(context)

    asyncio.get_running_loop().set_exception_handler(handler)
    yield
    assert not unhandled
