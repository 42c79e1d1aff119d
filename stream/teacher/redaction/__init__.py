"""What is personal is taken out of everything that leaves for the teacher.

`patterns` and `numbers` find it, `masking` puts placeholders in its place and knows the way back,
`redactor` does that to all that a chat is made of and guards the one way out
(`stream.teacher.chat_client.ChatClient`): what is not clean is not sent.

The libraries are phonenumbers (Google's libphonenumber) and python-stdnum (check digits of national
numbers). Presidio was weighed: it has no install without spaCy (200 MB and 1.7 s of imports for
patterns alone), passes over a pattern that takes too long with a line in the log, and so lets the
text go as it is, and loads a list from the network at the first e-mail address.
"""
