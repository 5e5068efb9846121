//! The rows of the catalogue that are no guest's to play.

/// Rows that need what a guest is not: a stopped ticker, a crash of the host, a full disk. The row, its title, and
/// where its test is.
pub const ELSEWHERE: &[(u8, &str, &str)] = &[
    (10, "starved epoch ticker", "weir-sandbox, tests/sandbox/limits.rs"),
    (20, "upload flood", "weir-sandbox, tests/sandbox/fair.rs"),
    (21, "native crash in the compiler", "weir-sandbox, tests/sandbox/worker.rs"),
    (60, "output to an unowned topic or path", "weir-query, tests of its sinks' paths"),
    (63, "crash-looping module", "weir-sandbox, tests/sandbox/fair.rs"),
    (69, "instance-pool exhaustion", "weir-sandbox, tests/sandbox/limits.rs"),
    (70, "host bug: panic", "weir-sandbox, src/instance.rs"),
    (71, "host bug: abort or SIGSEGV", "weir-tests, crashes"),
    (72, "cache poisoning", "weir-sandbox, tests/sandbox/worker.rs"),
];
