//! Whose fault each error is, and whether it is retryable.

use std::io;

use expect_test::expect;
use weir_fault::table;

use crate::{Code, ListenError, RequestProblem};

#[test]
fn of_requests_and_addresses() {
    let refused = |code| RequestProblem::new(code, "m", "");
    let bind = |kind: io::ErrorKind| ListenError { address: ([127, 0, 0, 1], 1).into(), source: kind.into() };
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
        ListenError: external, retryable
        ListenError: external
        RequestProblem: tenant
        RequestProblem: internal
        RequestProblem: internal
        RequestProblem: external, retryable
        RequestProblem: external, retryable
        RequestProblem: tenant
    "#]]
    .assert_eq(&table);
}
