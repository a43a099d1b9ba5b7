"""Training of the networks that come with the package; nothing else imports it."""
