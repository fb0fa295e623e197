"""Tests of hivewire: unit mirrors the sources, everything else talks to a node that really runs."""
