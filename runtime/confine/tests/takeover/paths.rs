//! Against files of other tenants, of the registry, and of the kernel.

use Expected::{Harmless, Killed};

use crate::attack::{Call, Expected, FILES, UNKNOWN, call, check};
use crate::scene::Scene;

const AT: i64 = libc::AT_FDCWD as i64;
const FCHMODAT2: i64 = 452;

fn open(name: &str, path: &str, flags: i32) -> Call {
    call!(format!("{name} {path}"), SYS_openat, AT, path, flags, 0o600)
}

/// Content of a file, and names in its folder.
fn contents(scene: &Scene, folder: &str) -> Vec<Call> {
    let (file, folder) = (scene.text(&format!("{folder}/file")), scene.text(folder));
    let (fresh, mine) = (format!("{folder}/fresh"), scene.text("mine/taken"));
    vec![
        open("read", &file, libc::O_RDONLY),
        open("write", &file, libc::O_WRONLY),
        open("truncate", &file, libc::O_RDONLY | libc::O_TRUNC),
        open("append", &file, libc::O_WRONLY | libc::O_APPEND),
        open("create", &fresh, libc::O_WRONLY | libc::O_CREAT),
        open("list", &folder, libc::O_RDONLY | libc::O_DIRECTORY),
        open("temporary file", &folder, libc::O_RDWR | libc::O_TMPFILE),
        call!("openat2", SYS_openat2, AT, file, "*", 24),
        call!("unlinkat", SYS_unlinkat, AT, file, 0),
        call!("unlinkat of the folder", SYS_unlinkat, AT, folder, libc::AT_REMOVEDIR),
        call!("mkdirat", SYS_mkdirat, AT, fresh, 0o700),
        call!("renameat2", SYS_renameat2, AT, file, AT, fresh, 0),
        call!("renameat2 to its own folder", SYS_renameat2, AT, file, AT, mine, 0),
        call!("renameat2 from its own folder", SYS_renameat2, AT, scene.text("mine/file"), AT, file, 0),
        call!("renameat2, exchanged", SYS_renameat2, AT, scene.text("mine/file"), AT, file, libc::RENAME_EXCHANGE),
        call!("linkat into its own folder", SYS_linkat, AT, file, AT, mine, 0),
        call!("linkat from its own folder", SYS_linkat, AT, scene.text("mine/file"), AT, fresh, 0),
    ]
}

/// What is known of a file beside its content.
fn metadata(file: &str) -> Vec<Call> {
    let mut calls = vec![
        call!("fchmodat", SYS_fchmodat, AT, file, 0),
        call!("fchmodat2", =FCHMODAT2, AT, file, 0, 0),
        call!("fchownat", SYS_fchownat, AT, file, 0, 0, 0),
        call!("utimensat", SYS_utimensat, AT, file, 0, 0),
        call!("setxattr", SYS_setxattr, file, "/user.a", "*", 1, 0),
        call!("lsetxattr", SYS_lsetxattr, file, "/user.a", "*", 1, 0),
        call!("getxattr", SYS_getxattr, file, "/user.a", "*", 1),
        call!("listxattr", SYS_listxattr, file, "*", 1),
        call!("removexattr", SYS_removexattr, file, "/user.a"),
        call!("truncate", SYS_truncate, file, 0),
        call!("symlinkat", SYS_symlinkat, file, AT, format!("{file}.link")),
        call!("mknodat of a pipe", SYS_mknodat, AT, format!("{file}.pipe"), 0o010_600, 0),
        call!("mknodat of a device", SYS_mknodat, AT, format!("{file}.device"), 0o020_600, 0x103),
        call!("mknodat of a socket", SYS_mknodat, AT, format!("{file}.socket"), 0o140_600, 0),
        call!("inotify_add_watch", SYS_inotify_add_watch, 0, file, 0xfff),
        call!("statfs", SYS_statfs, file, "*"),
        call!("chdir", SYS_chdir, file),
        call!("fallocate", SYS_fallocate, 1, 0, 0, 1),
        // By descriptor: one of an input that may only be read would do.
        call!("fchmod", SYS_fchmod, 0, 0),
        call!("fchown", SYS_fchown, 0, 0, 0),
        call!("futimens", SYS_utimensat, 0, 0, 0, 0),
        call!("fsetxattr", SYS_fsetxattr, 0, "/user.a", "*", 1, 0),
        call!("fremovexattr", SYS_fremovexattr, 0, "/user.a"),
    ];
    #[cfg(target_arch = "x86_64")]
    calls.extend([
        call!("chmod", SYS_chmod, file, 0),
        call!("chown", SYS_chown, file, 0, 0),
        call!("lchown", SYS_lchown, file, 0, 0),
        call!("utime", SYS_utime, file, 0),
        call!("utimes", SYS_utimes, file, 0),
        call!("symlink", SYS_symlink, file, format!("{file}.link")),
        call!("link", SYS_link, file, format!("{file}.link")),
        call!("mknod", SYS_mknod, format!("{file}.pipe"), 0o010_600, 0),
        call!("creat", SYS_creat, file, 0o600),
    ]);
    calls
}

#[test]
fn files_of_others_are_out_of_reach() {
    Scene::each(|scene| {
        for folder in ["theirs", "registry"] {
            let calls = contents(scene, folder);
            check(scene, FILES, calls);
            let file = scene.text(&format!("{folder}/file"));
            check(scene, UNKNOWN, metadata(&file));
            // Known: names, sizes and times can be seen where the user may see them.
            check(scene, Harmless, vec![call!("statx", SYS_statx, AT, file, 0, 0xfff, "*")]);
        }
        // The same of files that it has: links and changed modes would surprise whoever reads them.
        let own = scene.text("mine/file");
        check(scene, UNKNOWN, metadata(&own).into_iter().filter(|call| call.name != "truncate").collect());
    });
}

#[test]
fn what_may_be_read_is_not_changed() {
    Scene::each(|scene| {
        let calls = contents(scene, "input").into_iter();
        let read = |call: &Call| call.name.starts_with("read ") || call.name.starts_with("list ");
        let (reads, mut changes): (Vec<_>, Vec<_>) = calls.partition(read);
        // What it asks for is put together wrongly, and its file may be read.
        changes.retain(|call| call.name != "openat2");
        assert_eq!(reads.len(), 2);
        check(scene, Harmless, reads);
        check(scene, FILES, changes);
    });
}

/// A path that only names a file can be opened, and then leads nowhere.
#[test]
fn a_bare_handle_is_of_no_use() {
    Scene::each(|scene| {
        let ended = scene.worker().run(&["o_path", &scene.text("theirs")]);
        let refused = -i64::from(libc::EACCES);
        assert!(ended.said.contains(&format!("through it {refused} {refused}")), "{ended:?}");
        scene.check_unchanged("O_PATH");
    });
}

#[test]
fn the_kernels_own_files_are_out_of_reach() {
    Scene::each(|scene| {
        let mut calls = Vec::new();
        for victim in scene.victims().map(|id| id.to_string()).iter().map(String::as_str).chain(["self", "thread-self"])
        {
            for file in ["mem", "environ", "maps", "fd", "root", "cwd", "oom_score_adj", "autogroup", "stack"] {
                calls.push(open("open", &format!("/proc/{victim}/{file}"), libc::O_RDONLY));
            }
            calls.push(open("open", &format!("/proc/{victim}/mem"), libc::O_RDWR));
            calls.push(open("open", &format!("/proc/{victim}/oom_score_adj"), libc::O_WRONLY));
        }
        for victim in scene.victims() {
            calls.push(open("open", &format!("/proc/{victim}/fd/0"), libc::O_RDONLY));
        }
        for path in [
            "/",
            "/etc/passwd",
            "/proc",
            "/proc/self/map_files",
            "/proc/sys/kernel/core_pattern",
            "/sys",
            "/dev",
            "/dev/shm",
        ] {
            calls.push(open("open", path, libc::O_RDONLY));
        }
        for path in
            ["/dev/null", "/dev/zero", "/dev/tty", "/dev/ptmx", "/dev/shm/fresh", "/tmp/fresh", "/dev/kvm", "/dev/fuse"]
        {
            calls.push(open("open", path, libc::O_RDWR | libc::O_CREAT));
        }
        check(scene, Expected::Refused(&[libc::EACCES, libc::ENOENT]), calls);
        let kernel = vec![
            call!("name_to_handle_at", SYS_name_to_handle_at, AT, scene.text("theirs/file"), "*", "*", 0),
            call!("open_by_handle_at", SYS_open_by_handle_at, AT, "*", 0),
            call!("execve", SYS_execve, "/bin/true", 0, 0),
            call!("execveat", SYS_execveat, AT, "/bin/true", 0, 0, 0),
            call!("chroot", SYS_chroot, scene.text("mine")),
            call!("fanotify_init", SYS_fanotify_init, 0, 0),
        ];
        check(scene, Killed, kernel);
        check(scene, UNKNOWN, vec![call!("inotify_init1", SYS_inotify_init1, 0)]);
    });
}

/// What is left when the filter of system calls has a hole.
#[test]
fn landlock_alone_keeps_files_apart() {
    Scene::each(|scene| {
        for Call { name, mut words } in contents(scene, "theirs") {
            words.insert(0, "call".to_owned());
            let ended = scene.worker().with("without", "seccomp").run(&words);
            let refused = [-libc::EACCES, -libc::EXDEV].map(i64::from);
            assert!(ended.answer().is_some_and(|answer| refused.contains(&answer)), "{name}: {ended:?}");
            scene.check_unchanged(&name);
        }
    });
}
