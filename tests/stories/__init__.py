"""Tests of training on stories: a package, so that its conftest is not the one that other tests import."""
