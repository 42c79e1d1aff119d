"""The prompt as a program: measured against gold, and improved by a search over its versions.

`parts` cuts gold in three, `mistakes` says what goes wrong, `evaluation` measures, `holding` says
whether an edit holds on texts that it was not made for, `search` looks for edits that do, `asking`
is the teacher behind it, `improving` and `weighing` are what commands and rounds call.
"""
