//! Limits of a tenant's worker: exceeding one harms no other tenant, and the error names the key.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::common::{Said, run, said, weir};
use crate::lifecycle::send;
use crate::workers::{RUN, children, endless_with, ids, published, rows, seed, tenants, until};

/// Two tenants: `acme` with these further limits, and `beta`, which writes 20,000 rows whatever becomes of `acme`.
fn beside_beta(folder: &Path, limits: &str, acme: &str) {
    tenants(folder, &[("acme", acme), ("beta", &seed(20))]);
    limit(folder, limits);
}

/// Adds limits to those of `acme`.
pub(crate) fn limit(folder: &Path, limits: &str) {
    let path = folder.join("limits.toml");
    let text = fs::read_to_string(&path).expect("the limits file");
    fs::write(&path, text.replace("[tenants.acme]\n", &format!("[tenants.acme]\n{limits}\n")))
        .expect("the limits file");
}

fn run_both(folder: &Path) -> Said {
    let told = run(folder, &[&RUN[..], &["acme/q.toml", "beta/q.toml"]].concat());
    assert!(told.err.contains("query q of tenant beta: end of input"), "{}", told.err);
    assert_eq!(rows(folder, "beta"), 20_000);
    told
}

#[test]
fn memory_ends_the_worker_of_the_tenant_that_fills_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "[batching]\nrecord_bytes_max = 1073741824\nbytes_max = 1073741824\n\
                [sources.in]\nkind = \"file\"\npath = \"in.csv\"\nschema = { a = \"utf8\" }\n\
                [sinks.out]\nkind = \"file\"\npath = \"out/rows.csv\"\n";
    let limits = "worker_memory_bytes_max = 67108864\nthreads_max = 32\ninstances_max = 1";
    beside_beta(folder.path(), limits, text);
    // One record of 600 MB, of which the disk holds the first line.
    let mut file = File::create(folder.path().join("acme/in.csv")).expect("a file");
    file.write_all(b"a\n").expect("the header");
    file.set_len(600 << 20).expect("a long file");
    let told = run_both(folder.path());
    assert_eq!(told.code, Some(1), "{}", told.err);
    let ended = "the worker of tenant acme ended for want of memory; raise `worker_memory_bytes_max` of `[tenants.acme]` in the limits file, or have the tenant do less at once; it wrote: memory allocation of ";
    assert!(told.err.contains(ended), "{}", told.err);
}

#[test]
fn a_file_that_is_too_long_is_an_error_of_its_sink_and_no_end_of_the_worker() {
    let folder = tempfile::tempdir().expect("a folder");
    beside_beta(folder.path(), "file_bytes_max = 1048576", &seed(500));
    let told = run_both(folder.path());
    assert_eq!(told.code, Some(1), "{}", told.err);
    assert!(told.err.contains("would be too large: File too large (os error 27); let the sink write several files (`commit_ms`, `rotate_bytes_max`), or raise `file_bytes_max`"), "{}", told.err);
    assert!(!told.err.contains("the worker"), "{}", told.err);
    // Several files, each within the limit.
    let text = format!("[delivery]\ncommit_ms = 20\n{}rotate_bytes_max = 500000\n", seed(500));
    tenants(folder.path(), &[("acme", &text), ("beta", &seed(1))]);
    limit(folder.path(), "file_bytes_max = 1048576");
    let told = run(folder.path(), &[&RUN[..], &["acme/q.toml"]].concat());
    assert_eq!(told.code, Some(0), "{}", told.err);
}

#[test]
fn threads_and_buffers_stay_within_their_limits_and_nothing_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut text = String::new();
    for number in 0..60 {
        text.push_str(&format!(
            "[sources.in{number}]\nkind = \"file\"\npath = \"in{number}.csv\"\nschema = {{ a = \"i64\" }}\n"
        ));
    }
    text.push_str("[sinks.out]\nkind = \"file\"\npath = \"out/rows.csv\"\n");
    beside_beta(folder.path(), "threads_max = 32\nbuffer_bytes_max = 1048576", &text);
    for number in 0..60 {
        let lines: String = (0..20_000).map(|row| format!("{row}\n")).collect();
        fs::write(folder.path().join(format!("acme/in{number}.csv")), format!("a\n{lines}")).expect("a file");
    }
    let mut command = weir(folder.path(), &[&RUN[..], &["acme/q.toml", "beta/q.toml"]].concat());
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the command");
    let mut most = 0;
    while child.try_wait().expect("the command").is_none() {
        for worker in children(child.id()) {
            let tasks = fs::read_dir(format!("/proc/{worker}/task")).map_or(0, Iterator::count);
            most = most.max(tasks);
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let told = said(child.wait_with_output().expect("an end"));
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert_eq!((rows(folder.path(), "acme"), rows(folder.path(), "beta")), (1_200_000, 20_000));
    assert!((4..=32).contains(&most), "{most} threads");
}

#[test]
fn a_tenant_that_fills_its_disk_is_ended_and_told_the_key() {
    for (limits, text, key) in [
        ("disk_bytes_max = 2097152", seed(1_000_000), "disk_bytes_max"),
        ("files_max = 20", format!("[delivery]\ncommit_ms = 1\n{}", seed(1_000_000)), "files_max"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        // Files of half of what may be written: no single one is too long.
        let text = format!("{text}rotate_bytes_max = 500000\n");
        beside_beta(folder.path(), limits, &text);
        let told = run_both(folder.path());
        assert_eq!(told.code, Some(1), "{}", told.err);
        let remedy = format!("; delete files, or raise `{key}` of `[tenants.acme]` in the limits file");
        let line =
            told.err.lines().find(|line| line.contains("the worker of tenant acme was ended: its folders hold "));
        assert!(line.is_some_and(|line| line.contains(&remedy)), "{}", told.err);
    }
}

#[test]
fn limits_change_while_queries_run_and_nothing_is_lost_or_doubled() {
    let folder = tempfile::tempdir().expect("a folder");
    // Every record has a number of its own. A little of the cores each, so that there are records left after all changes.
    let text = "[delivery]\nguarantee = \"exactly_once\"\nstate = \"out/state\"\ncommit_ms = 50\n\
                [batching]\nrecords_max = 1000\n\
                [sources.in]\nkind = \"file\"\npath = \"in.csv\"\nschema = { a = \"i64\" }\n\
                [sinks.out]\nkind = \"file\"\npath = \"out/rows.csv\"\n";
    tenants(folder.path(), &[("acme", text), ("beta", text)]);
    let lines: String = (0..8_000_000_u32).map(|row| format!("{row}\n")).collect();
    for tenant in ["acme", "beta"] {
        fs::write(folder.path().join(tenant).join("in.csv"), format!("a\n{lines}")).expect("the input");
    }
    let limits = fs::read_to_string(folder.path().join("limits.toml")).expect("the limits file");
    fs::write(folder.path().join("limits.toml"), limits.replace("queries =", "cpu_percent_max = 10\nqueries ="))
        .expect("the limits file");
    let all = [&RUN[..], &["--no-control", "acme/q.toml", "beta/q.toml"]].concat();
    let mut command = weir(folder.path(), &all);
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the command");
    until("both have begun", || ["acme", "beta"].iter().all(|tenant| published(folder.path(), tenant) > 0));
    let said_so_far = lines_of(child.stderr.take().expect("standard error"));
    let path = folder.path().join("limits.toml");
    let text = fs::read_to_string(&path).expect("the limits file");
    let reload = |limits: &str| {
        fs::write(&path, limits).expect("the limits file");
        send(&child, libc::SIGHUP);
    };
    let has = |what: &str| said_so_far.lock().expect("lines").iter().any(|line| line.contains(what));
    let mut workers = children(child.id());
    assert_eq!(workers.len(), 2);
    reload(&text.replace("[tenants.beta]", "[tenants.beta]\nthreads_max = 1"));
    until("a mistake is said with its line", || {
        has("the limits stay as they are: limits.toml:6: tenants.beta.threads_max")
    });
    assert_eq!(children(child.id()), workers, "and changes nothing");
    for change in 0..20 {
        reload(&text.replace("[tenants.acme]", &format!("[tenants.acme]\nthreads_max = {}", 65 + change)));
        let mut now = Vec::new();
        until("one worker is replaced, and the other is not touched", || {
            now = children(child.id());
            now.len() == 2 && now != workers && now.iter().any(|pid| workers.contains(pid))
        });
        workers = now;
        let before = published(folder.path(), "acme");
        until("its query goes on", || published(folder.path(), "acme") > before);
    }
    // A tenant that is named no more: its query stops, the other goes on.
    let (_, beta) = text.split_once("[tenants.beta]").expect("two tenants");
    reload(&format!("[tenants.beta]{beta}"));
    until("it is said", || has("limits.toml no longer names the tenant: acme/q.toml stops at a commit"));
    until("its query has ended", || has("query q of tenant acme: "));
    let before = published(folder.path(), "beta");
    until("the other goes on", || published(folder.path(), "beta") > before);
    send(&child, libc::SIGTERM);
    let status = child.wait().expect("an end");
    let lines = said_so_far.lock().expect("lines").join("\n");
    assert_eq!(status.code(), Some(0), "{lines}");
    assert_eq!(lines.matches("its queries continue with other limits").count(), 20, "{lines}");
    for tenant in ["acme", "beta"] {
        let mut ids = ids(folder.path(), tenant);
        ids.sort_unstable();
        let expected: Vec<u64> = (0..ids.len() as u64).collect();
        assert!(ids.len() > 20_000 && ids == expected, "{tenant}: every record once, and none left out");
    }
}

#[test]
fn a_query_that_would_begin_again_keeps_its_worker() {
    let folder = tempfile::tempdir().expect("a folder");
    tenants(folder.path(), &[("acme", &seed(1_000_000_000))]);
    let mut command = weir(folder.path(), &[&RUN[..], &["acme/q.toml"]].concat());
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the command");
    let said_so_far = lines_of(child.stderr.take().expect("standard error"));
    until("it writes", || fs::read_dir(folder.path().join("acme/out")).is_ok_and(|files| files.count() > 0));
    let workers = children(child.id());
    limit(folder.path(), "threads_max = 96");
    send(&child, libc::SIGHUP);
    until("it is said", || {
        let why = "the limits of this tenant stay as they are: acme/q.toml has no `state`";
        said_so_far.lock().expect("lines").iter().any(|line| line.contains(why))
    });
    assert_eq!(children(child.id()), workers);
    send(&child, libc::SIGTERM);
    assert_eq!(child.wait().expect("an end").code(), Some(0));
}

/// The lines of a standard error, as they come.
fn lines_of(stderr: std::process::ChildStderr) -> Arc<Mutex<Vec<String>>> {
    let lines = Arc::<Mutex<Vec<String>>>::default();
    let all = Arc::clone(&lines);
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            all.lock().expect("lines").push(line);
        }
    });
    lines
}

/// CPU time of a process so far, in milliseconds.
fn cpu_ms(process: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let ticks = |place: usize| fields.get(place).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    (ticks(11) + ticks(12)) * 10
}

#[test]
fn a_share_of_the_cores_is_kept_over_restarts_of_the_worker() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = endless_with(folder.path(), &["--no-control"]);
    let said_so_far = lines_of(child.stderr.take().expect("standard error"));
    limit(folder.path(), "cpu_percent_max = 25");
    let mut gone = children(child.id());
    send(&child, libc::SIGHUP);
    until("the limit holds", || {
        said_so_far.lock().expect("lines").iter().any(|line| line.contains("its queries continue with other limits"))
    });
    let acme = |gone: &[u32]| children(child.id()).into_iter().find(|pid| !gone.contains(pid));
    let started = Instant::now();
    let mut used = 0;
    for kill in 0..3 {
        let mut process = 0;
        until("the worker is there", || {
            process = acme(&gone).unwrap_or(0);
            process != 0 && cpu_ms(process) > 100
        });
        std::thread::sleep(Duration::from_secs(2));
        used += cpu_ms(process);
        if kill < 2 {
            // SAFETY: `kill` takes two integers and touches no memory of ours; the process is the child's, which has not waited for it.
            #[expect(unsafe_code, reason = "the process is not this one's child")]
            let sent = unsafe { libc::kill(i32::try_from(process).expect("a process id"), libc::SIGKILL) };
            assert_eq!(sent, 0);
            gone.push(process);
        }
    }
    let percent = used * 100 / u64::try_from(started.elapsed().as_millis()).expect("a short time");
    send(&child, libc::SIGTERM);
    assert_eq!(child.wait().expect("an end").code(), Some(0));
    // What a process takes to start and to commit comes on top of its share, and is owed by the next one.
    assert!((5..=35).contains(&percent), "{percent} % of a core, where 25 are allowed");
}

#[test]
fn what_a_killed_run_left_is_named_and_one_run_at_a_time_has_a_registry() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = tempfile::tempdir().expect("a folder");
    let registry = state.path().join("registry");
    let registry = registry.to_str().expect("a path");
    let kept = [&RUN[..], &["--registry", registry]].concat();
    tenants(folder.path(), &[("acme", &seed(1_000_000_000)), ("beta", &seed(1))]);
    let mut command = weir(folder.path(), &[&kept[..], &["acme/q.toml"]].concat());
    let mut child = command.stderr(Stdio::null()).stdout(Stdio::null()).spawn().expect("the command");
    until("its worker writes", || fs::read_dir(folder.path().join("acme/out")).is_ok_and(|files| files.count() > 0));
    let told = run(folder.path(), &[&kept[..], &["beta/q.toml"]].concat());
    assert_eq!(told.code, Some(2), "{}", told.err);
    assert!(told.err.contains("another supervisor uses this registry; end it, or set another folder"), "{}", told.err);
    let worker = children(child.id());
    child.kill().expect("the command is there");
    child.wait().expect("its end");
    let told = run(folder.path(), &[&kept[..], &["beta/q.toml"]].concat());
    assert_eq!((told.code, rows(folder.path(), "beta")), (Some(0), 1_000), "{}", told.err);
    let lives = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    assert!(!worker.iter().any(lives), "no process is left");
    // Where a worker could write to it, it would be no wall.
    let inside = [&RUN[..], &["--registry", "beta/registry", "beta/q.toml"]].concat();
    let told = run(folder.path(), &inside);
    assert_eq!(told.code, Some(2), "{}", told.err);
    assert!(told.err.contains("is in a folder of tenant `beta`, whose worker could write to it"), "{}", told.err);
}

#[test]
fn tenants_of_different_users_do_not_reach_each_other_without_landlock() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("an open folder");
    let state = tempfile::tempdir().expect("a folder");
    let registry = state.path().join("registry");
    let registry = registry.to_str().expect("a path");
    let other = "[sources.in]\nkind = \"file\"\npath = \"../beta/secret.csv\"\nschema = { a = \"i64\" }\n\
                 [sinks.out]\nkind = \"file\"\npath = \"out/rows.csv\"\n";
    tenants(folder.path(), &[("acme", &seed(2)), ("beta", &seed(2))]);
    fs::write(folder.path().join("acme/other.toml"), format!("name = \"other\"\ntenant = \"acme\"\n{other}"))
        .expect("a query file");
    fs::write(folder.path().join("beta/secret.csv"), "a\n1\n").expect("a file");
    for tenant in ["acme", "beta"] {
        let private = fs::Permissions::from_mode(0o700);
        fs::set_permissions(folder.path().join(tenant), private).expect("a private folder");
    }
    let limits = "[workers]\nuids = \"700000-700002\"\nchown = true\n[tenants.acme]\n[tenants.beta]\n[tenants.late]\n";
    let bounded = limits
        .replace("[tenants.acme]", "[tenants.acme]\nfolders = [\"acme\"]")
        .replace("[tenants.beta]", "[tenants.beta]\nfolders = [\"beta\"]");
    let path = folder.path().join("limits.toml");
    fs::write(&path, &bounded).expect("the limits file");
    let told = run(folder.path(), &[&RUN[..], &["acme/q.toml"]].concat());
    assert_eq!(told.code, Some(2), "{}", told.err);
    assert!(told.err.contains("`uids` in the limits file needs `--registry DIR`"), "{}", told.err);
    let kept = [&RUN[..], &["--registry", registry]].concat();
    let told = run(folder.path(), &[&kept[..], &["acme/q.toml", "beta/q.toml"]].concat());
    assert_eq!(told.code, Some(0), "{}", told.err);
    let owner = |path: &str| fs::metadata(folder.path().join(path)).expect("a file").uid();
    assert_eq!(
        ["acme", "acme/out/rows.csv", "beta", "beta/secret.csv"].map(owner),
        [700_001, 700_001, 700_002, 700_002]
    );
    // Landlock is given up, and no folder is listed: only the user keeps them apart.
    fs::write(&path, limits.replace("chown = true\n", "")).expect("the limits file");
    let weak = [&kept[..], &["--allow-weak=landlock", "acme/other.toml"]].concat();
    let told = run(folder.path(), &weak);
    assert_eq!(told.code, Some(2), "{}", told.err);
    assert!(told.err.contains("secret.csv") && told.err.contains("Permission denied"), "{}", told.err);
    // The same file is read where the owner is the worker's.
    std::os::unix::fs::chown(folder.path().join("beta"), Some(700_001), Some(700_001)).expect("root may");
    std::os::unix::fs::chown(folder.path().join("beta/secret.csv"), Some(700_001), Some(700_001)).expect("root may");
    fs::remove_file(folder.path().join("acme/out/rows.csv")).expect("the output");
    let told = run(folder.path(), &weak);
    assert_eq!((told.code, rows(folder.path(), "acme")), (Some(0), 1), "{}", told.err);
    // No id is left for a third tenant, whatever the range was used for before.
    fs::create_dir(folder.path().join("late")).expect("a folder");
    fs::write(folder.path().join("late/q.toml"), format!("name = \"q\"\ntenant = \"late\"\n{}", seed(1)))
        .expect("a file");
    let told = run(folder.path(), &[&kept[..], &["--allow-weak=landlock", "late/q.toml"]].concat());
    assert_eq!(told.code, Some(2), "{}", told.err);
    assert!(
        told.err.contains("tenant late gets no user: all ids from 700001 to 700002 are other tenants'"),
        "{}",
        told.err
    );
}
