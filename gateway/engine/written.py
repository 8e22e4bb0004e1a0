"""Answers that the engine writes itself, for want of a front that could."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor

from gateway.codecs.predict_json import encode_outputs
from gateway.engine.replies import Done
from gateway.errors import Code, ServingError
from gateway.hop.frames import Buffer
from gateway.hop.replies import body_frame
from gateway.http.large import is_large

_STOPPED = ServingError(Code.UNAVAILABLE, "the server is stopping")


def write_answer(
    one: Done,
    codec: Executor,
    then: Callable[[list[Buffer] | None, BaseException | None], None],
) -> None:
    """Write the answer, on a thread of ``codec`` if it is large; ``then`` gets its frame, or why
    there is none."""
    outputs, timing = one.item.outputs, one.item.timing
    assert outputs is not None, "answered"
    assert timing is not None, "answered"

    def write() -> list[Buffer]:
        body = encode_outputs(outputs, one.lane.queue.signature, one.lane.form)
        return body_frame(one.number, one.item.queue_seconds, timing, body)

    def written(future: asyncio.Future[list[Buffer]]) -> None:
        error = _STOPPED if future.cancelled() else future.exception()
        then(future.result() if error is None else None, error)

    if is_large(outputs):
        try:
            running = asyncio.get_running_loop().run_in_executor(codec, write)
        except RuntimeError:  # the threads are shut down
            then(None, _STOPPED)
            return
        running.add_done_callback(written)
        return
    try:
        frame = write()
    except Exception as error:  # noqa: BLE001 - it is answered
        then(None, error)
    else:
        then(frame, None)
