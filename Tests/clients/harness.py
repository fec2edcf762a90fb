"""What the test scripts of this folder share: homes and servers of the built `mneme`, and the run of their tests.

    python3 SCRIPT.py .build/release/mneme [NAME …]

A test is a function under @test. It fails by raising, and is skipped by returning why. Servers bind to loopback and are
stopped by the test that started them.
"""
import json, os, re, shutil, signal, subprocess, sys, tempfile, time, traceback, urllib.request

from database import Database

BINARY = os.path.abspath(sys.argv[1])
ONLY = sys.argv[2:]
HOME = os.environ.get("MNEME_HOME", os.path.expanduser("~/.mneme"))
tests = []
databases = []


def test(function):
    tests.append(function)
    return function


class Folder:
    """A home of its own, with the fetched models."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="mneme-test-")
        os.makedirs(self.path + "/models")
        for name in ("all-MiniLM-L6-v2", "smollm2"):
            os.symlink(os.path.realpath(HOME + "/models/" + name), self.path + "/models/" + name)
        self.environment = dict(os.environ, MNEME_HOME=self.path)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)

    def run(self, *arguments, check=True, **options):
        result = subprocess.run([BINARY, *arguments], env=self.environment, capture_output=True, text=True, timeout=300, **options)
        if check and result.returncode != 0:
            raise AssertionError(f"{arguments} ended with {result.returncode}: {result.stderr}{result.stdout}")
        return result

    def json(self, *arguments):
        return json.loads(self.run(*arguments, "--json").stdout)


class Server:
    """`mneme serve`, or another command that listens."""

    def __init__(self, folder, *arguments, command="serve"):
        self.folder, self.arguments, self.command = folder, arguments, command

    def __enter__(self):
        self.process = subprocess.Popen([BINARY, self.command, "--port", "0", *self.arguments], env=self.folder.environment,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.search(r"(https?)://127\.0\.0\.1:(\d+)", line)
        assert found, f"the server said: {line!r} {self.process.stderr.read() if self.process.poll() is not None else ''}"
        self.url = f"{found.group(1)}://127.0.0.1:{found.group(2)}"
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            assert self.process.wait(timeout=20) == 0, "the server did not end cleanly"
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError("the server did not end within 20 s of SIGTERM")


def with_database(function):
    """Runs a test with a folder and a database, or says why it cannot."""
    def run():
        with Folder() as f:
            if "without PostgreSQL" in f.run("stats", "--store", "postgres://127.0.0.1:1/x", "--no-embedder", check=False).stderr:
                return "this mneme was built without libpq"
            # One for all tests, as starting it takes longer than they do.
            if not databases: databases.append(Database().start())
            if databases[0] is None: return "there is no PostgreSQL: scripts/postgres.sh fetch"
            return function(f, databases[0])
    run.__name__ = function.__name__
    return test(run)


def post(server, path, body, key=None):
    """What a server answers to JSON, which with a key counts once."""
    headers = {"Content-Type": "application/json", **({"Idempotency-Key": key} if key else {})}
    with urllib.request.urlopen(urllib.request.Request(server.url + path, json.dumps(body).encode(), headers), timeout=60) as answer:
        return json.load(answer)


def metric(server, name):
    with urllib.request.urlopen(server.url + "/metrics", timeout=60) as answer: text = answer.read().decode()
    return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name + " "))


def eventually(condition, seconds=20):
    """Whether it holds before so many seconds have passed."""
    end = time.time() + seconds
    while time.time() < end:
        if condition(): return True
        time.sleep(0.1)
    return False


def run_tests():
    """Runs the tests that the command line names, or all. Ends the program, with 1 if any failed."""
    unknown = set(ONLY) - {each.__name__ for each in tests}
    assert not unknown, f"no such tests: {unknown}"
    chosen = [each for each in tests if not ONLY or each.__name__ in ONLY]
    failures = skipped = 0
    for each in chosen:
        began = time.time()
        try:
            note = each()
            if note: skipped += 1
            print(f"{'-' if note else '✔'} {each.__name__} ({time.time() - began:.1f} s) {note or ''}", flush=True)
        except Exception as error:
            failures += 1
            print(f"✘ {each.__name__}: {error}", flush=True)
            traceback.print_exc()
    print(f"{len(chosen) - failures - skipped} passed, {failures} failed, {skipped} skipped")
    sys.exit(1 if failures else 0)
