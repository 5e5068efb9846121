//! The batch and its file formats, through the public interface.

mod bad_records;
mod batch;
mod csv;
mod damaged;
mod flights;
mod infer;
mod json;
mod json_suite;
mod limits;
mod places;
mod round_trip;
mod seeds;
mod support;
