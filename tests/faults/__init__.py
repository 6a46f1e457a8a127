"""
Real faults on real sockets, servers and processes, and a judge that shares no code with dealdb.

A directed test takes the fixtures ``durable`` (a server) and ``proxy`` (a way to it), and commands a fault::

    def test_a_lost_reply_is_asked_for_again(proxy: Proxy) -> None:
        with DealDatabase(port=proxy.port) as db:
            proxy.fault("lose_reply", matching=b"EVALSHA")
            assert db.save_deal({"id": 1}).outcome == "inserted"

A run (``make faults``) is many processes, faults at random from a seed, and a verdict:

``proxy``, ``wire``
    Stand between a client and the server, and lose, cut, delay or hold what passes.
``schedule``, ``control``
    Which faults come when, and how each is carried out.
``pen``, ``workload``, ``watching``
    What workers do, and what they write down before and after each change; only these, ``worker`` and ``views``
    know dealdb.
``journal``
    The form of that, and the numbers that processes share while a run goes on.
``history``, ``fold``, ``model``, ``checker``
    The judge: it reads log and sealed history by docs/protocol.md alone, and compares every view with what was
    acknowledged.
``collector``, ``workers``, ``run``
    Keep the log while it is written, start and kill the processes, and put the whole together.
"""
