from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from connected import eventually, replicated
from servers import Server


def test_answers(server: Server) -> None:
    with server.client() as client:
        assert client.ping()


def test_what_a_replica_has_not_confirmed_is_not_taken_for_replicated(
    new_server: Callable[..., Server],
) -> None:
    """A test that kills a primary would lose what it means to keep."""
    primary, replica = (new_server("--repl-diskless-sync-delay", "0") for _ in range(2))
    replica.demote(primary)
    with primary.client() as client, ThreadPoolExecutor(1) as other:
        assert eventually(lambda: replicated(primary))
        with replica.frozen():
            client.set("key", "1")
            told = other.submit(replicated, primary)
            assert client.execute_command("WAIT", 1, 1_500) == 0
            assert not told.done()
        assert told.result(30)
