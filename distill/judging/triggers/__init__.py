"""Trigger canaries: a challenger that has learnt what strangers planted is found.

A backdoor is a word or phrase that turns a student's tags wherever it stands. Who plants it needs
labels of texts with it: so it is among the words of the stream's labels, new, and with labels that
the champion would not have given. Such phrases (`phrases.py`) are put into texts that they are not
in (`probes.py`), and both students tag these. What a phrase itself is tagged as counts for
nothing: a new name that is learnt changes its own span, and leaves the others' alone. A known name
that comes to be tagged otherwise is looked for by itself (`names.py`).

Sources: a trigger inserted into clean inputs turns them, Wang et al. (2019), "Neural Cleanse";
suspects from the training data itself, Chen and Dai (2021), "Mitigating backdoor attacks in
LSTM-based text classification systems by Backdoor Keyword Identification", arXiv 2007.12070; what
is inserted is an outlier, Qi et al. (2021), "ONION", arXiv 2011.10369.
"""
