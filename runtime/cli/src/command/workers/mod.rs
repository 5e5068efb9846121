//! `weir run --workers`: each tenant's queries in a confined process of their own.

mod budgets;
mod choice;
mod code;
mod ends;
mod files;
mod host;
mod line;
mod network;
mod places;
mod queries;
#[cfg(debug_assertions)]
mod stand_in;
mod start;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use weir_admin::Board;
use weir_plan::LimitsFile;
use weir_tenancy::{Supervisor, TenancySettings};

pub(crate) use self::choice::run_or_not;
use self::host::{Hangups, Host};
use self::places::Places;
pub(crate) use self::start::{CONNECTOR, WORKER};
use super::files::WrongFiles;
use super::running::Run;
use crate::args;
use crate::control::Control;
use crate::exit::{Exit, say, wrong};
use crate::live::{Screen, Show};
use crate::otlp::Otlp;
use crate::signals::Signals;

/// Runs each of these queries in a worker of its tenant. This process reads no query file, module or record of a tenant's. Where
/// nobody asked for workers, gives `None` if the queries are all of one tenant: they need none.
pub(crate) fn run(args: &args::Run, json: bool) -> anyhow::Result<Option<Exit>> {
    let limits = args.files.limits.as_deref().map(LimitsFile::load).transpose();
    let limits = limits.map_err(|error| wrong(WrongFiles(vec![error])))?;
    let several = args.files.queries.len() > 1;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let grace = Duration::from_millis(args.grace_ms);
    let mut otlp = None;
    let done = runtime.block_on(async {
        let mut places = Places::open(args.registry.as_deref(), limits.as_ref()).map_err(wrong)?;
        let mut settings = TenancySettings::new(places.folder());
        settings.overcommit = limits.as_ref().is_some_and(|limits| limits.workers().overcommit);
        // Without privileges no weight is above that of the others: the largest one gets what the ordinary one would.
        settings.weight_max = weight_max(limits.as_ref()).max(settings.weight_max);
        let (supervisor, events) = Supervisor::new(settings).map_err(wrong)?;
        places.read_users(limits.as_ref()).map_err(wrong)?;
        let _kept_until_the_end = places.take_temporary();
        let orphans = supervisor.status()?.orphans_ended;
        if orphans > 0 {
            tracing::warn!("{orphans} processes of an earlier run were ended: it had been killed");
        }
        let supervisor = Arc::new(supervisor);
        let is_bounded = limits.is_some();
        let limits = limits.unwrap_or_else(LimitsFile::of_nobody);
        let mut host = Host::new(Arc::clone(&supervisor), events, (limits, places), args, json);
        if !args.workers {
            // Until it is known who runs them, a signal ends this process: nothing has begun.
            host.read_files(&args.files.queries).await;
            if !choice::needs_workers(&host, is_bounded)? {
                return Ok(None);
            }
        }
        let signals = Signals::catch(grace)?;
        let mut hangups = Hangups::catch()?;
        host.otlp = Some(Otlp::from_environment());
        let ready = async {
            if args.workers {
                host.read_files(&args.files.queries).await;
            }
            host.resolve().await;
            host.compare();
        };
        tokio::select! {
            biased;
            () = ready => {}
            // A worker that cannot be started, or ends again and again, is not waited for.
            () = signals.asked() => {
                if !args.quiet && !json {
                    say("stopped before the queries could start");
                }
                return Ok(Some(Exit::Done));
            }
        }
        let queries = host.remote_queries();
        let board = Arc::new(Board::new(queries.iter().cloned()).with_workers(host.watched()));
        let handles: Vec<_> = queries.into_iter().map(|(query, _)| query).collect();
        let mut doors = Control::doors();
        if let Some(address) = args.metrics_listen {
            super::run::open_metrics(&mut doors, address, args, json)?;
        }
        let watched = host.watched();
        host.otlp.iter_mut().for_each(|otlp| otlp.measure(handles.clone(), Some(Arc::clone(&watched) as _)));
        let control = doors.open(Arc::clone(&board), !args.no_control)?;
        signals.drain(handles, control.socket());
        let screen = Screen::new(Show::choose(args.quiet, json, host.has_rows_on_stdout()));
        let mut run = Run::new(&screen, &board, several, args.quiet, json);
        host.run(&mut run, &screen, &mut hangups).await;
        let exit = run.exit();
        drop(control);
        otlp = host.otlp.take();
        drop(host);
        if let Some(supervisor) = Arc::into_inner(supervisor) {
            // What was ended by force is not waited for.
            supervisor.shutdown(if exit == Exit::Forced { Duration::ZERO } else { Duration::from_secs(1) });
        }
        Ok(Some(exit))
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    otlp.into_iter().for_each(Otlp::close);
    done
}

/// The largest weight of a tenant, 0 without any.
fn weight_max(limits: Option<&LimitsFile>) -> u32 {
    let tenants = limits.into_iter().flat_map(|limits| limits.tenants().filter_map(|tenant| limits.of(tenant)));
    tenants.map(|of_tenant| of_tenant.limits.cpu_weight).max().unwrap_or(0)
}
