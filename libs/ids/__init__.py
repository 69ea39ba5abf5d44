"""Identifiers: our own (UUIDv7, resource names) and those of the national standards, each with its check rule.

Every ``parse`` takes the name of the field that the text came in and raises ``libs.errors.InvalidArgument``
(FIELD_INVALID) that names field and rule. No error text repeats the identifier: most of them are personal data.
"""
