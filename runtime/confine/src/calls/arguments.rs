//! Arguments with which an allowed call reaches further than this process, or makes code.

/// What is asked of one argument. But for pointers the kernel looks at the lower 32 bits of these arguments, and so do we.
#[derive(Clone, Copy, Debug)]
pub(super) enum Test {
    /// The argument of this position is this value.
    Is(u8, u32),
    /// It is another one.
    IsNot(u8, u32),
    /// Any of its 64 bits is set.
    IsNotZero(u8),
    /// Its bits of this mask have this value.
    Part(u8, u32, u32),
}

impl Test {
    /// All of these bits are set.
    const fn has(argument: u8, bits: i32) -> Test {
        Test::Part(argument, bits.cast_unsigned(), bits.cast_unsigned())
    }
}

/// A call that is refused when one of these lists of tests holds; without any, always.
pub(super) struct Refused {
    pub(super) call: i64,
    pub(super) when: Vec<Vec<Test>>,
}

fn refused<const N: usize>(call: i64, when: [Vec<Test>; N]) -> Refused {
    Refused { call, when: when.into() }
}

/// The argument has none of these values: for lists of those that are allowed.
fn none_of(argument: u8, values: &[u32]) -> Vec<Test> {
    values.iter().map(|&value| Test::IsNot(argument, value)).collect()
}

/// `_IOWR('f', 16, struct pm_scan_arg)` of linux/fs.h: which pages of this process were written to.
const PAGEMAP_SCAN: u32 = 0xc060_6610;

/// F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC.
const FCNTL_COMMANDS: [u32; 6] = [0, 1, 2, 3, 4, 1030];

/// FIONREAD, FIONBIO, FIOCLEX, PAGEMAP_SCAN. None acts on a terminal or device.
const IOCTL_REQUESTS: [u32; 4] = [0x541b, 0x5421, 0x5451, PAGEMAP_SCAN];

/// MEMBARRIER_CMD_QUERY and the private ones: they interrupt no processor that runs another process.
const MEMBARRIER_COMMANDS: [u32; 5] = [0, 1 << 3, 1 << 4, 1 << 5, 1 << 6];

/// SO_REUSEADDR, SO_SNDBUF, SO_RCVBUF, SO_KEEPALIVE, SO_LINGER, SO_RCVTIMEO, SO_SNDTIMEO: no filters, no other devices.
const SOCKET_OPTIONS: [u32; 7] = [2, 7, 8, 9, 13, 20, 21];

/// TCP_NODELAY, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_QUICKACK, TCP_USER_TIMEOUT: no fast open, no protocols on top.
const TCP_OPTIONS: [u32; 6] = [1, 4, 5, 6, 12, 18];

/// IP_RECVERR and IPV6_RECVERR, with their levels: glibc wants to hear of name servers that are not there.
const RESOLVER_OPTIONS: [(u32, u32); 2] = [(0, 11), (41, 25)];

/// `clone` beside CLONE_THREAD: new namespaces, cgroups, tracing, pidfds, a vfork, another parent.
const CLONE_NEVER: [i32; 13] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_IO,
    libc::CLONE_PIDFD,
    libc::CLONE_PTRACE,
    libc::CLONE_UNTRACED,
    libc::CLONE_VFORK,
    libc::CLONE_PARENT,
];

/// What holds for every worker.
fn common(own: u32) -> Vec<Refused> {
    vec![
        refused(libc::SYS_mprotect, [vec![Test::has(2, libc::PROT_EXEC)]]),
        // An abort's own signal: to this process and to no other.
        refused(libc::SYS_tgkill, [vec![Test::IsNot(0, own)]]),
        // Its own cores, not those of another.
        refused(libc::SYS_sched_getaffinity, [vec![Test::IsNotZero(0)]]),
    ]
}

/// For a process that computes and answers. Nothing that it maps is shared: shared memory counts for nobody.
pub(super) fn of_a_compile_worker(own: u32) -> Vec<Refused> {
    let mut all = common(own);
    all.push(refused(libc::SYS_mmap, [vec![Test::has(2, libc::PROT_EXEC)], vec![Test::has(3, libc::MAP_SHARED)]]));
    // Debug builds look at a descriptor before they close it.
    let looks = [libc::F_GETFD, libc::F_GETFL].map(i32::cast_unsigned);
    all.push(refused(libc::SYS_fcntl, [none_of(1, &looks)]));
    all
}

/// For a tenant's worker. Network calls are refused by EPERM instead of ENOSYS: no library should take them for missing and go
/// on without a word.
pub(super) fn of_a_tenant_worker(own: u32) -> Vec<Refused> {
    let mut all = of_processes_with_threads(own, &[]);
    all.extend([refused(libc::SYS_socket, []), refused(libc::SYS_connect, [])]);
    all
}

/// For a process that connects for others: TCP and UDP over IPv4 and IPv6.
pub(super) fn of_a_connector(own: u32) -> Vec<Refused> {
    let mut all = of_processes_with_threads(own, &RESOLVER_OPTIONS);
    let [v4, v6, tcp, udp] =
        [libc::AF_INET, libc::AF_INET6, libc::IPPROTO_TCP, libc::IPPROTO_UDP].map(i32::cast_unsigned);
    let [stream, datagram] = [libc::SOCK_STREAM, libc::SOCK_DGRAM].map(i32::cast_unsigned);
    let kinds = (0..16).filter(|&kind| kind != stream && kind != datagram);
    let mut sockets: Vec<Vec<Test>> = kinds.map(|kind| vec![Test::Part(1, 0xf, kind)]).collect();
    sockets.push(none_of(0, &[v4, v6]));
    // Neither MPTCP nor anything else that has rules of its own.
    sockets.push(none_of(2, &[0, tcp, udp]));
    all.push(Refused { call: libc::SYS_socket, when: sockets });
    all.push(refused(libc::SYS_sendmmsg, [vec![Test::has(3, libc::MSG_FASTOPEN)]]));
    all
}

/// What holds for processes with threads, descriptors and sockets. `options` are further options of sockets, with their levels.
fn of_processes_with_threads(own: u32, options: &[(u32, u32)]) -> Vec<Refused> {
    let mut all = common(own);
    let fast_open = |argument| vec![Test::has(argument, libc::MSG_FASTOPEN)];
    let [unix, stream] = [libc::AF_UNIX, libc::SOCK_STREAM].map(i32::cast_unsigned);
    // The type is in four bits; the others say how the descriptor behaves.
    let kinds = (0..16).filter(|&kind| kind != stream).map(|kind| vec![Test::Part(1, 0xf, kind)]);
    let mut pairs: Vec<Vec<Test>> = kinds.collect();
    pairs.push(vec![Test::IsNot(0, unix)]);
    let mut clones: Vec<Vec<Test>> = CLONE_NEVER.iter().map(|&flag| vec![Test::has(0, flag)]).collect();
    clones.push(vec![Test::Part(0, libc::CLONE_THREAD.cast_unsigned(), 0)]);
    let [socket_level, tcp_level] = [libc::SOL_SOCKET, libc::IPPROTO_TCP].map(i32::cast_unsigned);
    let with = |first: Test, mut rest: Vec<Test>| {
        rest.insert(0, first);
        rest
    };
    let mut levels = vec![socket_level, tcp_level];
    levels.extend(options.iter().map(|&(level, _)| level));
    let mut socket_options = vec![
        none_of(1, &levels),
        with(Test::Is(1, socket_level), none_of(2, &SOCKET_OPTIONS)),
        with(Test::Is(1, tcp_level), none_of(2, &TCP_OPTIONS)),
    ];
    socket_options.extend(options.iter().map(|&(level, option)| vec![Test::Is(1, level), Test::IsNot(2, option)]));
    let shared_memory = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    all.extend([
        refused(libc::SYS_mmap, [vec![Test::has(2, libc::PROT_EXEC)], vec![Test::has(3, shared_memory)]]),
        // Neither an owner whom signals go to, nor leases, locks for others, larger pipes, nor signals by O_ASYNC.
        refused(
            libc::SYS_fcntl,
            [
                none_of(1, &FCNTL_COMMANDS),
                vec![Test::Is(1, libc::F_SETFL.cast_unsigned()), Test::has(2, libc::O_ASYNC)],
            ],
        ),
        refused(libc::SYS_ioctl, [none_of(1, &IOCTL_REQUESTS)]),
        refused(libc::SYS_membarrier, [none_of(0, &MEMBARRIER_COMMANDS)]),
        // Its own limits may be read.
        refused(libc::SYS_prlimit64, [vec![Test::IsNotZero(0)], vec![Test::IsNotZero(2)]]),
        Refused { call: libc::SYS_clone, when: clones },
        Refused { call: libc::SYS_socketpair, when: pairs },
        refused(libc::SYS_sendto, [fast_open(3)]),
        refused(libc::SYS_sendmsg, [fast_open(2)]),
        Refused { call: libc::SYS_setsockopt, when: socket_options },
        refused(libc::SYS_bind, []),
        refused(libc::SYS_listen, []),
        refused(libc::SYS_accept, []),
        refused(libc::SYS_accept4, []),
    ]);
    all
}
