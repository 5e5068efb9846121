//! Bytes with descriptors over a Unix socket: `SCM_RIGHTS` of unix(7) and cmsg(3), by the C library. `rustix` has the same behind its
//! feature `net`, which wasmtime would be compiled anew with.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use crate::frame::DESCRIPTORS_MAX;

/// Room for control messages, aligned as their heads have to be. `CMSG_SPACE` of four descriptors is 32 bytes on every Linux.
#[repr(C, align(8))]
struct Control([u8; 64]);

/// The bytes of the descriptors of one message at most.
const RIGHTS_BYTES_MAX: usize = DESCRIPTORS_MAX * size_of::<libc::c_int>();

/// Sends bytes, and descriptors with the first of them. Gives the number of bytes that were taken.
///
/// # Errors
///
/// Of the system: `WouldBlock` where the socket is full and does not block, `BrokenPipe` where the other side has gone.
/// `InvalidInput` where there are more descriptors than a frame may carry.
#[expect(unsafe_code, reason = "sendmsg(2) takes a structure of pointers")]
pub fn send_part(socket: &UnixStream, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<usize> {
    if descriptors.len() > DESCRIPTORS_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "more descriptors than a frame may carry"));
    }
    let mut piece = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut control = Control([0; 64]);
    // SAFETY: an `msghdr` of zeros is valid: it names nothing (sendmsg(2)).
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut piece;
    message.msg_iovlen = 1;
    if !descriptors.is_empty() {
        let rights_bytes = size_of_val(descriptors);
        debug_assert!(rights_bytes <= RIGHTS_BYTES_MAX);
        let length = u32::try_from(rights_bytes).map_err(io::Error::other)?;
        message.msg_control = (&raw mut control).cast();
        // SAFETY: `CMSG_SPACE` and `CMSG_LEN` compute from their argument alone.
        let (space, head_and_data) = unsafe { (libc::CMSG_SPACE(length), libc::CMSG_LEN(length)) };
        message.msg_controllen = space as _;
        // SAFETY: `msg_control` names `control`, which is aligned for a head, outlives the call, and is longer than
        // `CMSG_SPACE` of `RIGHTS_BYTES_MAX` bytes; so the first head and `rights_bytes` bytes of data after it are in it.
        unsafe {
            let head = libc::CMSG_FIRSTHDR(&raw const message);
            (*head).cmsg_level = libc::SOL_SOCKET;
            (*head).cmsg_type = libc::SCM_RIGHTS;
            (*head).cmsg_len = head_and_data as _;
            let mut data = libc::CMSG_DATA(head).cast::<libc::c_int>();
            for descriptor in descriptors {
                data.write_unaligned(descriptor.as_raw_fd());
                data = data.add(1);
            }
        }
    }
    // SAFETY: the message names `bytes`, which are only read, and `control`; both outlive the call.
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Reads bytes, and the descriptors that were sent with them, which are closed on exec.
///
/// # Errors
///
/// Of the system; `InvalidData` where more descriptors came than a frame may carry: the kernel has closed those without room.
#[expect(unsafe_code, reason = "recvmsg(2) fills a structure of pointers, and gives descriptors as numbers")]
pub fn receive_with(socket: &UnixStream, into: &mut [u8], descriptors: &mut VecDeque<OwnedFd>) -> io::Result<usize> {
    let mut piece = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
    let mut control = Control([0; 64]);
    // SAFETY: an `msghdr` of zeros is valid: it names nothing (recvmsg(2)).
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut piece;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast();
    let length = u32::try_from(RIGHTS_BYTES_MAX).map_err(io::Error::other)?;
    // SAFETY: `CMSG_SPACE` computes from its argument alone.
    message.msg_controllen = unsafe { libc::CMSG_SPACE(length) } as _;
    // SAFETY: the message names `into` and `control`, both writable for the lengths given, and both outlive the call.
    let read = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC) };
    let read = usize::try_from(read).map_err(|_| io::Error::last_os_error())?;
    // SAFETY: the kernel wrote heads into `control` and their whole length into `msg_controllen`, by which `CMSG_FIRSTHDR` and
    // `CMSG_NXTHDR` keep within it. A message of rights has `cmsg_len - CMSG_LEN(0)` bytes of descriptors, which recvmsg(2)
    // has made for this call: nothing else knows their numbers, and each is taken once.
    unsafe {
        let mut head = libc::CMSG_FIRSTHDR(&raw const message);
        while !head.is_null() {
            if (*head).cmsg_level == libc::SOL_SOCKET && (*head).cmsg_type == libc::SCM_RIGHTS {
                let bytes = ((*head).cmsg_len as usize).saturating_sub(libc::CMSG_LEN(0) as usize);
                let mut data = libc::CMSG_DATA(head).cast::<libc::c_int>();
                for _ in 0..bytes / size_of::<libc::c_int>() {
                    descriptors.push_back(OwnedFd::from_raw_fd(data.read_unaligned()));
                    data = data.add(1);
                }
            }
            head = libc::CMSG_NXTHDR(&raw const message, head);
        }
    }
    match message.msg_flags & libc::MSG_CTRUNC {
        0 => Ok(read),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "more descriptors than a frame may carry")),
    }
}
