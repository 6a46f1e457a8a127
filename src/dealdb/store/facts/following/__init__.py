"""Facts that a process keeps and brings up to date by commits: stage_entries → continued → fixed → follower."""
