"""`python -m multiface`: the command line, where the command `multiface` is not on the path."""

from multiface.cli.main import run

if __name__ == "__main__":
    run()
