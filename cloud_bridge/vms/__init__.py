"""Providers of machines: one interface of five methods, one file per provider."""
