"""What a figure shows, as a sentence and as columns. No torch, no Streamlit."""
