"""``python -m dealdb`` is the program ``dealdb``."""

from dealdb.cli.main import run

if __name__ == "__main__":
    run()
