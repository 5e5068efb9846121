//! The batch, through the public interface.

mod batch;
mod generate;
