"""The program ``dealdb``, also as ``python -m dealdb``; importing this module is its beginning."""

from dealdb.cli import leaving

# before the imports that take most of a start
leaving.leave_at_once()
leaving.end_as_it_is()


def run() -> None:
    """Entry point of the program."""
    from dealdb.cli.main import run as run_program

    run_program()


if __name__ == "__main__":
    run()
