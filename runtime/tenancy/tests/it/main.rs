//! Supervisors with real processes.

mod floods;
mod kills;
mod life;
mod support;
mod unprivileged;
