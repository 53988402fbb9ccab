"""The engine: wrap, train, run and record Recurrent Memory Transformers. Import from its modules."""
