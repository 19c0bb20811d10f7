"""How does a log in any of the usual formats become rows of user, item and time?"""
