//! Whose fault each error is, and whether it is retryable.

use expect_test::expect;
use weir_fault::table;
use weir_frame::{FrameError, WorkerId};

use crate::TenancyError;

#[test]
fn of_supervisors() {
    let (worker, tenant) = (WorkerId(1), || "acme".to_owned());
    let table = table![
        TenancyError::Io { action: "open", path: "p".into(), source: std::io::ErrorKind::NotFound.into() },
        TenancyError::RegistryInUse { path: "p".into() },
        TenancyError::OrphansRemain { count: 2, first: 7 },
        TenancyError::UnknownWorker { worker },
        TenancyError::Frame { worker, source: FrameError::TooShort { bytes: 1 } },
        TenancyError::Backlog { worker, bytes: 2, bytes_max: 1 },
        TenancyError::NeverFits { tenant: tenant(), bytes: 2, bytes_max: 1 },
        TenancyError::Quarantined { tenant: tenant(), reason: String::new() },
        TenancyError::OutOfRange { key: "weight", found: 0, expected: "1 to 10000" },
        TenancyError::InvalidNetwork { network: "x".to_owned() },
        TenancyError::Users { path: "p".into(), line: 1 },
        TenancyError::NoUserLeft { tenant: tenant(), first: 1, last: 2 },
        TenancyError::Unprivileged,
        TenancyError::HasEnded,
    ];
    expect![[r#"
        Io: external
        RegistryInUse: external, retryable
        OrphansRemain: external, retryable
        UnknownWorker: internal
        Frame: internal
        Backlog: tenant, retryable
        NeverFits: external
        Quarantined: tenant
        OutOfRange: external
        InvalidNetwork: external
        Users: external
        NoUserLeft: external
        Unprivileged: external
        HasEnded: internal
    "#]]
    .assert_eq(&table);
}
