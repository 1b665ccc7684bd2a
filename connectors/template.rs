//! Names with places to fill in: `logs-{topic}-{date}`.
