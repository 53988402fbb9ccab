"""Jobs for the worker's thread, one file a page; torch is loaded here, and only when a job runs."""
