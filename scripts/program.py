"""The program in a home of its own, with the models that are fetched already: what scripts measure leaves nothing behind."""
import contextlib
import os
import subprocess
import tempfile


@contextlib.contextmanager
def program(binary):
    """Gives a function that runs `binary` with its arguments and returns what it printed, and the home's folder."""
    models = os.path.join(os.environ.get("MNEME_HOME", os.path.expanduser("~/.mneme")), "models")
    with tempfile.TemporaryDirectory() as home:
        os.symlink(models, home + "/models")
        environment = dict(os.environ, MNEME_HOME=home)

        def run(*arguments):
            done = subprocess.run([os.path.abspath(binary), *arguments], env=environment, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(f"mneme {' '.join(arguments[:3])}: {done.stderr}")
            return done.stdout.strip()

        yield run, home
