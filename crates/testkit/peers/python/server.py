"""A server of the PyPI package `websockets`: what it does is in the path.

Prints {"port": N} and ends with its stdin.
"""

import asyncio
import http
import json
import sys
from urllib.parse import unquote

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

LIMIT = 32 * 1024 * 1024


async def echo(socket):
    async for message in socket:
        await socket.send(message)


async def fragment(socket, size):
    step = int(size)
    async for message in socket:
        await socket.send(message[at : at + step] for at in range(0, len(message), step))


async def close(socket, code, reason=""):
    # This package sends a code always: without one means with 1000.
    await socket.close(1000 if code == "none" else int(code), unquote(reason))


async def ping(socket, count):
    answers = [await socket.ping(f"ping {i}") for i in range(int(count))]
    for answer in answers:
        await answer
    await socket.send(f"pongs: {len(answers)}")
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
    _, route, *arguments = socket.request.path.split("/")
    try:
        await ROUTES[route](socket, *arguments)
    except ConnectionClosed:
        pass


def process_request(socket, request):
    _, route, *arguments = request.path.split("/")
    if route != "refuse":
        return None
    response = socket.respond(http.HTTPStatus(int(arguments[0])), "not for you")
    response.headers["X-Why"] = "because"
    return response


def second(_socket, offered):
    return offered[1] if len(offered) > 1 else None


async def main():
    server = await serve(
        handle,
        "127.0.0.1",
        0,
        compression=None,
        max_size=LIMIT,
        select_subprotocol=second,
        process_request=process_request,
        ping_interval=None,
    )
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
