"""First steps: save a deal, read it, ask for some, look at a figure. No server is needed."""

from tempfile import TemporaryDirectory

from dealdb import ConflictError, DealDatabase
from dealdb.sample import deals

# leave the folder out to keep the deals, or write DealDatabase(host="db.example") for a server of yours
with TemporaryDirectory() as folder, DealDatabase.embedded(folder, linger_s=0) as db:
    saved = db.save_deal(
        {"id": 42, "name": "Acme renewal", "stage": "Proposal", "amount": "125000"}
    )
    print(f"{saved.outcome} {saved.id}, revision {saved.rev}")

    # the fields that are given change, all others stay
    db.save_deal({"id": 42, "stage": "Won"})
    print(db.get_deal(42))

    # a revision that is out of date is refused
    try:
        db.update_deal(42, amount="130000", expect_rev=saved.rev)
    except ConflictError as error:
        print(error)

    # a list of dictionaries is loaded like a file
    print(db.loader.load(deals(500)))
    print(db.query.find("stage = 'Won'", sort="-amount", limit=5, columns=["name", "amount"]))
    print(db.analytics.win_rate(by="source"))
