"""One reader per decoding library. Each turns frame numbers into pixels, in file order."""
