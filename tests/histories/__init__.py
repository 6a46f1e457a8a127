"""
Histories for tests.

``drawn`` has random ones, full of what goes wrong; ``made`` has those that follow a known truth (``truth``), for
``studies`` of estimators; ``written`` has short ones that a test writes down.
"""
