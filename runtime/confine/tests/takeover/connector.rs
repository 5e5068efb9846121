//! A connector that was taken over: it has the sockets that it connects, and no others.

use std::io::Read;
use std::net::TcpListener;

use Expected::Killed;

use crate::attack::{ARGUMENTS, Call, Expected, FILES, UNKNOWN, call, check_by};
use crate::scene::Scene;

#[test]
fn it_connects_by_name() {
    Scene::each(|scene| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = format!("localhost:{}", listener.local_addr().unwrap().port());
        let connector = scene.worker().with("role", "connector").read("/etc/hosts");
        let ended = connector.run(&["connect", &to]);
        assert!(ended.said.contains("\nconnected\n"), "{ended:?}");
        let mut heard = String::new();
        listener.accept().unwrap().0.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "hello");
        // A tenant's worker does not.
        let ended = scene.worker().read("/etc/hosts").run(&["connect", &to]);
        assert!(ended.said.contains("Operation not permitted"), "{ended:?}");
    });
}

fn sockets() -> Vec<Call> {
    let mut calls = Vec::new();
    for family in 0..=46 {
        for kind in [1, 2, 3, 4, 5, 10] {
            let inet = [libc::AF_INET, libc::AF_INET6].contains(&family);
            if !inet || kind > 2 {
                calls.push(call!(format!("socket {family} {kind}"), SYS_socket, family, kind, 0));
            }
        }
    }
    calls.extend([
        call!("socket of MPTCP", SYS_socket, libc::AF_INET, libc::SOCK_STREAM, 262),
        call!("socket of SCTP", SYS_socket, libc::AF_INET, libc::SOCK_STREAM, 132),
        call!("socket of ICMP", SYS_socket, libc::AF_INET, libc::SOCK_DGRAM, 1),
        call!("bind", SYS_bind, 0, "*", 16),
        call!("listen", SYS_listen, 0, 1),
        call!("accept", SYS_accept, 0, 0, 0),
        call!("sendto with MSG_FASTOPEN", SYS_sendto, 0, "*", 1, libc::MSG_FASTOPEN, "*", 16),
        call!("sendmmsg with MSG_FASTOPEN", SYS_sendmmsg, 0, "*", 1, libc::MSG_FASTOPEN),
        call!("IP_OPTIONS", SYS_setsockopt, 0, libc::IPPROTO_IP, 4, "*", 4),
        call!("SO_ATTACH_FILTER", SYS_setsockopt, 0, libc::SOL_SOCKET, 26, "*", 4),
    ]);
    calls
}

#[test]
fn it_has_no_other_sockets_and_reaches_nobody() {
    Scene::each(|scene| {
        let at = libc::AT_FDCWD;
        let theirs = scene.text("theirs/file");
        let [victim, _] = scene.victims();
        for (expected, calls) in [
            (ARGUMENTS, sockets()),
            (
                ARGUMENTS,
                vec![
                    call!("tgkill", SYS_tgkill, victim, victim, 9),
                    call!("mmap RWX", SYS_mmap, 0, 4096, 7, 0x22, -1, 0),
                ],
            ),
            (UNKNOWN, vec![call!("kill", SYS_kill, victim, 9), call!("memfd_create", SYS_memfd_create, "/name", 0)]),
            (
                Killed,
                vec![call!("ptrace", SYS_ptrace, 16, victim, 0, 0), call!("execve", SYS_execve, "/bin/true", 0, 0)],
            ),
            (FILES, vec![call!("openat", SYS_openat, at, theirs, 0), call!("unlinkat", SYS_unlinkat, at, theirs, 0)]),
        ] {
            check_by(scene, |scene| scene.worker().with("role", "connector"), expected, calls);
        }
    });
}
