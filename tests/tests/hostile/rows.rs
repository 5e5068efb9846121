//! The catalogue as a whole.

use weir_hostile::{ATTACKS, ELSEWHERE};

#[test]
fn every_row_is_covered_once() {
    for row in 1..=72 {
        let here = ATTACKS.iter().any(|attack| attack.row == row);
        let elsewhere = ELSEWHERE.iter().any(|&(other, _, _)| other == row);
        assert!(here != elsewhere, "row {row} is covered by {}", if here { "both" } else { "neither" });
    }
}
