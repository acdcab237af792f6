//! A server for unit tests.
