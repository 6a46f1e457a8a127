"""
Metrics on history: what happened to deals, from the facts of each field.

``past`` is what all of them share: the moment, the deals that a filter keeps, the groups, the currency and the result.

The order of the parts; nothing imports from a part behind it:
state → spans → money, linked → past → opens → stages, movement, outcomes.
"""
