//! `getaddrinfo`, `freeaddrinfo`, `getnameinfo`, `socket`, `setsockopt` and `connect` of this program.
//!
//! # Contract
//!
//! Each has the signature and the contract of the function of this name in POSIX, which callers (C libraries, Rust's standard library)
//! keep to: pointers are null where the function allows it, or valid for the lengths that go with them; texts end with a zero byte; a
//! list is freed once, by the function of this file.
//!
//! Until [`connect_by`](super::connect_by) was called, they do what the C library's functions do: `socket`, `setsockopt` and `connect` are
//! the system call of that name, and the others call the C library's own definitions, which come next in the order in which the dynamic
//! linker looks. The C library itself (its resolver in the connector) does not call these definitions, but its own by internal names.
//!
//! Nothing here panics: a panic would end the process. Locks are held for lookups in tables alone, never while anything is waited for.
#![expect(unsafe_code, reason = "functions that C libraries call are defined, with pointers as arguments")]

use std::collections::HashSet;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use libc::{addrinfo, sockaddr, sockaddr_in, sockaddr_in6, sockaddr_storage, socklen_t};

use super::names::{Family, NoAddress};
use super::placeholders::SocketOption;
use super::{NETWORK, Network};

/// `EAI_ADDRFAMILY` of glibc: the address is of another family.
const EAI_ADDRFAMILY: c_int = -9;

/// The most bytes of an option that a caller passes.
const OPTION_BYTES_MAX: usize = 64;

/// The C library's definition of a function of this file; `None` in a program without one.
macro_rules! of_c_library {
    ($name:literal as $signature:ty) => {{
        // SAFETY: the name ends with a zero byte. `RTLD_NEXT` looks behind the object of the caller, so not in this file.
        let found = unsafe { libc::dlsym(libc::RTLD_NEXT, $name.as_ptr()) };
        // SAFETY: a function of this name in the C library has this signature, and pointers to functions are pointers on Linux.
        (!found.is_null()).then(|| unsafe { std::mem::transmute::<*mut c_void, $signature>(found) })
    }};
}

type GetAddrInfo = unsafe extern "C" fn(*const c_char, *const c_char, *const addrinfo, *mut *mut addrinfo) -> c_int;
type FreeAddrInfo = unsafe extern "C" fn(*mut addrinfo);
type GetNameInfo =
    unsafe extern "C" fn(*const sockaddr, socklen_t, *mut c_char, socklen_t, *mut c_char, socklen_t, c_int) -> c_int;

fn fail(errno: c_int) -> c_int {
    // SAFETY: the C library gives a valid pointer to this thread's own number.
    unsafe { *libc::__errno_location() = errno };
    -1
}

/// A system call's result as the C library's functions give it: `libc::syscall` has set `errno`.
fn number(result: libc::c_long) -> c_int {
    c_int::try_from(result).unwrap_or(-1)
}

// --- Names ---

/// One answer of `getaddrinfo`: the list has one entry, which points into its own allocation.
struct Answer {
    info: addrinfo,
    address: sockaddr_storage,
    _name: Option<CString>,
}

/// The answers that were given and not freed, by address.
static ANSWERS: LazyLock<Mutex<HashSet<usize>>> = LazyLock::new(Mutex::default);

fn answers() -> MutexGuard<'static, HashSet<usize>> {
    ANSWERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// getaddrinfo(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn getaddrinfo(
    node: *const c_char,
    service: *const c_char,
    hints: *const addrinfo,
    result: *mut *mut addrinfo,
) -> c_int {
    let Some(network) = NETWORK.get() else {
        let Some(next) = of_c_library!(c"getaddrinfo" as GetAddrInfo) else { return libc::EAI_FAIL };
        // SAFETY: the arguments of this call, which the caller passes under the same contract.
        return unsafe { next(node, service, hints, result) };
    };
    // SAFETY: by the contract, null or a text that ends with a zero byte.
    let [node, service] = [node, service].map(|text| (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }));
    // SAFETY: by the contract, null or valid.
    let hints = unsafe { hints.as_ref() };
    match answer(network, node, service, hints) {
        Ok(answer) => {
            // SAFETY: by the contract, `result` is valid for a pointer.
            unsafe { result.write(answer) };
            0
        }
        Err(code) => code,
    }
}

fn answer(
    network: &Network,
    node: Option<&CStr>,
    service: Option<&CStr>,
    hints: Option<&addrinfo>,
) -> Result<*mut addrinfo, c_int> {
    let (flags, family, kind, protocol) =
        hints.map_or((0, 0, 0, 0), |hints| (hints.ai_flags, hints.ai_family, hints.ai_socktype, hints.ai_protocol));
    let family = match family {
        libc::AF_UNSPEC => Family::Any,
        libc::AF_INET => Family::V4,
        libc::AF_INET6 => Family::V6,
        _ => return Err(libc::EAI_FAMILY),
    };
    if ![0, libc::SOCK_STREAM].contains(&kind) || ![0, libc::IPPROTO_TCP].contains(&protocol) {
        return Err(libc::EAI_SOCKTYPE);
    }
    let port = match service.map(CStr::to_bytes) {
        None | Some([]) => 0,
        Some(text) => str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(libc::EAI_SERVICE)?,
    };
    let is_passive = flags & libc::AI_PASSIVE != 0;
    let address = match node {
        None if service.is_none() => return Err(libc::EAI_NONAME),
        None => match (family, is_passive) {
            (Family::V6, true) => Ipv6Addr::UNSPECIFIED.into(),
            (Family::V6, false) => Ipv6Addr::LOCALHOST.into(),
            (_, true) => Ipv4Addr::UNSPECIFIED.into(),
            (_, false) => Ipv4Addr::LOCALHOST.into(),
        },
        Some(node) => {
            let name = node.to_str().map_err(|_| libc::EAI_NONAME)?;
            if flags & libc::AI_NUMERICHOST != 0 && name.parse::<IpAddr>().is_err() {
                return Err(libc::EAI_NONAME);
            }
            network.names.address_of(name, family).map_err(|why| match why {
                NoAddress::NoName => libc::EAI_NONAME,
                NoAddress::OtherFamily => EAI_ADDRFAMILY,
                NoAddress::Full => libc::EAI_MEMORY,
            })?
        }
    };
    let name = node.filter(|_| flags & libc::AI_CANONNAME != 0).map(CStr::to_owned);
    Ok(give(SocketAddr::new(address, port), name))
}

fn give(address: SocketAddr, name: Option<CString>) -> *mut addrinfo {
    let (address, length) = raw(address);
    let info = addrinfo {
        ai_flags: 0,
        ai_family: c_int::from(address.ss_family),
        ai_socktype: libc::SOCK_STREAM,
        ai_protocol: libc::IPPROTO_TCP,
        ai_addrlen: length,
        ai_addr: ptr::null_mut(),
        ai_canonname: name.as_ref().map_or(ptr::null_mut(), |name| name.as_ptr().cast_mut()),
        ai_next: ptr::null_mut(),
    };
    let answer = Box::into_raw(Box::new(Answer { info, address, _name: name }));
    answers().insert(answer.addr());
    // SAFETY: `answer` is a new allocation that nobody else has. `info` comes to point to its neighbour in the same allocation, which
    // does not move until `freeaddrinfo` takes it back.
    unsafe {
        (*answer).info.ai_addr = (&raw mut (*answer).address).cast();
        &raw mut (*answer).info
    }
}

/// freeaddrinfo(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn freeaddrinfo(list: *mut addrinfo) {
    // An answer is known by its own address, in which its entry has a place that the compiler chose.
    let start = list.wrapping_byte_sub(std::mem::offset_of!(Answer, info)).cast::<Answer>();
    if answers().remove(&start.addr()) {
        // SAFETY: `give` made this allocation by `Box`, and its address was in the set until now: it is freed once.
        drop(unsafe { Box::from_raw(start) });
        return;
    }
    if list.is_null() {
        return;
    }
    if let Some(next) = of_c_library!(c"freeaddrinfo" as FreeAddrInfo) {
        // SAFETY: a list of the C library's, by the contract.
        unsafe { next(list) };
    }
}

/// getnameinfo(3): a stand-in address has the name for which it stands, also where a number is asked for: it is in texts alone.
#[unsafe(no_mangle)]
unsafe extern "C" fn getnameinfo(
    address: *const sockaddr,
    length: socklen_t,
    host: *mut c_char,
    host_bytes: socklen_t,
    service: *mut c_char,
    service_bytes: socklen_t,
    flags: c_int,
) -> c_int {
    let network = NETWORK.get();
    let named = network.and_then(|network| {
        // SAFETY: by the contract, the address is valid for its length.
        let address = unsafe { parsed(address, length) }?;
        Some((network.names.name_of(address.ip())?, address.port()))
    });
    if let Some((name, port)) = named {
        // SAFETY: by the contract, each is null or valid for its length.
        let written = unsafe {
            write_text(name.as_bytes(), host, host_bytes)
                && write_text(port.to_string().as_bytes(), service, service_bytes)
        };
        return if written { 0 } else { libc::EAI_OVERFLOW };
    }
    let Some(next) = of_c_library!(c"getnameinfo" as GetNameInfo) else { return libc::EAI_FAIL };
    let numbers = libc::NI_NUMERICHOST | libc::NI_NUMERICSERV;
    let flags = if network.is_some() { flags & !libc::NI_NAMEREQD | numbers } else { flags };
    // SAFETY: the arguments of this call, which the caller passes under the same contract.
    unsafe { next(address, length, host, host_bytes, service, service_bytes, flags) }
}

/// # Safety
///
/// `to` is null, or valid for writes of `bytes` bytes.
unsafe fn write_text(text: &[u8], to: *mut c_char, bytes: socklen_t) -> bool {
    let bytes = usize::try_from(bytes).unwrap_or(0);
    if to.is_null() || bytes == 0 {
        return true;
    }
    if text.len() >= bytes {
        return false;
    }
    // SAFETY: `to` has room for the text and a zero byte, and a text of this program's does not lie there.
    unsafe {
        ptr::copy_nonoverlapping(text.as_ptr(), to.cast::<u8>(), text.len());
        to.add(text.len()).write(0);
    }
    true
}

// --- Sockets ---

/// socket(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn socket(family: c_int, kind: c_int, protocol: c_int) -> c_int {
    let is_tcp = [libc::AF_INET, libc::AF_INET6].contains(&family)
        && kind & 0xf == libc::SOCK_STREAM
        && [0, libc::IPPROTO_TCP].contains(&protocol);
    match NETWORK.get().filter(|_| is_tcp) {
        Some(network) => placeholder(network, kind & !0xf),
        // SAFETY: three numbers. Where a worker asks for another kind of socket, the kernel refuses.
        None => number(unsafe { libc::syscall(libc::SYS_socket, family, kind, protocol) }),
    }
}

/// One end of a pair whose other end is closed: it can be polled and closed, and has no peer.
fn placeholder(network: &Network, flags: c_int) -> c_int {
    let mut pair = [-1; 2];
    // SAFETY: `pair` has room for two descriptors.
    if unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM | flags, 0, pair.as_mut_ptr()) } != 0 {
        return -1;
    }
    let [descriptor, other] = pair;
    // SAFETY: socketpair(2) has made it for this call alone.
    drop(unsafe { OwnedFd::from_raw_fd(other) });
    let Some(inode) = inode(descriptor) else {
        // SAFETY: as above.
        drop(unsafe { OwnedFd::from_raw_fd(descriptor) });
        return -1;
    };
    network.placeholders.add(descriptor, inode);
    descriptor
}

fn inode(descriptor: RawFd) -> Option<u64> {
    // SAFETY: a `stat` of zeros is valid, and fstat(2) fills it.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: `stat` is valid for a write; a number that is no descriptor is refused.
    (unsafe { libc::fstat(descriptor, &raw mut stat) } == 0).then_some(stat.st_ino)
}

/// setsockopt(2): a placeholder keeps its options for the connection.
#[unsafe(no_mangle)]
unsafe extern "C" fn setsockopt(
    descriptor: c_int,
    level: c_int,
    name: c_int,
    value: *const c_void,
    length: socklen_t,
) -> c_int {
    let network = NETWORK.get().filter(|network| network.placeholders.may_be(descriptor));
    let bytes = usize::try_from(length).unwrap_or(usize::MAX);
    if let Some((network, inode)) = network.zip(network.and_then(|_| inode(descriptor)))
        && !value.is_null()
        && bytes <= OPTION_BYTES_MAX
    {
        // SAFETY: by the contract, the value is valid for its length.
        let value = unsafe { std::slice::from_raw_parts(value.cast::<u8>(), bytes) }.to_vec();
        match network.placeholders.keep(descriptor, inode, SocketOption { level, name, value }) {
            Some(true) => return 0,
            Some(false) => return fail(libc::ENOBUFS),
            None => {}
        }
    }
    // SAFETY: the arguments of this call, which the caller passes under the same contract.
    number(unsafe { libc::syscall(libc::SYS_setsockopt, descriptor, level, name, value, length) })
}

/// connect(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn connect(descriptor: c_int, address: *const sockaddr, length: socklen_t) -> c_int {
    let network = NETWORK.get().filter(|network| network.placeholders.may_be(descriptor));
    let placeholder = network.and_then(|network| {
        let options = network.placeholders.options(descriptor, inode(descriptor)?)?;
        Some((network, options))
    });
    let Some((network, options)) = placeholder else {
        // SAFETY: the arguments of this call, which the caller passes under the same contract.
        return number(unsafe { libc::syscall(libc::SYS_connect, descriptor, address, length) });
    };
    // SAFETY: by the contract, the address is valid for its length.
    let Some(address) = (unsafe { parsed(address, length) }) else { return fail(libc::EAFNOSUPPORT) };
    let host = network.names.host_of(address.ip());
    let connected =
        (network.connect)(&host, address.port()).and_then(|socket| take_place(descriptor, &socket, &options));
    match connected {
        Ok(()) => {
            network.placeholders.forget(descriptor);
            0
        }
        Err(error) => fail(error.raw_os_error().unwrap_or(libc::ECONNREFUSED)),
    }
}

/// Gives the number of the placeholder to the connected socket, which behaves as the placeholder did.
fn take_place(descriptor: RawFd, socket: &OwnedFd, options: &[SocketOption]) -> std::io::Result<()> {
    let last_error = || Err(std::io::Error::last_os_error());
    for SocketOption { level, name, value } in options {
        let length = socklen_t::try_from(value.len()).unwrap_or(0);
        // An option that the kernel refuses now would have been refused then, where libraries go on without it.
        // SAFETY: the value is valid for its length.
        unsafe { libc::syscall(libc::SYS_setsockopt, socket.as_raw_fd(), *level, *name, value.as_ptr(), length) };
    }
    // SAFETY: fcntl(2) with these commands takes and gives numbers.
    let (flags, descriptor_flags) =
        unsafe { (libc::fcntl(descriptor, libc::F_GETFL), libc::fcntl(descriptor, libc::F_GETFD)) };
    if flags < 0 || descriptor_flags < 0 {
        return last_error();
    }
    // SAFETY: as above.
    let own = unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_GETFL) };
    let wanted = own & !libc::O_NONBLOCK | flags & libc::O_NONBLOCK;
    // SAFETY: as above.
    if own < 0 || own != wanted && unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_SETFL, wanted) } < 0 {
        return last_error();
    }
    let on_exec = if descriptor_flags & libc::FD_CLOEXEC != 0 { libc::O_CLOEXEC } else { 0 };
    loop {
        // SAFETY: dup3(2) takes numbers. The caller of connect(2) owns the descriptor, which is a placeholder of this file.
        if unsafe { libc::dup3(socket.as_raw_fd(), descriptor, on_exec) } >= 0 {
            return Ok(());
        }
        let error = std::io::Error::last_os_error();
        if ![Some(libc::EINTR), Some(libc::EBUSY)].contains(&error.raw_os_error()) {
            return Err(error);
        }
    }
}

// --- Addresses ---

fn raw(address: SocketAddr) -> (sockaddr_storage, socklen_t) {
    // SAFETY: a `sockaddr_storage` of zeros is valid.
    let mut storage: sockaddr_storage = unsafe { std::mem::zeroed() };
    let place = &raw mut storage;
    let length = match address {
        SocketAddr::V4(address) => {
            let raw = sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: address.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.ip().octets()) },
                sin_zero: [0; 8],
            };
            // SAFETY: a `sockaddr_storage` has room for every kind of address, and is aligned for it.
            unsafe { place.cast::<sockaddr_in>().write(raw) };
            size_of::<sockaddr_in>()
        }
        SocketAddr::V6(address) => {
            let raw = sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: address.port().to_be(),
                sin6_flowinfo: 0,
                sin6_addr: libc::in6_addr { s6_addr: address.ip().octets() },
                sin6_scope_id: 0,
            };
            // SAFETY: as above.
            unsafe { place.cast::<sockaddr_in6>().write(raw) };
            size_of::<sockaddr_in6>()
        }
    };
    (storage, socklen_t::try_from(length).unwrap_or(0))
}

/// An address of IPv4 or IPv6.
///
/// # Safety
///
/// The address is null, or valid for reads of its length.
unsafe fn parsed(address: *const sockaddr, length: socklen_t) -> Option<SocketAddr> {
    let length = usize::try_from(length).ok()?;
    if address.is_null() || length < size_of::<sockaddr_in>() {
        return None;
    }
    // SAFETY: valid for reads of a `sockaddr_in`, which every address begins with the family of; not perhaps aligned.
    let first = unsafe { address.cast::<sockaddr_in>().read_unaligned() };
    match c_int::from(first.sin_family) {
        libc::AF_INET => {
            let ip = Ipv4Addr::from(first.sin_addr.s_addr.to_ne_bytes());
            Some(SocketAddr::new(ip.into(), u16::from_be(first.sin_port)))
        }
        libc::AF_INET6 if length >= size_of::<sockaddr_in6>() => {
            // SAFETY: valid for reads of a `sockaddr_in6`.
            let raw = unsafe { address.cast::<sockaddr_in6>().read_unaligned() };
            Some(SocketAddr::new(Ipv6Addr::from(raw.sin6_addr.s6_addr).into(), u16::from_be(raw.sin6_port)))
        }
        _ => None,
    }
}
