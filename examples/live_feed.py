"""Several processes save deals at the same time, and this one follows every commit as it happens."""

from decimal import Decimal
from itertools import islice
from multiprocessing import get_context
from tempfile import TemporaryDirectory

from dealdb import ConflictError, DealDatabase


def sell(folder: str, seller: str) -> None:
    """Save deals of one's own, and add to one that all share."""
    with DealDatabase.embedded(folder, actor=seller, linger_s=0) as db:
        for number in range(3):
            db.save_deal({"id": f"{seller}-{number}", "stage": "Lead", "amount": 100})
            while total := db.get_deal("total"):  # read, save, and again if another was faster
                amount = Decimal(str(total["amount"])) + 100
                try:
                    db.update_deal("total", amount=amount, expect_rev=total.rev)
                    break
                except ConflictError:
                    continue


if __name__ == "__main__":
    with TemporaryDirectory() as folder, DealDatabase.embedded(folder, linger_s=0) as db:
        db.save_deal({"id": "total", "stage": "Lead", "amount": 0})
        with db.changes(timeout_s=60) as feed:  # without timeout_s it waits for ever
            spawn = get_context("spawn")  # threads of the data frames don't survive a fork
            sellers = [spawn.Process(target=sell, args=(folder, name)) for name in ("ann", "bob")]
            for seller in sellers:
                seller.start()
            for commit in islice(feed, 12):  # 3 deals and 3 additions of each seller
                print(commit.seq, commit.actor, commit.kind, *commit.deals)
            for seller in sellers:
                seller.join()
        print(db.get_deal("total"))
