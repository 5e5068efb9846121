//! Whose fault each error is, and whether it is retryable.

use expect_test::expect;
use weir_fault::table;

use crate::QueryFileError;

#[test]
fn of_files_of_settings() {
    expect![[r#"
        QueryFileError: tenant
    "#]]
    .assert_eq(&table![QueryFileError { path: "q.toml".into(), problems: Vec::new() }]);
}
