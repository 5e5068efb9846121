//! What is promised about every record, kept through crashes, full disks and failures.

mod changed;
mod crashes;
mod damage;
mod disk;
mod figures;
mod flights;
mod kafka;
mod lost;
mod memory;
mod modes;
mod older;
mod opening;
mod replay;
mod share;
mod slots;
mod support;
