//! What `weir run` exports by OTLP, against a receiver that decodes it.

mod logs;
mod metrics;
mod receivers;
mod support;
