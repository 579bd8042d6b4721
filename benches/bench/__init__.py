"""Runs contenders in turn and prints what each took. Needs nothing but Python's standard library."""
