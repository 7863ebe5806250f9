"""Images of ImageJ and ImageJ2 as labelled arrays, and back."""
