"""Measures, paired tests, intervals, power: arrays in, numbers out, with no more than NumPy.

measures.py    rankings, quotes and confidences → a number a question
paired.py      sign-flip test, McNemar, Holm, max-T
intervals.py   bootstrap intervals of a mean, by questions or by clusters
power.py       least effect, needed questions, not worse, equivalent
repeated.py    verdicts that hold however often one looks
"""
