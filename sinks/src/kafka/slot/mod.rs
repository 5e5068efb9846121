//! The slot of a process among those of one host that run the same query: what its Kafka transactions are called by.

mod host;
mod locks;

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use weir_batch::Fault;
use weir_files::{Folder, RuntimeFolder, RuntimeFolderError};
use weir_kafka::KafkaConnection;

use super::KafkaTransactions;
use super::transaction_settings::TransactionSettings;
use locks::{DeadSlot, Lock, Locks, SLOTS_MAX};

/// How many transactions of dead processes are aborted at once, each by a producer, and how long one may take: whoever reads
/// committed records behind it goes on then.
const ABORTS_AT_ONCE: usize = 8;
const ABORT_WITHIN: Duration = Duration::from_secs(5);

/// The slot of a query's run, held over all of its attempts: `<tenant>.<name>.<host>.<slot>` is the id of its transactions.
///
/// The slot is the lowest whose lock file in the runtime folder is free. So a restart takes the slot of the process that
/// died, and opening its transactions aborts what that one left open. What other dead processes left open is aborted in the
/// background: each file says which ids were opened under it and not ended cleanly.
#[derive(Debug, Default)]
pub struct TransactionSlot(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    taken: Option<Taken>,
    // Slots that somebody has who does not see these lock files: another user, or a container with the same host name.
    passed_over: BTreeSet<u32>,
    // Held as well, so that no other process of this user meets the same one.
    retired: Vec<Lock>,
    // What was left open under the own slot is being aborted.
    aborting: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Taken {
    id: String,
    number: u32,
    // None where there is not a folder to lock in.
    lock: Option<Lock>,
}

/// No slot can be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SlotError {
    /// Every slot is another process's.
    #[error(
        "delivery: {SLOTS_MAX} processes of this query already run on this host (locks in {}); end one of them, or set another `transactional_id` for this process",
        path.display()
    )]
    AllTaken {
        /// The folder of the locks.
        path: PathBuf,
    },
}

impl SlotError {
    /// Whose fault it is: of the other processes of the query.
    pub fn fault(&self) -> Fault {
        Fault::External
    }

    /// Whether the same may succeed later: when one of them has ended.
    pub fn retryable(&self) -> bool {
        true
    }
}

impl TransactionSlot {
    /// Takes a slot, and has everything aborted that dead processes of the query left open on this host. Needs a tokio
    /// runtime.
    ///
    /// # Errors
    ///
    /// [`SlotError::AllTaken`].
    pub async fn begin(
        self: &Arc<TransactionSlot>,
        (tenant, query): (&str, &str),
        connection: KafkaConnection,
        settings: TransactionSettings,
    ) -> Result<(), SlotError> {
        let (slot, tenant, query) = (Arc::clone(self), tenant.to_owned(), query.to_owned());
        let begun = tokio::task::spawn_blocking(move || slot.begin_now(&tenant, &query));
        // A thread that ended without an answer left nothing taken: it is tried again when the transactions are opened.
        let (own, dead) = begun.await.unwrap_or_else(|_| Ok((Vec::new(), Vec::new())))?;
        let abort = move |ids: &[String]| {
            let abort = |id: &String| KafkaTransactions::abort_left_open(&connection, id, &settings, ABORT_WITHIN);
            ids.iter().map(abort).collect::<Result<Vec<()>, _>>()
        };
        if !own.is_empty() {
            let (slot, abort) = (Arc::clone(self), abort.clone());
            let aborting = tokio::task::spawn_blocking(move || match abort(&own) {
                Ok(_) => slot.own_aborted(),
                Err(error) => tracing::debug!("transactions of a dead process are not aborted yet: {error}"),
            });
            self.held().aborting = Some(aborting);
        }
        abort_all(dead, abort);
        Ok(())
    }

    /// The id of its transactions, from here on in use; taken now where nothing was begun.
    ///
    /// # Errors
    ///
    /// [`SlotError::AllTaken`].
    pub async fn id(self: &Arc<TransactionSlot>, tenant: &str, query: &str) -> Result<String, SlotError> {
        let aborting = self.held().aborting.take();
        if let Some(aborting) = aborting {
            // What fails there is met by whoever opens the transactions.
            aborting.await.unwrap_or_default();
        }
        let (slot, tenant, query) = (Arc::clone(self), tenant.to_owned(), query.to_owned());
        let id = tokio::task::spawn_blocking(move || slot.id_now(&tenant, &query));
        match id.await {
            Ok(id) => id,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Goes on to another slot, because somebody who does not see its lock has the same one. Says under which id; `false`
    /// where there is no other.
    pub fn move_on(&self) -> Option<String> {
        let mut held = self.held();
        let taken = held.taken.take()?;
        held.passed_over.insert(taken.number);
        held.retired.extend(taken.lock);
        Some(taken.id)
    }

    /// Lets go of it; `cleanly` says that nothing is open under its id.
    pub fn end(&self, cleanly: bool) {
        let mut held = self.held();
        let taken = held.taken.take();
        held.retired.clear();
        if let Some(lock) = taken.and_then(|taken| taken.lock).filter(|_| cleanly)
            && let Err(error) = lock.ended_cleanly()
        {
            tracing::debug!("cannot write the lock file of slot {}: {error}", lock.number);
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Every change is one assignment: a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin_now(&self, tenant: &str, query: &str) -> Result<(Vec<String>, Vec<DeadSlot>), SlotError> {
        let Some(locks) = self.take(tenant, query)? else { return Ok((Vec::new(), Vec::new())) };
        let own = self.held().taken.as_ref().and_then(|taken| taken.lock.as_ref()).map(|lock| lock.left_open.clone());
        let dead = locks.dead().unwrap_or_else(|error| {
            tracing::debug!("cannot look for slots of dead processes: {error}");
            Vec::new()
        });
        Ok((own.unwrap_or_default(), dead))
    }

    fn id_now(&self, tenant: &str, query: &str) -> Result<String, SlotError> {
        self.take(tenant, query)?;
        let held = self.held();
        let Some(taken) = &held.taken else { return Ok(id_of(tenant, query, 0)) };
        if let Some(Err(error)) = taken.lock.as_ref().map(|lock| lock.note(&taken.id)) {
            tracing::warn!("cannot write the lock file of slot {}: {error}", taken.number);
        }
        Ok(taken.id.clone())
    }

    /// Takes a slot where none is taken. Without a folder to lock in, the lowest: whoever has it too moves on.
    fn take(&self, tenant: &str, query: &str) -> Result<Option<Locks>, SlotError> {
        let mut held = self.held();
        let opened = open(tenant, query);
        if held.taken.is_some() {
            return Ok(opened.ok());
        }
        let taken = opened.and_then(|locks| {
            let lock = locks.take(&held.passed_over)?;
            Ok((locks, lock))
        });
        let (locks, number, lock) = match taken {
            Ok((locks, Some(lock))) => (Some(locks), lock.number, Some(lock)),
            Ok((locks, None)) => return Err(SlotError::AllTaken { path: locks.path().to_owned() }),
            Err(error) => {
                tracing::warn!(
                    query,
                    tenant,
                    "cannot lock a slot: {error}; processes of this query on this host detect each other only when one fences the other: set WEIR_RUNTIME_DIR, or a different `transactional_id` for each"
                );
                let number = (0..SLOTS_MAX).find(|number| !held.passed_over.contains(number));
                let none = || SlotError::AllTaken { path: PathBuf::from("WEIR_RUNTIME_DIR") };
                (None, number.ok_or_else(none)?, None)
            }
        };
        held.taken = Some(Taken { id: id_of(tenant, query, number), number, lock });
        Ok(locks)
    }

    fn own_aborted(&self) {
        let mut held = self.held();
        let Some(Taken { id, lock: Some(lock), .. }) = &mut held.taken else { return };
        if let Err(error) = lock.aborted(id) {
            tracing::debug!("cannot write the lock file of slot {}: {error}", lock.number);
        }
    }
}

fn id_of(tenant: &str, query: &str, slot: u32) -> String {
    format!("{tenant}.{query}.{}.{slot}", host::host())
}

fn open(tenant: &str, query: &str) -> io::Result<Locks> {
    let runtime = RuntimeFolder::make().map_err(|error| match error {
        RuntimeFolderError::Io { source, .. } => source,
        unusable => io::Error::new(io::ErrorKind::PermissionDenied, unusable.to_string()),
    })?;
    Locks::open(&Folder::open(runtime.path())?, tenant, query)
}

/// Aborts what dead processes left open, some at once, on threads that nobody waits for.
fn abort_all<E: std::fmt::Display>(
    dead: Vec<DeadSlot>,
    abort: impl Fn(&[String]) -> Result<Vec<()>, E> + Clone + Send + 'static,
) {
    let workers = dead.len().min(ABORTS_AT_ONCE);
    let queue = Arc::new(Mutex::new(VecDeque::from(dead)));
    for _ in 0..workers {
        let (queue, abort) = (Arc::clone(&queue), abort.clone());
        let next = move || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        tokio::task::spawn_blocking(move || {
            while let Some(slot) = next() {
                match abort(&slot.left_open).map_err(|error| error.to_string()) {
                    Ok(_) => slot.aborted().unwrap_or_default(),
                    // Left for the next start, or for the transaction's time-out.
                    Err(error) => tracing::debug!("could not abort the transactions of a dead process: {error}"),
                }
            }
        });
    }
}
