"""Blind SIM: the specimen of a raw SIM image of which nothing is told."""
