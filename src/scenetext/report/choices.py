"""Numbers that the command's help shows; nothing heavy is imported for them."""

WORST = 50  # wrong lines that a report shows with their pictures
