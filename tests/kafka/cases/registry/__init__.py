"""The registry's moods: away, silent, unwilling."""
