"""What stands in for modules of gunicorn's that have no other place here.

They are found under gunicorn's names: see ``tricorn._standin``.
"""
