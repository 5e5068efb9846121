//! Calls that are allowed, as far as their arguments are not refused.

use super::arguments::Test;

/// Computing, answering, and ending. None of them names a file, a socket, another process or another thread's settings.
const COMPUTE: &[i64] = &[
    libc::SYS_read,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_fcntl,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_clock_gettime,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_tgkill,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// What is known about this process itself, and time.
const SELF: &[i64] = &[
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_getcpu,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getppid,
    libc::SYS_getrlimit,
    libc::SYS_getrusage,
    libc::SYS_gettimeofday,
    libc::SYS_getuid,
    libc::SYS_nanosleep,
    libc::SYS_prlimit64,
    libc::SYS_restart_syscall,
    libc::SYS_sysinfo,
    libc::SYS_times,
    libc::SYS_uname,
];

/// Threads, and waiting for descriptors.
const THREADS: &[i64] = &[
    libc::SYS_clone,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    libc::SYS_ioctl,
    libc::SYS_membarrier,
    libc::SYS_pipe2,
    libc::SYS_ppoll,
    libc::SYS_rseq,
    libc::SYS_set_robust_list,
];

/// Sockets that were handed over, and pairs of this process's own.
const SOCKETS: &[i64] = &[
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    libc::SYS_socketpair,
];

/// Ways to make a socket and to connect one, whose arguments are refused whatever they are: see `arguments.rs`.
const NETWORK: &[i64] =
    &[libc::SYS_accept, libc::SYS_accept4, libc::SYS_bind, libc::SYS_connect, libc::SYS_listen, libc::SYS_socket];

/// Files, which Landlock keeps to the folders of the process. `linkat` is how a finished file gets its name without replacing
/// another one. Metadata can be read by whatever path, and changed by none.
const FILES: &[i64] = &[
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fadvise64,
    libc::SYS_fdatasync,
    libc::SYS_flock,
    libc::SYS_fstat,
    libc::SYS_fstatfs,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_linkat,
    libc::SYS_lseek,
    libc::SYS_mkdirat,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_preadv,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_readlinkat,
    libc::SYS_readv,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_statx,
    libc::SYS_unlinkat,
];

/// The same by older names, which glibc uses where there are any.
#[cfg(target_arch = "x86_64")]
const OLDER: &[i64] = &[
    libc::SYS_access,
    libc::SYS_dup2,
    libc::SYS_epoll_wait,
    libc::SYS_lstat,
    libc::SYS_mkdir,
    libc::SYS_open,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_rename,
    libc::SYS_rmdir,
    libc::SYS_stat,
    libc::SYS_time,
    libc::SYS_unlink,
];

#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[i64] = &[];

/// What a process that compiles may call.
pub(super) const COMPILE_WORKER: &[&[i64]] = &[COMPUTE];

/// What a process that runs a tenant's queries may call.
pub(super) const TENANT_WORKER: &[&[i64]] = &[COMPUTE, SELF, THREADS, SOCKETS, NETWORK, FILES, OLDER];

/// What a process that connects for others may call: glibc asks name servers for both kinds of addresses at once.
pub(super) const CONNECTOR: &[&[i64]] =
    &[COMPUTE, SELF, THREADS, SOCKETS, NETWORK, FILES, OLDER, &[libc::SYS_sendmmsg]];

/// A tenant's worker names its threads. Listed apart from the refused arguments, since taking on the filters needs another
/// option of this call.
pub(super) const PRCTL: (i64, &[Test]) = (libc::SYS_prctl, &[Test::Is(0, libc::PR_SET_NAME.cast_unsigned())]);
