"""Headers of Parquet and Arrow files, read without the libraries that would allocate what they claim."""
