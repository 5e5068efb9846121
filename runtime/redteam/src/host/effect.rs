//! What attacks on the host did to others.

use super::walls::{HostWall, WallMark};

/// The part of its fair share of CPU time that a victim keeps at least: of two tenants, 45 %.
pub const SHARE_MIN: f64 = 0.9;

/// What a victim kept of the CPU time beside attackers, and which walls there were.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct HostEffect {
    /// The victim's part of the CPU time that all processes of the run took; `None` where they cannot be told apart.
    pub share: Option<f64>,
    /// Its fair part: one of all tenants.
    pub fair_share: f64,
    /// The records that the victim was given, and wrote.
    pub records: u64,
    /// The most memory that the supervisor, or the one process, held.
    pub supervisor_bytes_max: u64,
    /// The most memory that any other process held.
    pub worker_bytes_max: u64,
    /// What each wall did.
    pub walls: Vec<(HostWall, WallMark)>,
}
