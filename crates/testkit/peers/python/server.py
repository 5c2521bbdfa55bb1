"""A server of the PyPI package `websockets`: what it does is in the path.

Prints {"port": N} and ends with its stdin.

    /echo               sends each message back with its type
    /fragment/N         the same in fragments of N bytes, and an empty last one
    /close/CODE/REASON  closes at once; 1005 sends no code
    /ping/N             sends N pings, then "pongs: N" if all were answered
    /report             sends the path and the headers of the request
    /subprotocol        selects the second subprotocol offered, and sends its name
    /vanish             ends the TCP connection after the first message
    /refuse/STATUS      answers the handshake with this status
"""

import asyncio
import http
import json
import sys
from urllib.parse import unquote

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Opcode

LIMIT = 32 * 1024 * 1024


class Connection(ServerConnection):
    """Keeps the pongs: the package takes one as the answer to all pings before it."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.pongs = []

    def process_event(self, event):
        if getattr(event, "opcode", None) is Opcode.PONG:
            self.pongs.append(bytes(event.data).decode())
        super().process_event(event)


def route_of(request):
    """The route and its arguments."""
    _, route, *arguments = request.path.split("?")[0].split("/")
    return route, arguments


async def echo(socket):
    async for message in socket:
        await socket.send(message)


async def fragment(socket, size):
    step = int(size)
    async for message in socket:
        text = isinstance(message, str)
        data = message.encode() if text else message
        # Without any fragment, the package would send nothing.
        starts = range(0, len(data), step) or [0]
        await socket.send([data[at : at + step] for at in starts], text=text)


async def close(socket, code, reason=""):
    if code == "1005":
        # `close` sends a code always.
        async with socket.send_context():
            socket.protocol.send_close()
    else:
        await socket.close(int(code), unquote(reason))


async def ping(socket, count):
    pings = [f"ping {i}" for i in range(int(count))]
    answers = [await socket.ping(data) for data in pings]
    for answer in answers:
        await answer
    same = socket.pongs == pings
    await socket.send(f"pongs: {len(pings)}" if same else f"wrong pongs: {socket.pongs}")
    await socket.wait_closed()


async def report(socket):
    request = socket.request
    headers = {name.lower(): value for name, value in request.headers.raw_items()}
    await socket.send(json.dumps({"path": request.path, "headers": headers}))
    await socket.wait_closed()


async def subprotocol(socket):
    await socket.send(socket.subprotocol or "")
    await socket.wait_closed()


async def vanish(socket):
    await socket.recv()
    socket.transport.abort()


# Compression as the command line has it, in JSON; none by default.
OPTIONS = json.loads(sys.argv[1]) if len(sys.argv) > 1 else False
EXTENSIONS = [ServerPerMessageDeflateFactory(**OPTIONS)] if OPTIONS else []

ROUTES = {
    "echo": echo,
    "fragment": fragment,
    "close": close,
    "ping": ping,
    "report": report,
    "subprotocol": subprotocol,
    "vanish": vanish,
}


async def handle(socket):
    route, arguments = route_of(socket.request)
    try:
        await ROUTES[route](socket, *arguments)
    except ConnectionClosed:
        pass


def refuse(socket, request):
    route, arguments = route_of(request)
    if route in ROUTES:
        return None
    status = int(arguments[0]) if route == "refuse" else 404
    response = socket.respond(http.HTTPStatus(status), "not for you\n")
    response.headers["X-Why"] = "because"
    return response


def second_subprotocol(socket, offered):
    if route_of(socket.request)[0] == "subprotocol" and len(offered) > 1:
        return offered[1]
    return None


async def main():
    server = await serve(
        handle,
        "127.0.0.1",
        0,
        compression=None,
        extensions=EXTENSIONS,
        max_size=LIMIT,
        select_subprotocol=second_subprotocol,
        process_request=refuse,
        ping_interval=None,
        create_connection=Connection,
    )
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
