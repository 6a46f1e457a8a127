"""Commands for what figures rest on: the stages, the calendar, rates and quotas."""
