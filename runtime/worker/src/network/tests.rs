//! The calls as Rust's standard library makes them. The test program is a worker from the first of these tests on, so that there is
//! one test; what they do in an ordinary process is shown by every other program that links this crate.

use std::io::{self, Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use expect_test::expect;

use super::connect_by;
use super::names::{Family, Names, NoAddress};

/// Connects as the connector would, but to where the test says.
fn connector(port: u16, asked: Arc<Mutex<Vec<String>>>) -> impl Fn(&str, u16) -> io::Result<OwnedFd> {
    move |host: &str, wanted: u16| {
        asked.lock().unwrap().push(format!("{host} {wanted}"));
        match host {
            "refused.example" => Err(io::Error::from_raw_os_error(libc::ECONNREFUSED)),
            "denied.example" => Err(io::Error::from_raw_os_error(libc::EACCES)),
            _ => raw_connection(port),
        }
    }
}

#[expect(
    unsafe_code,
    reason = "the C library's functions are this program's own, so that the test makes the system calls"
)]
fn raw_connection(port: u16) -> io::Result<OwnedFd> {
    use std::os::fd::FromRawFd;
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) },
        sin_zero: [0; 8],
    };
    // SAFETY: numbers; the descriptor is nobody else's; the address is valid for its length.
    unsafe {
        let descriptor = libc::syscall(libc::SYS_socket, libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
        let socket = OwnedFd::from_raw_fd(i32::try_from(descriptor).unwrap());
        let length = size_of::<libc::sockaddr_in>();
        match libc::syscall(libc::SYS_connect, socket.as_raw_fd(), &raw const address, length) {
            0 => Ok(socket),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

fn flags(of: &impl AsRawFd) -> (bool, bool) {
    let number = of.as_raw_fd();
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap();
    let flags = text.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
    let flags = i32::from_str_radix(flags.trim(), 8).unwrap();
    (flags & libc::O_NONBLOCK != 0, flags & libc::O_CLOEXEC != 0)
}

#[test]
fn what_libraries_connect_goes_through_the_connector() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // An ordinary process resolves and connects by itself.
    let mut plain = TcpStream::connect(("localhost", port)).unwrap();
    plain.write_all(b"plain").unwrap();
    drop(plain);
    let mut heard = String::new();
    listener.accept().unwrap().0.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "plain");

    let asked = Arc::<Mutex<Vec<String>>>::default();
    connect_by(connector(port, Arc::clone(&asked)));
    // A name that no resolver knows, on a port where nobody listens: the connector decides.
    let mut socket = TcpStream::connect("kafka-1.example:9092").unwrap();
    assert_eq!(socket.peer_addr().unwrap().port(), port);
    assert_eq!((flags(&socket), socket.take_error().unwrap().is_none()), ((false, true), true));
    socket.write_all(b"by name").unwrap();
    drop(socket);
    heard.clear();
    listener.accept().unwrap().0.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "by name");
    // With a time limit, the standard library connects a socket that does not block, and lets it block again.
    for text in ["192.0.2.7:1", "[2001:db8::7]:2"] {
        let address: SocketAddr = text.parse().unwrap();
        let socket = TcpStream::connect_timeout(&address, Duration::from_secs(60)).unwrap();
        assert_eq!(flags(&socket), (false, true));
        socket.set_nodelay(true).unwrap();
        assert!(socket.nodelay().unwrap());
    }
    // A port of a name is asked for each time, and the address of a name stays the same.
    let addresses: Vec<SocketAddr> = ("kafka-1.example", 7).to_socket_addrs().unwrap().collect();
    assert_eq!(addresses, ["240.0.0.1:7".parse().unwrap()]);
    let error = |host: &str| TcpStream::connect((host, 9092)).unwrap_err().kind();
    assert_eq!(error("refused.example"), io::ErrorKind::ConnectionRefused);
    assert_eq!(error("denied.example"), io::ErrorKind::PermissionDenied);
    let said = TcpStream::connect("no name:9092").unwrap_err().to_string();
    assert!(said.starts_with("failed to lookup address information: "), "{said}");
    // Many threads at once.
    std::thread::scope(|scope| {
        for number in 0..32 {
            scope.spawn(move || TcpStream::connect((format!("many-{number}.example"), 9092)).unwrap());
        }
    });
    let mut asked = std::mem::take(&mut *asked.lock().unwrap());
    asked.retain(|asked| !asked.starts_with("many-"));
    expect![[r#"
        kafka-1.example 9092
        192.0.2.7 1
        2001:db8::7 2
        refused.example 9092
        denied.example 9092"#]]
    .assert_eq(&asked.join("\n"));
    // Sockets of other kinds are the system's.
    let (mut one, mut other) = UnixStream::pair().unwrap();
    one.write_all(b"x").unwrap();
    other.read_exact(&mut [0]).unwrap();
    std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    placeholders_behave_as_sockets_that_are_not_connected(port);
}

#[expect(unsafe_code, reason = "calls as a C library makes them")]
fn placeholders_behave_as_sockets_that_are_not_connected(port: u16) {
    let one = 1_i32;
    let length = libc::socklen_t::try_from(size_of::<i32>()).unwrap();
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK;
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) },
        sin_zero: [0; 8],
    };
    let address_bytes = libc::socklen_t::try_from(size_of::<libc::sockaddr_in>()).unwrap();
    // SAFETY: pointers to values of this function, with their lengths; the descriptors are this function's own.
    unsafe {
        let closed = libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0);
        assert_eq!(libc::close(closed), 0);
        let socket = libc::socket(libc::AF_INET6, kind, libc::IPPROTO_TCP);
        assert_eq!(socket, closed, "a closed placeholder's number is used again");
        for (level, name) in [(libc::IPPROTO_TCP, libc::TCP_NODELAY), (libc::SOL_SOCKET, libc::SO_KEEPALIVE)] {
            assert_eq!(libc::setsockopt(socket, level, name, (&raw const one).cast(), length), 0);
        }
        assert_eq!(libc::connect(socket, (&raw const address).cast(), address_bytes), 0);
        for (level, name) in [(libc::IPPROTO_TCP, libc::TCP_NODELAY), (libc::SOL_SOCKET, libc::SO_KEEPALIVE)] {
            let (mut found, mut bytes) = (0_i32, length);
            assert_eq!(libc::getsockopt(socket, level, name, (&raw mut found).cast(), &raw mut bytes), 0);
            assert_eq!(found, 1, "{level} {name}");
        }
        assert_eq!(flags(&socket), (true, false));
        assert_eq!(libc::connect(socket, (&raw const address).cast(), address_bytes), -1);
        assert_eq!(io::Error::last_os_error().raw_os_error(), Some(libc::EISCONN));
        assert_eq!(libc::close(socket), 0);
        assert_eq!(libc::connect(socket, (&raw const address).cast(), address_bytes), -1);
        assert_eq!(io::Error::last_os_error().raw_os_error(), Some(libc::EBADF));
    }
}

#[test]
fn each_name_has_an_address_of_its_own() {
    let names = Names::default();
    let check = |name: &str, family, expected: Result<&str, NoAddress>| {
        let expected = expected.map(|text| text.parse().unwrap());
        assert_eq!(names.address_of(name, family), expected, "{name}");
    };
    check("one", Family::Any, Ok("240.0.0.1"));
    check("two", Family::V4, Ok("240.0.0.2"));
    check("one", Family::V6, Ok("100::1"));
    check("10.0.0.1", Family::Any, Ok("10.0.0.1"));
    check("::1", Family::Any, Ok("::1"));
    check("10.0.0.1", Family::V6, Err(NoAddress::OtherFamily));
    check("::1", Family::V4, Err(NoAddress::OtherFamily));
    // The connector knows what these are.
    check("127.1", Family::Any, Ok("240.0.0.3"));
    check("fe80::1%eth0", Family::V6, Ok("100::4"));
    for name in ["", "a b", "a\n", &"x".repeat(254)] {
        check(name, Family::Any, Err(NoAddress::NoName));
    }
    let host = |address: &str| names.host_of(address.parse().unwrap()).to_string();
    assert_eq!(["240.0.0.2", "100::2", "240.0.0.9", "10.0.0.1"].map(host), ["two", "two", "240.0.0.9", "10.0.0.1"]);
    assert_eq!(names.host_of(Ipv6Addr::LOCALHOST.into()).as_ref(), "::1");
    for number in 0..4_092 {
        names.address_of(&format!("many-{number}"), Family::Any).unwrap();
    }
    check("one", Family::Any, Ok("240.0.0.1"));
    check("one-too-many", Family::Any, Err(NoAddress::Full));
}
