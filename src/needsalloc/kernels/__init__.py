"""Arrays in, arrays or a frozen record out; numpy and scipy only."""
