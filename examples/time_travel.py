"""Time travel: what a deal was, who changed it, and the figures as they were."""

import time
from datetime import UTC, datetime
from tempfile import TemporaryDirectory

from dealdb import DealDatabase

with TemporaryDirectory() as folder, DealDatabase.embedded(folder, actor="ann", linger_s=0) as db:
    db.save_deal({"id": 1, "name": "Acme renewal", "stage": "Proposal", "amount": "12500"})
    db.save_deal({"id": 2, "name": "Globex pilot", "stage": "Proposal", "amount": "3000"})
    time.sleep(0.05)
    moment = datetime.now(UTC)
    time.sleep(0.05)
    db.save_deal({"id": 1, "stage": "Won", "amount": "11000"})
    db.delete_deal(2)

    # every change of a deal: when, who, which field, before and after; also of one that is gone
    print(db.deal_history(1))
    print(db.deal_history(2))

    # the whole collection as it was, with the same queries and metrics; a date means the end of that day
    then = db.as_of(moment)
    print(then.query.find(columns=["name", "stage", "amount"]))
    print("open then:", then.query.count("stage = 'Proposal'"))
    print("open now:", db.query.count("stage = 'Proposal'"))
    print(then.analytics.pipeline())

    # the history of all deals is a table of db.query.sql
    print(db.query.sql("SELECT who, count(*) AS changes FROM history GROUP BY who"))
