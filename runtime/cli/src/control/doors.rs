//! The doors of a process that runs queries.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use weir_admin::{Admin, Board, Door, ListenError, bind};

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

    /// The socket's name, for who may have to end the process at once.
    pub(crate) fn socket(&self) -> Option<Arc<SocketFile>> {
        self.socket.clone()
    }
}

impl Doors {
    /// By TCP at this address. Answers the address that it is.
    pub(crate) fn tcp(&mut self, address: SocketAddr, steering: bool) -> Result<SocketAddr, ListenError> {
        let (listener, address) = bind(address)?;
        self.doors.push(Door::Tcp { listener, steering });
        Ok(address)
    }

    fn socket(&mut self) -> Result<(), FolderError> {
        let (listener, path) = RuntimeFolder::make()?.listen()?;
        self.socket = Some(Arc::new(SocketFile(path)));
        self.doors.push(Door::Unix(listener));
        Ok(())
    }

    /// Opens them, and the socket of this process where it is wanted. That is a convenience: a query is not kept from running by
    /// what is wrong with it. An address was asked for.
    pub(crate) fn open(mut self, board: Arc<Board>, socket: bool) -> io::Result<Control> {
        let asked_for = !self.doors.is_empty();
        let unseen = |error: &dyn std::error::Error| {
            tracing::warn!("`weir status`, `pause`, `resume` and `stop` will not find this process: {error}");
        };
        if socket && let Err(error) = self.socket() {
            unseen(&error);
        }
        let doors = std::mem::take(&mut self.doors);
        if doors.is_empty() {
            return Ok(Control { admin: None, socket: None });
        }
        match Admin::open(board, doors) {
            Ok(admin) => Ok(Control { admin: Some(admin), socket: self.socket.take() }),
            Err(error) if asked_for => Err(io::Error::new(error.kind(), format!("cannot serve HTTP: {error}"))),
            Err(error) => {
                unseen(&error);
                Ok(Control { admin: None, socket: None })
            }
        }
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
