#!/usr/bin/env python3
"""A slow network before a server, to measure behind: a TCP proxy on loopback with a delay and a rate.

    python3 Tests/clients/link.py PORT [--delay MILLISECONDS] [--rate MEGABYTES_A_SECOND]

It prints the port that it listens at, and runs until it is ended. Bytes are late by the delay, each way, and all
connections share the rate, each way; they stay in order. `mneme bench kv --remote redis://127.0.0.1:PRINTED` meets it.
"""
import argparse, asyncio, time


class Direction:
    """All bytes of one direction: when the link is free again."""

    def __init__(self, delay, rate): self.delay, self.rate, self.free = delay, rate, 0.0

    def due(self, count):
        self.free = max(self.free, time.monotonic()) + count / self.rate
        return self.free + self.delay


async def pump(source, sink, direction):
    waiting = asyncio.Queue(64)

    async def deliver():
        while True:
            due, data = await waiting.get()
            await asyncio.sleep(max(0, due - time.monotonic()))
            if not data: return sink.close()
            sink.write(data)
            await sink.drain()

    delivery = asyncio.ensure_future(deliver())
    try:
        while True:
            data = await source.read(1 << 15)
            await waiting.put((direction.due(len(data)), data))
            if not data: return await delivery
    except OSError: delivery.cancel()


async def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("port", type=int)
    options.add_argument("--delay", type=float, default=2)
    options.add_argument("--rate", type=float, default=125)
    asked = options.parse_args()
    there, back = (Direction(asked.delay / 1000, asked.rate * 1e6) for _ in range(2))

    async def accept(reader, writer):
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", asked.port)
        await asyncio.gather(pump(reader, far_writer, there), pump(far_reader, writer, back))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


try: asyncio.run(main())
except KeyboardInterrupt: pass
