"""Arms x seeds: the same training with one thing changed, judged on people that nobody tuned on.

- `plan`: the file of an experiment, and the runs that follow from it
- `people`: who is learned from, who is tuned on; wrong labels on purpose
- `one_run`: one run, from its recipe to its scores
- `running`: all runs, several at once; what is done stays
- `outcome`: what the runs came to: each arm, and its difference to another
- `report`: the same as a page
"""
