//! Supervisors with real processes.

mod connector;
mod floods;
mod kills;
mod life;
mod support;
mod unprivileged;
