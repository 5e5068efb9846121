//! What `weir run` exports by OTLP, against a receiver that decodes it, and the admin interface.

mod admin;
mod logs;
mod metrics;
mod receivers;
mod support;
