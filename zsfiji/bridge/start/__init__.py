"""Finding Java, ImageJ and Fiji, and starting them."""
