"""Load the export of a CRM and look at the figures; rows that can't be loaded go to a file."""

from pathlib import Path
from tempfile import TemporaryDirectory

from dealdb import DealDatabase

EXPORT = """\
Record ID,Deal Name,Amount,Deal Stage,Deal Owner,Create Date,Close Date
1,Acme renewal,"$12,500.00",Closed Won,Ann,2026-01-05,2026-02-10
2,Globex pilot,"$3,000.00",Closed Lost,Bob,2026-01-12,2026-02-01
3,Initech seats,"$8,250.50",Proposal,Ann,2026-02-01,2026-06-30
4,Umbrella support,soon,Proposal,Bob,2026-02-03,2026-05-31
"""

with TemporaryDirectory() as folder, DealDatabase.embedded(f"{folder}/data", linger_s=0) as db:
    export = Path(folder, "deals.csv")
    export.write_text(EXPORT)
    rejected = Path(folder, "rejected.csv")

    report = db.loader.load(export, rejects=rejected)
    print(report)
    for note in report.notes:
        print("-", note)
    print("rejected:", report.reasons)
    print(rejected.read_text())

    # the same file again changes nothing
    print(db.loader.load(export, rejects=rejected))

    print(db.analytics.summary())
    print(db.analytics.pipeline(as_of="2026-03-01"))
