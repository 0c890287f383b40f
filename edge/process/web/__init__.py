"""What a web page of either side needs: a server with live streams, a guard, the theme."""


class WebError(Exception):
    """A page that cannot be served; the text says what is missing and where."""
