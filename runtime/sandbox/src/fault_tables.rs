//! Whose fault each error is, and whether it is retryable.

use std::io;

use expect_test::expect;
use weir_admission::CacheError;
use weir_batch::BatchError;
use weir_fault::table;

use crate::{EngineError, LimitExceeded, Malformed, TrapCause};

#[test]
fn of_calls() {
    let text = || "t".to_owned();
    let limit = || LimitExceeded::bytes("memory", 1, 1, 1);
    let table = table![
        TrapCause::OutOfFuel { limit: 1 },
        TrapCause::Deadline { limit_ms: 1 },
        TrapCause::Starved { cpu_ms: 1, limit_ms: 2, passed_ms: 3 },
        TrapCause::Limit(limit()),
        TrapCause::StackOverflow,
        TrapCause::Unreachable,
        TrapCause::OutOfBounds,
        TrapCause::Trap(text()),
        TrapCause::BadHostCall { import: "", detail: text() },
        TrapCause::Failed { code: 1 },
        TrapCause::MalformedOutput(Malformed::FailedRow { row: 1 }),
        TrapCause::PoolExhausted { limit: 1 },
        TrapCause::InstanceQuota(limit()),
        TrapCause::Quarantined { reason: text() },
        TrapCause::Schema { expected: text(), found: text() },
        TrapCause::WrongModule,
        TrapCause::HostPanic { message: text() },
        TrapCause::Batch(BatchError::RowCount { found: 1, rows: 2 }),
        TrapCause::Engine(text()),
        Malformed::Relation { found: 1, rows: 2 },
        Malformed::ColumnRows { field: text(), found: 1, expected: 2 },
        Malformed::FailedRow { row: 1 },
        Malformed::MissingRow { row: 1 },
        EngineError::Config { name: "", value: 0, least: 1, most: 2 },
        EngineError::Wasmtime(text()),
        EngineError::Ticker(io::ErrorKind::WouldBlock.into()),
        EngineError::Cache(CacheError::Open { path: "p".into() }),
    ];
    expect![[r#"
        OutOfFuel: tenant
        Deadline: tenant, retryable
        Starved: external, retryable
        Limit: tenant
        StackOverflow: tenant
        Unreachable: tenant
        OutOfBounds: tenant
        Trap: tenant
        BadHostCall: tenant
        Failed: tenant
        MalformedOutput: tenant
        PoolExhausted: external, retryable
        InstanceQuota: tenant, retryable
        Quarantined: internal
        Schema: internal
        WrongModule: internal
        HostPanic: internal
        Batch: internal
        Engine: internal
        Relation: tenant
        ColumnRows: tenant
        FailedRow: tenant
        MissingRow: tenant
        Config: external
        Wasmtime: external
        Ticker: external, retryable
        Cache: external
    "#]]
    .assert_eq(&table);
}
