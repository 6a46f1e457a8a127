"""Facts brought up to date by a few commits: only the deals that these have touched are looked at again."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from dealdb.store.facts.assumed import Assume
from dealdb.store.facts.event import event_facts, present_currencies
from dealdb.store.facts.facts import Facts
from dealdb.store.facts.following.stage_entries import part_of
from dealdb.store.facts.from_log import present_pipeline
from dealdb.store.ledger.ledger import Ledger
from dealdb.store.ledger.tables import FOLLOWED

# what deals are changed by, or nothing is; all other commits say something of deals that they do not name
_PLAIN = ("add", "set", "delete", FOLLOWED)
# one deal in so many may have been touched: with more of them, all are looked at
SHARE = 20


@dataclass(frozen=True, slots=True)
class FactsBase:
    """
    Facts of all deals as of a commit, from which those of later commits are made.

    Attributes
    ----------
    seq
        Number of the commit.
    at
        Its moment.
    assume
        As of ``event_facts``.
    facts
        They.
    """

    seq: int
    at: int | None
    assume: Assume
    facts: Facts

    @classmethod
    def of(cls, ledger: Ledger, assume: Assume) -> FactsBase:
        """Facts of all commits, from a look at all deals."""
        seq = ledger.position.seq
        # first: it reads the commits together with all else
        facts = event_facts(ledger, seq, assume)
        return cls(seq, ledger.moment_of(seq), assume, facts)

    def continued(self, ledger: Ledger, share: int = SHARE) -> Facts | None:
        """
        What ``event_facts`` gives for more commits; None where it takes a look at all deals.

        Parameters
        ----------
        ledger
            The same history, with all commits.
        share
            One deal in so many may have been touched.

        Cost
        ----
        A scan of the tables for the rows of deals that were touched, and a copy of each field that was changed and is
        asked for.
        """
        base = self.facts
        if ledger.position.seq == self.seq:
            return base
        if not self._is_followed_plainly(ledger):
            return None
        ids = _touched_since(ledger, self.seq)
        if ids.len() * share > base.lives.height:
            return None
        part = part_of(ledger, ids.to_list())
        new, old = (event_facts(part, seq, self.assume) for seq in (None, self.seq))
        currencies = self._currencies(part, old)
        if currencies is None:
            return None
        return _joined(base, old, new, _deals_of(part), currencies)

    def _is_followed_plainly(self, ledger: Ledger) -> bool:
        """Whether the commits since say nothing of other deals than those that they name."""
        kinds = ledger.table("commits")["kind"].slice(self.seq)
        return (
            bool(kinds.is_in(_PLAIN).all())
            # where nobody has said what the stages mean, their names propose it
            and present_pipeline(ledger) == self.facts.pipeline
            # where the clock was set back, commits of before count from an earlier moment on
            and ledger.moment_of(self.seq) == self.at
        )

    def _currencies(self, part: Ledger, old: Facts) -> frozenset[str | None] | None:
        """
        The currencies that deals have now, none where nothing is assumed of any.

        None where what is assumed of deals that are known from imported history alone may be another one.
        """
        if old.currencies is not None:
            # one of them has come to be more than that
            return None
        whole = self.facts.currencies
        if whole is None:
            return frozenset()
        now, before = present_currencies(part), present_currencies(part.upto(self.seq))
        # what is left of several is known only where none of them can have gone
        is_kept = now == whole if len(whole) == 1 else len(whole) > 1 and before <= now
        return whole | now if is_kept else None


def _touched_since(ledger: Ledger, seq: int) -> pl.Series:
    """Ids of the deals that commits after one have changed or deleted."""
    later = pl.col("seq") > seq
    rows = ledger.touches.table().filter(later)["row"].unique()
    ids = ledger.ids.table()
    named = [ids.filter(pl.col("row").is_in(rows.implode())), ledger.gone.table().filter(later)]
    return pl.concat(each["id"] for each in named).unique()


def _deals_of(part: Ledger) -> pl.Series:
    return pl.concat([part.ids.table()["id"], part.gone.table()["id"]]).unique()


def _joined(
    base: Facts, old: Facts, new: Facts, deals: pl.Series, currencies: frozenset[str | None]
) -> Facts:
    """
    Facts of all deals: those of before, with what some deals have now in place of what they had.

    Parameters
    ----------
    base
        Of all deals, before.
    old, new
        Of some deals, before and now.
    deals
        The ids of the deals that ``old`` and ``new`` are of.
    currencies
        That deals have now; none where nothing is assumed of any.
    """
    own = base.lives["id"].is_in(deals.implode())
    lives, of_base, of_new = _renumbered(base.lives, old.lives, new.lives, own)

    def read(name: str) -> pl.DataFrame:
        before, now = base.of(name), _with_numbers(new.of(name), of_new)
        # most commits change few fields: the tables of all others are held once
        if of_base is None and now.equals(_with_numbers(old.of(name), own.arg_true())):
            return before
        others = before.filter(~own.gather(before["life"]))
        if of_base is not None:
            others = _with_numbers(others, of_base)
        # a life is of one of them alone
        return others.merge_sorted(now, "life")

    return Facts(
        schema=base.schema,
        pipeline=base.pipeline,
        lives=lives,
        read=read,
        # those of all deals: a part has them all
        commits=new.commits,
        pipelines=base.pipelines,
        n_assumed=base.n_assumed - old.n_assumed + new.n_assumed,
        n_ghosts=base.n_ghosts - old.n_ghosts + new.n_ghosts,
        currencies=currencies or None,
    )


def _renumbered(
    base: pl.DataFrame, old: pl.DataFrame, new: pl.DataFrame, own: pl.Series
) -> tuple[pl.DataFrame, pl.Series | None, pl.Series]:
    """All lives in their order, and the numbers in it of the others before (None: as they were) and of the new ones."""
    told = pl.exclude("life")
    if new.select(told).equals(old.select(told)):
        # both are in the order of all lives
        return base, None, own.arg_true()
    parts = [base.filter(~own).with_columns(_new=False), new.with_columns(_new=True)]
    joined = pl.concat(parts).sort("begin", "id", maintain_order=True).with_row_index("_life")
    is_new, number = joined["_new"], joined["_life"].cast(pl.UInt32)

    def numbers(of: pl.Series, n: int) -> pl.Series:
        none = pl.repeat(None, n, dtype=pl.UInt32, eager=True)
        some = joined["life"].filter(of)
        return none.scatter(some, number.filter(of)) if some.len() else none

    lives = joined.with_columns(number.alias("life")).select(base.columns)
    # where all that is new comes after the others, these keep their numbers
    are_as_before = bool(((joined["life"] == number) | is_new).all())
    of_base = None if are_as_before else numbers(~is_new, base.height)
    return lives, of_base, numbers(is_new, new.height)


def _with_numbers(facts: pl.DataFrame, numbers: pl.Series) -> pl.DataFrame:
    """Facts with the numbers that lives have in another order."""
    return facts.with_columns(numbers.gather(facts["life"]).cast(pl.UInt32).alias("life"))
