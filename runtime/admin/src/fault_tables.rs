//! Whose fault each error is, and whether it is retryable.

use std::io;

use expect_test::expect;
use weir_fault::table;

use crate::{BindError, Code, Problem};

#[test]
fn of_requests_and_addresses() {
    let refused = |code| Problem::new(code, "m", "");
    let bind = |kind: io::ErrorKind| BindError { address: ([127, 0, 0, 1], 1).into(), source: kind.into() };
    let table = table![
        bind(io::ErrorKind::AddrInUse),
        bind(io::ErrorKind::PermissionDenied),
        refused(Code::Malformed),
        refused(Code::Internal),
        refused(Code::AnswerTooLong),
        refused(Code::Busy),
        refused(Code::RequestTooSlow),
        refused(Code::Ending),
    ];
    expect![[r#"
        BindError: external, retryable
        BindError: external
        Problem: tenant
        Problem: internal
        Problem: internal
        Problem: external, retryable
        Problem: external, retryable
        Problem: tenant
    "#]]
    .assert_eq(&table);
}
