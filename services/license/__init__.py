"""Electronic licences (电子证照): types, issuing, presenting, verifying."""
