"""From bytes to an envelope and its deviations, from a refusal to a fault. Opens no socket and no database."""
