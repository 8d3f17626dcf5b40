"""A page on this machine on which terms are moved by hand and figures answer."""
