"""What `sieve bench` measures: one file per profile, found by its option in conf/what."""
