"""SQL and data frames: SELECT on the live deals, Polars and pandas. Needs the extra: dealdb[sql]."""

from datetime import date
from tempfile import TemporaryDirectory

import polars as pl

from dealdb import DealDatabase
from dealdb.sample import deals

with TemporaryDirectory() as folder, DealDatabase.embedded(folder, linger_s=0) as db:
    db.loader.load(deals(1600, today=date(2026, 10, 1)))

    # one SELECT, in DuckDB; a value goes in as a parameter, never into the text
    best = """
        SELECT owner, count(*) AS n, sum(amount) AS won FROM deals
        WHERE stage = 'Won' AND source = :source GROUP BY owner ORDER BY won DESC LIMIT 3
    """
    print(db.query.sql(best, params={"source": "Referral"}))

    # the deals as a Polars frame: it is fresh at each call
    by_month = (
        db.query.frame()
        .filter(pl.col("stage") == "Won")
        .group_by(pl.col("closed").dt.truncate("1mo").alias("month"))
        .agg(pl.len().alias("n"), pl.col("amount").sum())
        .sort("month")
    )
    print(by_month.tail(3))

    # a frame is a source too: compute a column and load it back
    large = db.query.find("amount > 50000", columns=["id", "amount"])
    tiers = large.select("id", tier=pl.lit("large"))
    print(db.loader.load(tiers))
    print(db.query.count(tier="large") == large.height)
