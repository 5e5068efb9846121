//! Rows of the catalogue that need the host rather than a guest.

/// Row, title, and where its test is: rows that need the host rather than a guest.
pub const ELSEWHERE: &[(u8, &str, &str)] = &[
    (10, "starved epoch ticker", "weir-redteam, src/procedure/starved_ticker.rs"),
    (20, "upload flood", "weir-redteam, src/procedure/upload_flood.rs; weir-admission, src/compile/turnstile.rs"),
    (
        21,
        "native crash in the compiler",
        "weir-redteam, src/procedure/compiler_crash.rs; weir-admission, tests/admission/worker.rs",
    ),
    (60, "output to an unowned topic or path", "weir-plan, src/tests/outside.rs; weir-plan, src/tests/topics.rs"),
    (63, "crash-looping module", "weir-redteam, src/procedure/crash_loop.rs; weir-tests, tests/query/held_back.rs"),
    (
        69,
        "instance-pool exhaustion",
        "weir-redteam, src/procedure/pool_exhaustion.rs; weir-sandbox, tests/sandbox/fairness.rs",
    ),
    (70, "host bug: panic", "weir-sandbox, src/instance.rs"),
    (71, "host bug: abort or SIGSEGV", "weir-cli, tests/cli/crash.rs"),
    (72, "cache poisoning", "weir-redteam, src/procedure/cache_poisoning.rs; weir-admission, tests/admission/cache.rs"),
];
