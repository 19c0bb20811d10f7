"""How a log in any of the usual formats becomes rows of user, item and time."""
