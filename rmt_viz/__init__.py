"""The app: pages over recorded runs of recurrent memory models."""
