//! Queries: files that say sources, stages and sinks, checked as a whole and then run
