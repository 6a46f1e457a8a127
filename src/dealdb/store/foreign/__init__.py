"""Hashes that another program wrote and nobody has adopted: shown as deals, without writing anything."""
