"""Lists that callers filter and sort (AIP-132, AIP-158, AIP-160): the texts are read here once, and become bound SQL.

A caller's text never reaches the database: a filter names fields that the list declares (``libs.lists.fields``), its values
are parameters, and a list goes along an index whatever is asked (``libs.lists.listing``, docs/decisions/0049).
"""
