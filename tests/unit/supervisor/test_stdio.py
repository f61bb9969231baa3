"""What a plugin writes: lines in order, however they arrive; floods bounded in bytes and in lines."""

from __future__ import annotations

import os
from collections.abc import Iterator

import anyio
import pytest
from pp_host.limits import LIMITS
from pp_host.supervisor.stdio import LINE, StdioDrain, Transcript

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    near, far = os.pipe()
    os.set_blocking(near, False)
    yield near, far
    os.close(far)


async def settled() -> None:
    for _ in range(200):
        await anyio.lowlevel.checkpoint()


async def test_lines_arrive_whole_and_in_order(pipe: tuple[int, int]) -> None:
    near, far = pipe
    lines: list[str] = []
    drain = StdioDrain(near, lines.append, lambda: lines.append("FLOOD"))
    for piece in (b"one\ntw", b"o\n\n", b"\xff three"):
        os.write(far, piece)
        await settled()
    drain.close()
    assert lines == ["one", "two", "\ufffd three"]


async def test_a_line_without_end_is_cut(pipe: tuple[int, int]) -> None:
    near, far = pipe
    lines: list[str] = []
    drain = StdioDrain(near, lines.append, lambda: lines.append("FLOOD"))
    os.write(far, b"x" * (LINE + 1))
    await settled()
    drain.close()
    assert lines == ["x" * LINE]


async def test_of_too_many_lines_only_the_number_is_told(pipe: tuple[int, int]) -> None:
    near, far = pipe
    lines: list[str] = []
    drain = StdioDrain(near, lines.append, lambda: lines.append("FLOOD"))
    os.write(far, b"a\n" * 5000)
    await settled()
    assert len(lines) == LIMITS.process.stdout_lines_per_second
    drain.close()


async def test_too_many_bytes_are_a_flood_told_once(pipe: tuple[int, int]) -> None:
    near, far = pipe
    floods: list[int] = []
    drain = StdioDrain(near, lambda line: None, lambda: floods.append(1))
    for _ in range(LIMITS.process.stdout_bytes_per_minute // 16_384 + 3):
        os.write(far, b"\n" * 16_384)
        await settled()
    drain.close()
    assert floods == [1]


async def test_a_transcript_is_every_byte_in_order_with_what_was_unread_at_the_end(
    pipe: tuple[int, int],
) -> None:
    near, far = pipe
    transcript = Transcript(near, lambda: pytest.fail("no flood"))
    os.write(far, b"one\n\n\xff")
    await settled()
    os.write(far, b"y" * 60_000)
    transcript.close()
    assert transcript.text == "one\n\n\ufffd" + "y" * 60_000
    assert transcript.last_lines[0] == "one"


async def test_a_transcript_ends_at_the_limit(pipe: tuple[int, int]) -> None:
    near, far = pipe
    floods: list[int] = []
    transcript = Transcript(near, lambda: floods.append(1))
    for _ in range(LIMITS.process.stdout_bytes_per_minute // 16_384 + 3):
        os.write(far, b"x" * 16_384)
        await settled()
    transcript.close()
    assert floods == [1]
    assert len(transcript.text) == LIMITS.process.stdout_bytes_per_minute
