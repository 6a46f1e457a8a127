"""
Commits: what a change is, and how it is carried out exactly once.

====================== ============================================================================
``batch``              deals on their way to the server, as columns of texts
``change``             what a commit says, and what the server answers
``durability``         what an acknowledged change is to survive
``eviction``           no change goes to a server that removes deals
``script``             ``commit.lua``, and what it is sent
``writer``             a name and a counter, under which commits happen once
``writers``            one writer for each thread, and what an answer means to the caller
``idle_writers``       records of writers that have long not committed go
``load_notes``         how far loads have come
``definitions``        schema and pipeline, and the commits that change them
``deal_writer``        saving, adding and deleting deals
====================== ============================================================================

The order of the files is that of their imports: none imports one that is below it.
"""
