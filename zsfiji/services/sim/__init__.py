"""SIM reconstruction: patterns of a raw image, and the image that they give."""
