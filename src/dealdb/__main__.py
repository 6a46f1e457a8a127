"""The program ``dealdb``, also as ``python -m dealdb``; importing this module is its beginning."""

import gc

from dealdb.cli import leaving

_OBJECTS_BETWEEN_COLLECTIONS = 100_000

# importing makes many objects and no garbage: looking for it would be a tenth of the start
gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
# before the imports that take most of a start
leaving.leave_at_once()
leaving.end_as_it_is()


def run() -> None:
    """Entry point of the program."""
    from dealdb.cli.main import run as run_program

    run_program()


if __name__ == "__main__":
    run()
