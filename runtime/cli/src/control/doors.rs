//! The doors of a process that runs queries.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use weir_admin::{Admin, BindError, Board, Door, bind};

use super::folder::{FolderError, RuntimeFolder};

/// Answers at the doors of this process until it is dropped, which removes the socket.
pub(crate) struct Control {
    // Dropped after the socket's name is gone: nobody new comes while it says farewell.
    admin: Option<Admin>,
    socket: Option<Arc<SocketFile>>,
}

/// The socket's name in the file system, removed once.
pub(crate) struct SocketFile(PathBuf);

impl SocketFile {
    /// Removes it; also where the process ends at once.
    pub(crate) fn remove(&self) {
        // It may be gone: then that is what was wanted.
        drop(fs::remove_file(&self.0));
    }
}

/// The doors that are to be opened.
#[derive(Default)]
pub(crate) struct Doors {
    doors: Vec<Door>,
    socket: Option<Arc<SocketFile>>,
}

impl Control {
    /// No door yet.
    pub(crate) fn doors() -> Doors {
        Doors::default()
    }

    /// Without doors.
    pub(crate) fn closed() -> Control {
        Control { admin: None, socket: None }
    }

    /// The socket's name, for who may have to end the process at once.
    pub(crate) fn socket(&self) -> Option<Arc<SocketFile>> {
        self.socket.clone()
    }
}

impl Doors {
    /// By TCP at this address. Answers the address that it is.
    pub(crate) fn tcp(&mut self, address: SocketAddr, steering: bool) -> Result<SocketAddr, BindError> {
        let (listener, address) = bind(address)?;
        self.doors.push(Door::Tcp { listener, steering });
        Ok(address)
    }

    /// By the socket of this process.
    pub(crate) fn socket(&mut self) -> Result<(), FolderError> {
        let (listener, path) = RuntimeFolder::make()?.listen()?;
        self.socket = Some(Arc::new(SocketFile(path)));
        self.doors.push(Door::Unix(listener));
        Ok(())
    }

    /// Whether an address was asked for.
    pub(crate) fn has_address(&self) -> bool {
        self.doors.iter().any(|door| matches!(door, Door::Tcp { .. }))
    }

    /// Opens them.
    pub(crate) fn open(mut self, board: Arc<Board>) -> io::Result<Control> {
        let doors = std::mem::take(&mut self.doors);
        let admin = if doors.is_empty() { None } else { Some(Admin::open(board, doors)?) };
        Ok(Control { admin, socket: self.socket.take() })
    }
}

/// Doors that were not opened leave no name.
impl Drop for Doors {
    fn drop(&mut self) {
        self.socket.iter().for_each(|socket| socket.remove());
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.socket.iter().for_each(|socket| socket.remove());
        self.admin.take();
    }
}
