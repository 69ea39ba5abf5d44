"""Operations: work that takes longer than a call may, begun by a call and carried to its end by whichever replica there is.

What is begun is a row, written with the call's own change, record and events. A worker takes it for as long as it says so every few
seconds (a lease), notes how far it is, and what it needs to go on from there. Whose lease is over has lost it: nothing that it
notes counts any more, and another goes on from what was noted last. Decision 0057 tells why it is so.
"""
