"""Facts that a process keeps, and brings up to date by the commits since: stage_entries → continued → fixed → follower."""
