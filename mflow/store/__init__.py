"""The state database: one repository over SQLAlchemy Core. What differs between databases is in `dialects.py`."""
