"""
Known vulnerabilities of the pinned packages: ``make audit``.

It ends with 1 where there is an advisory. Where no advisories can be had, as without a network or with a mirror without
them, it says so and ends with 0: that is not a finding, and not an all-clear either.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"


def verdict(packages: Sequence[Mapping[str, Any]]) -> tuple[list[str], int]:
    """
    What to print and the exit code, from the list of packages that pip-audit gives.

    Examples
    --------
    >>> verdict([{"name": "a", "version": "1", "vulns": []}])
    (['1 packages audited: no known vulnerability'], 0)
    >>> verdict([{"name": "a", "skip_reason": "not found"}])[0]
    ['no advisory data can be had here: NOT audited']
    """
    audited = [each for each in packages if "skip_reason" not in each]
    found = [
        f"{each['name']} {each['version']}: {advisory['id']}, fixed in {', '.join(advisory['fix_versions']) or 'none'}"
        for each in audited
        for advisory in each["vulns"]
    ]
    if found:
        return found, 1
    if not audited:
        return ["no advisory data can be had here: NOT audited"], 0
    skipped = [each["name"] for each in packages if "skip_reason" in each]
    lines = [f"{len(audited)} packages audited: no known vulnerability"]
    return lines + ([f"NOT audited, without data: {', '.join(skipped)}"] if skipped else []), 0


def main() -> int:
    """Ask pip-audit about the pinned versions."""
    command = [
        *(sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"),
        *("--requirement", str(CONSTRAINTS), "--no-deps", "--disable-pip"),
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own command
    try:
        packages = json.loads(ran.stdout)["dependencies"]
    except (ValueError, KeyError):
        reason = (ran.stderr.strip().splitlines() or ["it said nothing"])[-1]
        print(f"no advisory data can be had here: NOT audited ({reason})")
        return 0
    lines, code = verdict(packages)
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
