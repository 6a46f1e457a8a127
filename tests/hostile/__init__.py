"""
Hostile cases: small inputs that once took gigabytes, hung, or ended the process; each tried in a process of its own.

``make hostile`` prints how each ends, and its peak of memory. A module of ``cases`` has those of one way in.
"""
