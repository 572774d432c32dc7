"""The revisions, in their order. One that has been released is never changed. There is no way back: who may want
one keeps a copy of the database from before the upgrade.

Expand, then contract: the version before must work on the new schema, since a rolling restart runs both. A new
column may be null or has a server default; a new constraint allows what the old code writes. What is no longer used
is dropped one release after the code that stopped using it; that revision says ``oldest_code = "0013"``, the oldest
revision whose code still works on it. Without this line a revision says that nothing was taken away.
"""
