from dealdb import DealDatabase
from servers import Server


def test_a_history_of_as_many_commits_is_another_one(server: Server) -> None:
    """A server that was emptied and written anew has the same numbers."""
    with DealDatabase.from_url(server.url) as reader, server.client() as client:
        for amount in (1, 2):
            client.flushall()
            with DealDatabase.from_url(server.url) as writer:
                writer.save_deal({"id": 1, "amount": amount})
            assert reader.query.frame()["amount"].to_list() == [amount]
            assert reader.query.count() == 1
