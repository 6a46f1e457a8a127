"""
Proof that the tests of the store would notice: each mutant breaks one rule of the protocol, and a test has to fail.

``make mutants`` copies the package, changes one place of the copy, and runs the tests on it; a mutant that no test
kills within two minutes fails the run. What each of the rules is for stands in ``docs/protocol.md``.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
# the slowest takes half of it on two busy cores
LIMIT_S = 120
MACHINE = "tests/server/store/test_store_machine.py::test_store_agrees_with_model[long]"
PUT_BACK = (
    "tests/server/store/upkeep/test_from_history.py tests/server/store/upkeep/test_adopter.py"
)
CLOSING = "tests/server/store/commit/test_deal_writer_closing.py"
FACTS = "tests/server/store/facts/test_event.py tests/server/loader/facts/test_recorder.py"
FOLD = "tests/unit/store/facts/test_event.py"
FOLLOWED = "tests/unit/store/facts/following/test_continued.py"
ENTRIES = "tests/server/store/facts/following/test_stage_entries.py"
SLOTS = "tests/server/connection/cluster"
SCANNED = "tests/server/store/partitions/upkeep/test_scanning_on_cluster.py"
SENTINELS = "tests/server/connection/test_sentinels.py"
CHANGING = "tests/unit/store/replica/test_changing.py"
SEARCH_INDEX = "tests/server/query/index/test_kept_index.py"
PARTED_INDEX = f"tests/server/query/index/test_index_of_partitions.py {SEARCH_INDEX}"
INDEXED = "tests/unit/query/index/test_indexed_search.py"
PARTED_WRITES = "tests/server/store/partitions/test_partitioned_writes.py"
FOLDED = "tests/server/store/checkpoint/test_fold.py"
SEALED = "tests/server/store/history/test_damage_of_segments.py"
PARTED_BACKUPS, KILLED_RESTORE, HELD_BEFORE, LEAVES_ON, LEFT_MEANWHILE = (
    f"tests/server/store/partitions/loading/test_restoring.py::test_{name}"
    for name in (
        "an_empty_collection_and_one_of_few_deals",
        "one_that_was_killed_is_told_and_can_be_repeated",
        "what_holds_anything_is_refused_and_stays",
        "a_field_that_just_leaves_goes_on_leaving",
        "a_field_that_leaves_while_the_backup_is_taken",
    )
)
PARTED_LOADS = "tests/server/store/partitions/loading/test_loads.py"
PARTITION, BEGIN = (
    f"tests/server/store/partitions/test_{name}.py" for name in ("partition", "begin")
)
RESHAPING, MENDING = (
    f"tests/server/store/partitions/upkeep/test_{name}.py" for name in ("reshaping", "mending")
)
JOINED = "tests/unit/store/partitions/past/test_joined_ledger.py"
PAST = "tests/server/store/partitions/past/test_joined_facts.py"
BACKUP, RESTORE, DAMAGE = (
    f"tests/server/store/backup/test_{name}.py" for name in ("backup", "restoring", "checking")
)

# the first failure counts: nothing is shrunk, and every run tries the same examples
PROGRAM = """
import sys
import pytest

class Setup:
    def pytest_configure(self):
        import dealdb
        import hypothesis
        assert dealdb.__file__.startswith(sys.argv[1]), dealdb.__file__
        hypothesis.settings.register_profile(
            "mutants", phases=[hypothesis.Phase.generate], database=None, derandomize=True
        )
        hypothesis.settings.load_profile("mutants")

options = ["-x", "-q", "-m", "slow or not slow", "-p", "no:cacheprovider"]
sys.exit(pytest.main([*options, *sys.argv[2:]], plugins=[Setup()]))
"""


@dataclass(frozen=True)
class Mutant:
    """
    A change for the worse.

    Attributes
    ----------
    name
        The rule that it breaks.
    path
        File, as seen from the folder of the store.
    before, after
        Text that occurs there exactly once, and what it becomes.
    tests
        What has to notice.
    """

    name: str
    path: str
    before: str
    after: str
    tests: str = MACHINE

    def file(self, source: Path) -> Path:
        """The file, in a folder that holds the package."""
        return source / "dealdb" / "store" / self.path


MUTANTS = [
    Mutant(
        "a socket of a server that is no primary any more is used again",
        "../connection/link.py",
        "                if demoted:\n                    self._leave(wire)\n",
        "",
        "tests/server/connection/test_demotion.py",
    ),
    Mutant(
        "what a replica answers over an old socket is believed",
        "../connection/link.py",
        "if is_new or not wire.is_outdated:",
        "if True:",
        "tests/server/connection/test_demotion.py",
    ),
    Mutant(
        "what a change needs first is told as the change",
        "commit/writers.py",
        "        except OutcomeUnknown as problem:\n",
        "        except KeyError as problem:\n",
        "tests/faults/test_beforehand.py",
    ),
    Mutant(
        "a link that breaks within TLS is told as refused",
        "commit/writer.py",
        "sent.is_doubtful = sent.is_doubtful or problem.sent",
        "sent.is_doubtful = sent.is_doubtful or (isinstance(problem, ServerUnavailable) and problem.sent)",
        "tests/server/connection/test_tls.py::test_a_link_that_breaks_within_tls_leaves_the_outcome_open",
    ),
    Mutant(
        "the link does not say that it has sent",
        "../connection/link.py",
        "failure.sent = ever_sent = ever_sent or (sent and not answered)",
        "ever_sent = ever_sent or (sent and not answered)",
        "tests/server/store/commit/test_writer_lost_replies.py",
    ),
    Mutant(
        "the digest of a repeat is not compared",
        "commit/commit.lua",
        "    if digest ~= '' and digest ~= last_digest then return {'clash'} end\n",
        "",
        "tests/server/store/commit/test_writer_places.py",
    ),
    Mutant(
        "of new deals, the digest of a repeat is not compared",
        "commit/commit.lua",
        "return string.sub(digest, 1, 8) == string.sub(last_digest, 1, 8) and {'repeat', 'earlier'} or {'clash'}",
        "return {'repeat', 'earlier'}",
        "tests/server/store/commit/test_writer_places.py",
    ),
    Mutant(
        "a void takes somebody else's commit for one that was sent",
        "commit/commit.lua",
        "    and string.sub(digest, 1, 8) ~= string.sub(last_digest, 1, 8) then return {'clash'} end\n",
        "    and false then return {'clash'} end\n",
        "tests/server/store/commit/test_writer_places.py",
    ),
    Mutant(
        "two commits that say the same have the same digest",
        "commit/script.py",
        "nonce = secrets.token_hex(4)",
        'nonce = "0" * 8',
        "tests/server/store/commit/test_writer_places.py",
    ),
    Mutant(
        "a wire counts as ready while a reply is outstanding",
        "../connection/protocol/wire.py",
        "        # in this order no number of interrupts leaves an unread reply on a wire that counts as ready\n"
        "        self._ready = False\n",
        "",
        "tests/server/connection/test_link_interrupts.py",
    ),
    Mutant(
        "what was sent is no longer open before the counter is raised",
        "commit/writer.py",
        "        self._reached = _Reached(self._reached.counter + n_done)\n        return replies\n",
        "        self._reached = _Reached(self._reached.counter)\n"
        "        counter = self._reached.counter + n_done\n"
        "        self._reached = _Reached(counter)\n        return replies\n",
        "tests/server/store/commit/test_writer_interrupts.py",
    ),
    Mutant(
        "an interrupt leaves nothing open",
        "commit/writer.py",
        "        self._reached = _Reached(self._reached.counter, sent)\n",
        "",
        "tests/server/store/commit/test_writer_interrupts.py",
    ),
    Mutant(
        "a record is forgotten too early",
        "commit/idle_writers.py",
        "> UNUSED_S",
        "> UNUSED_S - 3600",
        "tests/server/store/commit/test_writer_places.py",
    ),
    Mutant(
        "a writer that was forgotten is taken for a new one",
        "commit/commit.lua",
        "if forgotten and tonumber(known) < tonumber(forgotten) then",
        "if false then",
        "tests/server/store/commit/test_writer_places.py",
    ),
    Mutant(
        "the log keeps the time of a clock that was ahead",
        "commit/commit.lua",
        "local time = now[1] * 1000 + (now[2] - now[2] % 1000) / 1000\n",
        "local time = now[1] * 1000 + (now[2] - now[2] % 1000) / 1000\n"
        "if m[6] and tonumber(m[6]) > time then time = tonumber(m[6]) end\n",
        "tests/server/store/upkeep/test_clock.py",
    ),
    Mutant(
        "a repeat over another link is taken for synced",
        "commit/script.py",
        'wrote = all(status == b"ok" for status, *_ in answers)',
        "wrote = True",
        "tests/server/store/commit/test_durability.py",
    ),
    Mutant(
        "the number of replicas is not compared",
        "commit/durability.py",
        "answer >= int(wait[1])",
        "answer >= 0",
        "tests/server/store/commit/test_durability.py",
    ),
    Mutant(
        "a server that removes deals is written to",
        "commit/eviction.py",
        "if limit and removes_deals(policy):",
        "if False:",
        "tests/server/store/commit/test_eviction.py",
    ),
    Mutant(
        "no hash in the match",
        "log/reader.py",
        "if not first or first[0].position != position:",
        "if not first or first[0].position.seq != position.seq:",
        "tests/server/store/log",
    ),
    Mutant(
        "exclusive read",
        "log/reader.py",
        "        if not first or first[0].position != position:\n"
        "            return None\n"
        "        pages = _pages(link, log_key, first, skip=1)\n",
        '        first = _page(link, log_key, f"({position.seq}-0", _FIRST_ENTRIES)\n'
        "        pages = _pages(link, log_key, first, skip=0)\n",
    ),
    Mutant(
        "a log that lacks an entry is read on",
        "log/reader.py",
        "        if newest != last + len(page):\n            break\n",
        "",
        "tests/server/store/history/test_reading_lost_log.py",
    ),
    Mutant(
        "a log that ends too early is whole",
        "log/reader.py",
        "if last >= least:",
        "if last >= 0:",
        "tests/server/store/history/test_reading_lost_log.py",
    ),
    Mutant(
        "a history without its end is whole",
        "history/reading.py",
        "if last.seq >= least:",
        "if last.seq >= 0:",
        "tests/server/store/history/test_reading_lost_log.py",
    ),
    Mutant(
        "before the commits that are there were none",
        "history/last_commit.py",
        "    if begins > 1:\n        raise _before(begins)\n",
        "",
        "tests/server/store/history/test_reading_lost_log.py",
    ),
    Mutant(
        "commits between the log and what is sealed are not missed",
        "history/last_commit.py",
        "if segment.last < begins - 1:",
        "if segment.last < 0:",
        "tests/server/store/history/test_reading_lost_log.py",
    ),
    Mutant(
        "a hole in the log is not seen by who looks for a moment",
        "history/last_commit.py",
        "if first + len(since) != begins:",
        "if first > begins:",
        "tests/server/store/history/test_reading_lost_log.py",
    ),
    Mutant(
        "the log of one deal may end too early",
        "history/index/one_deal.py",
        " or tail.position.seq < least",
        "",
        "tests/server/store/history/test_reading_lost_log.py",
    ),
    Mutant(
        "a segment may have a hole",
        "archive/sealing.py",
        " or has_hole",
        "",
        "tests/server/store/history/test_reading_lost_log.py",
    ),
    Mutant(
        "a collection without its state has no past",
        "history/last_commit.py",
        "_end_of(link, keys) if said is None else ",
        "",
        "tests/server/store/history/test_reading_lost_log.py",
    ),
    Mutant(
        "a collection without its state has no deals",
        "sizes.py",
        "if deals is not None or not (entries or sealed):",
        "if True:",
        "tests/server/store/history/test_reading_lost_log.py",
    ),
    Mutant(
        "a partition without its state has no commits",
        "partitions/reading.py",
        "if without <= unread and not without & have_commits:",
        "if True:",
        "tests/server/store/history/test_reading_lost_log.py",
    ),
    Mutant(
        "the loss of the state of a partition that was read is not noticed",
        "partitions/reading.py",
        "if without <= unread and not without & have_commits:",
        "if not without & have_commits:",
        "tests/server/store/history/test_reading_lost_log.py",
    ),
    Mutant(
        "a partition without its state has no deals",
        "partitions/reading.py",
        "if told is None and (log or sealed)",
        "if told is None and log < 0",
        "tests/server/store/history/test_reading_lost_log.py",
    ),
    Mutant(
        "a feed leaves out a partition without its state",
        "partitions/feeding/feed.py",
        "            if not gone:\n",
        "            if gone or True:\n",
        "tests/server/store/history/test_reading_lost_log.py",
    ),
    Mutant(
        "columns are never begun from the hashes for a hole in the log",
        "live/columns.py",
        "_BY_LOG = 2",
        "_BY_LOG = 9",
        "tests/server/store/history/test_reading_lost_log.py",
    ),
    Mutant(
        "the log of a partition may end too early",
        "partitions/past/joined_facts.py",
        "read_since(part.link, part.keys.log, last, asked, least)",
        "read_since(part.link, part.keys.log, last, asked)",
        "tests/server/store/history/test_reading_lost_log.py",
    ),
    Mutant(
        "no writer counter",
        "commit/commit.lua",
        "if last and counter <= last_counter then\n",
        "last_counter = counter - 1\nif false then\n",
    ),
    Mutant(
        "a repeat is not answered",
        "commit/commit.lua",
        "if last and counter <= last_counter then\n",
        "if last and counter < last_counter then\n",
        "tests/server/store/commit/test_writer.py",
    ),
    Mutant(
        "of new deals, a repeat is not answered where others came after it",
        "commit/commit.lua",
        "return string.sub(digest, 1, 8) == string.sub(last_digest, 1, 8) and {'repeat', 'earlier'} or {'clash'}",
        "return {'gap'}",
        f"tests/server/store/commit/test_deal_writer_add.py {MACHINE}",
    ),
    Mutant(
        "of new deals, what a void has used up is taken for a repeat",
        "commit/commit.lua",
        "  if is_voided then return {'repeat', answer} end\n",
        "",
        f"tests/server/store/commit/test_deal_writer_add.py {MACHINE}",
    ),
    Mutant(
        "a void leaps over commits that are lost",
        "commit/commit.lua",
        "  if last_counter < least then return {'gap'} end\n",
        "",
        "tests/server/store/commit/test_writer.py tests/server/store/commit/test_deal_writer_add.py",
    ),
    Mutant(
        "what a query's checkpoint writes changes under it",
        "replica/replica.py",
        "{name: column.clone() for name, column in self.columns.items()}",
        "self.columns",
        "tests/server/store/checkpoint/test_checkpoint.py",
    ),
    Mutant(
        "a load does not wait for the checkpoint of a query",
        "live/columns.py",
        "        self.finish()\n        with self._lock:\n",
        "        with self._lock:\n",
        "tests/server/store/checkpoint/test_checkpoint.py",
    ),
    Mutant(
        "a void behind commits that were acknowledged does not ask for them",
        "commit/writer.py",
        "self.use_up(before + sent.n, before + n_known, sent.digest)",
        "self.use_up(before + sent.n, before, sent.digest)",
        "tests/server/store/commit/test_deal_writer_add.py",
    ),
    Mutant(
        "a void uses up one counter only",
        "commit/writer.py",
        "self.use_up(before + sent.n, before + n_known, sent.digest)",
        "self.use_up(before + 1, before + n_known, sent.digest)",
        f"tests/server/store/commit/test_deal_writer_add.py {MACHINE}",
    ),
    Mutant(
        "the writer of a load that goes on elsewhere loses one counter only",
        "commit/writers.py",
        "_LAST_COUNTER = 2**53 - 1",
        "_LAST_COUNTER = 10",
        "tests/server/store/commit/test_deal_writer_add.py tests/server/loader/writing/test_resume.py",
    ),
    Mutant(
        "commits before one that was refused are forgotten",
        "commit/writer.py",
        "if sent.n == 1 or isinstance(problem, (ServerUnavailable, PoolTimeout)):",
        "if True:",
        "tests/server/store/commit/test_deal_writer_add.py",
    ),
    Mutant(
        "no gap rule",
        "commit/commit.lua",
        "if counter ~= last_counter + 1 then return {'gap'} end\n",
        "",
        f"tests/server/store/commit/test_writer.py {MACHINE}",
    ),
    Mutant(
        "a void leaves the counter free",
        "commit/commit.lua",
        "  record(answer, '')\n",
        "",
        f"tests/server/store/commit/test_writer.py {MACHINE}",
    ),
    Mutant(
        "an open commit is not settled before the next",
        "commit/writer.py",
        "            if self._reached.open:\n"
        "                # a commit that may still be on its way must not take effect after the next one\n"
        "                self._void(self._reached.open)\n",
        "",
        f"tests/server/store/commit/test_writer.py {MACHINE}",
    ),
    Mutant(
        "an answer that uses up no counter is believed",
        "commit/writer.py",
        "if sent.is_doubtful and n_done < len(changes) and",
        "if False and",
        f"tests/server/store/commit/test_writer.py {MACHINE}",
    ),
    Mutant(
        "chain hash without the time",
        "commit/commit.lua",
        "\n  .. ' ' .. time_text), 1, 16)",
        "), 1, 16)",
        "tests/server/store/commit/test_writer.py tests/server/store/history/test_reading.py",
    ),
    Mutant(
        "it is written before the rights are tried",
        "commit/commit.lua",
        "  if may then return not may(name, ...) end\n",
        "  do return false end\n",
        "tests/server/store/commit/test_writer.py",
    ),
    Mutant(
        "clearing a field is taken for unchanged",
        "commit/commit.lua",
        "if (given[j] or false) ~= found[2 + j] then",
        "if given[j] and given[j] ~= found[2 + j] then",
    ),
    Mutant(
        "saving a deleted deal is taken for unchanged",
        "commit/commit.lua",
        "differs = kind == 'set' and not row or mark > 0",
        "differs = mark > 0",
    ),
    Mutant(
        "schema version is not checked",
        "commit/commit.lua",
        "if version ~= (m[7] or '') or (not m[1] and kind ~= 'schema') then",
        "if not m[1] and kind ~= 'schema' then",
        f"tests/server/store/commit/test_writer.py {MACHINE}",
    ),
    Mutant(
        "expected revision is not checked",
        "commit/commit.lua",
        "elseif tonumber(condition) ~= first_rev then",
        "elseif tonumber(condition) < 0 then",
    ),
    Mutant(
        "later revisions are not looked at",
        "commit/commit.lua",
        "if rev > latest or (latest == 0 ",
        "if (latest == 0 ",
        "tests/server/loader/test_loader.py",
    ),
    Mutant(
        "another program's deal counts as none",
        "commit/commit.lua",
        " or (latest == 0 and call('EXISTS', KEYS[3 + i]) == 1) then",
        " then",
        "tests/server/loader/test_loader.py",
    ),
    Mutant(
        "who resumes a load leaves its writer alone",
        "commit/load_notes.py",
        "        writers.retire(writer)\n",
        "",
        "tests/server/loader/writing/test_resume.py",
    ),
    Mutant(
        "rows are given out again after a delete",
        "commit/commit.lua",
        "'rows', digits(rows + inserted)\n",
        "'rows', digits(rows + inserted - (kind == 'delete' and updated or 0))\n",
        "tests/server/store/commit/test_deal_writer.py",
    ),
    Mutant(
        "rows of other collections are believed",
        "commit/commit.lua",
        "  row = row and row < rows and row or nil\n",
        "",
        "tests/server/store/upkeep/test_repair.py",
    ),
    Mutant(
        "rows in other digits than their own are believed",
        "commit/commit.lua",
        "row = row and (row == '0' or string.find(row, '^[1-9]%d*$')) and tonumber(row)",
        "row = row and tonumber(row)",
        "tests/server/store/upkeep/test_repair.py",
    ),
    Mutant(
        "fields to clear stand between those with a text",
        "commit/change.py",
        "    texts = dict(sorted(texts.items(), key=lambda item: item[1] is None))\n",
        "",
        "tests/server/store/history/test_changes.py",
    ),
    Mutant(
        "the log tells what was asked, not what changed",
        "commit/commit.lua",
        "(kind == 'delete' and change[2]) or #kept < n_ids)) then",
        "(kind == 'delete' and change[2]))) then",
    ),
    Mutant(
        "older programs are not kept from a collection with facts",
        "commit/commit.lua",
        "if (kind == 'facts' or latest > 0) and m[1] == FORMAT then",
        "if false then",
        FACTS,
    ),
    Mutant(
        "a moment may be still to come",
        "commit/commit.lua",
        "if latest > time + FUTURE_MS then return {'future', digits(time)} end",
        "",
        FACTS,
    ),
    Mutant(
        "what is so by now can not have been so for longer",
        "commit/commit.lua",
        "or mark > 0 or told\n",
        "or mark > 0\n",
        FACTS,
    ),
    Mutant(
        "the log does not have the moment of a deal that is won",
        "commit/commit.lua",
        "payload = cmsgpack.pack({kept_ids, fields, kept_columns, kept_ats})",
        "payload = cmsgpack.pack({kept_ids, fields, kept_columns})",
        FACTS,
    ),
    Mutant(
        "a restored collection with facts can be read by older programs",
        "backup/restoring.py",
        "(FORMAT_OF_FACTS if self._backup.tells_of_before else FORMAT)",
        "FORMAT",
        FACTS,
    ),
    Mutant(
        "what was taken back counts until the end",
        "facts/imported.py",
        "    facts = unretracted(facts, retractions)\n",
        "",
        f"{FACTS} {FOLD}",
    ),
    Mutant(
        "an export brings a deal back that was deleted",
        "facts/event.py",
        "_without_ghosts(_without_late_loads(rows, ids.len()), has_life)",
        "_without_ghosts(rows, has_life)",
        f"{FACTS} {FOLD}",
    ),
    Mutant(
        "what is recorded later changes what was known",
        "facts/event.py",
        "known = ledger if until is None else ledger.upto(until)\n    commits",
        "known = ledger\n    commits",
        f"{FACTS} {FOLD}",
    ),
    Mutant(
        "what is recorded later changes what was known of saves",
        "facts/event.py",
        "known = ledger if until is None else ledger.upto(until)\n    if assume",
        "known = ledger\n    if assume",
        f"{FACTS} {FOLD}",
    ),
    Mutant(
        "a deal that is won, lost or reopened keeps its closing date",
        "commit/commit.lua",
        "if outcome == kind_of(before) then outcome = nil end",
        "outcome = nil",
        CLOSING,
    ),
    Mutant(
        "a move between won stages is a win",
        "commit/commit.lua",
        "      if outcome == kind_of(before) then outcome = nil end\n",
        "",
        CLOSING,
    ),
    Mutant(
        "a closing date that is given does not count",
        "commit/commit.lua",
        "    if name == 'closed' then by_hand = false end\n",
        "",
    ),
    Mutant(
        "what is copied from elsewhere is closed today",
        "commit/commit.lua",
        "string.sub(ARGV[12] or '', 1, 4) == 'hand' and n_ids == 1",
        "n_ids == 1",
        CLOSING,
    ),
    Mutant(
        "of several deals at once, the first is closed",
        "commit/commit.lua",
        "string.sub(ARGV[12] or '', 1, 4) == 'hand' and n_ids == 1",
        "string.sub(ARGV[12] or '', 1, 4) == 'hand'",
        CLOSING,
    ),
    Mutant(
        "closing dates can not be turned off",
        "commit/commit.lua",
        "if not parsed or parsed.closes ~= false then",
        "if true then",
        CLOSING,
    ),
    Mutant(
        "the log does not have a closing date",
        "commit/commit.lua",
        "if outcome or (of_deals and change and",
        "if (of_deals and change and",
        CLOSING,
    ),
    Mutant(
        "what a closing date is added to has the order of the payload",
        "commit/commit.lua",
        "{unpack(names, 3, 2 + n_fields)}",
        "cmsgpack.unpack(payload)[2]; fields[n_fields] = 'closed'",
        CLOSING,
    ),
    Mutant(
        "a reopened deal is cleared without the right to clear",
        "commit/commit.lua",
        "    clears = clears or not closed\n",
        "",
        CLOSING,
    ),
    Mutant(
        "a stage that is called like JSON is looked for in the JSON",
        "commit/commit.lua",
        """last and not string.find(name, '[%c"\\\\]') then""",
        "last then",
        CLOSING,
    ),
    Mutant(
        "a pipeline of another form has no stages",
        "commit/commit.lua",
        "    for _, each in ipairs(parsed.stages or parsed) do kinds",
        "    for _, each in ipairs({}) do kinds",
        CLOSING,
    ),
    Mutant(
        "what another program's hash has of a closing date is left out of the log",
        "commit/commit.lua",
        "if closed == found and (first_row or not closed) then",
        "if closed == found then",
        CLOSING,
    ),
    Mutant(
        "of a deal saved by hand, the script is not told so",
        "commit/script.py",
        'f"hand@{change.at}" if change.at else "hand"',
        'f"hand@{change.at}" if change.at else ""',
        CLOSING,
    ),
    Mutant(
        "a chunk that has changed is not written again",
        "replica/replica.py",
        "                known.pop(number, None)\n",
        "                known.get(number)\n",
        "tests/server/store/checkpoint/test_checkpoint.py",
    ),
    Mutant(
        "a checkpoint is published without chunks that it took for there",
        "checkpoint/write.py",
        "        self._needed.update(columns.keys(self._keys))\n",
        "",
        "tests/server/store/checkpoint/test_checkpoint.py",
    ),
    Mutant(
        "new deals are added without a look whether they exist",
        "commit/commit.lua",
        "#KEYS))) > 0 then",
        "#KEYS))) > 1e9 then",
        f"tests/server/store/commit/test_deal_writer_add.py {MACHINE}",
    ),
    Mutant(
        "it is looked for the first thousand new deals only",
        "commit/commit.lua",
        "for i = 4, #KEYS, MOST_WORDS do\n    if call('EXISTS'",
        "for i = 4, 4, MOST_WORDS do\n    if call('EXISTS'",
        "tests/server/store/commit/test_deal_writer_add.py",
    ),
    Mutant(
        "new deals have the row of the one before",
        "commit/commit.lua",
        "KEYS[3 + i], rows + i - 1\n",
        "KEYS[3 + i], rows + (i > 1 and i - 2 or 0)\n",
        "tests/server/store/commit/test_deal_writer_add.py",
    ),
    Mutant(
        "new deals have what is left of the one before",
        "commit/commit.lua",
        "    run(args, n)\n  end\nelseif kind == 'delete'",
        "    run(args, #args)\n  end\nelseif kind == 'delete'",
        "tests/server/store/commit/test_deal_writer_add.py",
    ),
    Mutant(
        "rows of new deals in bulk are given out again",
        "commit/commit.lua",
        "'rows', digits(rows + inserted)\n",
        "'rows', digits(rows + (kind == 'add' and 0 or inserted))\n",
        "tests/server/store/commit/test_deal_writer_add.py",
    ),
    Mutant(
        "new deals in bulk are not counted",
        "commit/commit.lua",
        "'deals', digits((m[5] or 0) + inserted -",
        "'deals', digits((m[5] or 0) + (kind == 'add' and 0 or inserted) -",
        "tests/server/store/commit/test_deal_writer_add.py",
    ),
    Mutant(
        "new deals in bulk are of any version of the schema",
        "commit/commit.lua",
        "if version ~= (m[7] or '') or",
        "if (kind ~= 'add' and version ~= (m[7] or '')) or",
        "tests/server/store/commit/test_deal_writer_add.py",
    ),
    Mutant(
        "a commit of new deals has no note on its load",
        "commit/commit.lua",
        "if ARGV[10] and ARGV[10] ~= '' then",
        "if ARGV[10] and ARGV[10] ~= '' and kind ~= 'add' then",
        "tests/server/loader/writing/test_resume.py",
    ),
    Mutant(
        "deals that are known are taken for written",
        "commit/deal_writer.py",
        "n_added += sum(reply.is_done for reply in replies)",
        'n_added += sum(reply.is_done or reply.status == "known" for reply in replies)',
        "tests/server/store/commit/test_deal_writer_add.py",
    ),
    Mutant(
        "of new deals, known uses up no counter and is believed",
        "commit/writer.py",
        "if sent.is_doubtful and n_done < len(changes) and",
        'if sent.is_doubtful and n_done < len(changes) and replies[-1].status != "known" and',
        "tests/server/store/commit/test_deal_writer_add.py",
    ),
    Mutant(
        "the script's stamp is not replayed",
        "replica/gather.py",
        'elif kind == "set":',
        'elif kind == "none":',
    ),
    Mutant(
        "nulls of a scatter come last",
        "replica/changing.py",
        "if values.null_count() and rows.n_unique() < len(rows):",
        "if False:",
        f"tests/unit/store/replica/test_replica.py {MACHINE}",
    ),
    Mutant(
        "of two texts for a row the one counts that is there already",
        "replica/changing.py",
        " & rows.is_last_distinct()\n",
        "\n",
        CHANGING,
    ),
    Mutant(
        "a history has what a commit says of other deals",
        "log/entry.py",
        "for place in places_of(deal_id, ids)\n",
        "for place in range(len(ids))\n",
        "tests/server/store/history/index",
    ),
    Mutant(
        "what another has put in force meanwhile is taken to be as it was",
        "commit/definitions.py",
        'if reply.status == "ok" and self._writers.is_next(reply.counts[0]):',
        'if reply.status == "ok":',
        "tests/server/store/commit/test_definitions.py",
    ),
    Mutant(
        "of pieces that are read together, all have the entries of the first",
        "archive/lookup/pieces.py",
        "            begins += piece.head.height(piece.number)\n",
        "",
        "tests/unit/store/archive/lookup/test_pieces.py",
    ),
    Mutant(
        "of postings of one hash only the first is found",
        "archive/lookup/postings.py",
        "if place < n and gaps.size(place - 1, place):",
        "if True:",
        "tests/unit/store/archive/lookup/test_postings.py",
    ),
    Mutant(
        "a history of elsewhere is taken for none",
        "history/index/one_deal.py",
        "        check_format(self._keys, form)\n",
        "",
        "tests/server/store/partitions/test_begin.py",
    ),
    Mutant(
        "what is told of another deal puts the rows of this one in another order",
        "history/told.py",
        "if at and self._only in (None, deal)",
        "if at",
        "tests/server/store/history/test_told.py",
    ),
    Mutant(
        "words of other alphabets are looked for as they are written",
        "../query/results/spelling.py",
        "if not any(have_others):",
        "if True:",
        "tests/unit/query/results/test_search.py",
    ),
    Mutant(
        "a column is written though nothing in it changes",
        "replica/changing.py",
        "return None if rows.is_empty() else (rows, values)",
        "return rows, values",
        CHANGING,
    ),
    Mutant(
        "a text that is there already is a change",
        "replica/changing.py",
        " if column[row] != value}",
        "}",
        CHANGING,
    ),
    Mutant(
        "columns that wait miss what came after the checkpoint",
        "replica/deferred.py",
        "for rows, values in self.changes[column.name]:\n            if rows is None:\n                column.extend",
        "for rows, values in ():\n            if rows is None:\n                column.extend",
    ),
    Mutant(
        "deletes are applied last",
        "replica/replica.py",
        "if gathered.deleted and not set(gathered.deleted).isdisjoint(chain.from_iterable(rows)):",
        "if False:",
        f"tests/unit/store/replica/test_replica.py {MACHINE}",
    ),
    Mutant(
        "checkpoint published before its chunks",
        "checkpoint/write.py",
        "            columns = self._write_columns(self._made)\n",
        "            link, late = self._link, list[object]()\n"
        "            class Late:\n"
        "                settings = link.settings\n"
        "                def call(self, *command, retry=False):\n"
        "                    if 'redis.call' in str(command[1]) and b'XTRIM' in command[1]:\n"
        "                        command = (command[0], command[1].replace(b'#KEYS', b'2'), *command[2:])\n"
        "                        answer = link.call(*command)\n"
        "                        for commands in late:\n"
        "                            link.calls(commands)\n"
        "                        return answer\n"
        "                    return link.call(*command, retry=retry)\n"
        "                def calls(self, commands, retry=False):\n"
        "                    return late.append(commands) if commands[0][0] == 'SADD' else link.calls(commands)\n"
        "            self._link = Late()\n"
        "            columns = self._write_columns(self._made)\n",
        f"tests/server/store/checkpoint/test_checkpoint.py {MACHINE}",
    ),
    Mutant(
        "a chunk with a changed row is taken for what it was when a load is folded",
        "checkpoint/fold.py",
        "                found.update((rows // CHUNK_ROWS).unique())\n",
        "                found.update(())\n",
        FOLDED,
    ),
    Mutant(
        "of several changes of a row the first one counts when a load is folded",
        "checkpoint/fold.py",
        "last = rows.is_last_distinct()",
        "last = rows.is_first_distinct()",
        FOLDED,
    ),
    Mutant(
        "chunks are not looked for when publishing",
        "checkpoint/publish.lua",
        "if redis.call('EXISTS', KEYS[i]) == 0 then return 0 end",
        "",
        "tests/server/store/checkpoint/test_checkpoint.py",
    ),
    Mutant(
        "history is not looked at when publishing",
        "checkpoint/publish.lua",
        "if not entry or entry[2][2] ~= ARGV[2] then return 0 end\n",
        "",
        "tests/server/store/checkpoint",
    ),
    Mutant(
        "trim past the older manifest",
        "checkpoint/write.py",
        "            manifest.generations[-1].position.seq\n",
        "            manifest.generations[0].position.seq\n",
    ),
    Mutant(
        "a checkpoint goes back",
        "checkpoint/write.py",
        "if base and base.generations[0].position.seq >= self._replica.position.seq:",
        "if False:",
        f"tests/server/store/checkpoint/test_checkpoint.py {MACHINE}",
    ),
    Mutant(
        "orphans are removed without regard to the manifest",
        "checkpoint/write.py",
        "orphans = sorted(known - (manifest.keys(keys) if manifest else set()))",
        "orphans = sorted(known)",
    ),
    Mutant(
        "facts are orphans",
        "archive/manifest.py",
        "return chunks.union(facts) | {key",
        "return chunks | {key",
        "tests/server/store/ledger/test_keeping.py",
    ),
    Mutant(
        "facts are kept of a history without its beginning",
        "ledger/keeping.py",
        'return found if found.rows_of("commits") == n_commits else None',
        "return found",
        "tests/server/store/ledger/test_keeping.py",
    ),
    Mutant(
        "pieces are joined without those before",
        "ledger/keeping.py",
        "before = before[: -len(joined[name])]",
        "before = ()",
        "tests/server/store/ledger/test_keeping.py tests/unit/store/ledger/test_kept.py",
    ),
    Mutant(
        "a row of two deals is told once",
        "ledger/keeping.py",
        "| doubled.fill_null(value=False))",
        "| pl.lit(value=False))",
        "tests/unit/store/ledger/test_keeping.py",
    ),
    Mutant(
        "rows that another thread has read are added again",
        "ledger/tables.py",
        "            self._parts = None, parts\n",
        "            self._parts = first, parts\n",
        "tests/unit/store/ledger/test_tables.py",
    ),
    Mutant(
        "a table is written as if its answer had not been lost",
        "tables/table.py",
        "if sent and text and _is_between(text, *sent):",
        "if False:",
        "tests/server/loader/test_tables.py",
    ),
    Mutant(
        "of rows of one moment the first one is told",
        "../loader/writing/told_rows.py",
        "is_last_distinct()",
        "is_first_distinct()",
        "tests/server/loader/writing/test_row_moments.py",
    ),
    Mutant(
        "of a deal only what is new itself is told",
        "../loader/writing/told_rows.py",
        '_facts(cells.filter(pl.col("id").is_in(ids)))',
        "_facts(cells.filter(~_is_known(known, cells)))",
        "tests/server/loader/writing/test_row_moments.py",
    ),
    Mutant(
        "facts that were handed out go on with the ledger",
        "facts/following/follower.py",
        "found = ledger.copy()",
        "found = ledger",
        "tests/server/store/ledger/test_keeping.py",
    ),
    Mutant(
        "orphans are removed without regard to the history",
        "archive/manifest.py",
        "columns = [*(g.columns for g in self.generations), *(s.columns for s in self.history)]",
        "columns = [*(g.columns for g in self.generations)]",
        "tests/server/store/checkpoint/test_checkpoint.py tests/server/store/history/test_reading.py",
    ),
    Mutant(
        "deals that changed are sealed as what they became",
        "archive/sealing.py",
        "return all(\n            name in self._schema",
        "return any(\n            name in self._schema",
        "tests/server/store/archive/test_sealing.py"
        "::test_deals_that_changed_since_are_sealed_as_they_were_added",
    ),
    Mutant(
        "a deal that changed keeps the deals beside it in the history too",
        "archive/sealing.py",
        "deals if self._has(deals, entry.height) else None",
        "None",
        "tests/server/store/checkpoint/test_checkpoint.py",
    ),
    Mutant(
        "commits that are sealed together count as unchanged",
        "archive/sealing.py",
        "if follow and alike and self._has(pl.concat(added), entries[0].height):",
        "if follow and alike:",
        "tests/server/store/checkpoint/test_checkpoint.py",
    ),
    Mutant(
        "a load seals the commits of another history",
        "live/columns.py",
        "        self._recent.clear()\n        self._replica, pages, origin = rebuilt(",
        "        self._replica, pages, origin = rebuilt(",
        "tests/server/store/checkpoint/test_checkpoint.py",
    ),
    Mutant(
        "commits that are not all known are sealed",
        "checkpoint/recent.py",
        "if self._entries and self._entries[-1].position.seq + 1 != entries[0].position.seq:",
        "if False:",
        "tests/server/store/checkpoint/test_checkpoint.py",
    ),
    Mutant(
        "a node that is getting keys is not told that it is asked for them",
        "../connection/cluster/slot_link.py",
        "((_ASKING, command) for command in packed)",
        '((pack_command(("PING",)), command) for command in packed)',
        SLOTS,
    ),
    Mutant(
        "a batch that a node has turned away counts as carried out",
        "../connection/protocol/wire.py",
        "self.none_ran = self.all_refused and all(map(has_not_run, refusals))",
        "self.none_ran = False",
        SLOTS,
    ),
    Mutant(
        "a batch of which some was carried out is sent again",
        "../connection/cluster/slot_link.py",
        "if (may_have_run and not retry) or not",
        "if not",
        SLOTS,
    ),
    Mutant(
        "the last command of a batch is carried out with the others",
        "../connection/cluster/cluster_link.py",
        "            nodes.pop()\n",
        "            pass\n",
        SLOTS,
    ),
    Mutant(
        "a late answer counts, whoever has the slot by now",
        "../connection/cluster/slots.py",
        "_LATE_S = 0.2\n",
        "_LATE_S = 1e9\n",
        SLOTS,
    ),
    Mutant(
        "a node that has just failed to answer is believed at once",
        "../connection/cluster/slots.py",
        "self._doubted[node] = time.monotonic() + _DOUBTED_S",
        "self._doubted[node] = 0.0",
        SLOTS,
    ),
    Mutant(
        "reads of several nodes count however late they come",
        "../connection/cluster/cluster_link.py",
        "if self._slots.still_has({slots[place] for place in places}, node, sent_at):",
        "if True:",
        SLOTS,
    ),
    Mutant(
        "what a node says after an ASKING counts, whoever has its place by now",
        "../connection/cluster/slots.py",
        "return not had or self._has_slots(node)",
        "return True",
        f"{SLOTS}/test_slot_link.py",
    ),
    Mutant(
        "a node that is in no cluster tells the map",
        "../connection/cluster/slots.py",
        "if best.n_slots == N_SLOTS:",
        "if True:",
        f"{SLOTS}/test_slot_link.py",
    ),
    Mutant(
        "a right to ask for the map that is missing is an answer to a command",
        "../connection/cluster/slots.py",
        "with suppress(StoreError):",
        "with suppress(ServerUnavailable):",
        f"{SLOTS}/test_slot_link.py",
    ),
    Mutant(
        "a part of a batch that has run was not sent",
        "../connection/link.py",
        "return single or has_all",
        "return single or wire.ready",
        "tests/server/connection/test_link_busy.py",
    ),
    Mutant(
        "sockets to Sentinels are opened when the connection is closed, and stay open",
        "../connection/sentinels.py",
        "if self._is_closed:\n                self._shut()",
        "if False:\n                self._shut()",
        "tests/server/connection/test_sentinels_asked.py",
    ),
    Mutant(
        "sockets are led from node to node at once",
        "../connection/pool.py",
        "waiter.is_patient and self._has_share(waiter.node, held)",
        "False",
        SLOTS,
    ),
    Mutant(
        "who waits for one node holds up who waits for another",
        "../connection/pool.py",
        "return any(waiter.node == caller.node for waiter in waiters)",
        "return bool(waiters)",
        SLOTS,
    ),
    Mutant(
        "a keys' tag is that of another number of partitions",
        "partitions/partition.py",
        "return Keys(collection, tag_of(self._number, self._partitions))",
        "return Keys(collection, tag_of(self._number, max(self._partitions, 8)))",
        "tests/server/store/partitions",
    ),
    Mutant(
        "a slot that has moved is taken for one that is moving",
        "../connection/cluster/slot_link.py",
        'if word == "ASK":',
        'if word == "MOVED":',
        SLOTS,
    ),
    Mutant(
        "a caller takes a socket to another node for one to its own",
        "../connection/pool.py",
        "idle[place].node != node",
        "False",
        SLOTS,
    ),
    Mutant(
        "what a replaced primary answers is an answer",
        "../connection/protocol/wire.py",
        "if not self._is_named():\n            self.close()",
        "if False:\n            self.close()",
        SENTINELS,
    ),
    Mutant(
        "a socket to a replaced primary is used again",
        "../connection/protocol/wire.py",
        "or self._has_unread() or not self._is_named():",
        "or self._has_unread():",
        SENTINELS,
    ),
    Mutant(
        "a Sentinel that has missed the last election is believed",
        "../connection/sentinels.py",
        "key=lambda word: word.epoch)",
        "key=lambda word: -word.epoch)",
        SENTINELS,
    ),
    Mutant(
        "a Sentinel that hangs is asked again and again",
        "../connection/sentinels.py",
        "self._left_alone[wire] = time.monotonic() + _LEFT_ALONE_S",
        "pass",
        SENTINELS,
    ),
    Mutant(
        "a replica that the Sentinels name is taken for a primary",
        "../connection/protocol/wire.py",
        "if self._on_replica:\n                self.close()",
        "if False:\n                self.close()",
        SENTINELS,
    ),
    Mutant(
        "the index of words is not told of changed texts",
        "replica/replica.py",
        "self.text_changes = self.text_changes if self.text_changes.add(rows) else RowLog()",
        "pass",
        SEARCH_INDEX,
    ),
    Mutant(
        "the index of words is not told of changes in columns that waited",
        "replica/replica.py",
        "self._note_texts(changed)",
        "pass",
        "tests/server/store/live/test_columns.py",
    ),
    Mutant(
        "the index of words outlives a change of the schema",
        "replica/replica.py",
        "if name in stay}\n        self.text_changes = RowLog()\n",
        "if name in stay}\n",
        SEARCH_INDEX,
    ),
    Mutant(
        "chunks are not compared with their checksums",
        "archive/digest.py",
        "return blob is not None and digest_of(blob) == digest",
        "return blob is not None",
        "tests/server/store/archive tests/server/store/checkpoint",
    ),
    Mutant(
        "a checkpoint of another history is used",
        "live/rebuild.py",
        "pages = read_since(link, keys.log, generation.position, least=least)",
        "from dealdb.store.log.reader import read_from; "
        "pages = read_from(link, keys.log, generation.position.seq + 1)",
        "tests/server/store/checkpoint/test_checkpoint.py",
    ),
    Mutant(
        "rows that are read alone are those of the checkpoint",
        "replica/deferred.py",
        "if asked.any():",
        "if False:",
        "tests/server/store/replica/test_replica.py",
    ),
    Mutant(
        "rows that are read alone are those of another commit",
        "live/columns.py",
        "if replica.position != position or many or self._ahead.has_failed:",
        "if many or self._ahead.has_failed:",
        "tests/server/store/replica/test_replica.py",
    ),
    Mutant(
        "a column that was read ahead lacks what came meanwhile",
        "replica/replica.py",
        "column = waiting.with_changes(column)\n",
        "waiting.with_changes(column.clone())\n",
        "tests/server/store/live/test_reading_ahead.py",
    ),
    Mutant(
        "a column that was read ahead of another history is put in",
        "replica/replica.py",
        "if self._waiting is ahead.waiting and column.name in self._waiting.changes:",
        "if column.name in self._waiting.changes:",
        "tests/server/store/live/test_reading_ahead.py",
    ),
    Mutant(
        "a lost history is told as if it were whole",
        "history/reading.py",
        "return seq == last.seq + 1 and digest.encode() == chain",
        "return seq > last.seq",
        "tests/server/store/history/test_reading.py",
    ),
    Mutant(
        "a commit of the very moment is not in it",
        "history/last_commit.py",
        "if time_ms <= until_ms]",
        "if time_ms < until_ms]",
        f"tests/server/store/history/test_last_commit.py {MACHINE}",
    ),
    Mutant(
        "the first commit that is later ends the state at a moment",
        "history/as_of.py",
        "    until = last_until(link, keys, until_ms)\n",
        "    read = list(read_history(link, keys))\n"
        "    until = next((e.position.seq - 1 for e in read if e.time_ms > until_ms), len(read))\n",
        "tests/server/store/history/test_last_commit.py",
    ),
    Mutant(
        "after a commit was told, one of an earlier time is not",
        "history/course.py",
        "return not self._has_told and until_ms is not None",
        "return until_ms is not None",
        "tests/server/store/history/test_last_commit.py",
    ),
    Mutant(
        "a checkpoint that failed counts as written",
        "checkpoint/schedule.py",
        "self._missed, self._given_back = replica.position, self._changes",
        "self._missed = replica.position",
        "tests/server/store/checkpoint/test_schedule.py",
    ),
    Mutant(
        "a lease lasts as long as its expiry says",
        "checkpoint/lease.py",
        " and math.abs(now - tonumber(taken)) <= tonumber(ARGV[2]) then",
        " then",
        "tests/server/store/checkpoint/test_schedule.py",
    ),
    Mutant(
        "the lease of another is given back",
        "checkpoint/lease.py",
        "if held and string.sub(held, 1, #ARGV[1] + 1) == ARGV[1] .. ' ' then",
        "if held then",
        "tests/server/store/checkpoint/test_schedule.py",
    ),
    Mutant(
        "of merged segments, what is in chunks is not looked up",
        "archive/merging.py",
        "return complete(found, held)",
        "return complete(found)",
        "tests/server/store/archive/test_merging.py",
    ),
    Mutant(
        "a damaged segment is left out when its neighbours are merged",
        "archive/merging.py",
        "                self._unreadable.add(segment.key)\n                return []\n",
        "                continue\n",
        "tests/server/store/archive/test_merging.py",
    ),
    Mutant(
        "segments are merged across a gap",
        "archive/merging.py",
        "segment.first == stretch[-1].last + 1",
        "True",
        "tests/server/store/archive/test_merging.py",
    ),
    Mutant(
        "a column without values is declared again after it was dropped",
        "commit/deal_writer.py",
        "        used = [schema[name] for name in batch.given]\n",
        "        used = [schema[name] for name in batch.fields]\n",
        "tests/server/loader/writing/test_run_beside_rename.py",
    ),
    Mutant(
        "leftover rows are not removed",
        "upkeep/repair.py",
        "        removed = sum(len(gone & self._remove(batch)) for batch in batches(affected))\n",
        "        removed = len(gone)\n",
        f"tests/server/store/upkeep/test_repair.py {MACHINE}",
    ),
    Mutant(
        "a copied hash keeps the row of its original",
        "upkeep/adopter.py",
        "Adopt.WITH_NEW_ROW if Problem.MISPLACED in kinds else Adopt.ALWAYS",
        "Adopt.ALWAYS",
        f"tests/server/store/upkeep/test_repair.py {MACHINE}",
    ),
    Mutant(
        "a hash that was changed meanwhile is committed with texts made of what it was",
        "commit/commit.lua",
        "if call('HGET', KEYS[3 + i], expected[1][g]) ~= (expected[2][g][i] or false) then differs = false end",
        "",
        PUT_BACK,
    ),
    Mutant(
        "only the first of the fields that texts were made of is looked at",
        "commit/commit.lua",
        "for g = 1, expected and #expected[1] or 0 do",
        "for g = 1, expected and 1 or 0 do",
        PUT_BACK,
    ),
    Mutant(
        "the texts of a mend are not written",
        "commit/commit.lua",
        "local text = instead and instead[j] and instead[j][i]\n",
        "local text = nil\n",
        PUT_BACK,
    ),
    Mutant(
        "a false among the texts of a mend does not clear",
        "commit/commit.lua",
        "        if text == nil then text = sources[j]",
        "        if not text then text = sources[j]",
        PUT_BACK,
    ),
    Mutant(
        "a hash that is gone is brought back by a mend",
        "commit/commit.lua",
        "differs = differs and call('EXISTS', KEYS[3 + i]) == 1",
        "differs = differs",
        PUT_BACK,
    ),
    Mutant(
        "a mend does not give a new row where it has to",
        "commit/commit.lua",
        "row = mark < 2 and row\n",
        "row = row\n",
        f"tests/server/store/upkeep/test_repair.py {MACHINE}",
    ),
    Mutant(
        "a hash is not committed where its fields stay what they are",
        "commit/commit.lua",
        "differs = kind == 'set' and not row or mark > 0",
        "differs = kind == 'set' and not row",
        PUT_BACK,
    ),
    Mutant(
        "a mend leaves the revision as it was",
        "commit/commit.lua",
        "or {'HSET', key, '_rev', seq_text}\n",
        "or {'HSET', key, '_rev', kind == 'mend' and old[i][2] or seq_text}\n",
        PUT_BACK,
    ),
    Mutant(
        "the log has a mend as it was asked for, and not as it was made",
        "commit/commit.lua",
        "(of_deals and change and (kind == 'mend' or (kind",
        "(of_deals and change and ((kind",
        PUT_BACK,
    ),
    Mutant(
        "what is put back is not compared with what the hash had",
        "upkeep/from_history.py",
        'guards = [*fields, "_row"]',
        "guards: list[str] = []",
        PUT_BACK,
    ),
    Mutant(
        "a restore that was overtaken goes on",
        "backup/restore_put.lua",
        "if call('HGET', KEYS[1], 'restore') ~= ARGV[1] then return {'taken'} end",
        "",
        RESTORE,
    ),
    Mutant(
        "a restore that was overtaken ends",
        "backup/restore_finish.lua",
        "if call('HGET', KEYS[1], 'restore') ~= ARGV[1] then return {'taken'} end",
        "",
        RESTORE,
    ),
    Mutant(
        "two restores at once",
        "backup/restore_begin.lua",
        "if lease and lease ~= token and ARGV[3] ~= 'again' then return {'busy'} end",
        "",
        RESTORE,
    ),
    Mutant(
        "a restore into what is there",
        "backup/restore_begin.lua",
        "if format and not left then return {'holds', KEYS[1]} end",
        "",
        RESTORE,
    ),
    Mutant(
        "writers of a lost past are known after a restore",
        "backup/restore_begin.lua",
        "call('DEL', KEYS[6])",
        "",
        RESTORE,
    ),
    Mutant(
        "a collection is one before all is there",
        "backup/restore_begin.lua",
        "'format', 'restore', 'restore', token",
        "'format', '1', 'restore', token",
        RESTORE,
    ),
    Mutant(
        "another program's hash is restored over",
        "backup/restore_put.lua",
        "if call('EXISTS', KEYS[2 + i]) == 1 and",
        "if false and",
        RESTORE,
    ),
    Mutant(
        "another program's hash is cleared away",
        "backup/restore_clear.lua",
        "if ARGV[3] == 'all' or call('HGET', KEYS[i], '_row') then",
        "if true then",
        RESTORE,
    ),
    Mutant(
        "a saved query is restored over",
        "backup/restore_finish.lua",
        "if not call('HGET', KEYS[4], queries[i]) then",
        "if true then",
        RESTORE,
    ),
    Mutant(
        "the last step is done twice",
        "backup/restore_finish.lua",
        "if call('HGET', KEYS[1], 'restored') == ARGV[1] then",
        "if false then",
        f"{RESTORE}::test_the_last_step_may_be_sent_twice",
    ),
    Mutant(
        "a chunk that is gone is not missed",
        "backup/restore_finish.lua",
        "if call('EXISTS', KEYS[i]) == 0 then return {'lost', KEYS[i]} end",
        "",
        f"{RESTORE}::test_a_chunk_that_is_gone_at_the_end",
    ),
    Mutant(
        "leftovers of a restore stay",
        "backup/restoring.py",
        "cleared = self._claim.clear() if has_leftovers else 0",
        "cleared = 0",
        RESTORE,
    ),
    Mutant(
        "a restore that fails leaves what it wrote",
        "backup/claim.py",
        "                self.clear()\n                self.leave()\n",
        "                self.leave()\n",
        RESTORE,
    ),
    Mutant(
        "half a restore is read by id",
        "store.py",
        "[*deals, state], retry=True)\n        check_format(self.keys, form)\n",
        "[*deals, state], retry=True)\n",
        RESTORE,
    ),
    Mutant(
        "a deal with two rows gets the first",
        "backup/restoring.py",
        "ids.is_last_distinct()",
        "ids.is_first_distinct()",
        BACKUP,
    ),
    Mutant(
        "a deleted deal has a revision",
        "backup/revisions.py",
        '0 if entry.kind == "delete" else entry.position.seq',
        "entry.position.seq",
        BACKUP,
    ),
    Mutant(
        "a trim between two pages of the log ends the reading",
        "history/reading.py",
        "            if not is_known(link, keys, last):",
        "            if True:",
        "tests/server/store/history/test_reading.py",
    ),
    Mutant(
        "others may read a backup",
        "backup/files.py",
        "os.open(unfinished, _NEW, 0o600)",
        "os.open(unfinished, _NEW, 0o644)",
        BACKUP,
    ),
    Mutant(
        "a backup takes the place of a file",
        "backup/files.py",
        "os.link(unfinished, path, follow_symlinks=False)",
        "unfinished.replace(path)",
        BACKUP,
    ),
    Mutant(
        "the header of a part is not compared",
        "backup/parts.py",
        "if header[_HEADER.size :] != _check_of(header[: _HEADER.size]) or kind not in KINDS:",
        "if kind not in KINDS:",
        DAMAGE,
    ),
    Mutant(
        "what a part holds is not compared",
        "backup/parts.py",
        "if sha256(payload).digest() != part.digest:",
        "if False:",
        DAMAGE,
    ),
    Mutant(
        "the whole of a backup is not compared",
        "backup/piece.py",
        "if part.kind == END and self.end.sha256 != before:",
        "if False:",
        DAMAGE,
    ),
    Mutant(
        "the chain of a backup is not followed",
        "backup/piece.py",
        "must(follows(last, entry),",
        "must(True,",
        DAMAGE,
    ),
    Mutant(
        "the deals of a backup's history are not compared",
        "backup/piece.py",
        "if not known.column(self.head.rows).equals(pl.concat(parts), null_equal=True):",
        "if False:",
        DAMAGE,
    ),
    Mutant(
        "bytes behind the end of a backup",
        "backup/parts.py",
        "if offset != self.size:",
        "if False:",
        DAMAGE,
    ),
    Mutant(
        "commits of others in between are a log that is ahead",
        "upkeep/ahead.py",
        "if behind and _position(link, keys) != position:",
        "if False:",
        "tests/server/store/commit/test_writer_places.py",
    ),
    Mutant(
        "rows of a commit that was cut off are given away again",
        "upkeep/ahead.py",
        'return {"rows": str(entry.height + n_new), **form}',
        'return {"rows": str(entry.height), **form}',
        "tests/server/store/commit/test_writer_places.py",
    ),
    Mutant(
        "as many touched deals as may be are too many",
        "facts/following/continued.py",
        "if ids.len() * share > base.lives.height:",
        "if ids.len() * share >= base.lives.height:",
        FOLLOWED,
    ),
    Mutant(
        "facts are followed however many deals were touched",
        "facts/following/continued.py",
        "if ids.len() * share > base.lives.height:",
        "if False:",
        FOLLOWED,
    ),
    Mutant(
        "imports are followed as changes of deals",
        "facts/following/continued.py",
        "            bool(kinds.is_in(_PLAIN).all())\n",
        "            True\n",
        FOLLOWED,
    ),
    Mutant(
        "facts are followed into stages of another meaning",
        "facts/following/continued.py",
        "            and present_pipeline(ledger) == self.facts.pipeline\n",
        "",
        FOLLOWED,
    ),
    Mutant(
        "facts are followed when the clock is set back",
        "facts/following/continued.py",
        "            and ledger.moment_of(self.seq) == self.at\n",
        "",
        FOLLOWED,
    ),
    Mutant(
        "what was imported stays so when it is saved",
        "facts/following/continued.py",
        "        if old.currencies is not None:\n",
        "        if False:\n",
        FOLLOWED,
    ),
    Mutant(
        "a second currency leaves the first assumed",
        "facts/following/continued.py",
        "now == whole if len(whole) == 1 else",
        "len(whole) == 1 or",
        FOLLOWED,
    ),
    Mutant(
        "a currency that is gone is still there",
        "facts/following/continued.py",
        "len(whole) > 1 and before <= now",
        "len(whole) > 1",
        FOLLOWED,
    ),
    Mutant(
        "the first currency of all is not assumed",
        "facts/following/continued.py",
        "len(whole) > 1 and before <= now",
        "before <= now",
        FOLLOWED,
    ),
    Mutant(
        "a further currency is not told",
        "facts/following/continued.py",
        "return whole | now if is_kept",
        "return whole if is_kept",
        FOLLOWED,
    ),
    Mutant(
        "deletions touch no deals",
        "facts/following/continued.py",
        'named = [ids.filter(pl.col("row").is_in(rows.implode())), ledger.gone.table().filter(later)]',
        'named = [ids.filter(pl.col("row").is_in(rows.implode()))]',
        FOLLOWED,
    ),
    Mutant(
        "changes touch no deals",
        "facts/following/continued.py",
        'named = [ids.filter(pl.col("row").is_in(rows.implode())), ledger.gone.table().filter(later)]',
        "named = [ledger.gone.table().filter(later)]",
        FOLLOWED,
    ),
    Mutant(
        "touched deals have what they had, too",
        "facts/following/continued.py",
        'others = before.filter(~own.gather(before["life"]))',
        "others = before",
        FOLLOWED,
    ),
    Mutant(
        "touched deals come after all others",
        "facts/following/continued.py",
        'others.merge_sorted(now, "life")',
        "pl.concat([others, now])",
        FOLLOWED,
    ),
    Mutant(
        "lives keep their numbers when one begins before them",
        "facts/following/continued.py",
        "of_base = None if are_as_before else numbers(~is_new, base.height)",
        "of_base = None",
        FOLLOWED,
    ),
    Mutant(
        "tables that nothing changed are copied",
        "facts/following/continued.py",
        "if of_base is None and now.equals(",
        "if False and now.equals(",
        FOLLOWED,
    ),
    Mutant(
        "a table is as it was where its lives are",
        "facts/following/continued.py",
        "if of_base is None and now.equals(_with_numbers(old.of(name), own.arg_true())):",
        "if of_base is None:",
        FOLLOWED,
    ),
    Mutant(
        "values that are assumed are counted twice",
        "facts/following/continued.py",
        "base.n_assumed - old.n_assumed + new.n_assumed",
        "base.n_assumed + new.n_assumed",
        FOLLOWED,
    ),
    Mutant(
        "what was left out is counted when it is saved",
        "facts/following/continued.py",
        "base.n_ghosts - old.n_ghosts + new.n_ghosts",
        "base.n_ghosts + new.n_ghosts",
        FOLLOWED,
    ),
    Mutant(
        "a deal is looked at without those of its rows",
        "facts/following/stage_entries.py",
        "        deals |= new\n",
        "        new = []\n",
        FOLLOWED,
    ),
    Mutant(
        "what a deal was outlives another row",
        "facts/following/stage_entries.py",
        "if self._row_of(deal) != row)",
        "if False)",
        ENTRIES,
    ),
    Mutant(
        "since when a stage is kept outlives a clock",
        "facts/following/stage_entries.py",
        "entry.kind in _OF_ALL or entry.time_ms < self._last_ms",
        "entry.kind in _OF_ALL",
        ENTRIES,
    ),
    Mutant(
        "of a clock only commits that were followed count",
        "facts/following/stage_entries.py",
        "        self._last_ms = max([self._last_ms, *times.tail(1)])\n",
        "",
        ENTRIES,
    ),
    Mutant(
        "what is known is forgotten while more is read",
        "facts/following/follower.py",
        "return known | (entries.read(self._current(), missing) if missing else {})",
        "return (entries.read(self._current(), missing) if missing else {}) | entries.known(ids)",
        ENTRIES,
    ),
    Mutant(
        "an earlier view has the stages of then",
        "facts/following/follower.py",
        "key: facts for key, facts in earlier.items() if (facts.schema, facts.pipeline) == now",
        "key: facts for key, facts in earlier.items()",
        "tests/server/store/facts/following/test_follower.py",
    ),
    Mutant(
        "since when a stage is kept outlives a save of it",
        "facts/following/stage_entries.py",
        'if moments or "stage" in fields:',
        "if moments:",
        ENTRIES,
    ),
    Mutant(
        "since when a stage is kept outlives what is told",
        "facts/following/stage_entries.py",
        'if moments or "stage" in fields:',
        'if "stage" in fields:',
        ENTRIES,
    ),
    Mutant(
        "since when a stage is kept outlives a load",
        "facts/following/stage_entries.py",
        'self._drop(entry.added["id"])',
        "pass",
        ENTRIES,
    ),
    Mutant(
        "since when a stage is kept outlives imports",
        "facts/following/stage_entries.py",
        "self._drop(ids_in(entry.kind, entry.data))",
        "pass",
        ENTRIES,
    ),
    Mutant(
        "since when a stage is kept outlives another pipeline",
        "facts/following/stage_entries.py",
        '_OF_ALL = ("schema", "pipeline", "mend")',
        '_OF_ALL = ("schema", "mend")',
        ENTRIES,
    ),
    Mutant(
        "since when a stage is kept outlives the history",
        "facts/following/stage_entries.py",
        "self.position, self._known, self._last_ms = position, {}, 0",
        "self.position = position",
        ENTRIES,
    ),
    Mutant(
        "commits since the last look are not followed",
        "facts/following/stage_entries.py",
        "                self._forget(entry)\n",
        "                pass\n",
        ENTRIES,
    ),
    Mutant(
        "stages of a moment to come are kept for good",
        "facts/following/stage_entries.py",
        "for deal in ids if deal not in later",
        "for deal in ids",
        ENTRIES,
    ),
    Mutant(
        "a deletion to come is none for stages that are kept",
        "facts/following/stage_entries.py",
        '(pl.col("at") >= now) | (pl.col("end") >= now)',
        'pl.col("at") >= now',
        ENTRIES,
    ),
    Mutant(
        "deleted deals stand in their stages",
        "facts/following/stage_entries.py",
        'past = named.filter((pl.col("at") < now) & is_alive)',
        'past = named.filter(pl.col("at") < now)',
        ENTRIES,
    ),
    Mutant(
        "stages to come are those of now",
        "facts/following/stage_entries.py",
        'past = named.filter((pl.col("at") < now) & is_alive)',
        "past = named.filter(is_alive)",
        ENTRIES,
    ),
    Mutant(
        "a deal whose stage was cleared stands in one",
        "facts/following/stage_entries.py",
        " in rows if stage is not None}",
        " in rows}",
        ENTRIES,
    ),
    Mutant(
        "commits are to come where the clock is behind",
        "facts/following/stage_entries.py",
        "now = max(epoch_ms(datetime.now(UTC)), last if isinstance(last, int) else 0) + 1",
        "now = epoch_ms(datetime.now(UTC)) + 1",
        ENTRIES,
    ),
    Mutant(
        "stages are called as they were",
        "facts/following/stage_entries.py",
        "event_facts(part).with_present_names()",
        "event_facts(part)",
        ENTRIES,
    ),
    Mutant(
        "sealed history is not compared with its digest",
        "history/damage.py",
        "if sha256(blob).hexdigest() != segment.digest:",
        "if False:",
        SEALED,
    ),
    Mutant(
        "sealed history that is gone is not named",
        "history/damage.py",
        '    if blob is None:\n        return "are missing"\n',
        "    if blob is None:\n        return None\n",
        SEALED,
    ),
    Mutant(
        "deals of sealed history may be gone",
        "history/damage.py",
        'if chunks and link.call("EXISTS", *chunks, retry=True) < len(chunks):',
        "if False:",
        SEALED,
    ),
    Mutant(
        "the newest of the sealed history is not looked at",
        "history/damage.py",
        "chosen = [*history[:-1:step], *history[-1:]]",
        "chosen = [*history[:-1:step]]",
        SEALED,
    ),
    Mutant(
        "the oldest of the sealed history is not looked at",
        "history/damage.py",
        "chosen = [*history[:-1:step], *history[-1:]]",
        "chosen = [*history[1:-1:step], *history[-1:]]",
        SEALED,
    ),
    Mutant(
        "all of a long sealed history is looked at",
        "history/damage.py",
        "    step = max(1, -(-(len(history) - 1) // (_LOOKED_AT - 1)))\n",
        "    step = 1\n",
        SEALED,
    ),
    Mutant(
        "sealed history that was merged meanwhile is damage",
        "history/damage.py",
        "if wrong and _is_listed(link, keys, segment):",
        "if wrong:",
        SEALED,
    ),
    Mutant(
        "a partition whose last commit has the same number has nothing new",
        "live/columns.py",
        "if news is not None and news.newest == position:",
        "if news is not None and news.newest.seq == position.seq:",
        PARTITION,
    ),
    Mutant(
        "commits go to partitions of another number of them",
        "commit/definitions.py",
        "        if found != self._partitions:\n",
        "        if False:\n",
        BEGIN,
    ),
    Mutant(
        "the head is asked what it has before the partition is",
        "partitions/partition.py",
        "own, head = self._link.calls([self._asked(), self._head._asked()], retry=True)",
        "head, own = self._link.calls([self._head._asked(), self._asked()], retry=True)",
        PARTITION,
    ),
    Mutant(
        "a partition closes deals by stages that the head has no more",
        "partitions/partition.py",
        "        self.keep_up()\n        return super().save(",
        "        return super().save(",
        PARTITION,
    ),
    Mutant(
        "stages that are set back are not set back in the partitions",
        "partitions/reading.py",
        "            part.follow()\n",
        "            part.keep_up()\n",
        PARTITION,
    ),
    Mutant(
        "the head is not read again where a partition is ahead of it",
        "partitions/joined.py",
        "            pieces[0] = self._partitions[0].snapshot(names)\n",
        "            pass\n",
        PARTITION,
    ),
    Mutant(
        "the head is not read again where a partition has newer stages",
        "partitions/joined.py",
        "_is_behind(pieces) or self._have_others(stages)",
        "_is_behind(pieces)",
        "tests/server/store/partitions/test_joined.py",
    ),
    Mutant(
        "the metrics on history don't read the head again where a partition has newer stages",
        "partitions/past/joined_facts.py",
        "(_are_ahead(versions, news) or _have_other_stages(stages, news))",
        "_are_ahead(versions, news)",
        "tests/server/store/partitions/past/test_joined_facts.py::"
        "test_a_stage_that_comes_while_logs_are_read_means_what_it_does",
    ),
    Mutant(
        "the stages of the past are those that occur in the head",
        "partitions/past/joined_states.py",
        "replicas[0].pipeline)",
        "snapshot_of(replicas[0]).pipeline)",
        "tests/server/store/partitions/past/test_joined_states.py",
    ),
    Mutant(
        "a partition that has lost a field gets it again before it has left all",
        "leaving.py",
        "    leaving = {each.name: each for each in head.leaving}\n",
        "    leaving: dict[str, Leaving] = {}\n",
        f"{RESHAPING}::test_what_others_save_between_any_two_commits",
    ),
    Mutant(
        "a field leaves the head first",
        "partitions/upkeep/reshaping.py",
        "for part in (*self._others, self._head):",
        "for part in (self._head, *self._others):",
        f"{RESHAPING}::test_what_others_save_between_any_two_commits",
    ),
    Mutant(
        "what the head had before the partition was asked decides what leaves",
        "partitions/partition.py",
        "                leader = self._head._take(*self._head._checked(head))\n",
        "                leader = self._head._known\n",
        f"{RESHAPING}::test_who_began_it_may_be_overtaken_at_any_commit",
    ),
    Mutant(
        "the head is asked what leaves before the partition is asked what it has",
        "partitions/partition.py",
        "own, head = self._link.calls([self._asked(), self._head._asked()], retry=True)",
        "head, own = self._link.calls([self._head._asked(), self._asked()], retry=True)",
        f"{RESHAPING}::test_a_field_that_leaves_between_two_looks_does_not_come_back",
    ),
    Mutant(
        "a partition gets a field before the head has it",
        "partitions/partition.py",
        "            schema = self._head.declare(wanted)\n",
        "            schema = super().declare(wanted)\n",
        PARTITION,
    ),
    Mutant(
        "values of a field that has left and begun anew are cleared",
        "partitions/upkeep/reshaping.py",
        "done = adopter.mend_once(own.schema_version, batch, fields, sources, marks, made)",
        "done = adopter.mend(batch, fields, sources, marks, made)",
        f"{RESHAPING}::test_who_began_it_may_be_overtaken_at_any_commit",
    ),
    Mutant(
        "what was read of a partition before a field left it stands beside the head without it",
        "partitions/joined.py",
        "            elif behind := _not_covered(pieces):\n",
        "            elif behind := []:\n",
        f"{RESHAPING}::test_what_is_read_of_the_head_after_it_and_of_others_before_it_is_read_again",
    ),
    Mutant(
        "deals are read once though the fields have changed meanwhile",
        "partitions/reading.py",
        "            definitions.refresh()\n        schema",
        "            definitions.refresh()\n            break\n        schema",
        f"{RESHAPING}::test_deals_that_are_read_while_a_field_gets_another_name_have_it",
    ),
    Mutant(
        "a stray is removed before its deal has all that it has",
        "partitions/upkeep/strays.py",
        'if own and b"_row" in deal and _fields(own).items() <= deal.items()',
        "if own",
        MENDING,
    ),
    Mutant(
        "a deal that is there is taken for one that was brought",
        "partitions/upkeep/strays.py",
        "if _fields(own) and not deal",
        "if _fields(own)",
        MENDING,
    ),
    Mutant(
        "what hashes say is decided by each partition alone",
        "partitions/upkeep/mending.py",
        "return self._partitions[0].others.adopter(self._all_raw).relearned(mapping)",
        "return self._partitions[0].others.adopter().relearned(mapping)",
        MENDING,
    ),
    Mutant(
        "rows of all partitions have the numbers of each",
        "partitions/past/joined_ledger.py",
        '(pl.col("row") * partitions + number)',
        'pl.col("row")',
        JOINED,
    ),
    Mutant(
        "a clock that was set back is followed in a partition",
        "partitions/past/joined_ledger.py",
        "            return False\n",
        "            pass\n",
        JOINED,
    ),
    Mutant(
        "what was kept of a partition counts from its own times, whatever its log says",
        "partitions/past/joined_ledger.py",
        "at if part.at_most is None else",
        "at if True else",
        JOINED,
    ),
    Mutant(
        "commits of several partitions are told up to a moment in the order in which they came",
        "partitions/past/joined_ledger.py",
        "        if at.is_sorted():\n",
        "        if True:\n",
        JOINED,
    ),
    Mutant(
        "what was known at a moment stays, though the clock of a node is behind",
        "partitions/past/joined_facts.py",
        "            self._events = {}\n",
        "            pass\n",
        PAST,
    ),
    Mutant(
        "a partition whose history is another one is followed",
        "partitions/past/joined_facts.py",
        "            elif is_known(part.link, part.keys, since):\n",
        "            elif True:\n",
        PAST,
    ),
    Mutant(
        "the facts of a load go to the head",
        "partitions/past/recording.py",
        "        part = partitions[number]\n",
        "        part = partitions[0]\n",
        "tests/server/store/partitions/past/test_recording.py::test_each_fact_is_in_the_partition_of_its_deal",
    ),
    Mutant(
        "a load into partitions tells of itself only where it has written",
        "../loader/writing/sending.py",
        "            self._trail.begin(self._store, self._begun)\n",
        "            pass\n",
        f"{PARTED_LOADS}::test_a_commit_whose_answer_nobody_heard_is_counted_once",
    ),
    Mutant(
        "a load is resumed from the place that the first partition has",
        "../loader/writing/resume.py",
        "        lasts: Sequence[Bookmark | None] = bookmarks or [None] * len(since)\n",
        "        lasts: Sequence[Bookmark | None] = (bookmarks[:1] or [None]) * len(since)\n",
        PARTED_LOADS,
    ),
    Mutant(
        "deals are deleted by a revision of another partition",
        "../loader/writing/delete_missing.py",
        "        latest = self.revs[piece]\n",
        "        latest = max(self.revs)\n",
        f"{PARTED_LOADS}::test_what_others_save_meanwhile_is_not_deleted",
    ),
    Mutant(
        "a load goes on whatever one of the partitions has lost",
        "../loader/writing/resume.py",
        "        if marked is None or last is None or not piece.has(last.since):\n            return []\n",
        "        if marked is None or last is None:\n            continue\n",
        f"{PARTED_LOADS}::test_a_load_whose_notes_went_in_one_partition_begins_anew",
    ),
    Mutant(
        "a field is lost before all partitions of a backup have used it",
        "backup/merging.py",
        "            if definition.loses:\n",
        "            if definition.loses and definition.place < 0:\n",
        "tests/unit/store/backup/test_merging.py",
    ),
    Mutant(
        "a restored schema says how many partitions there were",
        "backup/dividing.py",
        "    return Schema(schema.version, schema.fields, partitions, leaving)\n",
        "    return schema\n",
        PARTED_BACKUPS,
    ),
    Mutant(
        "a restore into another number of partitions forgets that a field leaves",
        "backup/dividing.py",
        "    leaving = schema.leaving if number == 0 and partitions > 1 else ()\n",
        "    leaving = ()\n",
        LEAVES_ON,
    ),
    Mutant(
        "a partition is backed up with what the first has lost meanwhile",
        "backup/taking.py",
        "        if all(covers(takers[0].schema, each.schema) for each in takers):\n",
        "        if takers:\n",
        LEFT_MEANWHILE,
    ),
    Mutant(
        "partitions are read while their head is being restored",
        "partitions/reading.py",
        "        check_format(self.keys, of_head)\n",
        "",
        KILLED_RESTORE,
    ),
    Mutant(
        "the head is whole before the other partitions are restored",
        "partitions/loading/restoring.py",
        "restorer.finish() for restorer in reversed(self._restorers)][-1]",
        "restorer.finish() for restorer in self._restorers][0]",
        f"{KILLED_RESTORE}[Claim.finish-2-2]",
    ),
    Mutant(
        "partitions that a killed restore has made whole are in the way of the next",
        "partitions/loading/restoring.py",
        "                claim.take(again=is_left)\n",
        "                claim.take()\n",
        f"{KILLED_RESTORE}[Claim.finish-2-2]",
    ),
    Mutant(
        "a restore looks at the first partition alone whether there is anything",
        "partitions/loading/restoring.py",
        "            for part in self._parts\n            for name in",
        "            for part in self._parts[:1]\n            for name in",
        HELD_BEFORE,
    ),
    Mutant(
        "a node that has joined since is not asked",
        "../connection/cluster/slots.py",
        "            self._ask_since(time.monotonic(), avoid=None)\n",
        "            pass\n",
        "tests/server/connection/cluster/test_cluster_link.py",
    ),
    Mutant(
        "what moves while all deals are read is not read again",
        "hashes.py",
        "    if before is None or link.whereabouts() != before:\n",
        "    if before is None:\n",
        SCANNED,
    ),
    Mutant(
        "a slot whose keys are on both sides counts as one at rest",
        "../connection/cluster/cluster_link.py",
        '    return None if any(slot.startswith(b"[") for slot in slots) else [name, *slots]\n',
        '    return [name, *(slot for slot in slots if not slot.startswith(b"["))]\n',
        SCANNED,
    ),
    Mutant(
        "who may not ask whether slots move takes them to be at rest",
        "hashes.py",
        "    if before is None or link.whereabouts() != before:\n",
        "    if link.whereabouts() != before:\n",
        SCANNED,
    ),
    Mutant(
        "MOVED is taken for unknown",
        "../connection/cluster/slot_link.py",
        "sent and not (answered if single else bool(wire and wire.none_ran))",
        "sent",
        f"{SLOTS}/test_slot_link.py::test_a_slot_that_has_moved_is_followed",
    ),
    Mutant(
        "all partitions have one counter",
        "commit/writer.py",
        "class Writer:\n",
        "class _OneForAll:\n"
        "    _of: dict[int, _Reached] = {}\n"
        "    def __get__(self, writer, owner=None):\n"
        "        return self._of.get(threading.get_ident(), _Reached())\n"
        "    def __set__(self, writer, value):\n"
        "        self._of[threading.get_ident()] = value\n"
        "class Writer:\n"
        "    _reached = _OneForAll()\n",
        PARTITION,
    ),
    Mutant(
        "a load is resumed from the place of the partition that has come furthest",
        "../loader/writing/resume.py",
        "        lasts: Sequence[Bookmark | None] = bookmarks or [None] * len(since)\n",
        "        lasts: Sequence[Bookmark | None] = [\n"
        "            max(bookmarks, key=lambda each: each.place.batches, default=None)\n"
        "        ] * len(since)\n",
        f"{PARTED_LOADS}::test_a_load_that_is_killed_again_and_again_goes_on",
    ),
    Mutant(
        "a query of partitions is answered as before where each has as many commits",
        "partitions/joined.py",
        "            if newest != self._of:\n",
        "            if [each.seq for each in newest] != [each.seq for each in self._of]:\n",
        PARTITION,
    ),
    Mutant(
        "the facts of partitions stay where each has as many commits",
        "partitions/past/joined_facts.py",
        "if ledger.read[n] != now]",
        "if ledger.read[n].seq != now.seq]",
        f"{PAST}::test_a_history_of_the_same_length_is_another_one",
    ),
    Mutant(
        "deals of several partitions are written by a revision of one",
        "partitions/partitioned.py",
        "        if (max_rev is not None or mark is not None) and len(parts) > 1:\n",
        "        if False:\n",
        PARTED_WRITES,
    ),
    Mutant(
        "deals of several partitions are deleted by a revision of one",
        "partitions/partitioned.py",
        "        if (max_rev is not None or mark is not None) and len(by_partition) > 1:\n",
        "        if False:\n",
        PARTED_WRITES,
    ),
    Mutant(
        "new deals are added to partitions behind one that was known",
        "partitions/partitioned.py",
        "            if n < len(run):\n                break\n",
        "",
        PARTED_WRITES,
    ),
    Mutant(
        "each partition keeps the marks of the first batches",
        "partitions/partitioned.py",
        "marks[n_added : n_added + len(run)]",
        "marks[: len(run)]",
        PARTED_WRITES,
    ),
    Mutant(
        "partitions of a server that removes deals are written to",
        "partitions/partitioned.py",
        "        self._ready()\n        parts = self._parts(batch)\n",
        "        parts = self._parts(batch)\n",
        PARTED_WRITES,
    ),
    Mutant(
        "an index of words is asked for rows that a snapshot has not",
        "../query/index/kept_index.py",
        "if n_changed > _FAR_TOO_MANY or made.has_more(states):",
        "if n_changed > _FAR_TOO_MANY:",
        SEARCH_INDEX,
    ),
    Mutant(
        "an index of partitions takes rows for those that they have come between",
        "../query/index/made_index.py",
        "return search if orders.are_same else RelaidSearch(search, orders)",
        "return search",
        PARTED_INDEX,
    ),
    Mutant(
        "rows of partitions that were laid out anew are told as they lie",
        "../query/index/rows/row_orders.py",
        "return self.orders.in_frame(np.array(rows, np.int64)).tolist(), scores",
        "return rows, scores",
        PARTED_INDEX,
    ),
    Mutant(
        "a change in one partition is one of the same row of the first",
        "../query/index/made_index.py",
        "found.append(rows[rows < height] + np.uint32(first))",
        "found.append(rows[rows < height])",
        PARTED_INDEX,
    ),
    Mutant(
        "an index of partitions outlives the columns of all but the first",
        "../query/index/made_index.py",
        "log() is each.log or height == each.height == 0",
        "log() is self.logs[0]() or True",
        PARTED_INDEX,
    ),
    Mutant(
        "rows that have changed are found by the words that they had",
        "../query/index/indexed_search.py",
        "are_in &= ~self._is_changed\n        if self._kept",
        "pass\n        if self._kept",
        INDEXED,
    ),
    Mutant(
        "rows of an index are those of the frame",
        "../query/index/indexed_search.py",
        "are_in &= ~self._is_changed[in_frame]",
        "are_in &= ~self._is_changed[rows]",
        INDEXED,
    ),
    Mutant(
        "an index finds deals that are not to be searched",
        "../query/index/indexed_search.py",
        "        are_in = self._are_kept(in_frame)\n",
        "        are_in = np.ones(len(rows), np.bool_)\n",
        INDEXED,
    ),
    Mutant(
        "rows that were added to an index's are not looked at",
        "../query/index/indexed_search.py",
        "added = np.arange(index.height, texts.height, dtype=np.uint32)",
        "added = _NONE",
        INDEXED,
    ),
    Mutant(
        "of very many rows some with beginnings of words are taken for whole ones",
        "../query/index/indexed_search.py",
        "            if each.rank >= least:\n",
        "            if True:\n",
        INDEXED,
    ),
    Mutant(
        "of very many rows the first are those of the index",
        "../query/index/indexed_search.py",
        "return in_order(both, self._ids).head(MAX_RANKED).to_numpy()",
        "return both.head(MAX_RANKED).to_numpy()",
        INDEXED,
    ),
    Mutant(
        "rows of many words are taken to ascend",
        "../query/index/indexed_search.py",
        "if len(parts) == 1 and parts[0].ascends and not matches.values:",
        "if len(parts) == 1 and not matches.values:",
        INDEXED,
    ),
    Mutant(
        "a word counts in one of the columns that have it",
        "../query/index/by_postings.py",
        'np.searchsorted(among, rows, "right")\n    counts',
        "np.searchsorted(among, rows) + np.isin(rows, among)\n    counts",
        INDEXED,
    ),
    Mutant(
        "of very many rows too few are looked at, for some are left out",
        "../query/index/indexed_search.py",
        "rows_of(found, MAX_RANKED + 1 + self._n_left_out)",
        "rows_of(found, MAX_RANKED + 1)",
        INDEXED,
    ),
    Mutant(
        "texts that have changed again are as another search saw them",
        "../query/index/made_index.py",
        "moment = (*names, *((each.length, each.height) for each in states))",
        "moment = (*names, *((each.height,) for each in states))",
        SEARCH_INDEX,
    ),
    Mutant(
        "texts of some columns are taken for those of others",
        "../query/index/made_index.py",
        "moment = (*names, *((each.length, each.height) for each in states))",
        "moment = tuple((each.length, each.height) for each in states)",
        SEARCH_INDEX,
    ),
    Mutant(
        "texts of more words than places are in the index",
        "../query/index/token_index.py",
        "        apart[too_long] = True\n",
        "",
        INDEXED,
    ),
    Mutant(
        "an index that nobody needs is made to its end",
        "../query/index/token_index.py",
        "            raise GivenUp\n",
        "            pass\n",
        "tests/unit/query/index/test_token_index.py",
    ),
    Mutant(
        "what is found in some columns counts for all",
        "../query/index/matching.py",
        "span if is_wanted is None else None)",
        "span)",
        INDEXED,
    ),
    Mutant(
        "of rows in parts those without an id come with the first",
        "../query/results/by_id.py",
        "is_near = (own <= bound).fill_null(value=False)",
        "is_near = (own <= bound).fill_null(value=True)",
        "tests/unit/query/results/test_by_id.py",
    ),
    Mutant(
        "of rows in parts the last of each comes too late",
        "../query/results/by_id.py",
        "is_near = (own <= bound)",
        "is_near = (own < bound)",
        "tests/unit/query/results/test_by_id.py",
    ),
    Mutant(
        "of deals that are equal the last of a page comes in any order",
        "../query/results/sorting.py",
        "groups = groups.filter(groups <= groups[count - 1])",
        "groups = groups.head(count)",
        "tests/unit/query/results/test_by_id.py",
    ),
]


def mutate(mutant: Mutant, source: Path) -> None:
    """Change the copy; refuses a mutant that has gone stale."""
    path = mutant.file(source)
    text = path.read_text()
    if text.count(mutant.before) != 1:
        sys.exit(f"{mutant.name}: {mutant.path} has its text {text.count(mutant.before)} times")
    path.write_text(text.replace(mutant.before, mutant.after))


def killer(mutant: Mutant, server: str) -> str | None:
    """Test that failed on the mutant, or None when it survived."""
    with tempfile.TemporaryDirectory(prefix="mutant") as folder:
        source = Path(folder) / "src"
        shutil.copytree(
            ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
        )
        mutate(mutant, source)
        command = [
            sys.executable,
            "-c",
            PROGRAM,
            str(source),
            f"--server={server}",
            *mutant.tests.split(),
        ]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            report, _ = process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            # its fixtures stop their servers
            process.send_signal(2)
            process.communicate()
            return None
    failed = re.search(r"^(?:FAILED|ERROR) \S*?(\w+\.py)::(\S+)", report, flags=re.M)
    if process.returncode not in (0, 1) or (process.returncode and not failed):
        sys.exit(f"{mutant.name}: the tests could not be run\n{report}")
    return f"{failed[2]}" if failed else None


def main() -> int:
    """Try the mutants; returns the number of survivors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="valkey9", help="flavor of server, as for the tests")
    parser.add_argument(
        "-k", default="", metavar="TEXT", help="only mutants with this in their name"
    )
    parser.add_argument("--jobs", type=int, default=2, help="how many are tried side by side")
    options = parser.parse_args()

    def attempt(mutant: Mutant) -> bool:
        start = time.monotonic()
        killed_by = killer(mutant, options.server)
        seconds = time.monotonic() - start
        print(f"{mutant.name:<52} {killed_by or 'SURVIVED':<62} {seconds:4.0f}", flush=True)
        return killed_by is None

    print(f"{'mutant':<52} {'killed by':<62} {'s':>4}")
    chosen = [mutant for mutant in MUTANTS if options.k in mutant.name]
    with ThreadPoolExecutor(options.jobs) as pool:
        survivors = sum(pool.map(attempt, chosen))
    print(f"{survivors} survived" if survivors else "all were killed")
    return survivors


if __name__ == "__main__":
    sys.exit(min(main(), 1))
