"""What every client that generates is given: so many of the first window's tokens, to be continued greedily by so many."""

PROMPT_TOKENS, NEW_TOKENS = 16, 32
