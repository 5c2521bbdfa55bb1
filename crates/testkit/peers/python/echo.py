"""A client of the PyPI package `websockets` that echoes, for `longwire check client`:

    longwire check client --run 'python3 echo.py {url} {compression} {subprotocols}'

Everything but compression, and the limit of 1 MiB for a message, is as the package comes.
"""

import asyncio
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

LIMIT = 32 * 1024 * 1024

URL, COMPRESSION, *REST = sys.argv[1:]
SUBPROTOCOLS = [name for name in ",".join(REST).split(",") if name]


async def main():
    compression = "deflate" if COMPRESSION == "true" else None
    subprotocols = SUBPROTOCOLS or None
    async with connect(
        URL, compression=compression, subprotocols=subprotocols, max_size=LIMIT
    ) as socket:
        try:
            async for message in socket:
                await socket.send(message)
        except ConnectionClosed as closed:
            print(closed)


asyncio.run(main())
