from servers import Server


def test_answers(server: Server) -> None:
    with server.client() as client:
        assert client.ping()
