"""From runs to answers: the score table, paired differences, intervals, verdicts."""
