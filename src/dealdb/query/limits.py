"""What one statement of ``sql`` may take, checked once."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dealdb.errors import ConfigError

# below this DuckDB can't group a small table
_LEAST_MB = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlLimits:
    """
    What one statement may take, and where it runs.

    Attributes
    ----------
    sql_timeout_s
        Seconds after which ``sql`` stops a statement.
    sql_memory_mb
        Megabytes that a statement may use besides the columns themselves; at least 16.
    sql_isolated
        Whether statements run in a process of their own, so that nothing that one does can harm this one.

    Raises
    ------
    ConfigError
        If a value has the wrong type or is out of its range.

    Examples
    --------
    >>> SqlLimits(sql_timeout_s=5)
    SqlLimits(sql_timeout_s=5, sql_memory_mb=1024, sql_isolated=True)
    """

    sql_timeout_s: float = 30.0
    sql_memory_mb: int = 1024
    sql_isolated: bool = True

    def __post_init__(self) -> None:
        seconds, megabytes = self.sql_timeout_s, self.sql_memory_mb
        # not isinstance: True is not a number
        if type(seconds) not in (int, float) or not 0 < seconds < math.inf:
            raise ConfigError(f"sql_timeout_s must be a number of seconds above 0: got {seconds!r}")
        if type(megabytes) is not int or not _LEAST_MB <= megabytes <= 10**9:
            msg = f"sql_memory_mb must be an integer of at least {_LEAST_MB}: got {megabytes!r}"
            raise ConfigError(msg)
        if type(self.sql_isolated) is not bool:
            raise ConfigError(f"sql_isolated must be True or False: got {self.sql_isolated!r}")


SQL_LIMITS = SqlLimits()
