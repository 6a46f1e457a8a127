"""
Small tables that figures rest on, kept with a collection: rates of currencies, and quotas.

``reading`` makes checked texts of any source, ``kept`` loads them and gives them back, ``rates`` and ``quotas`` say
which columns there are.
"""
