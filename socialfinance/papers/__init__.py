"""Papers that a person takes on from here: a draft for a council's cabinet, as a document or a page."""
