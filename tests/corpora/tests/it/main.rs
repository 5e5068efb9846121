//! Made and damaged modules, the fuzz targets' twins, and the SDK against Arrow: one binary, since each is linked for seconds.

mod corpora;
mod echo;
mod twins;
