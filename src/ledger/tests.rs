//! The ledger against its own promises.
