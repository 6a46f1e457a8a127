"""
Days, weeks and periods as a pipeline divides the time.

``zone`` says to which day a moment belongs, ``periods`` where a day's period starts and what it is called, ``weeks``
where the periods of fiscal years of whole weeks start, ``named`` which period a person means. They only group days: no
figure that is kept depends on them.
"""
