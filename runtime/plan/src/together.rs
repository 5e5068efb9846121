//! Checks query files that run in one process against each other.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::LimitsFile;
use super::claims::Claims;
use super::connectors::Connectors;
use super::paths::{FileUse, UseKind, unnumbered};
use super::plan::Plan;
use weir_config::{Problem, QueryFileError, clip};

impl Plan {
    /// Reads and checks query files that will run in one process, optionally within a limits file. No two may have the same name
    /// and tenant, write what another one writes or reads, or share standard output, an input pipe or a consumer group. Together
    /// they must not need more instances than their tenant may have.
    ///
    /// # Errors
    ///
    /// All mistakes in all files, and conflicts between valid files, in the order of `paths`.
    pub fn load_all<P: AsRef<Path>>(
        paths: &[P],
        limits: Option<&LimitsFile>,
    ) -> Result<Vec<Plan>, Vec<QueryFileError>> {
        let mut plans = Vec::with_capacity(paths.len());
        let mut errors = Vec::new();
        for loaded in Plan::load_each(paths, limits) {
            match loaded {
                Ok(plan) => plans.push(plan),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(plans) } else { Err(errors) }
    }

    /// Like [`Plan::load_all`], but with a result for each file, in the order of `paths`: a mistake in one does not affect the
    /// others. If two conflict, the later one is refused.
    pub fn load_each<P: AsRef<Path>>(paths: &[P], limits: Option<&LimitsFile>) -> Vec<Result<Plan, QueryFileError>> {
        let mut loaded: Vec<_> =
            paths.iter().map(|path| Plan::load_under(path.as_ref(), limits, &Connectors::default())).collect();
        let right = loaded.iter().enumerate().filter_map(|(index, plan)| Some((index, plan.as_ref().ok()?)));
        let (places, claims): (Vec<usize>, Vec<Claims>) = right.map(|(index, plan)| (index, plan.claims())).unzip();
        let found = clashes(&claims.iter().collect::<Vec<_>>());
        for (place, problems) in places.into_iter().zip(found) {
            if problems.is_empty() {
                continue;
            }
            if let (Some(loaded), Some(path)) = (loaded.get_mut(place), paths.get(place)) {
                *loaded = Err(QueryFileError::new(path.as_ref(), problems));
            }
        }
        loaded
    }
}

/// What is wrong with each of these queries because of the others, sorted by line: a list for each, in their order. Where two
/// are in each other's way, the later one has the problem.
pub fn clashes(plans: &[&Claims]) -> Vec<Vec<Problem>> {
    let mut found = vec![Vec::new(); plans.len()];
    names(plans, &mut found);
    instances(plans, &mut found);
    files(plans, &mut found);
    groups(plans, &mut found);
    for problems in &mut found {
        problems.sort_by_key(|problem| (problem.line, problem.column));
    }
    found
}

/// Counters, dead letters and log lines contain query and tenant, so these must be unique together.
fn names(plans: &[&Claims], found: &mut [Vec<Problem>]) {
    let mut seen: HashMap<(&str, &str), usize> = HashMap::new();
    for (plan, found) in plans.iter().zip(found) {
        let times = seen.entry((&plan.name, &plan.tenant)).or_default();
        if *times > 0 {
            let message = format!("this run already has a {}", plan.called_to(plan));
            found.push(plan.name_spot.problem(message, "give one of them another name"));
        }
        *times += 1;
    }
}

/// Stages keep their instances, so queries that need more than allowed would wait for each other forever.
fn instances(plans: &[&Claims], found: &mut [Vec<Problem>]) {
    let mut needed: BTreeMap<&str, usize> = BTreeMap::new();
    for (plan, found) in plans.iter().zip(found) {
        let (all, most) = (needed.entry(&plan.tenant).or_default(), plan.instances_max);
        let before = *all;
        *all = all.saturating_add(plan.instances);
        // A query that needs too many by itself has been reported.
        if *all > most && before > 0 {
            let message = format!(
                "together with this query, the queries of tenant `{}` in this run need {all} instances at once, but it may have only {most}",
                plan.tenant
            );
            let help = "run fewer of them together, or raise `instances_max` in the limits file";
            found.push(plan.name_spot.problem(message, help));
        }
    }
}

/// Members of a group share its topics, so each query would get a part of the records.
fn groups(plans: &[&Claims], found: &mut [Vec<Problem>]) {
    for (index, (plan, found)) in plans.iter().zip(found).enumerate() {
        let others = || plans.iter().take(index).flat_map(|other| other.groups.iter().map(move |group| (other, group)));
        for group in &plan.groups {
            if let Some((other, first)) = others().find(|(_, first)| first.meets(group)) {
                let key = if other.tenant == plan.tenant { format!(" (`{}`)", first.spot.key) } else { String::new() };
                let message = format!(
                    "{} also uses group `{}`{key}, so each would get only part of the records",
                    other.called_to(plan),
                    clip(&group.group),
                );
                found.push(group.spot.problem(message, "use a separate group for each query"));
            }
        }
    }
}

fn files(plans: &[&Claims], found: &mut [Vec<Problem>]) {
    type User<'a> = (usize, &'a FileUse);
    let mut writes: HashMap<&Path, Vec<User<'_>>> = HashMap::new();
    let mut once: HashMap<&Path, User<'_>> = HashMap::new();
    let mut stdout: Option<User<'_>> = None;
    let uses = || plans.iter().enumerate().flat_map(|(index, plan)| plan.uses.iter().map(move |it| (index, it)));
    for (index, file) in uses() {
        if let UseKind::Write { path, .. } = &file.kind {
            let users = writes.entry(path).or_default();
            // Each query once: one that claims a file a thousand times is compared no more often.
            if users.last().is_none_or(|(last, _)| *last != index) {
                users.push((index, file));
            }
        }
    }
    for (index, file) in uses() {
        let mut clash = |(other, used): User<'_>, does: &str, help: &str| {
            let (Some(plan), Some(found), Some(to)) = (plans.get(other), found.get_mut(index), plans.get(index)) else {
                return;
            };
            let key = if plan.tenant == to.tenant { format!(" (`{}`)", used.spot.key) } else { String::new() };
            let message = format!("{} {does}{key}", plan.called_to(to));
            found.push(file.spot.problem(message, help));
        };
        match &file.kind {
            UseKind::Stdout => match stdout {
                Some(first) if first.0 != index => {
                    clash(first, "also writes to standard output", "write one of them to a file");
                }
                Some(_) => {}
                None => stdout = Some((index, file)),
            },
            UseKind::Read { path, regular: false } => {
                let first = *once.entry(path).or_insert((index, file));
                if first.0 != index {
                    clash(first, "also reads this, but it can be read only once", "read it in one query");
                }
            }
            UseKind::This { .. } | UseKind::Read { .. } | UseKind::Write { .. } => {}
        }
        let Some(path) = file.kind.path() else { continue };
        let base = unnumbered(path);
        let candidates = [Some(path), base.as_deref()].into_iter().flatten().filter_map(|path| writes.get(path));
        let writer = candidates.flatten().find(|(other, write)| {
            let is_write = matches!(file.kind, UseKind::Write { .. });
            // If two write the same file, the later one is reported.
            let told = *other < index || (*other != index && !(is_write && write.kind.path() == Some(path)));
            told && file.kind.meets(&write.kind)
        });
        if let Some(&writer) = writer {
            clash(writer, "writes this file", "use separate files for each query");
        }
    }
}
