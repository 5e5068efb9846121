//! Query files go to readers, and drafts come back.

use std::collections::BTreeSet;
use std::path::PathBuf;

use weir_confine::Wall;
use weir_frame::{FromWorker, RequestId};
use weir_tenancy::{AfterEnd, TenancyEvent, WorkerSpec};

use super::super::files::QueryFile;
use super::super::start;
use super::Host;
use super::waiting::{ANSWER_MAX, Patience};
use crate::exit::say;

/// Query files that are read at the same time, each by a process of its own.
const READERS_MAX: usize = 8;

impl Host {
    /// Has each file read by a reader of its own: a file that takes over its reader reaches no other file.
    pub(in crate::command::workers) async fn read_files(&mut self, paths: &[PathBuf]) {
        self.files = paths.iter().map(|path| QueryFile::new(path)).collect();
        let mut next = 0;
        let mut patience = Patience::new(0);
        while next < self.files.len() || !self.readers.is_empty() {
            while self.readers.len() < READERS_MAX && next < self.files.len() {
                let spec = self.reader();
                let Some(file) = self.files.get_mut(next) else { break };
                if let Some(read) = file.read(RequestId(1)) {
                    match self.supervisor.start(spec) {
                        Ok(worker) => {
                            self.readers.insert(worker, next);
                            file.waiting = Some(read);
                        }
                        Err(error) => file.wrong = Some(format!("{}: {error}", file.path.display())),
                    }
                }
                next += 1;
            }
            if self.readers.is_empty() {
                continue;
            }
            let unread = self.files.len() - next + self.readers.len();
            let Some(left) = patience.left(unread) else {
                self.give_up_readers();
                continue;
            };
            match tokio::time::timeout(left, self.events.recv()).await {
                Ok(Some(event)) => self.reader_event(event),
                Ok(None) => return,
                Err(_) => {}
            }
        }
    }

    /// Goes on without the files whose readers give no answer.
    fn give_up_readers(&mut self) {
        for (worker, number) in std::mem::take(&mut self.readers) {
            if let Some(file) = self.files.get_mut(number) {
                let seconds = ANSWER_MAX.as_secs();
                file.wrong = Some(format!(
                    "{}: the process that read it gave no answer within {seconds} s",
                    file.path.display()
                ));
            }
            self.end(worker);
        }
    }

    /// The tenants that the files name.
    pub(in crate::command::workers) fn named(&self) -> BTreeSet<&str> {
        self.files.iter().filter_map(|file| file.named.as_deref()).collect()
    }

    /// Walls that the kernel lacks and nobody has given up.
    pub(in crate::command::workers) fn lacking(&self) -> &[Wall] {
        &self.lacking
    }

    fn reader_event(&mut self, event: TenancyEvent) {
        match event {
            TenancyEvent::Greeted { worker, walls } => {
                let missing = self.missing(&walls);
                if self.is_by_itself {
                    // One process would read these files without any wall. If they are of several tenants, none is run.
                    self.lacking = missing;
                } else if !missing.is_empty() {
                    let walls = missing.into_iter().map(Wall::name).collect::<Vec<_>>().join(",");
                    if let Some(file) = self.readers.remove(&worker).and_then(|file| self.files.get_mut(file)) {
                        file.wrong = Some(format!(
                            "{}: it is not read: this kernel lacks {walls}; use a newer kernel, or give that up with `--allow-weak={walls}`",
                            file.path.display()
                        ));
                    }
                    return self.end(worker);
                }
                let file = self.readers.get(&worker).and_then(|file| self.files.get_mut(*file));
                if let Some(read) = file.and_then(|file| file.waiting.take()) {
                    self.send(worker, read);
                }
            }
            TenancyEvent::Frame { worker, frame } => match frame.take() {
                FromWorker::Needs { request, tenant, variables } => {
                    let Some(file) = self.readers.get(&worker).and_then(|file| self.files.get_mut(*file)) else {
                        return;
                    };
                    match file.grant(request, tenant.as_deref(), &variables, &self.limits) {
                        Ok(grant) => self.send(worker, grant),
                        Err(error) => file.wrong = Some(format!("{}: {error}", file.path.display())),
                    }
                }
                FromWorker::Draft { draft, problems, .. } => {
                    if let Some(file) = self.readers.remove(&worker).and_then(|file| self.files.get_mut(file)) {
                        file.drafted(draft, &problems);
                    }
                    self.end(worker);
                }
                frame => self.log(worker, frame),
            },
            TenancyEvent::Ended { worker, cause, last_words, next, .. } => {
                // It is not tried again: a file that ends its reader would end the next one too.
                if let Some(file) = self.readers.remove(&worker).and_then(|file| self.files.get_mut(file)) {
                    let words = last_words.line();
                    let words = if words.is_empty() { words } else { format!(" (it wrote: {words})") };
                    file.wrong = Some(format!("{}: the process that read it {cause}{words}", file.path.display()));
                }
                if matches!(next, AfterEnd::Restart { .. }) {
                    self.end(worker);
                }
            }
            TenancyEvent::Line { line, .. } => say(&*line),
            _ => {}
        }
    }

    fn reader(&self) -> WorkerSpec {
        let mut spec = start::reader(&self.given_up);
        self.places.of_reader(&mut spec);
        spec
    }
}
