//! Ways to the network, and to sockets of other processes.

use crate::attack::{ARGUMENTS, Expected, UNKNOWN, call, check};
use crate::scene::Scene;

const MSG_FASTOPEN: i64 = libc::MSG_FASTOPEN as i64;

#[test]
fn no_socket_can_be_made() {
    Scene::each(|scene| {
        let mut calls = Vec::new();
        // Every family that the kernel may have; kinds that connect without `connect`, and flags beside them.
        for family in 0..=46 {
            for kind in [1, 2, 3, 4, 5, 10, 1 | libc::SOCK_CLOEXEC] {
                calls.push(call!(format!("socket {family} {kind}"), SYS_socket, family, kind, 0));
            }
        }
        let mptcp = 262;
        calls.push(call!("socket of MPTCP", SYS_socket, libc::AF_INET, libc::SOCK_STREAM, mptcp));
        calls.push(call!("socket, upper half set", SYS_socket, 2 | 1_i64 << 32, 1, 0));
        for kind in [2, 3, 4, 5, 2 | libc::SOCK_NONBLOCK, 5 | libc::SOCK_CLOEXEC] {
            calls.push(call!(format!("socketpair {kind}"), SYS_socketpair, libc::AF_UNIX, kind, 0, "*"));
        }
        calls.push(call!("socketpair of TIPC", SYS_socketpair, 30, libc::SOCK_STREAM, 0, "*"));
        calls.extend([
            call!("connect", SYS_connect, 0, "*", 16),
            call!("bind", SYS_bind, 0, "*", 16),
            call!("listen", SYS_listen, 0, 1),
            call!("accept", SYS_accept, 0, 0, 0),
            call!("accept4", SYS_accept4, 0, 0, 0, 0),
            call!("sendto with MSG_FASTOPEN", SYS_sendto, 0, "*", 1, MSG_FASTOPEN, "*", 16),
            call!("sendto with MSG_FASTOPEN and more", SYS_sendto, 0, "*", 1, MSG_FASTOPEN | 0x4000, "*", 16),
            call!("sendmsg with MSG_FASTOPEN", SYS_sendmsg, 0, "*", MSG_FASTOPEN),
        ]);
        check(scene, ARGUMENTS, calls);
        let many = vec![
            call!("sendmmsg", SYS_sendmmsg, 0, "*", 1, MSG_FASTOPEN),
            call!("recvmmsg", SYS_recvmmsg, 0, "*", 1, 0, 0),
        ];
        check(scene, UNKNOWN, many);
        check(
            scene,
            Expected::Harmless,
            vec![call!("socketpair", SYS_socketpair, libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0, "*")],
        );
    });
}

/// Options that load programs into the kernel, add protocols, or make a connection.
#[test]
fn sockets_that_were_handed_over_stay_what_they_are() {
    let (socket, tcp) = (libc::SOL_SOCKET, libc::IPPROTO_TCP);
    let options = [
        ("SO_ATTACH_FILTER", socket, 26),
        ("SO_ATTACH_BPF", socket, 50),
        ("SO_BINDTODEVICE", socket, 25),
        ("SO_MARK", socket, 36),
        ("SO_PRIORITY", socket, 12),
        ("SO_BUSY_POLL", socket, 46),
        ("SO_RCVBUFFORCE", socket, 33),
        ("SO_PASSCRED", socket, 16),
        ("TCP_ULP", tcp, 31),
        ("TCP_FASTOPEN", tcp, 23),
        ("TCP_FASTOPEN_CONNECT", tcp, 30),
        ("TCP_REPAIR", tcp, 19),
        ("TCP_CONGESTION", tcp, 13),
        ("TCP_MD5SIG", tcp, 14),
        ("IP_OPTIONS", libc::IPPROTO_IP, 4),
        ("IPT_SO_SET_REPLACE", libc::IPPROTO_IP, 64),
        ("IPV6_ADDRFORM", libc::IPPROTO_IPV6, 1),
        ("PACKET_RX_RING", 263, 5),
    ];
    Scene::each(|scene| {
        let calls = options.map(|(name, level, option)| call!(name, SYS_setsockopt, 0, level, option, "*", 8));
        check(scene, ARGUMENTS, calls.into());
        // Those that a client needs reach the descriptor, which is no socket here.
        let needed = [(socket, libc::SO_KEEPALIVE), (tcp, libc::TCP_NODELAY)]
            .map(|(level, option)| call!(format!("option {option}"), SYS_setsockopt, 0, level, option, "*", 4));
        check(scene, Expected::Refused(&[libc::ENOTSOCK]), needed.into());
    });
}
