"""Civil time in China: the region's working-day calendar, on which all periods of administrative law are counted."""
