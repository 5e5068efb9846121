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

#[test]
fn what_is_tested_elsewhere_is_there() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (row, title, places) in ELSEWHERE {
        let mut found = 0;
        // `crate, path; crate, path; where the rest will be`.
        for (name, path) in
            places.split("; ").filter_map(|place| place.split_once(", ")).filter(|(_, path)| path.ends_with(".rs"))
        {
            let folder = match name {
                "weir-tests" => "tests",
                "weir-cli" => "runtime/cli",
                "weir-plan" => "runtime/plan",
                "weir-redteam" => "runtime/redteam",
                "weir-admission" => "runtime/admission",
                "weir-sandbox" => "runtime/sandbox",
                other => panic!("row {row}, {title}: no crate {other}"),
            };
            assert!(root.join(folder).join(path).is_file(), "row {row}, {title}: there is no {folder}/{path}");
            found += 1;
        }
        assert!(found > 0, "row {row}, {title}: {places}");
    }
}
