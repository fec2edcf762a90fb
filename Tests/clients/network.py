"""A network between servers and a database that goes wrong when a test says so: a TCP proxy in a thread of its own."""
import asyncio, socket, threading, time


class Network:
    """Hands bytes of each connection on, late, not at all, or until it is cut. Listens on loopback."""

    def __init__(self, port):
        self.target = port
        self.delay = 0.0
        self.blocked = False
        self.connections = set()
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()
        threading.Thread(target=self._run, args=(ready,), daemon=True).start()
        ready.wait()

    def _run(self, ready):
        asyncio.set_event_loop(self.loop)
        self.port = 0
        self.loop.run_until_complete(self._listen())
        ready.set()
        self.loop.run_forever()

    async def _listen(self):
        self.server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    async def _accept(self, reader, writer):
        connection = Connection(reader, writer)
        self.connections.add(connection)
        try:
            try: connection.far = await asyncio.open_connection("127.0.0.1", self.target)
            except OSError: return
            pumps = [asyncio.ensure_future(self._pump(connection, reader, connection.far[1])),
                     asyncio.ensure_future(self._pump(connection, connection.far[0], writer))]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for each in pumps: each.cancel()
        finally:
            self.connections.discard(connection)
            connection.abort()

    async def _pump(self, connection, source, sink):
        try:
            while True:
                while connection.stalled or self.blocked: await asyncio.sleep(0.02)
                data = await source.read(1 << 16)
                while connection.stalled or self.blocked: await asyncio.sleep(0.02)
                if connection.lossy:
                    # What is lost is lost without an end: neither side is told of the other's, until keep-alives would tell.
                    if not data or time.monotonic() - connection.lossy > 30:
                        await asyncio.sleep(max(0, connection.lossy + 30 - time.monotonic()))
                        return
                    continue
                if not data: return
                if self.delay: await asyncio.sleep(self.delay)
                sink.write(data)
                await sink.drain()
        except (OSError, asyncio.IncompleteReadError): return

    def _call(self, body):
        """Runs something in the proxy's thread, and waits for it."""
        done = threading.Event()
        def run():
            body()
            done.set()
        self.loop.call_soon_threadsafe(run)
        done.wait(10)

    def _each(self, change):
        def run():
            for each in list(self.connections): change(each)
        self._call(run)

    def cut(self):
        """Ends all connections at once (RST)."""
        self._each(Connection.abort)

    def stall(self, value=True):
        """Stops reading from the connections that are there, either way; or goes on."""
        self._each(lambda each: setattr(each, "stalled", value))

    def lose(self):
        """Throws away what the connections that are there say from now on; they end half a minute later."""
        self._each(lambda each: setattr(each, "lossy", time.monotonic()))

    def refuse(self):
        """Takes no new connections, as a machine on which nothing listens."""
        self._call(lambda: self.server.close())

    def accept(self):
        """Takes connections again."""
        asyncio.run_coroutine_threadsafe(self._listen(), self.loop).result(10)

    def heal(self):
        """New connections work, and those that are there, but for the lossy ones."""
        self.delay, self.blocked = 0.0, False
        self._each(lambda each: setattr(each, "stalled", False))


class Connection:
    def __init__(self, reader, writer):
        self.near, self.far = (reader, writer), None
        self.stalled, self.lossy = False, 0.0

    def abort(self):
        for each in (self.near, self.far):
            if each is None: continue
            try:
                each[1].get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                each[1].transport.abort()
            except (OSError, AttributeError): pass


class Networks:
    """The ways to all servers of a database, which go wrong together."""

    def __init__(self, ports):
        self.all = [Network(each) for each in ports]

    def __getattr__(self, name):
        def each(*arguments):
            for network in self.all: getattr(network, name)(*arguments)
        return each

    def set(self, **values):
        """Such as delay=0.1 or blocked=True."""
        for network in self.all:
            for name, value in values.items(): setattr(network, name, value)
