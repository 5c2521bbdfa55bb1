"""A client of the PyPI package `websockets`: runs a scenario against a server.

Usage: client.py URL SCENARIO [JSON]

URL has no path: that is in the parameters, and /echo by default. Prints a line
of JSON for each step. Exits 0 where all is as it should be, and says what is
not otherwise.
"""

import asyncio
import contextlib
import itertools
import json
import sys
from random import Random

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Opcode

URL, SCENARIO, GIVEN = sys.argv[1], sys.argv[2], json.loads((sys.argv[3:] or ["{}"])[0])

SIZES = [0, 1, 125, 126, 65_535, 65_536, 16 * 1024 * 1024]
CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014]
CODES += [3000, 3999, 4000, 4999]
REASONS = ["", "because of thät", "r" * 123]


def step(**result):
    print(json.dumps(result), flush=True)


def expect(what, expected, got):
    if got != expected:
        raise SystemExit(
            f"{SCENARIO} {json.dumps(GIVEN)}: {what}: expected {expected!r}, got {got!r}"
        )


class Connection(ClientConnection):
    """Keeps the pings and the pongs: the package takes one pong as the answer
    to all pings before it."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.pings, self.pongs = [], []

    def process_event(self, event):
        opcode = getattr(event, "opcode", None)
        if opcode is Opcode.PING:
            self.pings.append(bytes(event.data).decode())
        elif opcode is Opcode.PONG:
            self.pongs.append(bytes(event.data).decode())
        super().process_event(event)


def dial(path=GIVEN.get("path", "/echo"), url=URL, **more):
    return connect(
        url + path,
        compression=None,
        max_size=32 * 1024 * 1024,
        ping_interval=None,
        # The environment's proxy is not for the loopback interface.
        proxy=None,
        create_connection=Connection,
        **more,
    )


async def end(socket):
    """How the connection ended."""
    try:
        while True:
            await socket.recv()
    except ConnectionClosed as closed:
        frame = closed.rcvd
        return {
            "code": 1006 if frame is None else int(frame.code),
            "reason": "" if frame is None else frame.reason,
            "clean": closed.rcvd is not None and closed.sent is not None,
        }


async def close_normally(socket):
    await socket.close(1000, "done")
    expect("the end", {"code": 1000, "reason": "done", "clean": True}, await end(socket))


def type_of(binary):
    return "binary" if binary else "text"


def sample(size, binary):
    """Data in which no part is like another at the same place of a frame."""
    if binary:
        return (bytes(range(251)) * (size // 251 + 1))[:size]
    unit = "aé€𝄞b"
    count, rest = divmod(size, len(unit.encode()))
    return unit * count + "x" * rest


def expect_same(data, got):
    expect("the type of the message", type(data), type(got))
    expect("the length of the message", len(data), len(got))
    if got != data:
        raise SystemExit(f"{SCENARIO}: {len(data)} of {type(data).__name__} came back changed")


async def echo():
    """Texts and binaries of all sizes come back as they are."""
    async with dial() as socket:
        for size in GIVEN.get("sizes", SIZES):
            for binary in [False, True]:
                data = sample(size, binary)
                await socket.send(data)
                expect_same(data, await socket.recv())
                step(type=type_of(binary), size=size)
        await close_normally(socket)


async def fragmented():
    """What the server sends in fragments arrives whole, and in such fragments."""
    async with dial() as socket:
        for size in GIVEN.get("sizes", [0, 1, 1000, 70_000]):
            for binary in [False, True]:
                data = sample(size, binary)
                await socket.send(data)
                pieces = [piece async for piece in socket.recv_streaming(decode=False)]
                expect_same(data if binary else data.encode(), b"".join(pieces))
                longest = max(len(piece) for piece in pieces)
                expect("the longest fragment", min(size, GIVEN["fragment"]), longest)
                step(type=type_of(binary), size=size, fragments=len(pieces))
        await close_normally(socket)


async def fragments():
    """Messages sent in fragments, with pings between them, come back whole."""
    word = "Hello, wörld".encode()
    cases = [
        [word[:3], word[3:]],
        [b"", word[:3], b"", word[3:], b""],
        # Parts the two bytes of a character.
        [word[:9], word[9:]],
        [b"", b""],
        [sample(5000, False).encode()] * 40,
    ]
    async with dial() as socket:
        for pieces in cases:
            for binary in [False, True]:
                socket.pongs.clear()
                pings = [f"between {i}" for i in range(len(pieces))]

                async def each():
                    for piece, ping in zip(pieces, pings):
                        yield piece
                        await socket.ping(ping)

                # The package ends such a message with an empty fragment.
                await socket.send(each(), text=not binary)
                whole = b"".join(pieces)
                expect_same(whole if binary else whole.decode(), await socket.recv())
                expect("the pongs before the echo", pings, socket.pongs)
                step(type=type_of(binary), fragments=len(pieces) + 1, pongs=len(pings))
        await close_normally(socket)


async def ping():
    """Pings are answered one by one, in order, with their payloads."""
    async with dial() as socket:
        pings = ["", "one", "zwö", "x" * 125]
        for answer in [await socket.ping(data) for data in pings]:
            await answer
        expect("the pongs", pings, socket.pongs)
        for pong in socket.pongs:
            step(pong=pong)
        await close_normally(socket)


async def pinged():
    """The server pings `count` times, and is content with the pongs."""
    async with dial() as socket:
        expect("the message", f"pongs: {GIVEN['count']}", await socket.recv())
        expect("the number of distinct pings", GIVEN["count"], len(set(socket.pings)))
        for data in socket.pings:
            step(ping=data)
        await close_normally(socket)


async def close():
    """Every code that may be sent comes back with its reason."""
    for code in GIVEN.get("codes", CODES):
        for reason in REASONS:
            async with dial() as socket:
                await socket.close(code, reason)
                ended = await end(socket)
            expect("the end", {"code": code, "reason": reason, "clean": True}, ended)
            step(**ended)
    async with dial() as socket:
        # `close` sends a code always.
        async with socket.send_context():
            socket.protocol.send_close()
        ended = await end(socket)
    expect("the end", {"code": 1005, "reason": "", "clean": True}, ended)
    step(**ended)


async def closed():
    """The server closes as each of `closes` says."""
    for expected in GIVEN["closes"]:
        async with dial(expected["path"]) as socket:
            ended = await end(socket)
        code, reason = expected["code"], expected["reason"]
        expect("the end", {"code": code, "reason": reason, "clean": True}, ended)
        step(**ended)


async def vanished():
    """The server ends the connection without a Close frame after a message."""
    async with dial() as socket:
        # Where the server has closed already, `end` tells how.
        with contextlib.suppress(ConnectionClosed):
            await socket.send("go")
        ended = await end(socket)
    expect("the end", {"code": 1006, "reason": "", "clean": False}, ended)
    step(**ended)


async def subprotocol():
    """Of the subprotocols `offered`, `expected` is agreed on, or none if ""."""
    async with dial(subprotocols=GIVEN["offered"] or None) as socket:
        expect("the subprotocol", GIVEN["expected"], socket.subprotocol or "")
        step(subprotocol=socket.subprotocol or "")
        await close_normally(socket)


async def report():
    """The server reports the path and the headers that were sent."""
    async with dial(additional_headers=GIVEN["headers"]) as socket:
        got = json.loads(await socket.recv())
        expect("the path", GIVEN["path"], got["path"])
        for name, value in GIVEN["headers"].items():
            expect(name, value, got["headers"].get(name))
        step(**got)
        await close_normally(socket)


async def handshake():
    """The handshake is answered with `status`; sends `origin` where given."""
    try:
        async with dial(origin=GIVEN.get("origin")) as socket:
            expect("the status", GIVEN["status"], 101)
            step(status=101)
            await close_normally(socket)
    except InvalidStatus as refusal:
        response = refusal.response
        expect("the status", GIVEN["status"], response.status_code)
        headers = {name.lower(): value for name, value in response.headers.raw_items()}
        step(status=response.status_code, headers=headers, body=response.body.decode())


WORDS = ["alpha", "beta", "gämma", "δέλτα", '{"key": ', "true, ", "𝄞", " ", "0.125"]


def mixed_messages(seed):
    """A thousand messages and in how many fragments each is sent."""
    random = Random(seed)
    for i in range(1000):
        kind = random.random()
        if i == 500:
            size = 1 << 20
        elif kind < 0.02:
            size = 0
        elif kind < 0.72:
            size = random.randrange(300)
        elif kind < 0.94:
            size = random.randrange(4096)
        elif kind < 0.995:
            size = random.randrange(32768)
        else:
            size = 65536 + random.randrange(131072)
        if random.random() < 0.3:
            data = random.randbytes(size)
        else:
            text = "".join(random.choices(WORDS, k=size // 4))[: size // 2]
            data = text if random.random() < 0.7 else text.encode()
        yield data, 1 + random.randrange(5) if random.random() < 0.1 else 1


def option_sets():
    """Every combination of the options of permessage-deflate, and none."""
    yield None
    for server_alone, client_alone in itertools.product([False, True], repeat=2):
        for server_bits, client_bits in itertools.product([None, 9, 15], [None, True, 9, 15]):
            yield {
                "server_no_context_takeover": server_alone,
                "client_no_context_takeover": client_alone,
                "server_max_window_bits": server_bits,
                "client_max_window_bits": client_bits,
            }


async def exchange(socket, seed):
    """Sends the messages, at most 16 on the way, and expects each back in order."""
    window = asyncio.Semaphore(16)
    expected = asyncio.Queue()

    async def send():
        for data, fragments in mixed_messages(seed):
            await window.acquire()
            expected.put_nowait(data)
            if fragments == 1:
                await socket.send(data)
            else:
                step = max(1, -(-len(data) // fragments))
                await socket.send([data[at : at + step] for at in range(0, len(data), step)] or [data])

    sending = asyncio.create_task(send())
    for _ in range(1000):
        got = await socket.recv()
        expect_same(await expected.get(), got)
        window.release()
    await sending


async def mixed():
    """A thousand mixed messages with every option set, each against the next of
    the servers at `ports`; `agreed` says where the server compresses."""
    ports = GIVEN["ports"]
    for i, options in enumerate(option_sets()):
        at = i % len(ports)
        if i % GIVEN["of"] != GIVEN["part"]:
            continue
        extensions = [] if options is None else [ClientPerMessageDeflateFactory(**options)]
        url = f"ws://127.0.0.1:{ports[at]}"
        async with dial("/echo", url, extensions=extensions) as socket:
            agreed = bool(socket.protocol.extensions)
            told = f"extensions with {options} at {at}"
            # A server that is not offered what it needs declines.
            expect(told, options is not None and GIVEN["agreed"][at], agreed)
            await exchange(socket, i)
            step(options=options, at=at)


SCENARIOS = {
    "mixed": mixed,
    "echo": echo,
    "fragmented": fragmented,
    "fragments": fragments,
    "ping": ping,
    "pinged": pinged,
    "close": close,
    "closed": closed,
    "vanished": vanished,
    "subprotocol": subprotocol,
    "report": report,
    "handshake": handshake,
}

asyncio.run(SCENARIOS[SCENARIO]())
