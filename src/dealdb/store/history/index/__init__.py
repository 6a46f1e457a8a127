"""Which commits have something of a deal: by the indexes of segments, and behind them by the log."""
