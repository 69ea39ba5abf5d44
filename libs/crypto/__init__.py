"""National cryptography (SM2, SM3, SM4) behind one provider interface, keys, field encryption and SM2 certificates.

What fails raises; nothing returns a truth value that could be overlooked. ``libs.crypto.errors`` holds the family.
"""
