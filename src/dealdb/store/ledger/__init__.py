"""What the log says of all deals, as tables: in memory, and in pieces on the server."""
