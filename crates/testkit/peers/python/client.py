"""A client of the PyPI package `websockets`: runs a scenario against a URL.

Usage: client.py URL SCENARIO [JSON]. Exits 0 where all is as it should be, and
says what is not otherwise.
"""

import asyncio
import json
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

URL, SCENARIO, GIVEN = sys.argv[1], sys.argv[2], json.loads((sys.argv[3:] or ["{}"])[0])
SIZES = [0, 1, 125, 126, 65535, 65536, 16 * 1024 * 1024]


def dial(path="/echo", **more):
    return connect(
        URL + path, compression=None, max_size=32 * 1024 * 1024, ping_interval=None, **more
    )


async def ended(socket):
    """The code and the reason that the server sent."""
    try:
        while True:
            await socket.recv()
    except ConnectionClosed as closed:
        frame = closed.rcvd
        return (1005, "") if frame is None else (int(frame.code), frame.reason)


async def echo():
    async with dial() as socket:
        for size in SIZES:
            for data in ["x" * size, b"\xfe" * size]:
                await socket.send(data)
                assert await socket.recv() == data, f"{size} bytes came back changed"


async def fragments():
    async with dial() as socket:
        for pieces in [["Hel", "", "lo, wör", "ld"], [b"a", b"", b"\xff" * 70000]]:
            answers = []

            async def each():
                for piece in pieces:
                    yield piece
                    answers.append(await socket.ping("between " + str(len(answers))))

            await socket.send(each())
            assert await socket.recv() == pieces[0][:0].join(pieces)
            for answer in answers:
                await answer


async def ping():
    async with dial() as socket:
        answers = [await socket.ping(data) for data in ["", "one", "x" * 125]]
        for answer in answers:
            await answer


async def close():
    codes = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014]
    for code in [*codes, 3000, 3999, 4000, 4999]:
        for reason in ["", "because of thät"]:
            socket = await dial()
            await socket.close(code, reason)
            assert (socket.close_code, socket.close_reason) == (code, reason), (
                f"sent {code} {reason!r}, got {socket.close_code} {socket.close_reason!r}"
            )


async def closed():
    async with dial(GIVEN["path"]) as socket:
        got = await ended(socket)
        assert got == (GIVEN["code"], GIVEN["reason"]), f"got {got}"


async def subprotocol():
    async with dial(GIVEN["path"], subprotocols=GIVEN["offered"]) as socket:
        assert (socket.subprotocol or "") == GIVEN["expected"], f"got {socket.subprotocol}"


async def refused():
    try:
        async with dial(GIVEN["path"], origin=GIVEN.get("origin"), proxy=None):
            raise AssertionError("it was accepted")
    except InvalidStatus as refusal:
        status = refusal.response.status_code
        assert status == GIVEN["status"], f"got {status}"


SCENARIOS = {
    "echo": echo,
    "fragments": fragments,
    "ping": ping,
    "close": close,
    "closed": closed,
    "subprotocol": subprotocol,
    "refused": refused,
}

asyncio.run(SCENARIOS[SCENARIO]())
