"""
Backups: a whole collection in one file, and back.

``taking`` writes the file, ``checking`` reads it and trusts nothing, ``restoring`` writes a collection from it;
``parts`` is the form of the file and ``contents`` what is in it. ``docs/backup.md`` describes both.
"""
