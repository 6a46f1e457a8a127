"""The methods of ``Analytics`` for metrics on history."""
