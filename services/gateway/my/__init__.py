"""The pages at which people see what the region holds on them, who used it, and take back what they gave (我的)."""
