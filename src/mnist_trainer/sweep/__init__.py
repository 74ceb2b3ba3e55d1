"""Many runs as one: jobs with an identity, records of each in its folder, a table at the end.

Jobs may run in other processes or on other machines. So everything that is told of them is read from their folders.
"""
