"""The board: how soon it shows, what it sends, and how soon a commit is seen; beside Datasette."""
