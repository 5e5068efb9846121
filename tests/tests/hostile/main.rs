//! Every attack of the catalogue, on an engine that another tenant uses meanwhile.

mod border;
mod broken;
mod compile;
mod cpu;
mod format;
mod life;
mod memory;
mod output;
mod rows;
mod speech;
mod support;
mod upload;
