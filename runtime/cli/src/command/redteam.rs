//! `weir redteam`.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use indicatif::{ProgressBar, ProgressStyle};
use weir_redteam::{Case, Class, Ground, HostWay, Options, Progress, RedteamError, run};
use weir_text::escape;

use super::inspect::limits_of;
use crate::args::redteam::Redteam;
use crate::engine::config;
use crate::exit::{Exit, wrong};

/// Every class, by which `--class` is read.
const CLASSES: [Class; 9] = [
    Class::Cpu,
    Class::Memory,
    Class::Compile,
    Class::Upload,
    Class::Border,
    Class::Output,
    Class::Speech,
    Class::Life,
    Class::Host,
];

pub(crate) fn redteam(args: &Redteam, json: bool) -> anyhow::Result<Exit> {
    let options = options(args).map_err(wrong)?;
    let cases = cases(args)?;
    let ground = Ground::new(&limits_of(args.limits.as_deref(), &args.tenant)?, &config())?;
    let line = Line::start(json);
    let report = run(&ground, &cases, &options, &mut |progress| line.show(&progress));
    line.end();
    let report = report.map_err(|error| match error {
        RedteamError::Unknown(_) | RedteamError::NothingChosen => wrong(error),
        error => error.into(),
    })?;
    let mut stdout = std::io::stdout().lock();
    if json {
        for line in report.to_json() {
            writeln!(stdout, "{line}")?;
        }
    } else if args.markdown {
        stdout.write_all(report.to_markdown().as_bytes())?;
    } else {
        stdout.write_all(report.to_text().as_bytes())?;
    }
    Ok(if report.passes() { Exit::Done } else { Exit::Failed })
}

/// The largest file that is taken for an attack: attacks that are too large for every limit are wanted too.
const MODULE_FILE_BYTES_MAX: u64 = 256 << 20;

/// The suite, or the modules that were given in its place.
fn cases(args: &Redteam) -> anyhow::Result<Vec<Case>> {
    if args.module.is_empty() {
        return Ok(weir_hostile::ATTACKS.iter().map(Case::from).collect());
    }
    let case = |path: &std::path::PathBuf| {
        let bytes = weir_files::read_whole(path, MODULE_FILE_BYTES_MAX).with_context(|| path.display().to_string());
        let bytes = bytes.map_err(|error| wrong(anyhow!("{error:#}")))?;
        let name = Path::file_name(path).unwrap_or(path.as_os_str()).to_string_lossy();
        Ok(Case::given(&escape(&name), bytes, args.expect.clone()))
    };
    args.module.iter().map(case).collect()
}

fn options(args: &Redteam) -> anyhow::Result<Options> {
    // The running program, whatever has taken its name in the meantime.
    let mut options = Options { program: Some("/proc/self/exe".into()), ..Options::default() };
    if args.quick {
        options = options.quick();
    }
    if let Some(window) = args.window_ms {
        options.window = Duration::from_millis(window);
    }
    if args.one_process {
        options.host_way = HostWay::OneProcess;
    }
    options.rounds = usize::try_from(args.rounds)?;
    options.loop_for = args.loop_s.map(Duration::from_secs);
    options.only = args.only.clone();
    if options.only.is_empty() && args.class.is_empty() {
        // A module that was given is what is asked about, not the suite around it.
        options.only =
            args.module.iter().filter_map(|path| Some(escape(&path.file_name()?.to_string_lossy()))).collect();
    }
    for name in &args.class {
        let class = CLASSES.into_iter().find(|class| class.name() == name);
        let known = || CLASSES.map(Class::name).join(", ");
        options.classes.push(class.ok_or_else(|| anyhow!("--class {name:?}: use {}", known()))?);
    }
    Ok(options)
}

/// What is run at the moment, on standard error where somebody watches.
struct Line(Option<ProgressBar>);

impl Line {
    fn start(json: bool) -> Line {
        let watched = !json && std::io::stderr().is_terminal();
        Line(watched.then(|| {
            let style =
                ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
            ProgressBar::new_spinner().with_style(style)
        }))
    }

    fn show(&self, progress: &Progress<'_>) {
        if let Some(bar) = &self.0 {
            let Progress { part, name, done, of } = progress;
            let of = of.map(|of| format!(" of {of}")).unwrap_or_default();
            bar.set_message(format!("{part}: {}{of}, {name}", done + 1));
            bar.tick();
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
