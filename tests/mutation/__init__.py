"""Mutation testing of what can hurt: does some test fail for every small change of it?"""
