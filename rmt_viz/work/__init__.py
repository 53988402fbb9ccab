"""What the worker does, one file a page; torch comes in here, and only when a job is done."""
