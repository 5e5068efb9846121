//! How workers are started.

use std::path::{Path, PathBuf};
use std::time::Duration;

use weir_confine::{Budgets, Confinement, Wall};
use weir_frame::{Handed, WorkerRole};
use weir_plan::TenantLimits;
use weir_tenancy::{DiskLimits, Equip, Equipment, WorkerSpec};
use weir_trace::Sampler;
use weir_worker::WorkerSettings;

use super::budgets::WorkerBudgets;
use super::code::Window;
use crate::signals::soft;

/// The argument that makes this program a worker.
pub(crate) const WORKER: &str = "worker";

/// The argument that makes it the connector.
pub(crate) const CONNECTOR: &str = "connector";

/// Descriptors that the connector may hold.
const DESCRIPTORS_MAX: u64 = 1_024;

/// A process that reads query files and nothing else.
pub(super) fn reader(given_up: &[Wall]) -> WorkerSpec {
    let budgets = Budgets {
        descriptors_max: Some(16),
        data_bytes_max: Some(256 << 20),
        file_bytes_max: Some(0),
        ..Budgets::default()
    };
    let confinement = given_up.iter().fold(Confinement::tenant_worker(budgets), |it, wall| it.without(*wall));
    let mut spec = spec("reader", WorkerSettings::new("", confinement), None);
    spec.role = WorkerRole::Reader;
    spec
}

/// What the C library reads to resolve a name, where there is such a file.
const RESOLVER_FILES: [&str; 6] =
    ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/services"];

/// Threads that the connector may have: two for each connection that it makes.
const CONNECTOR_THREADS_MAX: u32 = 600;

/// The process that resolves names and connects for all workers.
pub(super) fn connector(given_up: &[Wall]) -> WorkerSpec {
    let budgets =
        Budgets { descriptors_max: Some(DESCRIPTORS_MAX), data_bytes_max: Some(1 << 30), ..Budgets::default() };
    let files = RESOLVER_FILES.map(Path::new).into_iter().filter(|path| path.exists());
    let confinement = files.fold(Confinement::connector(budgets), |confinement, file| confinement.read(file));
    let confinement = given_up.iter().fold(confinement, |confinement, wall| confinement.without(*wall));
    let mut spec = spec("connector", WorkerSettings::new("", confinement), None);
    (spec.role, spec.arguments) = (WorkerRole::Connector, vec![CONNECTOR.into()]);
    spec.threads_max = CONNECTOR_THREADS_MAX;
    spec
}

/// A tenant's worker: it reads the folders of its query files and the tenant's, and writes to the tenant's.
pub(super) fn of_tenant(
    tenant: &str,
    limits: &TenantLimits,
    query_files: &[PathBuf],
    window: Window,
    given_up: &[Wall],
    grace: Duration,
    sampler: Option<Sampler>,
) -> WorkerSpec {
    let budgets = WorkerBudgets::of(limits, query_files.len());
    let mut confinement = Confinement::tenant_worker(budgets.of_process());
    match limits.folders.paths() {
        Some(folders) => {
            confinement = folders.iter().fold(confinement, |confinement, folder| confinement.write(folder))
        }
        // Only where the operator gave that wall up: files are reached as far as this user reaches them.
        None => confinement = confinement.write("/"),
    }
    for folder in query_files.iter().filter_map(|path| path.parent()).filter(|it| !it.as_os_str().is_empty()) {
        confinement = confinement.read(folder);
    }
    // The zones of local timestamps, and the clock of the machine.
    for shared in ["/usr/share/zoneinfo", "/etc/localtime"].map(Path::new).into_iter().filter(|path| path.exists()) {
        confinement = confinement.read(shared);
    }
    let confinement = given_up.iter().fold(confinement, |confinement, wall| confinement.without(*wall));
    let mut settings = WorkerSettings::new(tenant, confinement)
        .for_queries(query_files.len())
        .within_cpu_percent(limits.limits.cpu_percent_max);
    // Its own process has to end too, before the supervisor does.
    settings.stop_ms_max = u64::try_from(soft(soft(grace)).as_millis()).ok();
    settings.sampler = sampler;
    budgets.set(&mut settings);
    settings.cpu_percent_max = limits.limits.cpu_percent_max;
    let mut spec = spec(tenant, settings, Some(window));
    spec.threads_max = budgets.threads_max;
    spec.disk = on_disk(limits);
    spec.memory_bytes_max = budgets.memory_bytes;
    spec.weight = limits.limits.cpu_weight;
    spec.cpu_percent_max = limits.limits.cpu_percent_max;
    spec.allowed_networks = limits.networks.clone();
    spec
}

/// What the tenant's folders may hold, where there is a limit.
fn on_disk(limits: &TenantLimits) -> Option<DiskLimits> {
    let (bytes_max, files_max) = (limits.process.disk_bytes_max, limits.process.files_max);
    let folders = limits.folders.paths().filter(|_| bytes_max.is_some() || files_max.is_some())?;
    let mut disk = DiskLimits::new(folders.iter().map(|folder| folder.to_path_buf()));
    disk.bytes_max = bytes_max.unwrap_or(u64::MAX);
    // Files are counted one by one: their number is bounded in any case.
    disk.files_max = files_max.unwrap_or(FILES_MAX);
    Some(disk)
}

/// Files of a tenant that has a limit of bytes only.
const FILES_MAX: u64 = 1_000_000;

/// Has workers end at a system call that is in no list: for tests.
const UNKNOWN_CALLS: &str = "WEIR_UNKNOWN_CALLS";

fn spec(tenant: &str, mut settings: WorkerSettings, window: Option<Window>) -> WorkerSpec {
    let mut spec = WorkerSpec::new(tenant, [WORKER]);
    #[cfg(debug_assertions)]
    super::stand_in::stand_in(&mut spec);
    if let Ok(filter) = std::env::var("WEIR_LOG") {
        settings.log_filter = filter;
    }
    if std::env::var_os(UNKNOWN_CALLS).is_some_and(|value| value == "end") {
        settings.confinement = settings.confinement.end_unknown_calls();
    }
    spec.equip = Equip::new(move |start| {
        settings.cpu_debt = start.cpu_debt;
        let settings = settings.to_bytes().map_err(std::io::Error::other)?;
        let window = window.as_ref().map(Window::make).transpose().map_err(std::io::Error::other)?;
        let descriptors = window.into_iter().map(|window| (Handed::CodeWindow, window)).collect();
        let mut equipment = Equipment::default();
        (equipment.settings, equipment.descriptors) = (settings, descriptors);
        Ok(equipment)
    });
    spec
}
