"""``python -m tests.supervisor.stays``: a child that does nothing until it is told to stop."""

from __future__ import annotations

import asyncio
from typing import Any

from gateway.lifeline import Lifeline


async def serve(lifeline: Lifeline) -> None:
    told = asyncio.Event()

    def order(message: dict[str, Any]) -> None:
        if "drain" in message:
            told.set()

    lifeline.follow(order)
    lifeline.tell({"listening": True})
    await told.wait()


if __name__ == "__main__":
    asyncio.run(serve(Lifeline()))
