"""Writes ``docs/cli.md`` from the help texts: ``python -m dealdb.cli.reference [--check] docs/cli.md``."""

from __future__ import annotations

import io
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path

from dealdb.cli.main import main
from dealdb.cli.registry import COMMANDS

_HEAD = """\
# Command line

Made by `make docs` from the help texts. [errors.md](errors.md) explains the errors and their exit codes.

Data goes to stdout and messages to stderr, so `dealdb find --csv > deals.csv` writes data alone. The shared options may
come before the command or after it.

A terminal is never steered by what is in a file, a deal or a server's words: control characters and marks of direction
are shown as `\\x1b` or `\\u202e`, in `--json` always. In a pipe or a file, `--csv` and `export` have the bytes as they
are. Tab offers no name that a shell would have to quote, except for blanks.

A setting comes from the first of option, environment variable, configuration file, default. What is in a URL,
such as its database, counts like the URL. `dealdb info` shows what is in force and where each setting comes from.

The configuration file is `$XDG_CONFIG_HOME/dealdb/config.toml`, by default `~/.config/dealdb/config.toml`, or what
`DEALDB_CONFIG` names (empty: no file). It is TOML with these keys and no others:

```toml
url = "redis://db.example/3"
password_file = "password"        # next to this file; for this url only
collection = "deal"
actor = "import job"
max_connections = 4
```

| key | option | variable | holds |
|---|---|---|---|
| `url` | `--url` | `DEALDB_URL` | URL of the server; without it, the embedded server |
| `db` | `--db` | `DEALDB_DB` | number of the database |
| `collection` | `--collection` | `DEALDB_COLLECTION` | collection of deals; `deal` |
| `partitions` | | `DEALDB_PARTITIONS` | of how many partitions a new collection is made; 64 on a cluster, else 1 |
| | `--ask-password` | `DEALDB_PASSWORD` | password, where the URL has none; for whichever server is in force |
| `password_file` | | `DEALDB_PASSWORD_FILE` | file that holds the password; `chmod 600` (`dealdb doctor` looks) |
| `actor` | | `DEALDB_ACTOR` | who changes deals, for the history; the login name |
| `max_connections` | | `DEALDB_MAX_CONNECTIONS` | most sockets |
| `pool_timeout_s` | | `DEALDB_POOL_TIMEOUT_S` | seconds to wait for a socket |
| `socket_timeout_s` | | `DEALDB_SOCKET_TIMEOUT_S` | seconds to wait for a reply |
| `retry_deadline_s` | | `DEALDB_RETRY_DEADLINE_S` | seconds in which a read may try again |
| `cache` | | `DEALDB_CACHE` | where columns are kept on this machine: `on`, `off` or a folder's full path |
| `cache_mb` | | `DEALDB_CACHE_MB` | megabytes that this may take |
| `durability` | `--durability` | `DEALDB_DURABILITY` | where a change has to be: `memory`, `disk` or `replicated` |
| `linger_s` | | `DEALDB_LINGER_S` | seconds that the embedded server stays after its last user; 300; 0: none |
| `allow_eviction` | | `DEALDB_ALLOW_EVICTION` | `on`: change deals even if a full server removes some; `off` |
| `sql_timeout_s` | | `DEALDB_SQL_TIMEOUT_S` | seconds that a statement of `sql` may take; 30 |
| `sql_memory_mb` | | `DEALDB_SQL_MEMORY_MB` | megabytes that it may take; 1024 |
| `sql_isolated` | | `DEALDB_SQL_ISOLATED` | `off`: statements run in this process, not in one of their own; `on` |

| variable | holds |
|---|---|
| `PAGER` | program that pages long output; `less` if unset, none if empty |
| `NO_COLOR` | anything: no bold headers |
"""


def reference() -> str:
    """Text of the page."""
    sections = [_section([]), *(_section([name]) for name in COMMANDS)]
    return _HEAD + "".join(sections)


def _section(command: list[str]) -> str:
    text = io.StringIO()
    with redirect_stdout(text):
        main([*command, "--help"])
    title = " ".join(["dealdb", *command])
    return f"\n## {title}\n\n```text\n{text.getvalue().strip()}\n```\n"


def _run(arguments: list[str]) -> int:
    # help texts are wrapped at the width of the terminal
    os.environ["COLUMNS"] = "80"
    page = Path(arguments[-1])
    if "--check" not in arguments:
        page.write_text(reference(), encoding="utf-8")
    elif not page.exists() or page.read_text(encoding="utf-8") != reference():
        print(f"{page} does not match the help texts: run make docs", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_run(sys.argv[1:]))
