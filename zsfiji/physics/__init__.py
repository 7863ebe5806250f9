"""Models of how an image comes about: optics, camera and its noise, specimens; no networks."""
