//! The file formats, through the public interface.

mod bad_records;
mod csv;
mod damaged;
mod flights;
mod foreign;
mod infer;
mod json;
mod json_layout;
mod json_suite;
mod json_timestamps;
mod json_work;
mod limits;
mod places;
mod round_trip;
mod seeds;
mod support;
