//! Sinks over a real file system and real pipes.

mod conformance;
mod files;
mod full_disk;
mod stdout;
