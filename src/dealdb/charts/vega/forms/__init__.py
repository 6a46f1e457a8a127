"""The forms of charts, each a function from a panel to a chart of Altair."""
