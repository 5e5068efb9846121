//! Whose fault each error is, and whether it is retryable.

use expect_test::expect;
use weir_fault::table;

use crate::{ManifestError, NoTopicId};

#[test]
fn of_what_is_kept() {
    let json = serde_json::from_str::<u8>("x").expect_err("no number");
    let table = table![
        ManifestError::NoManifest,
        ManifestError::Version { found: "9".to_owned(), written_by: String::new() },
        ManifestError::Checksum,
        ManifestError::Json(json),
        NoTopicId,
    ];
    expect![[r#"
        NoManifest: external
        Version: tenant
        Checksum: external
        Json: external
        NoTopicId: external
    "#]]
    .assert_eq(&table);
}
