"""What the user sees and what works behind it: dialogs, messages, windows, progress, jobs."""
