-- Which replica is sending a row at the moment. A claim that has run out is one that nobody holds.
ALTER TABLE inbox ADD COLUMN claimed_until BIGINT;
