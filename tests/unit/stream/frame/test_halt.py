from __future__ import annotations

from stream.frame.halt import Halt


async def test_the_first_reason_counts() -> None:
    halt = Halt()
    assert not halt.reason.done()
    halt(OSError("the cause"))
    halt(ValueError("what follows from it"))
    assert str(await halt.reason) == "the cause"
