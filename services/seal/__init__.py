"""The seal service: e-seals, their use, their validation, and the certificates behind them."""
