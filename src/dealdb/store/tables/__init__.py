"""Small tables that are kept with a collection, with all that they ever said: rates of currencies, quotas."""
