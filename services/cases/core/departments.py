"""Cases by department, as sweeps look for them."""

# By department, for the index that has it first; all of them, for whoever looks takes care of fairness and of the number.
OF_DEPARTMENTS = """
SELECT cases.id AS key, cases.department AS party FROM (SELECT DISTINCT department FROM items) AS offices
JOIN cases ON cases.department = offices.department
"""
"""The beginning of a backlog's query: every case of every department that has an item, along the department's index."""
